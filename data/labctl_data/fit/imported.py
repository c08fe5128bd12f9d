"""What imported tables tell: each measurement by its own law, and by name what it cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labctl_data.errors import FitError
from labctl_data.fit.aging import Aging, fit_aging
from labctl_data.fit.jumps import changes_of, draw_changes, fit_share
from labctl_data.fit.kinetics import is_pulse_map
from labctl_data.fit.observations import Looks, addressed
from labctl_data.fit.offset_sweeps import fit_offset_curvature, pooled
from labctl_data.fit.result import Estimates
from labctl_data.importing import PROCEDURE
from labctl_data.model import SoftBoundModel
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
    same = cell[1:] == cell[:-1]
    # Slow motion hardly shows between neighbours: half the mean square of their differences.
    relative = (np.diff(g) / (0.5 * (g[1:] + g[:-1])))[same]
    value = float(np.sqrt(np.mean(relative**2) / 2))
    # Neighbouring differences share a read: 3/4 of an error more than independent ones.
    error = value * np.sqrt(0.75 / same.sum())
    estimates.tell("read_noise", value, float(error), run.path.name)
    whole = [np.std(g[cell == each]) / np.mean(g[cell == each]) for each in np.unique(cell)]
    slow = max(float(np.mean(np.square(whole))) - value**2, 0.0) ** 0.5
    return {"cells": len(whole), "slow_noise": slow, "untold": "a two-state share needs many cells"}


def _tell_iv(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("voltage", "current"))
    classes = fit_offset_curvature(cell, rows["voltage"], rows["current"])
    inside = [c for c in classes if c.low < estimates.model.window_high] or list(classes)
    estimates.tell("curvature", *pooled(inside), run.path.name)
    return {
        f"b at {c.low * 1e6:g} to {c.high * 1e6:g} uS": {
            "value": c.value, "error": c.error, "offset": c.offset, "sweeps": c.sweeps
        }
        for c in classes
    }  # fmt: skip


def _tell_endurance(estimates: Estimates, run: Run) -> Quality:
    rows, cell = addressed(run, ("cycle", "high", "low"))
    noted: Quality = {"untold": "wear is no parameter of this model; noted only"}
    for name in ("high", "low"):
        logarithm = np.log(rows[name])
        members = np.unique(cell, return_inverse=True)[1]
        mean = np.bincount(members, logarithm) / np.bincount(members)
        rest = logarithm - mean[members]
        late = rows["cycle"] > np.median(rows["cycle"])
        noted |= {
            f"{name}_median": float(np.median(rows[name])),
            f"{name}_cycle_to_cycle": float(np.std(rest)),
            f"{name}_device_to_device": float(np.std(mean)) if len(mean) > 1 else None,
            f"{name}_ks_late_to_early": float(ks_distance(rest[late], rest[~late])),
        }
    return noted


def _tell_forming(estimates: Estimates, run: Run) -> Quality:
    rows, _ = addressed(run, ("before", "after"))
    fresh, formed = np.log(rows["before"]), rows["after"]
    middle = float(np.median(fresh))
    spread = 1.4826 * float(np.median(np.abs(fresh - middle)))
    n, source = len(fresh), run.path.name
    value = float(np.exp(middle))
    estimates.tell("fresh_conductance", value, 1.25 * spread * value / n**0.5, source)
    estimates.tell("fresh_spread", spread, 1.17 * spread / n**0.5, source)
    # The model draws formed cells uniformly: the quartiles of that law are those of the data.
    quarter, half, three = np.quantile(formed, (0.25, 0.5, 0.75))
    low, high = max(2 * quarter - half, 1e-9), 2 * three - half
    estimates.imply("", formed_low=low, formed_high=high)
    error = float(2 * (three - quarter) / n**0.5)
    estimates.tell("formed_low", low, error, source)
    estimates.tell("formed_high", high, error, source)
    return {"cells": n, "formed_median": float(half)}


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
