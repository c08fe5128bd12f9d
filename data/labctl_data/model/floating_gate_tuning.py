"""Which pulse takes a floating-gate cell where it shall go: its equations turned round, on arrays.

For tuning by model: each write pulse has the amplitude that the model thinks right for this cell.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.errors import ModelError
from labctl_data.model import floating_gate_equations as eq
from labctl_data.model.compiled import compiled
from labctl_data.model.floating_gate import FloatingGateModel
from labctl_data.model.laws import Packed
from labctl_data.model.parameter import FloatArray
from labctl_data.pulse import PulseKind

_MOST_AMPLITUDE = 20.0
"""Where the search for an amplitude gives up, in V."""
_HALVINGS = 60


def threshold(model: FloatingGateModel, conductance: npt.ArrayLike) -> FloatArray:
    """Return the thresholds of cells that conduct so much at the read gate, in V.

    Raises
    ------
    ModelError
        If a conductance is not above 0: it has no threshold.
    """
    g = np.asarray(conductance, float)
    bad = ~(np.isfinite(g) & (g > 0.0))
    if bad.any():
        raise ModelError(
            f"model {model.name}: a conductance must be above 0 S, found {g[bad].flat[0]:g}"
        )
    out = np.empty(g.size)
    _thresholds(model.packed(), g.reshape(-1), out)
    return out.reshape(g.shape)


def conductance(model: FloatingGateModel, thresholds: npt.ArrayLike) -> FloatArray:
    """Return what cells of these thresholds, in V, conduct at the read gate, in S."""
    volts = np.asarray(thresholds, float)
    out = np.empty(volts.size)
    _conductances(model.packed(), volts.reshape(-1), out)
    return out.reshape(volts.shape)


def strength_for(
    model: FloatingGateModel, start: npt.ArrayLike, end: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the kind of pulse from one threshold to another, and its strength.

    Thresholds in V. The strength is in reference pulses, for a cell of the median rate.
    """
    first, last = _alike(start, end)
    kinds = np.where(last > first, PulseKind.RESET, PulseKind.SET).astype(np.int64)
    out = np.empty(first.size)
    _strengths(model.packed(), kinds.reshape(-1), first.reshape(-1), last.reshape(-1), out)
    return kinds, out.reshape(first.shape)


def amplitude_for(
    model: FloatingGateModel,
    kind: npt.ArrayLike,
    strength: npt.ArrayLike,
    *,
    width: float,
    gate: npt.ArrayLike,
) -> FloatArray:
    """Return the amplitudes at which pulses of a width and gate have these strengths, in V.

    By halving: strength rises with amplitude. inf where no amplitude has it.
    """
    wanted, gates, of_kind = _alike(strength, gate, kind)
    kinds = of_kind.astype(np.int64)
    out = np.empty(wanted.size)
    numbers = np.stack([wanted.reshape(-1), gates.reshape(-1)])
    _amplitudes(model.packed(), kinds.reshape(-1), numbers, width, out)
    return out.reshape(wanted.shape)


def _alike(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    """Return arrays of the broadcast shape, each its own memory."""
    arrays = np.broadcast_arrays(*(np.asarray(each, float) for each in values))
    return tuple(np.array(array) for array in arrays)


@compiled
def _thresholds(packed: Packed, g: FloatArray, out: FloatArray) -> None:
    for i in range(g.shape[0]):
        out[i] = eq.threshold_of(packed[0], g[i])


@compiled
def _conductances(packed: Packed, volts: FloatArray, out: FloatArray) -> None:
    for i in range(volts.shape[0]):
        out[i] = eq.conductance_of(packed[0], volts[i])


@compiled
def _strengths(
    packed: Packed,
    kinds: npt.NDArray[np.int64],
    first: FloatArray,
    last: FloatArray,
    out: FloatArray,
) -> None:
    for i in range(first.shape[0]):
        out[i] = eq.strength_of_shift(packed[0], kinds[i], first[i], last[i] - first[i])


@compiled
def _amplitudes(
    packed: Packed,
    kinds: npt.NDArray[np.int64],
    numbers: FloatArray,
    width: float,
    out: FloatArray,
) -> None:
    p = packed[0]
    for i in range(kinds.shape[0]):
        wanted, gate = numbers[0, i], numbers[1, i]
        low, high = 0.0, _MOST_AMPLITUDE
        if eq.strength(p, kinds[i], high, width, gate) < wanted:
            out[i] = np.inf
            continue
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if eq.strength(p, kinds[i], middle, width, gate) < wanted:
                low = middle
            else:
                high = middle
        out[i] = high
