"""What imported tables tell: each measurement by its own law, and by name what it cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl_data.errors import FitError
from labctl_data.fit.aging import Aging, fit_aging
from labctl_data.fit.jumps import changes_of, draw_changes, fit_share
from labctl_data.fit.kinetics import is_pulse_map
from labctl_data.fit.observations import Looks, addressed
from labctl_data.fit.offset_sweeps import fit_offset_curvature, pooled, standardised
from labctl_data.fit.pulse_laws import MAD_TO_SIGMA
from labctl_data.fit.result import Estimates
from labctl_data.fit.slow_noise import fit_slow_noise
from labctl_data.importing import PROCEDURE
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.run_file.reader import Run
from labctl_data.statistics import ks_distance, two_sample_test

HELD_OUT = 5
"""Every so many cells are kept out of the fit that is validated on them."""
DRAWS = 8
"""Draws for each change: chance on the model's side then hardly counts."""
SEED = 1
"""Seed of the draws that held-out cells are compared with."""
LEAST_READS = 100
"""Reads of a cell below which its noise is not judged."""

Quality = dict[str, Any]


def tell_imported(estimates: Estimates, runs: Sequence[Run], quality: Quality) -> None:
    """Let the imported tables among the runs replace the prior where they tell something."""
    for run in runs:
        if run.procedure == PROCEDURE and not is_pulse_map(run):
            measurement = str(run.parameters["measurement"])
            noted = _TELL[measurement](estimates, run)
            quality[f"{measurement} {run.path.name}"] = noted


def looks_of_retention(run: Run) -> Looks:
    """Return the looks of an imported retention table, one series a cell, in order of time."""
    rows, cell = addressed(run, ("conductance",))
    order = np.lexsort((rows["time"], cell))
    n = len(order)
    return Looks(
        np.unique(cell[order], return_inverse=True)[1].astype(np.int64),
        cell[order],
        rows["time"][order],
        np.zeros(n),
        rows["conductance"][order],
        np.ones(n),
    )


def _tell_retention(estimates: Estimates, run: Run) -> Quality:
    looks, source = looks_of_retention(run), run.path.name
    aging = fit_aging(looks, estimates.model)
    share = fit_share(looks, aged_model(estimates.model, aging))
    held = looks.series % HELD_OUT == 0
    ks = _held_out(looks.keep(held), relaxed_model(estimates.model, looks.keep(~held)))
    for name, table in (("relaxation_drift", aging.drift), ("relaxation_sigma", aging.sigma)):
        value = np.where(table.known, table.value, getattr(estimates.model, name))
        error = np.where(table.known, table.error, np.nan)
        estimates.tell(name, value, error, source)
    onset = f"{source}, with the unknown delay before the first look"
    estimates.tell("relaxation_time", aging.onset, aging.onset_error, onset)
    if share is not None:
        estimates.tell("relaxation_share", *share, source)
    told_noise = aging.read_noise_error < aging.read_noise / 2
    if told_noise and not estimates.known("read_noise"):
        estimates.tell("read_noise", aging.read_noise, aging.read_noise_error, source)
    return {"cells": aging.cells, "misfit": aging.misfit, "held_out_ks": ks}


def relaxed_model(prior: SoftBoundModel, looks: Looks) -> SoftBoundModel:
    """Return a model with all that looks tell of relaxation, its jumps included."""
    model = aged_model(prior, fit_aging(looks, prior))
    share = fit_share(looks, model)
    return model.with_parameters(relaxation_share=share[0]) if share else model


def aged_model(model: SoftBoundModel, aging: Aging) -> SoftBoundModel:
    """Return a model with the relaxation, onset and read noise that a table told."""
    return model.with_parameters(
        relaxation_drift=aging.drift.value,
        relaxation_sigma=aging.sigma.value,
        relaxation_time=aging.onset,
        read_noise=aging.read_noise,
    )


def _held_out(looks: Looks, model: SoftBoundModel) -> Quality:
    """Return how far changes of held-out cells are from draws of the model, by time."""
    changes, rng = changes_of(looks, model), np.random.default_rng(SEED)
    drawn = np.stack(
        [draw_changes(changes, model, model.relaxation_share, rng) for _ in range(DRAWS)]
    )
    groups = {f"{at:g} s": changes.elapsed == at for at in np.unique(changes.elapsed)}
    return {
        name: two_sample_test(changes.change[rows], drawn[:, rows]).facts()
        for name, rows in groups.items()
        if np.sum(rows) > LEAST_READS
    }


def _tell_reads(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("conductance",))
    order = np.lexsort((rows["time"], cell))
    g, cell = rows["conductance"][order], cell[order]
    if np.min(np.bincount(np.unique(cell, return_inverse=True)[1])) < LEAST_READS:
        raise FitError(f"{run.path}: read noise asks for {LEAST_READS} reads of each cell")
    cells = np.unique(cell)
    traces = [g[cell == each] for each in cells]
    gaps = np.diff(rows["time"][order])[cell[1:] == cell[:-1]]
    found = fit_slow_noise(traces, float(np.median(gaps)))
    estimates.tell("read_noise", found.white, found.white_error, run.path.name)
    if found.slow:
        estimates.tell("flicker_noise", found.slow, found.slow_error, run.path.name)
    cut = [len(trace) * (HELD_OUT - 1) // HELD_OUT for trace in traces]
    known = fit_slow_noise([t[:n] for t, n in zip(traces, cut, strict=True)], 1.0).neighbours
    later = [np.diff(t[n:]) / t[n:].mean() for t, n in zip(traces, cut, strict=True)]
    step = np.concatenate(later) / np.sqrt(2.0)
    drawn = known * np.random.default_rng(SEED).normal(size=DRAWS * len(step))
    return {
        "cells": len(cells),
        "neighbours": found.neighbours,
        "untold": "a two-state share needs many cells",
        "held_out_ks": {"the last fifth": two_sample_test(step, drawn).facts()},
    }


def _tell_iv(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("voltage", "current"))
    voltage, current = rows["voltage"], rows["current"]
    classes = fit_offset_curvature(cell, voltage, current)
    held = np.unique(cell, return_inverse=True)[1] % HELD_OUT == 0
    trained = fit_offset_curvature(cell[~held], voltage[~held], current[~held])
    z = standardised(trained, cell[held], voltage[held], current[held])
    drawn = np.random.default_rng(SEED).normal(size=DRAWS * len(z))
    inside = [c for c in classes if c.low < estimates.model.window_high] or list(classes)
    estimates.tell("curvature", *pooled(inside), run.path.name)
    noted: Quality = {
        f"b at {c.low * 1e6:g} to {c.high * 1e6:g} uS": {
            "value": c.value, "error": c.error, "offset": c.offset, "sweeps": c.sweeps
        }
        for c in classes
    }  # fmt: skip
    return noted | {"held_out_ks": {"points": two_sample_test(z, drawn).facts()}}


def _tell_endurance(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("cycle", "high", "low"))
    late = rows["cycle"] > np.median(rows["cycle"])
    window = np.log(rows["high"] / rows["low"])
    left = float(np.median(window[late]) / np.median(window[~late]))
    reason = f"late cycles keep {left:.2f} of the early window: too little to time wear"
    noted: Quality = {"untold": {"wear_rate": reason}, "window_left": left}
    for name in ("high", "low"):
        logarithm = np.log(rows[name])
        members = np.unique(cell, return_inverse=True)[1]
        mean = np.bincount(members, logarithm) / np.bincount(members)
        rest = logarithm - mean[members]
        noted |= {
            f"{name}_median": float(np.median(rows[name])),
            f"{name}_cycle_to_cycle": float(np.std(rest)),
            f"{name}_device_to_device": float(np.std(mean)) if len(mean) > 1 else None,
            f"{name}_ks_late_to_early": float(ks_distance(rest[late], rest[~late])),
        }
    return noted


def _tell_forming(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("before", "after"))
    law = _formed(rows["before"], rows["after"])
    n, source = len(cell), run.path.name
    value = float(np.exp(law.middle))
    estimates.tell("fresh_conductance", value, 1.25 * law.spread * value / n**0.5, source)
    estimates.tell("fresh_spread", law.spread, 1.17 * law.spread / n**0.5, source)
    estimates.imply("", formed_low=law.low, formed_high=law.high)
    error = (law.high - law.low) / n**0.5
    estimates.tell("formed_low", law.low, error, source)
    estimates.tell("formed_high", law.high, error, source)
    held, rng = cell % HELD_OUT == 0, np.random.default_rng(SEED)
    known = _formed(rows["before"][~held], rows["after"][~held])
    drawn = known.middle + known.spread * rng.normal(size=n), rng.uniform(known.low, known.high, n)
    ks = {
        "fresh": two_sample_test(np.log(rows["before"][held]), drawn[0]).facts(),
        "formed": two_sample_test(rows["after"][held], drawn[1]).facts(),
    }
    median = float(np.median(rows["after"]))
    return {"cells": n, "formed_median": median, "held_out_ks": ks}


@dataclass(frozen=True)
class _Formed:
    """The laws of fresh and of formed cells."""

    middle: float
    """Median of ln g of fresh cells."""
    spread: float
    """Standard deviation of it, from the median distance."""
    low: float
    """Lowest and highest conductance of formed cells, in S."""
    high: float


def _formed(before: FloatArray, after: FloatArray) -> _Formed:
    fresh = np.log(before)
    middle = float(np.median(fresh))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(fresh - middle)))
    # The model draws formed cells uniformly: the quartiles of that law are those of the data.
    quarter, half, three = (float(x) for x in np.quantile(after, (0.25, 0.5, 0.75)))
    return _Formed(middle, spread, max(2 * quarter - half, 1e-9), 2 * three - half)


def _tell_bake(estimates: Estimates, run: Run) -> Quality:
    rows, _ = addressed(run, ("before", "after"))
    change = rows["after"] - rows["before"]
    noted: Quality = {
        "cells": len(change),
        "mean_change": float(np.mean(change)),
        "spread_of_change": float(np.std(change)),
        "ks_after_to_before": float(ks_distance(rows["after"], rows["before"])),
    }
    needed = {key: run.parameters.get(key) for key in ("temperature", "duration")}
    missing = [key for key, value in needed.items() if value is None]
    reason = f"the mapping states no {' and no '.join(missing)}" if missing else (
        "one bake at one temperature does not part energy from onset"
    )  # fmt: skip
    return noted | {"untold": {"activation_energy": reason}}


_TELL: dict[str, Callable[[Estimates, Run], Quality]] = {
    "retention": _tell_retention,
    "reads": _tell_reads,
    "iv": _tell_iv,
    "endurance": _tell_endurance,
    "forming": _tell_forming,
    "bake": _tell_bake,
}
