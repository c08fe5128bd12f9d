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
from scipy.optimize import least_squares

from labctl_data.errors import ModelError
from labctl_data.model import FloatArray, SoftBoundModel, vectors
from labctl_data.pulse import PulseKind

LEAST_CELLS = 5
"""Cells below which a condition is not judged."""
RESPONSE = 5.0
"""Errors by which the median of a condition must move to count as a response."""
LEAST_MOTION = 0.1
"""Part of the conductance before that it must move, too."""
LEAST_VALUES = 3
"""Amplitudes, widths and gates at which cells must respond before laws are fitted."""
KNOWN = 0.25
"""Relative error above which a parameter is not told."""
MAD_TO_SIGMA = 1.4826
UNPHYSICAL = 1e3
"""Residual, in errors, of a model that cannot be."""

LAWS: Mapping[PulseKind, tuple[str, ...]] = {
    PulseKind.SET: ("set_slope", "width_exponent", "gate_slope", "gate_threshold", "bound_high"),
    PulseKind.RESET: ("reset_slope", "width_exponent", "bound_low", "bound_low_slope"),
}
"""Parameters that a map of each kind of pulse can tell."""
LINEAR = {"width_exponent": (0.0, 3.0), "gate_threshold": (-2.0, 5.0)}
"""Limits of what is fitted as it is; all else is positive, and fitted by its logarithm."""
FACTOR = 1e4
"""How far a positive parameter may move from where it starts, either way."""
STARTS = ((0.5, 1.0), (2.0, 1.0), (1.0, 0.1), (1.0, 10.0))
"""Starting points: factors on the slopes in voltage, and on an unknown step."""


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


@dataclass(frozen=True, eq=False)
class _Medians:
    """The medians of the conditions of one kind of pulse, shape (n,) each."""

    kind: PulseKind
    amplitude: FloatArray
    width: FloatArray
    gate: FloatArray
    before: FloatArray
    after: FloatArray
    error: FloatArray
    responds: npt.NDArray[np.bool_]

    @property
    def shortage(self) -> str:
        """Of which axes too few values make cells respond; empty when there are enough."""
        short = []
        for axis in ("amplitude", "width", "gate"):
            values = getattr(self, axis)
            seen = len(np.unique(values[self.responds]))
            if seen < LEAST_VALUES:
                short.append(f"cells respond at {seen} of {len(np.unique(values))} {axis}s")
        return "; ".join(short)


def fit_pulse_maps(
    pulses: PulseMap,
    model: SoftBoundModel,
    *,
    steps_known: Mapping[PulseKind, float] = MappingProxyType({}),
    fixed: frozenset[str] = frozenset(),
) -> Kinetics:
    """Fit the laws of amplitude, width and gate to maps of single pulses.

    Parameters
    ----------
    pulses : PulseMap
        Pulses of one or both kinds.
    model : SoftBoundModel
        Values of all else, and where the fit starts.
    steps_known : mapping of PulseKind to float
        Kinds whose step tables other runs told, and the relative error of those. For the others
        one step, the same at all conductances, is fitted at the least amplitude that cells respond
        to.
    fixed : set of str
        Parameters that other runs told better.
    """
    kinds = [PulseKind(kind) for kind in np.unique(pulses.kind)]
    medians = [_medians(pulses, kind) for kind in kinds]
    fitted = [each for each in medians if not each.shortage]
    untold = {name: each.shortage for each in medians if each.shortage for name in LAWS[each.kind]}
    conditions = sum(len(each.amplitude) for each in medians)
    responding = int(sum(each.responds.sum() for each in medians))
    if not fitted:
        return Kinetics({}, untold, {}, conditions, responding, float("nan"))
    problem = _Problem.of(fitted, model, steps_known, fixed)
    found, errors, misfit = problem.solve()
    told: dict[str, tuple[float, float]] = {}
    steps = {}
    for name, value, error in zip(problem.names, found, errors, strict=True):
        if isinstance(name, PulseKind):
            if name in problem.reference:
                steps[name] = (problem.reference[name], float(value))
        elif error < KNOWN * abs(value):
            told[name] = (float(value), float(error))
        else:
            untold[name] = f"{value:.3g} +- {error:.2g}: too few pulses stop short"
    untold = {name: reason for name, reason in untold.items() if name not in told}
    return Kinetics(told, untold, steps, conditions, responding, misfit)


def _medians(pulses: PulseMap, kind: PulseKind) -> _Medians:
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
    error = np.maximum(error, 0.1 * np.median(error))
    before = np.array([np.median(pulses.before[group]) for group in groups])
    towards = moved if kind == PulseKind.SET else -moved
    responds = towards > np.maximum(RESPONSE * error, LEAST_MOTION * before)
    amplitude, width, gate = conditions[kept].T
    return _Medians(kind, amplitude, width, gate, before, before + moved, error, responds)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The unknowns, and what they must explain."""

    medians: Sequence[_Medians]
    model: SoftBoundModel
    names: tuple[str | PulseKind, ...]
    """Unknowns; a kind of pulse stands for its step, or for the factor on its known table."""
    reference: Mapping[PulseKind, float]
    """Amplitude at which an unknown step is stated, in V."""
    doubt: Mapping[PulseKind, float]
    """Relative error of the known tables of steps."""

    @classmethod
    def of(
        cls,
        medians: Sequence[_Medians],
        model: SoftBoundModel,
        steps_known: Mapping[PulseKind, float],
        fixed: frozenset[str],
    ) -> _Problem:
        laws = dict.fromkeys(name for each in medians for name in LAWS[each.kind])
        names = [name for name in laws if name not in fixed]
        kinds = [each.kind for each in medians]
        reference = {
            each.kind: float(np.min(each.amplitude[each.responds]))
            for each in medians
            if each.kind not in steps_known
        }
        values = {f"{kind.name.lower()}_voltage": volts for kind, volts in reference.items()}
        doubt = {kind: max(steps_known[kind], 1e-3) for kind in kinds if kind in steps_known}
        there = model.with_parameters(**values)
        return cls(medians, there, (*names, *kinds), reference, doubt)

    def solve(self) -> tuple[FloatArray, FloatArray, float]:
        """Return the unknowns and their errors, (n,) each, and the misfit in S."""
        first = np.array([self._start(name) for name in self.names])
        width = np.array([np.log(FACTOR) if name not in LINEAR else np.inf for name in self.names])
        limits = [LINEAR.get(str(name), (-np.inf, np.inf)) for name in self.names]
        low = np.maximum(first - width, [each[0] for each in limits])
        high = np.minimum(first + width, [each[1] for each in limits])
        tries = []
        for slope, step in STARTS:
            start = first + np.log([self._factor(name, slope, step) for name in self.names])
            start = np.clip(start, low + 1e-6, high - 1e-6)
            tries.append(least_squares(self._residual, start, bounds=(low, high), loss="soft_l1"))
        best = min(tries, key=lambda each: float(each.cost))
        x = np.asarray(best.x)
        errors = _errors(np.asarray(best.jac), np.asarray(best.fun))
        at_edge = np.minimum(x - low, high - x) < 1e-3
        errors[at_edge] = np.inf
        logarithmic = np.array([name not in LINEAR for name in self.names])
        value = np.where(logarithmic, np.exp(np.where(logarithmic, x, 0.0)), x)
        off = np.concatenate(
            [self._after(each, self._with(x)) - each.after for each in self.medians]
        )
        return value, errors * np.where(logarithmic, value, 1.0), float(np.sqrt(np.mean(off**2)))

    def _start(self, name: str | PulseKind) -> float:
        if isinstance(name, PulseKind):
            table = getattr(self.model, f"{name.name.lower()}_step")
            return 0.0 if name in self.doubt else float(np.log(np.max(np.abs(table))))
        seen = self._seen()
        value = seen.get(name, float(np.asarray(self.model.parameters[name])))
        return value if name in LINEAR else float(np.log(value))

    def _seen(self) -> dict[str, float]:
        """Return where the gate law may start: at what the SETs of the map reached, if any."""
        maps = [each for each in self.medians if each.kind == PulseKind.SET]
        if not maps:
            return {}
        (sets,) = maps
        threshold = 0.7 * float(np.min(sets.gate[sets.responds]))
        top = float(np.max(sets.after))
        slope = top / (float(np.median(sets.gate[sets.responds])) - threshold)
        return {"gate_threshold": threshold, "gate_slope": slope, "bound_high": top}

    def _factor(self, name: str | PulseKind, slope: float, step: float) -> float:
        if isinstance(name, PulseKind):
            return 1.0 if name in self.doubt else step
        return slope if name in ("set_slope", "reset_slope") else 1.0

    def _with(self, x: FloatArray) -> SoftBoundModel:
        values: dict[str, npt.ArrayLike] = {}
        for name, number in zip(self.names, x, strict=True):
            if isinstance(name, PulseKind):
                key = f"{name.name.lower()}_step"
                table = getattr(self.model, key)
                flat = np.full(np.shape(table), 1.0 if name == PulseKind.SET else -1.0)
                values[key] = np.exp(number) * (table if name in self.doubt else flat)
            else:
                values[name] = number if name in LINEAR else np.exp(number)
        return self.model.with_parameters(**values)

    def _residual(self, x: FloatArray) -> FloatArray:
        try:
            model = self._with(x)
        except ModelError:
            count = sum(len(each.after) for each in self.medians) + len(self.doubt)
            return np.full(count, UNPHYSICAL)
        parts = [(self._after(each, model) - each.after) / each.error for each in self.medians]
        scales = [x[self.names.index(kind)] / doubt for kind, doubt in self.doubt.items()]
        return np.concatenate([*parts, scales])

    def _after(self, each: _Medians, model: SoftBoundModel) -> FloatArray:
        """Return the median conductance after the pulse of each condition, in S."""
        shape = {"amplitude": each.amplitude, "gate": each.gate}
        step, _ = vectors.pulse_step(
            model, each.before, np.full(len(each.before), int(each.kind)), width=each.width, **shape
        )
        low, high = vectors.bounds(model, np.full(len(each.before), int(each.kind)), **shape)
        # A bound stops a pulse; it moves no cell that is beyond it.
        low, high = np.minimum(low, each.before), np.maximum(high, each.before)
        after: FloatArray = np.clip(each.before + step, low, high)
        return after


def _errors(jacobian: FloatArray, residuals: FloatArray) -> FloatArray:
    """Return standard errors; residuals beyond their own errors widen them."""
    scatter = max(1.0, float(np.median(np.abs(residuals))) * MAD_TO_SIGMA)
    curvature = jacobian.T @ jacobian
    scale = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    inverse = np.linalg.pinv(curvature / np.outer(scale, scale), hermitian=True)
    errors: FloatArray = scatter * np.sqrt(np.maximum(np.diag(inverse), 0.0)) / scale
    return errors
