"""The fit as a whole: gather what the runs say, go round until steps and noise agree."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labctl_data.chip_file import FittedModel
from labctl_data.errors import FitError
from labctl_data.fit.bounds import Bound, fit_bound
from labctl_data.fit.curvature import fit_curvature
from labctl_data.fit.evidence import Evidence, gather
from labctl_data.fit.hats import centres
from labctl_data.fit.imported import tell_imported
from labctl_data.fit.kinetics import tell_kinetics
from labctl_data.fit.observations import FIRST, VERIFY, sweeps_of
from labctl_data.fit.pairs import Pairs, ends_of, pairs_of_looks, pairs_of_rereads
from labctl_data.fit.relaxation import (
    LEAST_SERIES,
    LONG,
    fit_disturb,
    fit_drift,
    fit_noise,
    tail_of,
)
from labctl_data.fit.result import Estimates, FitResult
from labctl_data.fit.tables import (
    Rates,
    StepTables,
    Table,
    fit_rates,
    fit_tables,
    sample_of,
)
from labctl_data.fit.tracking import Rereads, Steps, rereads_of, steps_of, track
from labctl_data.model import DeviceModel, FloatArray, SoftBoundModel, preset
from labctl_data.pulse import PulseKind
from labctl_data.run_file.reader import Run, open_run

ROUNDS = 3
"""Turns between steps, noise and strengths; the third moves nothing by a tenth of its error."""
FORMED = 0.9
"""A chip whose cells are found above this part of the window's top was just formed."""
SHARP = 0.1
"""A bound whose relative error exceeds this is not told."""
LEAST_VECTORS = 10
"""Sums below which the error of MACs is not noted."""


def fit(
    runs: Sequence[Run | str | os.PathLike[str]],
    *,
    prior: str | SoftBoundModel = "yao",
) -> FitResult:
    """Fit the soft-bound model to runs of one chip.

    Parameters
    ----------
    runs : sequence of Run or path
        WriteVerify tells steps, their spread, bounds, pulse strengths, read noise and, by its later
        maps, relaxation; Retention tells relaxation; ReadDisturb tells read disturb; IVSweep tells
        the curvature; PulseMap the laws of amplitude, width and gate; imported tables tell what
        their measurement does. Others are left aside.
    prior : str or SoftBoundModel
        A preset's name, or a model: values of what the runs do not tell, named as their source.

    Returns
    -------
    FitResult

    Raises
    ------
    FitError
        If the runs are of different chips, lack columns, or tell nothing at all, or the prior is
        of another model.
    """
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if not opened:
        raise FitError("no run to fit")
    model = _soft_bound(preset(prior) if isinstance(prior, str) else prior)
    source = f"preset {prior}" if isinstance(prior, str) else "the model given as prior"
    estimates = Estimates(model, source)
    evidence = gather(opened, model)
    quality: dict[str, Any] = {"runs": [str(run.path) for run in opened]}
    if evidence.writes.n_traces:
        _tell_pulses(estimates, evidence)
    details = _go_round(estimates, evidence, quality)
    _tell_curvature(estimates, opened, evidence, quality)
    tell_kinetics(estimates, opened, quality)
    tell_imported(estimates, opened, quality)
    _note_macs(opened, quality)
    parameters = estimates.result()
    if not any(parameter.identifiable for parameter in parameters):
        names = ", ".join(sorted({run.procedure or "?" for run in opened}))
        raise FitError(
            f"{len(opened)} runs ({names}) tell no parameter of the device model{_why(quality)}"
        )
    quality["stuck_cells"] = int(np.sum(evidence.stuck != 0))
    quality["identifiable"] = [p.name for p in parameters if p.identifiable]
    fitted = FittedModel(estimates.model, parameters, quality)
    return FitResult(fitted, evidence.stuck, details)


def _soft_bound(prior: DeviceModel) -> SoftBoundModel:
    """Return the prior; refuse a model whose parameters a fit does not tell."""
    if not isinstance(prior, SoftBoundModel):
        raise FitError(
            f"the prior is a model {prior.name}: a fit tells parameters of the model "
            f"{SoftBoundModel.name} alone"
        )
    return prior


def _why(quality: Mapping[str, Any]) -> str:
    """Return what imported tables say about what they do not tell, in one clause."""
    noted = [
        note["untold"] for note in quality.values() if isinstance(note, dict) and "untold" in note
    ]
    texts = [
        text for note in noted for text in (note.values() if isinstance(note, dict) else [note])
    ]
    return ": " + "; ".join(dict.fromkeys(texts)) if texts else ""


def _tell_pulses(estimates: Estimates, evidence: Evidence) -> None:
    """Make the pulses of the runs the model's reference pulses: they were commanded."""
    writes, source = evidence.writes, f"commanded in {evidence.named('WriteVerify')}"
    top = estimates.model.bound_high
    told: dict[str, float] = {}
    for kind, name in ((PulseKind.SET, "set"), (PulseKind.RESET, "reset")):
        rows = np.flatnonzero((writes.stage == VERIFY) & (writes.kind == kind))
        if len(rows):
            amplitude, width, gate = (float(x) for x in writes.shape[rows[0]])
            told |= {f"{name}_voltage": amplitude, f"{name}_gate": gate, "pulse_width": width}
    for name, value in told.items():
        estimates.tell(name, value, 0.0, source)
    _imply_gate_law(estimates, top)


def _imply_gate_law(estimates: Estimates, top: float) -> None:
    """Let the gate's bound meet the upper bound at the reference gate: there it was seen."""
    model = estimates.model
    slope = top / (model.set_gate - model.gate_threshold)
    estimates.imply("scaled to bound_high at set_gate", gate_slope=slope)


def _go_round(
    estimates: Estimates, evidence: Evidence, quality: dict[str, Any]
) -> dict[str, FloatArray]:
    rates = Rates.equal(evidence.geometry.n_cells)
    tables: dict[PulseKind, StepTables] = {}
    details: dict[str, FloatArray] = {}
    for turn in range(ROUNDS):
        rereads = None
        if evidence.writes.n_traces:
            belief = track(evidence.writes, estimates.model, rates.mean)
            steps = steps_of(evidence.writes, belief, estimates.model)
            rereads = rereads_of(evidence.writes, belief, estimates.model)
            tables, rates = _tell_steps(estimates, evidence, steps, rates)
            if turn == ROUNDS - 1:  # they only say which pulses the tables leave out
                _tell_bounds(estimates, evidence, steps, rates)
        _tell_relaxation(estimates, evidence, rereads, quality)
    if tables:
        _tell_formed(estimates, evidence)
        quality["write"] = _quality_of_steps(tables, rates, evidence)
    details["bin_centres"] = centres((estimates.model.window_low, estimates.model.window_high))
    for parameter in estimates.result():
        if np.ndim(parameter.value):
            details[parameter.name] = np.asarray(parameter.value)
            details[f"{parameter.name}_error"] = np.asarray(parameter.uncertainty)
    return details


def _tell_steps(
    estimates: Estimates, evidence: Evidence, steps: Steps, rates: Rates
) -> tuple[dict[PulseKind, StepTables], Rates]:
    source = evidence.named("WriteVerify")
    found: dict[PulseKind, StepTables] = {}
    samples = []
    for kind, name in ((PulseKind.SET, "set"), (PulseKind.RESET, "reset")):
        sample = sample_of(steps, kind, estimates.model)
        try:
            tables = fit_tables(sample, kind, estimates.model, rates)
        except FitError:  # pulses of one kind alone: the other stays with the prior
            continue
        found[kind] = tables
        samples.append((sample, tables))
        _tell_table(estimates, f"{name}_step", tables.mean, source)
        _tell_table(estimates, f"{name}_sigma", tables.sigma, source)
    if samples:
        rates = fit_rates(samples, evidence.geometry.n_cells)
        if np.isfinite(rates.error):
            estimates.tell("rate_spread", rates.spread, rates.error, source)
    return found, rates


def _tell_table(estimates: Estimates, name: str, table: Table, source: str) -> None:
    if not table.known.any():
        return
    if not table.known.all():
        missing = ", ".join(str(k) for k in np.flatnonzero(~table.known))
        source = f"{source}; entries {missing} carried from the prior"
    estimates.tell(name, table.value, table.error, source)


def _tell_bounds(estimates: Estimates, evidence: Evidence, steps: Steps, rates: Rates) -> None:
    source = evidence.named("WriteVerify")
    for name, upper in (("bound_low", False), ("bound_high", True)):
        bound: Bound | None = fit_bound(steps, estimates.model, rates.mean, upper=upper)
        if bound is None or bound.median_error > SHARP * bound.median:
            continue
        estimates.tell(name, bound.median, bound.median_error, source)
        if bound.spread_error < bound.spread / 2:
            estimates.tell(f"{name}_spread", bound.spread, bound.spread_error, source)
    _imply_gate_law(estimates, estimates.model.bound_high)


def _tell_relaxation(
    estimates: Estimates,
    evidence: Evidence,
    rereads: Rereads | None,
    quality: dict[str, Any],
) -> None:
    source = evidence.named("WriteVerify", "Retention", "ReadDisturb")
    ends = ends_of(evidence.looks, estimates.model)
    drift = fit_drift(ends, estimates.model)
    _tell_table(estimates, "relaxation_drift", drift.table, source)
    _tell_disturb(estimates, evidence, ends)
    parts = [pairs_of_looks(evidence.looks, estimates.model)]
    if rereads is not None:
        parts.append(pairs_of_rereads(rereads, estimates.model))
    pairs = Pairs.joined(parts)
    if len(pairs.cell) < LEAST_SERIES:
        return
    noise = fit_noise(pairs, estimates.model)
    _tell_table(estimates, "relaxation_sigma", noise.sigma, source)
    if noise.read_noise_error < noise.read_noise / 2:
        estimates.tell("read_noise", noise.read_noise, noise.read_noise_error, source)
    if noise.sigma.known.any():
        quality["relaxation"] = {
            "pairs": len(pairs.cell),
            "drift_shape": drift.shape,
            "sigma_shape": noise.shape,
            "two_state": noise.two_state,
            "two_state_error": noise.two_state_error,
            "tail_nu": tail_of(ends.keep(ends.decades > LONG), estimates.model),
        }


def _tell_disturb(estimates: Estimates, evidence: Evidence, ends: Pairs) -> None:
    """Tell read disturb only when it is seen: its mean is more than twice its error."""
    stressed = ends.keep(ends.disturb > 1.0)
    if len(stressed.cell) < LEAST_SERIES:
        return
    value, error = fit_disturb(stressed, estimates.model)
    estimates.tell("disturb_drift", value, error, evidence.named("ReadDisturb"))


def _tell_formed(estimates: Estimates, evidence: Evidence) -> None:
    """Tell between what conductances the cells were after forming, where the runs began there."""
    writes, model = evidence.writes, estimates.model
    rows = np.flatnonzero(writes.stage == FIRST)
    rows = rows[np.unique(writes.cell[rows], return_index=True)[1]]  # later writes begin elsewhere
    found = writes.conductance[rows]
    if np.quantile(found, 0.05) < FORMED * model.window_high:
        return
    noise = float(model.read_noise**2 * np.mean(found**2 / writes.averages[rows]))
    # Uniform between the ends: variance is a twelfth of the squared width.
    half = float(np.sqrt(3 * max(float(np.var(found)) - noise, 0.0)))
    error = float(2 * half / np.sqrt(len(found))) + 1e-12
    source, middle = evidence.named("WriteVerify"), float(np.mean(found))
    if half > 0:
        estimates.imply("", formed_low=middle - half, formed_high=middle + half)
        estimates.tell("formed_low", middle - half, error, source)
        estimates.tell("formed_high", middle + half, error, source)


def _tell_curvature(
    estimates: Estimates, runs: Sequence[Run], evidence: Evidence, quality: dict[str, Any]
) -> None:
    found = []
    for run in runs:
        if run.procedure == "IVSweep":
            curvature = fit_curvature(sweeps_of(run, evidence.geometry))
            if curvature is not None:
                found.append(curvature)
    if not found:
        return
    weight = np.array([1 / curvature.error**2 for curvature in found])
    value = float(weight @ [curvature.value for curvature in found] / weight.sum())
    estimates.tell("curvature", value, float(weight.sum() ** -0.5), evidence.named("IVSweep"))
    quality["curvature"] = {
        "points": sum(curvature.points for curvature in found),
        "scatter": found[0].scatter,
    }


def _note_macs(runs: Sequence[Run], quality: dict[str, Any]) -> None:
    """Note how far sums on the array were from those the conductances give: a check, no fit."""
    errors = []
    for run in runs:
        if run.procedure == "DifferentialMAC":
            rows = run.records()
            if {"measured", "expected"} <= rows.keys():
                errors.append(rows["measured"] - rows["expected"])
    joined = np.concatenate(errors) if errors else np.empty(0)
    if len(joined) >= LEAST_VECTORS:
        quality["mac"] = {"error_mean": float(joined.mean()), "error_std": float(joined.std())}


def _quality_of_steps(
    tables: dict[PulseKind, StepTables], rates: Rates, evidence: Evidence
) -> dict[str, Any]:
    return {
        "traces": evidence.writes.n_traces,
        "traces_left_out": evidence.left_out,
        "cells": rates.cells,
        **{
            f"{kind.name.lower()}_{name}": value
            for kind, table in tables.items()
            for name, value in (("pulses", table.pulses), ("misfit", table.misfit))
        },
    }
