"""The equations of the soft-bound model on arrays, for fits, plots and tests.

Arguments broadcast against each other; answers have the broadcast shape. SI units throughout. All
describe the median device: spreads between devices are the caller's factors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.model import equations as eq
from labctl_data.model import laws
from labctl_data.model.compiled import compiled
from labctl_data.model.laws import SET, Packed
from labctl_data.model.parameter import DeviceModel, FloatArray
from labctl_data.model.soft_bound import SoftBoundModel


def pulse_step(
    model: SoftBoundModel,
    conductance: npt.ArrayLike,
    kind: npt.ArrayLike,
    *,
    amplitude: npt.ArrayLike,
    width: npt.ArrayLike,
    gate: npt.ArrayLike,
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of a pulse's step, in S, before it is clipped to bounds.

    Both are 0 where the pulse does not act: the cell is on the far side of the bound, or the
    transistor is off.
    """
    g, shape = _rows(conductance, kind, amplitude, width, gate)
    out = np.zeros((2, g.shape[1]))
    _pulse_step(model.packed(), g, out)
    return out[0].reshape(shape), out[1].reshape(shape)


def bounds(
    model: SoftBoundModel, kind: npt.ArrayLike, *, amplitude: npt.ArrayLike, gate: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest conductance a pulse can leave, in S.

    SET: the reference lower bound and the gate's upper bound. RESET: the lower bound of the
    amplitude that reaches the cell, and the highest conductance of all.
    """
    arguments, shape = _rows(kind, amplitude, gate)
    out = np.zeros((2, arguments.shape[1]))
    _bounds(model.packed(), arguments, out)
    return out[0].reshape(shape), out[1].reshape(shape)


def relaxation(
    model: SoftBoundModel, conductance: npt.ArrayLike, elapsed: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of g(t) - g_p, in S, `elapsed` s after the last pulse.

    g(t) = g_p + m(g_p) l + s(g_p) W(l), l = log10(1 + t / t0), Var W(l) = l, Student-t increments.
    """
    arguments, shape = _rows(conductance, elapsed)
    out = np.zeros((2, arguments.shape[1]))
    _relaxation(model.packed(), arguments, out)
    return out[0].reshape(shape), out[1].reshape(shape)


def current(model: DeviceModel, conductance: npt.ArrayLike, voltage: npt.ArrayLike) -> FloatArray:
    """Return the current of a cell of any model alone, in A; the conductance is that of reads."""
    arguments, shape = _rows(conductance, voltage)
    out = np.zeros((1, arguments.shape[1]))
    _current(model.packed(), arguments, out)
    return np.reshape(out[0], shape)


def _rows(*arguments: npt.ArrayLike) -> tuple[FloatArray, tuple[int, ...]]:
    """Stack broadcast arguments as rows of shape (n_arguments, n); also the broadcast shape."""
    arrays = np.broadcast_arrays(*(np.asarray(argument, np.float64) for argument in arguments))
    return np.stack([array.reshape(-1) for array in arrays]), arrays[0].shape


@compiled
def _pulse_step(packed: Packed, arguments: FloatArray, out: FloatArray) -> None:
    p = packed[0]
    for i in range(arguments.shape[1]):
        g, kind, gate = arguments[0, i], int(arguments[1, i]), arguments[4, i]
        amplitude = eq.effective_amplitude(p, kind, arguments[2, i], gate)
        rho = eq.strength(p, kind, amplitude, arguments[3, i])
        low, high = eq.pulse_bounds(p, kind, amplitude, gate)
        if rho > 0.0 and ((kind == SET and g < high) or (kind != SET and g > low)):
            out[0, i] = eq.moved(p, kind, g, rho, (low, high)) - g
            out[1, i] = eq.spread_of_pulse(p, kind, g, rho)


@compiled
def _bounds(packed: Packed, arguments: FloatArray, out: FloatArray) -> None:
    p = packed[0]
    for i in range(arguments.shape[1]):
        kind, gate = int(arguments[0, i]), arguments[2, i]
        amplitude = eq.effective_amplitude(p, kind, arguments[1, i], gate)
        out[0, i], out[1, i] = eq.pulse_bounds(p, kind, amplitude, gate)


@compiled
def _relaxation(packed: Packed, arguments: FloatArray, out: FloatArray) -> None:
    p = packed[0]
    for i in range(arguments.shape[1]):
        g = arguments[0, i]
        at = eq.decades(p, arguments[1, i])
        out[0, i] = eq.table_at(p, p.relaxation_drift, g) * at
        out[1, i] = eq.table_at(p, p.relaxation_sigma, g) * np.sqrt(at)


@compiled
def _current(packed: Packed, arguments: FloatArray, out: FloatArray) -> None:
    p = packed[0]
    for i in range(arguments.shape[1]):
        out[0, i] = laws.current(p, arguments[0, i], arguments[1, i])
