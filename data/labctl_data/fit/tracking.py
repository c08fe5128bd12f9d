"""Follow each cell through its write: what was known of it when each pulse came.

A verify read is noisy, and the loop chooses the next pulse, or the end, by it. Steps binned by
such reads regress to the mean. Given *all* reads so far, though, nothing that the loop decided
matters: so a Kalman filter runs along each trace, and steps are judged against its estimate before
the pulse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.fit.hats import Hats
from labctl_data.fit.observations import FIRST, FRESH, VERIFY, IntArray, Writes
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.model import equations as eq
from labctl_data.pulse import PulseKind


@dataclass(frozen=True, eq=False)
class Steps:
    """One entry a verified pulse, shape (n,)."""

    cell: IntArray
    """Flat index of the cell."""
    kind: IntArray
    """PulseKind."""
    level: FloatArray
    """Estimate of what the cell conducted when the pulse came, in S: tables are looked up here."""
    before: FloatArray
    """Estimate of where its last pulse had left it, before it relaxed, in S."""
    doubt: FloatArray
    """Variance of that estimate, in S^2."""
    after: FloatArray
    """The verify read, in S."""
    noise: FloatArray
    """Variance of that read, in S^2."""
    settling: FloatArray
    """Decades of relaxation between pulse and read, half a cycle."""

    @property
    def change(self) -> FloatArray:
        """The read after less the estimate before, in S."""
        return self.after - self.before

    def keep(self, rows: npt.NDArray[np.bool_]) -> Steps:
        """Return the chosen steps."""
        return Steps(**{name: getattr(self, name)[rows] for name in _STEP_FIELDS})


_STEP_FIELDS = tuple(Steps.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Rereads:
    """Judging reads against the estimate from the reads before, shape (n,): no pulse between."""

    cell: IntArray
    """Flat index of the cell."""
    expected: FloatArray
    """Estimate, in S."""
    doubt: FloatArray
    """Its variance over the variance of one conversion."""
    found: FloatArray
    """The judging read, in S."""
    averages: FloatArray
    """Conversions averaged in it."""
    since_pulse: FloatArray
    """Time from the last pulse to the verify read, in s."""
    since_verify: FloatArray
    """Time from the verify read to the judging read, in s."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of the cell at each row of the writes, given the rows until then."""

    seen: FloatArray
    """What it conducts, in S."""
    seen_variance: FloatArray
    """Variance of that, in S^2."""
    level: FloatArray
    """`seen` of the row before, in S; NaN in rows without a pulse."""
    before: FloatArray
    """Where the pulse before the row's own had left it, in S; NaN in rows without a pulse."""
    doubt: FloatArray
    """Variance of that, in S^2."""


def track(writes: Writes, model: SoftBoundModel, rate: FloatArray) -> Belief:
    """Filter every trace under a model.

    A pulse moves a cell from where its last pulse had left it, g; what it relaxed since is gone
    (relaxation does not add up in a train). A read sees g, the relaxation since, and noise.

    Parameters
    ----------
    writes : Writes
        The traces, n rows in all.
    model : SoftBoundModel
        Steps, spreads, read noise and relaxation.
    rate : ndarray of shape (n_cells,)
        Strength of each cell's pulses, relative to the median cell.
    """
    rounds = _Rounds(writes, model, rate)
    belief = Belief(*(np.full(len(writes.trace), np.nan) for _ in range(5)))
    found = np.flatnonzero(writes.stage == FIRST)
    belief.seen[found], belief.seen_variance[found] = writes.conductance[found], rounds.noise[found]
    left, seen = writes.conductance[found].copy(), writes.conductance[found].copy()
    variance = rounds.noise[found].copy()
    for rows in rounds:
        trace = writes.trace[rows]
        now = left[trace], variance[trace], seen[trace]
        belief.before[rows], belief.doubt[rows], belief.level[rows] = now
        ahead, known, drift, settled = rounds.predict(rows, *now)
        noise = rounds.noise[rows]
        surprise = (writes.conductance[rows] - ahead - drift) / (known + settled + noise)
        left[trace], variance[trace] = _updated(ahead, known, settled + noise, surprise)
        seen[trace], belief.seen_variance[rows] = _updated(
            ahead + drift, known + settled, noise, surprise
        )
        belief.seen[rows] = seen[trace]
    return belief


def _updated(
    mean: FloatArray, variance: FloatArray, rest: FloatArray, surprise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of a part of what was read; `rest` is the variance of the others."""
    return mean + variance * surprise, variance * rest / (variance + rest)


class _Rounds:
    """The verified pulses of all traces, one round (the k-th of each trace) after another."""

    def __init__(self, writes: Writes, model: SoftBoundModel, rate: FloatArray) -> None:
        self._window = (model.window_low, model.window_high)
        self._step = (np.asarray(model.set_step), np.asarray(model.reset_step))
        self._sigma = (np.asarray(model.set_sigma), np.asarray(model.reset_sigma))
        self._drift = np.asarray(model.relaxation_drift)
        self._relaxation = np.asarray(model.relaxation_sigma)
        verified = np.flatnonzero(writes.stage == VERIFY)
        order = np.lexsort((writes.trace[verified], writes.pulses[verified]))
        self._rows = verified[order]
        sizes = np.unique(writes.pulses[verified], return_counts=True)[1]
        self._ends = np.cumsum(sizes)
        self.noise = read_variance(writes.conductance, writes.averages, model)
        self._rate = rate[writes.cell]
        self._set = writes.kind == PulseKind.SET
        self._settling = eq.decades(model, writes.cycle() / 2)

    def __iter__(self) -> Iterator[IntArray]:
        start = 0
        for end in self._ends:
            yield self._rows[start:end]
            start = end

    def predict(
        self, rows: IntArray, left: FloatArray, variance: FloatArray, seen: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return where the pulses leave the cells, its variance, the relaxation's mean and its."""
        hats, is_set, rate = Hats.at(seen, self._window), self._set[rows], self._rate[rows]
        step = np.where(is_set, hats.read(self._step[0]), hats.read(self._step[1]))
        sigma = np.where(is_set, hats.read(self._sigma[0]), hats.read(self._sigma[1]))
        decades = self._settling[rows]
        drift = hats.read(self._drift) * decades
        settled = hats.read(self._relaxation) ** 2 * decades
        return left + rate * step, variance + rate * sigma**2, drift, settled


def read_variance(
    conductance: FloatArray, averages: FloatArray, model: SoftBoundModel
) -> FloatArray:
    """Return the variance of reads, in S^2: (read noise times g)^2 over the conversions."""
    # A floor of one part in 1e6 keeps the filter regular where a bench reads without noise.
    noise = max(model.read_noise, 1e-6)
    variance: FloatArray = (noise * conductance) ** 2 / averages
    return variance


def steps_of(writes: Writes, belief: Belief, model: SoftBoundModel) -> Steps:
    """Return the verified pulses; a pulse whose row before is missing is left out."""
    follows = np.diff(writes.pulses, prepend=-1) == 1
    rows = (writes.stage == VERIFY) & follows & np.isfinite(belief.before)
    settling = eq.decades(model, writes.cycle() / 2)
    return Steps(
        writes.cell[rows],
        writes.kind[rows],
        belief.level[rows],
        belief.before[rows],
        belief.doubt[rows],
        writes.conductance[rows],
        read_variance(writes.conductance, writes.averages, model)[rows],
        settling[rows],
    )


def rereads_of(writes: Writes, belief: Belief, model: SoftBoundModel) -> Rereads:
    """Return the judging reads that directly follow a verify read."""
    rows = np.flatnonzero(writes.stage == FRESH)
    rows = rows[(rows > 0) & (writes.stage[rows - 1] == VERIFY)]
    verify = rows - 1
    cycle = writes.cycle()
    one = read_variance(belief.seen[verify], np.ones(len(rows)), model)
    return Rereads(
        writes.cell[rows],
        belief.seen[verify],
        belief.seen_variance[verify] / one,
        writes.conductance[rows],
        writes.averages[rows],
        cycle[verify] / 2,
        cycle[rows],
    )
