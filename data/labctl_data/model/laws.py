"""The laws of a device model: what the simulated chip asks of a cell, whatever its model.

A model keeps its equations in a module of their own, whose name is part of the type of its packed
record. Each law here stands for the function of the same name and arguments in that module:
compiled code chooses by the record's type, so a loop over cells is compiled for each model at its
first use, and costs what it would cost with that model's equations written into it.

`p` is the packed record, `device` a record of `device_type`. Conductances are at the read voltage
and in S, voltages in V (amplitudes are magnitudes), times in s, `kind` an integer of `PulseKind`.
Laws draw nothing: random numbers are arguments.
"""

# mypy: disable-error-code="empty-body"
# ruff: noqa: PIE790
# A law is a name and a promise; the bodies are the models'.

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from labctl_data.errors import ModelError
from labctl_data.model.compiled import chosen_by_type
from labctl_data.model.parameter import DeviceModel, equations_of

P = ParamSpec("P")
R = TypeVar("R")

Packed = Any
"""One packed record: its fields are the parameters of the model."""
Device = Any
"""What one cell is: a record of `device_type`."""
Eight = tuple[float, float, float, float, float, float, float, float]
"""Eight independent random numbers."""

NODE_SPACING = 0.5
"""Distance of the nodes of the walks of relaxation and of read disturb, in decades."""
SET = 0
"""`PulseKind.SET`, for compiled code."""
COMMON_FIELDS = (
    ("rate_factor", np.float64),  # multiplies the strength of pulses
    ("formed_conductance", np.float64),  # S, right after forming
    ("fresh_conductance", np.float64),  # S, before forming
    ("rtn_amplitude", np.float64),  # distance of the two states over g; 0: no RTN
    ("rtn_time", np.float64),  # s, dwell time
    ("worn_class", np.float64),  # StuckClass of the cell once its damage is 1
    ("flicker_phase", np.float64),  # shifts the time constants of 1/f noise; the chip draws it
)
"""What every model's cells have; their equations name the rest in `DEVICE_FIELDS`."""

_LAWS: dict[str, inspect.Signature] = {}


class Pulse(NamedTuple):
    """A pulse, worked out for the median device."""

    kind: int
    """PulseKind."""
    strength: float
    """Reference pulses it equals."""
    low: float
    """Conductance below which it cannot leave a cell, in S."""
    high: float
    """Conductance above which it cannot leave a cell, in S."""
    amplitude: float
    """Voltage that reaches the cell, in V."""
    reach: float
    """Part of full forming that the gate allows."""


def device_type(model: DeviceModel) -> np.dtype[np.void]:
    """Return the type of the records that say what each cell of a model is.

    Raises
    ------
    ModelError
        If the model's equations lack a law, or take other arguments than it.
    """
    module = importlib.import_module(model.equations)
    where = f"device model {model.name}: module {model.equations}"
    for name, signature in _LAWS.items():
        equation = getattr(module, name, None)
        if equation is None:
            raise ModelError(f"{where} lacks the law '{name}'")
        found = tuple(inspect.signature(equation).parameters)
        if found != tuple(signature.parameters):
            raise ModelError(f"{where}: {name} takes {found}, asked {tuple(signature.parameters)}")
    return np.dtype([*COMMON_FIELDS, *module.DEVICE_FIELDS])


def _law(stub: Callable[P, R]) -> Callable[P, R]:
    """Make a function stand for the equations of its name."""
    name = stub.__name__
    _LAWS[name] = inspect.signature(stub)

    @wraps(stub)
    def law(*args: P.args, **kwargs: P.kwargs) -> R:
        first: Any = _with_attributes(args[0])
        equation: Callable[..., R] = _equation(first.dtype.names, name)
        return equation(first, *args[1:], **kwargs)

    chosen_by_type(law, lambda packed: _equation(tuple(packed.fields), name))
    return law


def _with_attributes(record: Any) -> Any:  # noqa: ANN401  (numpy's records are untyped)
    """Return a record whose fields are attributes, as compiled code sees them."""
    array: npt.NDArray[np.void] = np.asarray(record)
    return array.view(np.dtype((np.record, array.dtype)))[()]


def _equation(fields: tuple[str, ...], name: str) -> Callable[..., Any]:
    """Return the function of this name of the module that a packed record's fields name."""
    equation: Callable[..., Any] = getattr(importlib.import_module(equations_of(fields)), name)
    return equation


# What a cell is


@_law
def draw_device(p: Packed, device: Device, normals: Eight, uniforms: Eight) -> None:
    """Fill in what a cell is, from standard normal numbers and numbers between 0 and 1."""
    ...


@_law
def stuck_conductance(p: Packed, device: Device, stuck: int) -> float:
    """Return what a cell of a StuckClass other than NONE conducts, in S."""
    ...


# Pulses


@_law
def is_on(p: Packed, gate: float) -> bool:
    """Say whether a cell conducts at all at this gate voltage."""
    ...


@_law
def open_gate(p: Packed) -> float:
    """Return the gate voltage that lets everything through, in V."""
    ...


@_law
def effective_amplitude(p: Packed, kind: int, amplitude: float, gate: float) -> float:
    """Return the voltage that reaches the cell, in V."""
    ...


@_law
def pulse_of(p: Packed, kind: int, amplitude: float, width: float, gate: float) -> Pulse:
    """Work out a pulse for the median device."""
    ...


@_law
def formed(p: Packed, device: Device, pulse: Pulse) -> tuple[float, float]:
    """Return conductance in S and damage of a fresh cell after a pulse; 0 S: it is still fresh."""
    ...


@_law
def device_bounds(p: Packed, device: Device, pulse: Pulse, damage: float) -> tuple[float, float]:
    """Return the conductances, in S, between which the pulse leaves this cell."""
    ...


@_law
def cycle_strength(p: Packed, rho: float, normal: float) -> float:
    """Return the strength that a pulse of strength rho has this time."""
    ...


@_law
def moved(p: Packed, kind: int, g: float, rho: float, bounds: tuple[float, float]) -> float:
    """Return g after the mean motion of rho reference pulses, before it is cut to the bounds."""
    ...


@_law
def spread_of_pulse(p: Packed, kind: int, g: float, rho: float) -> float:
    """Return the standard deviation of that motion, in S."""
    ...


@_law
def carried(p: Packed, kept: float, seen: float) -> float:
    """Return the conductance from which relaxation begins anew after a full pulse.

    `kept` is what the pulses left, without what had relaxed before; `seen` is with it.
    """
    ...


@_law
def wear(p: Packed, device: Device, motion: float, damage: float) -> float:
    """Return the damage that a motion of so many S adds to a damaged cell; 1 is a dead cell."""
    ...


# Time and reads


@_law
def decades(p: Packed, elapsed: float) -> float:
    """Return the clock l of relaxation, `elapsed` s after the last pulse."""
    ...


@_law
def walk_share(p: Packed) -> float:
    """Return the share of the stretches of a walk in which a cell moves at all."""
    ...


@_law
def relaxed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return what g has become at l = `at`; `walk` is W(l), of variance l."""
    ...


@_law
def disturb_decades(p: Packed, reads: float) -> float:
    """Return the clock of read disturb after so many reads at the read voltage."""
    ...


@_law
def disturb_rate(p: Packed, voltage: float) -> float:
    """Return how many reads at the read voltage one read at `voltage` equals."""
    ...


@_law
def disturbed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return what g has become by reads, `at` on their clock; `walk` as in `relaxed`."""
    ...


@_law
def least_conductance(p: Packed) -> float:
    """Return what a cell that is not open conducts at least, in S."""
    ...


@_law
def at_temperature(p: Packed, g: float, kelvin: float) -> float:
    """Return what a cell of conductance g at room temperature conducts at this one, in S."""
    ...


# Currents


@_law
def current(p: Packed, g: float, voltage: float) -> float:
    """Return the current of the cell alone, in A; proportional to g and odd in the voltage."""
    ...


@_law
def voltage_at(p: Packed, g: float, amperes: float) -> float:
    """Return the voltage at which the cell carries this current: the inverse of `current`."""
    ...


@_law
def saturation_current(p: Packed, gate: float) -> float:
    """Return the most current that the cell's transistor lets through, in A."""
    ...


@_law
def channel_current(p: Packed, g: float, voltage: float, gate: float) -> float:
    """Return the current of the cell behind its transistor, in A, of the voltage's sign."""
    ...


@_law
def compliance_bound(p: Packed, compliance: float) -> float:
    """Return the conductance at which a SET stops that is limited to this current, in S."""
    ...
