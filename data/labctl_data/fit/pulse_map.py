"""Fit a map of single pulses: one pulse of some amplitude, width and gate voltage on each cell.

Closed loops with identical pulses cannot part amplitude, width and gate; a map can. A SET of
strength rho = exp((V - V_ref)/v) (tau/tau_ref)^beta moves a cell by rho step, up to the bound of
its gate, min(Gmax, s_p (V_WL - V_tp)). Cells differ, so medians over the cells of one condition are
fitted, each weighted by its own error. What the conditions do not vary, or what leaves the cells as
they were, tells nothing and is said to.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.pulse import PulseKind

LEAST_CELLS = 5
"""Cells below which a condition is not judged."""
RESPONSE = 5.0
"""Errors by which the median of a condition must move to count as a response."""
LEAST_VALUES = 3
"""Amplitudes, widths and gates at which cells must respond before a law is fitted."""
KNOWN = 0.25
"""Relative error above which a parameter is not told."""
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class PulseMap:
    """Single pulses, one a row, shape (n,) each; SI units."""

    kind: PulseKind
    amplitude: FloatArray
    width: FloatArray
    gate: FloatArray
    before: FloatArray
    after: FloatArray


@dataclass(frozen=True, eq=False)
class Kinetics:
    """What a map tells."""

    told: Mapping[str, tuple[float, float]]
    """Value and standard error of each parameter that it identifies."""
    untold: Mapping[str, str]
    """Why not, for each that it does not."""
    implied: Mapping[str, float]
    """What the told parameters refer to."""
    conditions: int
    """Conditions of the map."""
    responding: int
    """Conditions in which the median cell moved."""
    misfit: float
    """Root mean square of the medians' residuals, in S; NaN without a fit."""


@dataclass(frozen=True, eq=False)
class _Conditions:
    """The medians of a map."""

    kind: PulseKind
    amplitude: FloatArray
    width: FloatArray
    gate: FloatArray
    before: FloatArray
    after: FloatArray
    error: FloatArray
    responds: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.amplitude)

    def values(self, name: str) -> int:
        """Count the amplitudes, widths or gates at which cells respond."""
        return len(np.unique(getattr(self, name)[self.responds]))


def fit_pulse_map(pulses: PulseMap, model: SoftBoundModel) -> Kinetics:
    """Fit the laws of amplitude, width and gate to a map of single pulses."""
    medians = _medians(pulses)
    responding = int(medians.responds.sum())
    name = pulses.kind.name.lower()
    wanted = [f"{name}_slope", "width_exponent"]
    wanted += ["gate_slope", "gate_threshold", "bound_high"] if pulses.kind == PulseKind.SET else []
    short = [
        f"cells respond at {medians.values(axis)} of "
        f"{len(np.unique(getattr(medians, axis)))} {axis}s"
        for axis in ("amplitude", "width", "gate")
        if medians.values(axis) < LEAST_VALUES
    ]
    if short or pulses.kind == PulseKind.RESET:
        reason = "; ".join(short) or "the law of single RESET pulses is not fitted"
        untold = dict.fromkeys(wanted, reason)
        return Kinetics({}, untold, {}, len(medians), responding, float("nan"))
    return _fitted(medians, model, responding)


def _medians(pulses: PulseMap) -> _Conditions:
    keys = np.column_stack([pulses.amplitude, pulses.width, pulses.gate])
    conditions, member, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(member.ravel(), kind="stable")
    starts = np.concatenate([[0], np.cumsum(count)])
    rows = [order[a:b] for a, b in itertools.pairwise(starts)]
    kept = [k for k, row in enumerate(rows) if len(row) >= LEAST_CELLS]
    change = pulses.after - pulses.before
    moved = np.array([np.median(change[rows[k]]) for k in kept])
    spread = np.array(
        [np.median(np.abs(change[rows[k]] - m)) for k, m in zip(kept, moved, strict=False)]
    )
    # A median of n normal numbers is 1.25 times less sure than their mean.
    error = 1.25 * MAD_TO_SIGMA * spread / np.sqrt(count[kept])
    error = np.maximum(error, 0.1 * np.median(error))
    before = np.array([np.median(pulses.before[rows[k]]) for k in kept])
    amplitude, width, gate = conditions[kept].T
    sign = 1 if pulses.kind == PulseKind.SET else -1
    large = 0.1 * np.median(before)
    responds = sign * moved > np.maximum(RESPONSE * error, large)
    return _Conditions(pulses.kind, amplitude, width, gate, before, before + moved, error, responds)


def _fitted(medians: _Conditions, model: SoftBoundModel, responding: int) -> Kinetics:
    reference = float(np.min(medians.amplitude[medians.responds]))
    strongest = float(np.max(medians.after))

    def residual(x: FloatArray) -> FloatArray:
        return (
            _predicted(x, medians, reference, model.pulse_width) - medians.after
        ) / medians.error

    limits = np.log([1e-9, 0.01, 1e-9, 1e-9]), np.log([1e3 * strongest, 5.0, 1e4, 10 * strongest])
    low = np.array([*limits[0][:2], 0.0, limits[0][2], -2.0, limits[0][3]])
    high = np.array([*limits[1][:2], 3.0, limits[1][2], np.max(medians.gate), limits[1][3]])
    rest = [0.3, np.log(strongest), 0.5 * float(np.min(medians.gate)), np.log(strongest)]
    starts = [
        np.clip([np.log(motion * strongest), np.log(slope), *rest], low + 1e-6, high - 1e-6)
        for motion in (0.003, 0.03, 0.3)
        for slope in (0.05, 0.2)
    ]
    tries = [least_squares(residual, x, bounds=(low, high), loss="soft_l1") for x in starts]
    found = min(tries, key=lambda each: float(each.cost))
    errors = _errors(np.asarray(found.jac), np.asarray(found.fun))
    edge = np.minimum(found.x - low, high - found.x) < 1e-3
    told, untold = {}, {}
    for name, value, error, at_edge in zip(_NAMES, found.x, errors, edge, strict=True):
        natural, doubt = _natural(name, float(value), float(error))
        if doubt < KNOWN * abs(natural) and not at_edge:
            told[name] = (natural, doubt)
        else:
            untold[name] = f"{natural:.3g} +- {doubt:.2g}: too few pulses stop short"
    implied = {"set_voltage": reference, "set_step": told.pop("set_step", (0.0, 0.0))[0]}
    rest_of = _predicted(found.x, medians, reference, model.pulse_width) - medians.after
    misfit = float(np.sqrt(np.mean(rest_of**2)))
    known = {} if "set_step" in untold else implied
    return Kinetics(told, untold, known, len(medians), responding, misfit)


_NAMES = (
    "set_step", "set_slope", "width_exponent", "gate_slope", "gate_threshold", "bound_high",
)  # fmt: skip
"""Unknowns; those in `_LOGARITHMIC` are fitted by their logarithm."""
_LOGARITHMIC = frozenset({"set_step", "set_slope", "gate_slope", "bound_high"})


def _predicted(x: FloatArray, medians: _Conditions, reference: float, width: float) -> FloatArray:
    """Return the conductance after the pulse of each condition, in S."""
    log_motion, log_slope, exponent, log_gate_slope, threshold, log_top = x
    strength = log_motion + (medians.amplitude - reference) / np.exp(log_slope)
    strength += exponent * np.log(medians.width / width)
    overdrive = np.maximum(medians.gate - threshold, 0.0)
    bound = np.minimum(np.exp(log_top), np.exp(log_gate_slope) * overdrive)
    moved = medians.before + np.exp(np.minimum(strength, 0.0)) * (overdrive > 0)
    after: FloatArray = np.maximum(np.minimum(moved, bound), medians.before)
    return after


def _natural(name: str, value: float, error: float) -> tuple[float, float]:
    if name not in _LOGARITHMIC:
        return value, error
    return float(np.exp(value)), float(np.exp(value) * error)


def _errors(jacobian: FloatArray, residuals: FloatArray) -> FloatArray:
    """Return standard errors; residuals beyond their own errors widen them."""
    scatter = max(1.0, float(np.median(np.abs(residuals))) * MAD_TO_SIGMA)
    curvature = jacobian.T @ jacobian
    scale = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    inverse = np.linalg.pinv(curvature / np.outer(scale, scale), hermitian=True)
    errors: FloatArray = scatter * np.sqrt(np.maximum(np.diag(inverse), 0.0)) / scale
    return errors
