"""The laws of amplitude, width and gate, solved for what the medians of pulse maps show.

A pulse leaves a cell where its own motion ends, or at its bound, whichever is nearer: SET
min(B d1, M + s xi), RESET max(B d2, M + s xi), with the motion M, the bound B, its lognormal spread
d and the spread s of the pulse by the model's own equations. The median x of that solves, for SET,

    Q((x - M)/s) Q(ln(x/B)/d1) = 1/2,    Q = 1 - Phi,

and likewise for RESET with Phi. Medians of the data are fitted by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import ndtr

from labctl_data.errors import ModelError
from labctl_data.model import FloatArray, SoftBoundModel, vectors
from labctl_data.pulse import PulseKind

LEAST_CELLS = 5
"""Cells below which a condition is not judged."""
LEAST_VALUES = 3
"""Amplitudes, widths and gates at which cells must respond before laws are fitted."""
MAD_TO_SIGMA = 1.4826
UNPHYSICAL = 1e3
"""Residual, in errors, of a model that cannot be."""
REACH = 8.0
"""How many errors what is known already may move."""
FACTOR = 1e4
"""How far a positive unknown may move from where it starts, either way."""
STARTS = ((0.5, 1.0), (2.0, 1.0), (1.0, 0.1), (1.0, 10.0))
"""Starting points: factors on the slopes in voltage, and on an unknown step."""
FAR = 1.0
"""Motion, in S, that ends at a bound whatever it is."""
DIFFERENCE = 1e-5
"""Step of the numeric derivatives, relative: medians are found to some 1e-9 of themselves."""
TRIAL = 12
"""Steps from each starting point, before the best of them are gone on with."""
REFINED = 2
"""Of them, how many."""
HALVINGS = 30
"""Halvings of the interval in which a median is looked for."""
LINEAR = {"width_exponent": (0.0, 3.0), "gate_threshold": (-2.0, 5.0)}
"""Limits of what is fitted as it is; all else is positive, and fitted by its logarithm."""
LAWS: Mapping[PulseKind, tuple[str, ...]] = {
    PulseKind.SET: ("set_slope", "width_exponent", "gate_slope", "gate_threshold", "bound_high"),
    PulseKind.RESET: ("reset_slope", "width_exponent", "bound_low", "bound_low_slope"),
}
"""Parameters that a map of each kind of pulse can tell."""


@dataclass(frozen=True, eq=False)
class Medians:
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
        if not len(self.amplitude):
            return f"no condition has the {LEAST_CELLS} cells that a median asks for"
        short = []
        for axis in ("amplitude", "width", "gate"):
            values = getattr(self, axis)
            seen = len(np.unique(values[self.responds]))
            if seen < LEAST_VALUES:
                short.append(f"cells respond at {seen} of {len(np.unique(values))} {axis}s")
        return "; ".join(short)


@dataclass(frozen=True)
class Answer:
    """The solution."""

    laws: Mapping[str, tuple[float, float]]
    """Value and standard error of each parameter of the laws; infinite at a limit."""
    steps: Mapping[PulseKind, tuple[float, float]]
    """Reference amplitude (V) and step (S) of pulses that nothing else tells the step of."""
    misfit: float
    """Root mean square of the medians' residuals, in S."""


@dataclass(frozen=True)
class _Unknown:
    """One unknown."""

    parameter: str
    """Parameter of the model."""
    entry: int | None
    """Entry of its table; None for a number, -1 for all entries alike."""
    start: float
    """Where the fitted number starts."""
    low: float
    high: float
    size: float = 0.0
    """Magnitude that is known already, if any."""
    doubt: float = 0.0
    """Its standard error: the fitted number counts errors from it. 0 where nothing is known."""

    @property
    def logarithmic(self) -> bool:
        """Whether the logarithm is fitted."""
        return not self.doubt and self.parameter not in LINEAR

    def natural(self, x: float) -> float:
        """Return the magnitude that a fitted number stands for."""
        if self.doubt:
            return max(self.size + self.doubt * x, 0.0)
        return float(np.exp(x)) if self.logarithmic else x

    def error(self, x: float, error: float) -> float:
        """Return the error of that magnitude."""
        if self.doubt:
            return error * self.doubt
        return error * (self.natural(x) if self.logarithmic else 1.0)


def solve(
    medians: Sequence[Medians],
    model: SoftBoundModel,
    steps_known: Mapping[PulseKind, FloatArray],
    known: Mapping[str, float],
) -> Answer:
    """Solve for the laws; see `labctl_data.fit.pulse_map.fit_pulse_maps`."""
    reference = {
        each.kind: float(np.min(each.amplitude[each.responds]))
        for each in medians
        if each.kind not in steps_known
    }
    volts = {f"{kind.name.lower()}_voltage": value for kind, value in reference.items()}
    problem = _Problem.of(medians, model.with_parameters(**volts), steps_known, known)
    low = np.array([each.low for each in problem.unknowns])
    high = np.array([each.high for each in problem.unknowns])

    def descend(
        start: FloatArray, steps: int | None
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        found = least_squares(
            problem.residual,
            start,
            bounds=(low, high),
            loss="soft_l1",
            x_scale="jac",
            diff_step=np.full(len(low), DIFFERENCE),
            max_nfev=steps,
        )
        x, jacobian = np.asarray(found.x), np.asarray(found.jac, np.float64)
        return float(found.cost), x, jacobian, np.asarray(found.fun)

    tries = sorted(
        (descend(start, TRIAL) for start in problem.starts(low, high)), key=lambda each: each[0]
    )
    best = min((descend(each[1], None) for each in tries[:REFINED]), key=lambda each: each[0])
    _, x, jacobian, residuals = best
    errors = _errors(jacobian, residuals)
    errors[np.minimum(x - low, high - x) < 1e-3 * (1 + np.abs(x))] = np.inf
    laws, steps = {}, {}
    for unknown, number, error in zip(problem.unknowns, x, errors, strict=True):
        value = unknown.natural(float(number))
        if unknown.entry is None:
            laws[unknown.parameter] = (value, unknown.error(float(number), float(error)))
        elif unknown.entry == -1:
            kind = PulseKind[unknown.parameter.removesuffix("_step").upper()]
            steps[kind] = (reference[kind], value)
    fitted = problem.model_of(x)
    off = np.concatenate([median_after(each, fitted) - each.after for each in medians])
    return Answer(laws, steps, float(np.sqrt(np.mean(off**2))))


def median_after(each: Medians, model: SoftBoundModel) -> FloatArray:
    """Return the median conductance after the pulse of each condition, shape (n,), in S."""
    kind = np.full(len(each.before), int(each.kind))
    shape = {"amplitude": each.amplitude, "gate": each.gate}
    step, sigma = vectors.pulse_step(model, each.before, kind, width=each.width, **shape)
    step = np.clip(np.nan_to_num(step, nan=0.0, posinf=FAR, neginf=-FAR), -FAR, FAR)
    low, high = vectors.bounds(model, kind, **shape)
    upwards = each.kind == PulseKind.SET
    bound = high if upwards else low
    spread = model.bound_high_spread if upwards else model.bound_low_spread
    moved = each.before + step
    width = np.maximum(np.hypot(sigma, model.rate_spread * step), 1e-12)
    sign = 1.0 if upwards else -1.0
    # The median lies between the nearer of motion and bound, and some widths before it.
    nearer = np.minimum(moved, bound) if upwards else np.maximum(moved, bound)
    inner, outer = nearer - sign * (4 * width + 4 * spread * bound), nearer + sign * 1e-12
    for _ in range(HALVINGS):
        middle = 0.5 * (inner + outer)
        ratio = np.log(np.maximum(middle, 1e-15) / np.maximum(bound, 1e-15))
        beyond = ndtr(-sign * (middle - moved) / width) * ndtr(-sign * ratio / max(spread, 1e-6))
        short = beyond > 0.5
        inner, outer = np.where(short, middle, inner), np.where(short, outer, middle)
    # No pulse moves a cell that is beyond the bound: its step is 0.
    after: FloatArray = np.where(step == 0.0, each.before, 0.5 * (inner + outer))
    return after


@dataclass(frozen=True, eq=False)
class _Problem:
    """The unknowns, and what they must explain."""

    medians: Sequence[Medians]
    model: SoftBoundModel
    unknowns: tuple[_Unknown, ...]

    @classmethod
    def of(
        cls,
        medians: Sequence[Medians],
        model: SoftBoundModel,
        steps_known: Mapping[PulseKind, FloatArray],
        known: Mapping[str, float],
    ) -> _Problem:
        seen = _seen(medians)
        names = dict.fromkeys(name for each in medians for name in LAWS[each.kind])
        unknowns = [
            _known(name, None, float(np.asarray(model.parameters[name])), known[name])
            if name in known
            else _law(name, model, seen)
            for name in names
        ]
        for each in medians:
            name = f"{each.kind.name.lower()}_step"
            table = np.asarray(model.parameters[name])
            if each.kind not in steps_known:
                unknowns.append(_positive(name, -1, float(np.max(np.abs(table)))))
                continue
            unknowns += [
                _known(name, k, abs(float(table[k])), float(error))
                for k, error in enumerate(steps_known[each.kind])
                if np.isfinite(error) and error > 0
            ]
        return cls(medians, model, tuple(unknowns))

    def starts(self, low: FloatArray, high: FloatArray) -> list[FloatArray]:
        """Return points to start from, each of the unknowns' shape."""
        first = np.array([each.start for each in self.unknowns])
        found = []
        for slope, step in STARTS:
            factors = [
                slope if each.parameter in ("set_slope", "reset_slope") else step
                if each.entry == -1 else 1.0
                for each in self.unknowns
            ]  # fmt: skip
            inset = 1e-6 * (high - low)
            found.append(np.clip(first + np.log(factors), low + inset, high - inset))
        return found

    def model_of(self, x: FloatArray) -> SoftBoundModel:
        """Return the model with the unknowns at x."""
        values: dict[str, npt.ArrayLike] = {}
        for unknown, number in zip(self.unknowns, x, strict=True):
            value = unknown.natural(float(number))
            if unknown.entry is None:
                values[unknown.parameter] = value
                continue
            sign = 1.0 if unknown.parameter == "set_step" else -1.0
            table = np.array(
                values.get(unknown.parameter, self.model.parameters[unknown.parameter])
            )
            table[slice(None) if unknown.entry == -1 else unknown.entry] = sign * value
            values[unknown.parameter] = table
        return self.model.with_parameters(**values)

    def residual(self, x: FloatArray) -> FloatArray:
        """Return residuals in errors: of the medians, then of what is known already."""
        known = [k for k, each in enumerate(self.unknowns) if each.doubt]
        try:
            model = self.model_of(x)
        except ModelError:
            return np.full(sum(len(m.after) for m in self.medians) + len(known), UNPHYSICAL)
        parts = [(median_after(each, model) - each.after) / each.error for each in self.medians]
        return np.concatenate([*parts, x[known]])


def _law(name: str, model: SoftBoundModel, seen: Mapping[str, float]) -> _Unknown:
    value = seen.get(name, float(np.asarray(model.parameters[name])))
    if name in LINEAR:
        return _Unknown(name, None, value, *LINEAR[name])
    return _positive(name, None, value)


def _known(name: str, entry: int | None, size: float, doubt: float) -> _Unknown:
    return _Unknown(name, entry, 0.0, -REACH, REACH, size, doubt)


def _positive(name: str, entry: int | None, value: float) -> _Unknown:
    start, reach = float(np.log(value)), float(np.log(FACTOR))
    return _Unknown(name, entry, start, start - reach, start + reach)


def _seen(medians: Sequence[Medians]) -> dict[str, float]:
    """Return where the gate law may start: at what the SETs of the map reached, if any."""
    for sets in medians:
        if sets.kind == PulseKind.SET:
            threshold = 0.7 * float(np.min(sets.gate[sets.responds]))
            top = float(np.max(sets.after))
            slope = top / (float(np.median(sets.gate[sets.responds])) - threshold)
            return {"gate_threshold": threshold, "gate_slope": slope, "bound_high": top}
    return {}


def _errors(jacobian: FloatArray, residuals: FloatArray) -> FloatArray:
    """Return standard errors; residuals beyond their own errors widen them."""
    scatter = max(1.0, float(np.median(np.abs(residuals))) * MAD_TO_SIGMA)
    curvature = jacobian.T @ jacobian
    scale = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    inverse = np.linalg.pinv(curvature / np.outer(scale, scale), hermitian=True)
    errors: FloatArray = scatter * np.sqrt(np.maximum(np.diag(inverse), 0.0)) / scale
    return errors
