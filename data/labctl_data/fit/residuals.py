"""What the data do beyond a model, in units of what the model allows: for plots and judgement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from labctl_data.fit.evidence import Evidence, gather
from labctl_data.fit.imported import looks_of_retention
from labctl_data.fit.jumps import changes_of, draw_changes, standardised
from labctl_data.fit.kinetics import is_pulse_map, pulse_map_of
from labctl_data.fit.observations import IntArray, Looks
from labctl_data.fit.pulse_laws import median_after
from labctl_data.fit.pulse_map import PulseMap, medians_of
from labctl_data.fit.tables import Rates, Sample, StepTables, Table, fit_rates, sample_of
from labctl_data.fit.tracking import steps_of, track
from labctl_data.importing import PROCEDURE
from labctl_data.model import TABLE_BINS, FloatArray, SoftBoundModel
from labctl_data.pulse import PulseKind
from labctl_data.run_file.reader import Run

LEAST = 50
"""Values below which nothing is shown."""
SEED = 1
"""Of the draws that changes are held against."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of one kind of data."""

    name: str
    """Of what."""
    axis: str
    """What they are shown against."""
    unit: str
    """Its unit."""
    x: FloatArray
    """Its values, shape (n,)."""
    z: FloatArray
    """Data less the model's mean, in its standard deviations, shape (n,)."""
    expected: FloatArray
    """Values that the model itself would give, shape (m,), sorted."""


def residuals_of(runs: Sequence[Run], model: SoftBoundModel) -> tuple[Residuals, ...]:
    """Return the residuals of every kind of data in the runs that a model speaks of.

    Parameters
    ----------
    runs : sequence of Run
        Runs of one chip, measured or imported.
    model : SoftBoundModel
        As fitted to them.

    Raises
    ------
    FitError
        If the runs are of different chips, or lack columns.
    """
    own = [run for run in runs if run.procedure != PROCEDURE]
    found = list(_of_evidence(gather(own, model), model)) if own else []
    for run in runs:
        if run.procedure == PROCEDURE and run.parameters["measurement"] == "retention":
            found.append(_of_looks(looks_of_retention(run), model))
    maps = [pulse_map_of(run) for run in runs if is_pulse_map(run)]
    if maps:
        found += _of_maps(PulseMap.joined(maps), model)
    return tuple(each for each in found if len(each.z) >= LEAST)


def _of_evidence(evidence: Evidence, model: SoftBoundModel) -> Iterator[Residuals]:
    if evidence.writes.n_traces:
        n_cells = evidence.geometry.n_cells
        belief = track(evidence.writes, model, Rates.equal(n_cells).mean)
        steps = steps_of(evidence.writes, belief, model)
        samples = {kind: sample_of(steps, kind, model) for kind in PulseKind}
        tables = {kind: _tables(model, kind) for kind in PulseKind}
        rates = fit_rates([(samples[kind], tables[kind]) for kind in PulseKind], n_cells)
        for kind in PulseKind:
            yield _of_pulses(kind, samples[kind], tables[kind], rates)
    if len(evidence.looks.cell):
        yield _of_looks(evidence.looks, model)


def _of_pulses(kind: PulseKind, sample: Sample, tables: StepTables, rates: Rates) -> Residuals:
    mean, sigma = sample.hats.read(tables.mean.value), sample.hats.read(tables.sigma.value)
    variance = rates.harmonic[sample.cell] * sigma**2 + sample.other
    z = (sample.change - rates.mean[sample.cell] * mean) / np.sqrt(np.maximum(variance, 1e-24))
    x = sample.hats.read(np.arange(TABLE_BINS, dtype=np.float64))
    return Residuals(f"{kind.name} pulses", "bin of the window", "", x, z, _normal(len(z)))


def _of_looks(looks: Looks, model: SoftBoundModel) -> Residuals:
    last = np.append(np.diff(looks.series) > 0, True)
    first = np.append(True, np.diff(looks.series) > 0)
    ends = looks.keep(first | last)
    changes = changes_of(ends, model)
    drawn = draw_changes(changes, model, model.relaxation_share, np.random.default_rng(SEED))
    z = standardised(changes, changes.change, model)
    expected = np.sort(standardised(changes, drawn, model))
    return Residuals("relaxation", "conductance at first", "S", changes.level, z, expected)


def _of_maps(pulses: PulseMap, model: SoftBoundModel) -> list[Residuals]:
    found = []
    for kind in (PulseKind(int(each)) for each in np.unique(pulses.kind)):
        medians = medians_of(pulses, kind)
        if len(medians.after):
            z = (medians.after - median_after(medians, model)) / medians.error
            name = f"medians of single {kind.name} pulses"
            found.append(Residuals(name, "amplitude", "V", medians.amplitude, z, _normal(len(z))))
    return found


def _tables(model: SoftBoundModel, kind: PulseKind) -> StepTables:
    """Return the model's own tables as the fit has them."""
    step, sigma = (
        np.asarray(model.parameters[f"{kind.name.lower()}_{what}"]) for what in ("step", "sigma")
    )
    unsaid, known = np.full(TABLE_BINS, np.nan), np.ones(TABLE_BINS, bool)
    return StepTables(Table(step, unsaid, known), Table(sigma, unsaid, known), 0, float("nan"))


def _normal(n: int) -> FloatArray:
    """Return the quantiles of n normal numbers, sorted."""
    quantiles: FloatArray = ndtri((np.arange(n) + 0.5) / max(n, 1))
    return quantiles


def binned(residuals: Residuals, bins: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return where groups of like x lie, the quantiles of z in each, and how many there are.

    Parameters
    ----------
    residuals : Residuals
        Of any kind.
    bins : int
        Most groups, of equal width; x that takes fewer values has a group a value.

    Returns
    -------
    centre : ndarray of shape (k,)
        Mean x of each group.
    quantiles : ndarray of shape (k, 3)
        16, 50 and 84 % of z.
    count : ndarray of shape (k,)
        Values in each.
    """
    x = residuals.x
    values = np.unique(x)
    place = np.searchsorted(values, x) if len(values) <= bins else _places(x, bins)
    groups = [np.flatnonzero(place == each) for each in np.unique(place)]
    centre = np.array([x[group].mean() for group in groups])
    quantiles = np.stack([np.quantile(residuals.z[group], (0.16, 0.5, 0.84)) for group in groups])
    return centre, quantiles, np.array([len(group) for group in groups])


def _places(x: FloatArray, bins: int) -> IntArray:
    width = max(float(np.ptp(x)) / bins, 1e-300)
    places: IntArray = np.minimum(((x - x.min()) / width).astype(np.int64), bins - 1)
    return places
