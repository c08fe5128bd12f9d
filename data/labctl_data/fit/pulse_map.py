"""Fit maps of single pulses: one pulse of some amplitude, width and gate voltage on each cell.

Closed loops with identical pulses cannot part amplitude, width and gate; a map can. The laws are
those of `labctl_data.model.equations`: strength exp((V - V_ref)/v) (tau/tau_ref)^beta, an upper
bound by the gate, a lower bound by the amplitude, and in RESET the source follower. Cells differ,
so medians over the cells of one condition are fitted, each weighted by its own error. What the
conditions do not vary, or what leaves the cells as they were, tells nothing and is said to.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from labctl_data.fit.pulse_laws import LAWS, LEAST_CELLS, MAD_TO_SIGMA, Medians, solve
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.pulse import PulseKind

RESPONSE = 5.0
"""Errors by which the median of a condition must move to count as a response."""
LEAST_MOTION = 0.1
"""Part of the conductance before that it must move, too."""
KNOWN = 0.25
"""Relative error above which a parameter is not told."""


@dataclass(frozen=True, eq=False)
class PulseMap:
    """Single pulses, one a row, shape (n,) each; SI units."""

    kind: npt.NDArray[np.int64]
    amplitude: FloatArray
    width: FloatArray
    gate: FloatArray
    before: FloatArray
    after: FloatArray

    @staticmethod
    def joined(parts: Sequence[PulseMap]) -> PulseMap:
        """Return all pulses as one table."""
        names = PulseMap.__dataclass_fields__
        return PulseMap(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(frozen=True, eq=False)
class Kinetics:
    """What maps tell."""

    told: Mapping[str, tuple[float, float]]
    """Value and standard error of each parameter that they identify."""
    untold: Mapping[str, str]
    """Why not, for each that they do not."""
    steps: Mapping[PulseKind, tuple[float, float]]
    """Reference amplitude (V) and step (S) of pulses that nothing else tells the step of."""
    conditions: int
    """Conditions of the maps."""
    responding: int
    """Conditions in which the median cell moved."""
    misfit: float
    """Root mean square of the medians' residuals, in S; NaN without a fit."""


def fit_pulse_maps(
    pulses: PulseMap,
    model: SoftBoundModel,
    *,
    steps_known: Mapping[PulseKind, FloatArray] = MappingProxyType({}),
    known: Mapping[str, float] = MappingProxyType({}),
) -> Kinetics:
    """Fit the laws of amplitude, width and gate to maps of single pulses.

    Parameters
    ----------
    pulses : PulseMap
        Pulses of one or both kinds.
    model : SoftBoundModel
        Values of all else, and where the fit starts.
    steps_known : mapping of PulseKind to ndarray
        Standard error, in S, of each entry of the step tables that other runs told; NaN where they
        did not. The entries move within it. For other kinds of pulse one step, the same at all
        conductances, is fitted at the least amplitude that cells respond to.
    known : mapping of str to float
        Standard errors of parameters of the laws that other runs told: they move within them.
    """
    medians = [medians_of(pulses, PulseKind(kind)) for kind in np.unique(pulses.kind)]
    fitted = [each for each in medians if not each.shortage]
    untold = {name: each.shortage for each in medians if each.shortage for name in LAWS[each.kind]}
    conditions = sum(len(each.amplitude) for each in medians)
    responding = int(sum(each.responds.sum() for each in medians))
    if not fitted:
        return Kinetics({}, untold, {}, conditions, responding, float("nan"))
    answer = solve(fitted, model, steps_known, known)
    told: dict[str, tuple[float, float]] = {}
    for name, (value, error) in answer.laws.items():
        if error < KNOWN * abs(value):
            told[name] = (value, error)
        else:
            untold[name] = f"{value:.3g} +- {error:.2g}: too few pulses stop short"
    untold = {name: reason for name, reason in untold.items() if name not in told}
    return Kinetics(told, untold, answer.steps, conditions, responding, answer.misfit)


def medians_of(pulses: PulseMap, kind: PulseKind) -> Medians:
    """Return the medians of the conditions of one kind of pulse."""
    rows = np.flatnonzero(pulses.kind == kind)
    keys = np.column_stack([getattr(pulses, axis)[rows] for axis in ("amplitude", "width", "gate")])
    conditions, member, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = rows[np.argsort(member.ravel(), kind="stable")]
    parts = [order[a:b] for a, b in itertools.pairwise(np.concatenate([[0], np.cumsum(count)]))]
    kept = np.flatnonzero(count >= LEAST_CELLS)
    groups = [parts[k] for k in kept]
    moves = [pulses.after[group] - pulses.before[group] for group in groups]
    moved = np.array([np.median(move) for move in moves])
    spread = np.array([np.median(np.abs(move - np.median(move))) for move in moves])
    # A median of n normal numbers is 1.25 times less sure than their mean.
    error = 1.25 * MAD_TO_SIGMA * spread / np.sqrt(count[kept])
    if len(kept):
        error = np.maximum(error, 0.1 * np.median(error))
    before = np.array([np.median(pulses.before[group]) for group in groups])
    towards = moved if kind == PulseKind.SET else -moved
    responds = towards > np.maximum(RESPONSE * error, LEAST_MOTION * before)
    amplitude, width, gate = conditions[kept].T
    return Medians(kind, amplitude, width, gate, before, before + moved, error, responds)
