"""The section on a chip file: what was fitted, how well, and what could not be."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from labctl.chips import ChipFacts, Parameter, describe, held_out_distances, other_facts
from labctl.report.draw_levels import StepTable, steps_picture
from labctl.report.draw_residuals import residuals_picture
from labctl.report.page import Listing, Picture, Section
from labctl.report.published import RESET_STEP, SET_STEP
from labctl.report.words import count
from labctl_data.chip_file import read_chip
from labctl_data.errors import FitError
from labctl_data.model import SoftBoundModel
from labctl_data.run_file import Run

log = logging.getLogger(__name__)


def fit_section(chip: Path, runs: Sequence[Run]) -> Section:
    """Return the parameters of a chip file with their uncertainties and verdicts.

    Parameters
    ----------
    chip : Path
        The chip file.
    runs : sequence of Run
        Runs whose residuals to show: those it was fitted from, where they are among them.
    """
    facts = describe(chip)
    fitted = [each for each in facts.parameters if each.identifiable]
    others = [each for each in facts.parameters if not each.identifiable]
    parts: list[Picture | Listing] = [*_steps(chip), _listing("Identified", fitted)]
    parts += [*_held_out(facts), *_residuals(chip, _fitted(facts, runs)), *_quality(facts)]
    if others:
        parts.append(_listing("Not identifiable from these runs", others))
    return Section(
        "The fitted device model",
        f"{len(fitted)} of {len(facts.parameters)} parameters of the model '{facts.model}' were "
        f"identified by these runs; {len(others)} were not, and keep a default that says so.",
        parts,
    )


def _listing(caption: str, parameters: list[Parameter]) -> Listing:
    rows = [
        [name, value, error, source]
        for name, value, error, _, source in (each.texts for each in parameters)
    ]
    return Listing(("parameter", "value", "\u00b1", "from"), rows, caption, (1, 2))


def _quality(facts: ChipFacts) -> list[Listing]:
    rows = [
        [name.replace("_", " "), _text(value)]
        for name, value in other_facts(facts.quality).items()
        if name not in ("runs", "identifiable")
    ]
    return [Listing(("", ""), rows, "Quality of the fit")] if rows else []


def _held_out(facts: ChipFacts) -> list[Listing]:
    rows = [
        [name, *(f"{each[key]:.3g}" for key in ("distance", "noise_floor", "p_value")),
         *(count(size) for size in each["sizes"])]
        for name, each in held_out_distances(facts.quality).items()
    ]  # fmt: skip
    headings = ("statistic", "KS distance", "5 % by chance", "p", "measured", "modelled")
    caption = "Model and data on cells that the fit did not see"
    return [Listing(headings, rows, caption, (1, 2, 3, 4, 5))] if rows else []


def _fitted(facts: ChipFacts, runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs that the chip was fitted from, where any of them are; else all."""
    names = {Path(each).name for each in facts.quality.get("runs", ())}
    return [run for run in runs if run.path.name in names] or runs


def _residuals(chip: Path, runs: Sequence[Run]) -> list[Picture]:
    """Draw the residuals of runs of the chip; none where they cannot be judged."""
    model = read_chip(chip).model
    if not runs or not isinstance(model, SoftBoundModel):
        return []
    from labctl_data.fit.residuals import residuals_of

    try:
        found = residuals_of(runs, model)
    except FitError as error:
        log.warning("no residuals are drawn: %s", error)
        return []
    return [
        Picture(
            residuals_picture(each),
            f"Residuals of {each.name}, {count(len(each.z))} of them: data less the model's mean, "
            "in its standard deviations. Left: median and the middle 68 %, dashed what the model "
            "asks for. Right: all of them beside the model's.",
        )
        for each in found
    ]


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_text(v)}" for name, v in value.items())
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not told"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _steps(chip: Path) -> list[Picture]:
    """Draw the mean step of a pulse by conductance, beside the published one."""
    facts = {each.name: each for each in describe(chip).parameters}
    if not {"set_step", "reset_step", "window_low", "window_high"} <= facts.keys():
        return []
    ends = [float(facts[name].value) for name in ("window_low", "window_high")]
    tables = [
        StepTable(
            name,
            np.asarray(facts[key].value, np.float64),
            np.asarray(facts[key].uncertainty, np.float64),
            published,
        )
        for name, key, published in (
            ("SET", "set_step", SET_STEP),
            ("RESET", "reset_step", RESET_STEP),
        )
    ]
    return [
        Picture(
            steps_picture((ends[0], ends[1]), tables),
            "Mean change of conductance by one reference pulse, with the standard error of the "
            "fit. Squares: the published per-pulse statistics.",
        )
    ]
