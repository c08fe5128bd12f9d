"""What a cell of JART VCM v1b does in time: held voltages, ramps, switching times.

Voltages are those of the source; positive ones SET. Vacancies in 1/m^3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad, solve_ivp

from labctl_data.errors import ModelError
from labctl_data.model import jart_equations as eq
from labctl_data.model.jart_vcm import JartVcmModel
from labctl_data.model.parameter import FloatArray

READ_VOLTAGE = 0.2
"""Voltage at which conductances are stated, in V."""
_TOLERANCE = 1e-7
_LEAST_STEPS_A_RAMP = 400


@dataclass(frozen=True, eq=False)
class Instant:
    """What a cell does at one instant; arrays of the broadcast shape of what was asked."""

    rate: FloatArray
    """dN/dt, in 1/m^3/s."""
    current: FloatArray
    """Current, in A, of the voltage's sign."""
    temperature: FloatArray
    """Temperature of the filament, in K."""
    cell_voltage: FloatArray
    """Voltage over the cell, in V: less than the source's where its compliance holds."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A cell followed in time; arrays of shape (n,)."""

    time: FloatArray
    """Since the start, in s."""
    voltage: FloatArray
    """Of the source, in V."""
    vacancies: FloatArray
    """In the disc, in 1/m^3."""
    current: FloatArray
    """In A."""
    temperature: FloatArray
    """Of the filament, in K."""


def instant(
    model: JartVcmModel,
    vacancies: npt.ArrayLike,
    voltage: npt.ArrayLike,
    *,
    compliance: float = np.inf,
) -> Instant:
    """Solve a cell of known vacancies at a voltage: contact, heat and ions.

    Raises
    ------
    ModelError
        If the vacancies lie outside the model's range, the voltage is so high that ions meet no
        barrier, or the compliance is not above 0.
    """
    n, volts = np.broadcast_arrays(np.asarray(vacancies, float), np.asarray(voltage, float))
    _check(model, n, volts, compliance)
    arguments = np.stack([n.reshape(-1), volts.reshape(-1), np.full(n.size, compliance)])
    out = np.zeros((4, n.size))
    eq.fill_rates(model.packed(), arguments, out)
    return Instant(*(row.reshape(n.shape) for row in out))


def conductance(model: JartVcmModel, vacancies: npt.ArrayLike) -> FloatArray:
    """Return current over voltage at 0.2 V, in S."""
    return instant(model, vacancies, READ_VOLTAGE).current / READ_VOLTAGE


def hold(
    model: JartVcmModel,
    start: float,
    voltage: float,
    times: npt.ArrayLike,
    *,
    compliance: float = np.inf,
) -> Trajectory:
    """Hold a voltage from time 0 on and look at the given times, in s, rising."""
    at = np.asarray(times, float).reshape(-1)
    return _follow(model, start, (np.array([0.0, at[-1]]), np.full(2, voltage)), at, compliance)


def ramp(
    model: JartVcmModel,
    start: float,
    corners: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    points: int = _LEAST_STEPS_A_RAMP,
    compliance: float = np.inf,
) -> Trajectory:
    """Ramp the voltage along corners (times in s, voltages in V), `points` looks a leg."""
    times, volts = (np.asarray(values, float) for values in corners)
    looks = [np.linspace(a, b, points) for a, b in pairwise(times)]
    return _follow(model, start, (times, volts), np.unique(np.concatenate(looks)), compliance)


def switching_time(model: JartVcmModel, voltage: float, start: float, end: float) -> float:
    """Return how long a held voltage takes from one number of vacancies to another, in s.

    At a constant voltage the rate depends on N alone, so the time is the integral of dN over the
    rate; inf where the cell moves the other way or rests.
    """
    _check(model, np.array([start, end]), np.array(voltage), np.inf)

    def seconds_an_e_fold(logarithm: float) -> float:
        n = math.exp(logarithm)
        rate = float(instant(model, n, voltage).rate)
        return n / rate if rate else math.inf

    if not np.isfinite(seconds_an_e_fold(math.log(start))):
        return math.inf
    total = float(
        quad(seconds_an_e_fold, math.log(start), math.log(end), epsrel=1e-6, limit=200)[0]
    )
    return total if total > 0.0 else math.inf


def _follow(
    model: JartVcmModel,
    start: float,
    corners: tuple[FloatArray, FloatArray],
    looks: FloatArray,
    compliance: float,
) -> Trajectory:
    """Integrate ln N leg by leg, by LSODA: smooth while ions creep, stiff where they run away."""
    times, volts = corners
    _check(model, np.array(start), volts, compliance)
    packed = model.packed()
    arguments, out = np.full((3, 1), compliance), np.zeros((4, 1))
    ends = math.log(model.least_vacancies), math.log(model.most_vacancies)

    def slope(time: float, state: FloatArray) -> list[float]:
        arguments[0, 0] = math.exp(min(max(float(state[0]), ends[0]), ends[1]))
        arguments[1, 0] = np.interp(time, times, volts)
        eq.fill_rates(packed, arguments, out)
        return [out[0, 0] / arguments[0, 0]]

    at = math.log(start)
    found: list[FloatArray] = []
    for left, right in pairwise(times):
        inside = looks[(looks > left if found else looks >= left) & (looks <= right)]
        points = np.append(inside, right) if not len(inside) or inside[-1] < right else inside
        answer = solve_ivp(
            slope, (left, right), [at], "LSODA", points, rtol=_TOLERANCE, atol=_TOLERANCE
        )
        if not answer.success:
            raise ModelError(
                f"model {model.name}: the cell could not be followed: {answer.message}"
            )
        found.append(answer.y[0][: len(inside)])
        at = float(answer.y[0][-1])
    vacancies = np.exp(np.clip(np.concatenate(found), *ends))
    vacancies = np.clip(vacancies, model.least_vacancies, model.most_vacancies)
    volts_at = np.interp(looks, times, volts)
    seen = instant(model, vacancies, volts_at, compliance=compliance)
    return Trajectory(looks, volts_at, vacancies, seen.current, seen.temperature)


def _check(
    model: JartVcmModel, vacancies: FloatArray, voltage: FloatArray, compliance: float
) -> None:
    """Refuse what the equations do not cover."""
    least, most = model.least_vacancies, model.most_vacancies
    bad = ~((vacancies >= least * (1 - 1e-9)) & (vacancies <= most * (1 + 1e-9)))
    if bad.any():
        raise ModelError(
            f"model {model.name}: vacancies must lie in {least:g} to {most:g} 1/m^3, "
            f"found {vacancies[bad].flat[0]:g}"
        )
    highest = math.pi * model.hop_energy * model.disc_length
    highest /= eq.VACANCY_CHARGE * model.hop_distance
    beyond = ~(np.abs(voltage) < highest)
    if beyond.any():
        raise ModelError(
            f"model {model.name}: voltage must lie within +-{highest:.3g} V, where a hop still has "
            f"a barrier, found {voltage[beyond].flat[0]:g} V"
        )
    if not compliance > 0.0:
        raise ModelError(f"model {model.name}: compliance must be above 0 A, found {compliance:g}")
