"""The section on a run of WriteVerify."""

from __future__ import annotations

import numpy as np

from labctl.measured import FloatArray, Written, written
from labctl.report.draw_levels import LevelReading, levels_picture, pulses_picture, spread_picture
from labctl.report.page import Key, Listing, Picture, Section
from labctl.report.published import COMPUTED_WINDOW, PRESETS, PULSES_TARGETS, PULSES_TO_TARGET
from labctl.report.words import count, duration, percent, quantity
from labctl.run_files import preset_of
from labctl_data.run_file import Run
from labctl_procedures.write_summary import separate_fraction


def write_verify_section(run: Run, place: str) -> Section:
    """Return the levels that were written, the pulses they took, and the cells that failed.

    Parameters
    ----------
    run : Run
        A run of WriteVerify.
    place : str
        What tells it from other runs of the page; empty where it is the only one.
    """
    table = written(run)
    title = f"{len(table.levels)} levels" + (f" on {place}" if place else "")
    if not len(table.targets):
        return Section(title, "No cell was finished in this run.")
    readings = _readings(table)
    return Section(
        title,
        _lead(run, table),
        [
            Picture(
                levels_picture(table.map_targets, readings),
                "Distribution of every level, each in its colour. "
                + "Above: an independent averaged read of each cell right after its own write. "
                + "Below: all cells, read again later.",
            ),
            Picture(
                spread_picture(table.map_targets, readings, table.pitch / 2),
                _within_text(table),
            ),
            Picture(
                pulses_picture(table.targets, table.pulses),
                "Pulses to each target, from cells that start above 20 \u00b5S. Squares: mean "
                "pulses computed from the per-pulse statistics published for this device; the "
                "paper's own counts are not public." + _window_text(run),
            ),
            _pulses_listing(table),
            *_failures(run),
        ],
        _keeping(run),
    )


def write_verify_keys(run: Run, place: str) -> list[Key]:
    """Return the figures of a run of WriteVerify for the head of the page."""
    table = written(run)
    if not len(table.targets):
        return []
    where = f" on {place}" if place else ""
    keys = [
        Key(
            percent(_within(table.fresh, table.targets, table.pitch)),
            f"of {count(len(table.targets))} cells within half a pitch of {len(table.levels)} "
            f"levels, right after the write{where}",
        )
    ]
    if table.maps:
        last = table.maps[-1]
        share = separate_fraction(last.conductance, table.map_targets)
        keys.append(
            Key(
                percent(share),
                f"of cells nearest to their own level {duration(last.after)} later{where}",
            )
        )
    return keys


def _readings(table: Written) -> list[LevelReading]:
    readings = [LevelReading("at verify: averaged read after each write", table.map_fresh)]
    if not table.maps:
        return [LevelReading(readings[0].title, table.fresh)]
    *earlier, last = table.maps
    if earlier:
        readings.append(LevelReading("at the end of the run", earlier[0].conductance))
    readings.append(LevelReading(f"{duration(last.after)} later", last.conductance))
    return readings


def _within(found: FloatArray, wanted: FloatArray, pitch: float) -> float:
    return float(np.mean(np.abs(found - wanted) <= pitch / 2))


def _lead(run: Run, table: Written) -> str:
    summary = run.summary
    converged = summary.get("converged")
    share = percent(float(converged)) if converged is not None else "an unknown share"
    return (
        f"{count(len(table.targets))} cells were written to {len(table.levels)} levels from "
        f"{quantity(float(table.levels[0]), 'S')} to "
        f"{quantity(float(table.levels[-1]), 'S')}, "
        f"{quantity(table.pitch, 'S')} apart. {share} converged; "
        f"{percent(_within(table.fresh, table.targets, table.pitch))} are within half a pitch by "
        f"an independent read. Pulses: {table.pulses.mean():.0f} on average, "
        f"{table.pulses.max():.0f} at most."
    )


def _within_text(table: Written) -> str:
    fresh = percent(_within(table.fresh, table.targets, table.pitch))
    told = [f"{fresh} right after each write"]
    for number, reading in enumerate(table.maps):
        share = percent(_within(reading.conductance, table.map_targets, table.pitch))
        when = f"{duration(reading.after)} later" if number else "at the end of the run"
        told.append(f"{share} {when}")
    apart = [
        f"{percent(separate_fraction(each.conductance, table.map_targets))} "
        f"{duration(each.after)} later"
        for each in table.maps[-1:]
    ]
    shared = f" Nearer to their own level's median than to another's: {apart[0]}." if apart else ""
    return f"Within half a pitch: {', '.join(told)}.{shared}"


def _pulses_listing(table: Written) -> Listing:
    levels = table.levels
    shown = levels[np.unique(np.linspace(0, len(levels) - 1, 8).round().astype(int))]
    rows = [_pulses_row(table, float(level)) for level in shown]
    return Listing(
        ("target", "cells", "mean pulses", "median", "most", "from published steps"),
        rows,
        "Pulses to target",
        (0, 1, 2, 3, 4, 5),
    )


def _pulses_row(table: Written, level: float) -> list[str]:
    pulses = table.pulses[table.targets == level]
    published = float(np.interp(level, PULSES_TARGETS, PULSES_TO_TARGET))
    return [
        f"{level * 1e6:.2f} \u00b5S",
        str(len(pulses)),
        f"{pulses.mean():.0f}",
        f"{np.median(pulses):.0f}",
        f"{pulses.max():.0f}",
        f"{published:.0f}",
    ]


def _failures(run: Run) -> list[Listing]:
    failed = run.summary.get("failed", [])
    if not failed:
        return []
    rows = [
        [
            str(each["cell"]),
            f"{each['target'] * 1e6:.2f} \u00b5S",
            f"{each['conductance'] * 1e6:.2f} \u00b5S",
            str(each["pulses"]),
            str(each["reason"]),
        ]
        for each in failed[:20]
    ]
    more = f"; the first 20 of {len(failed)}" if len(failed) > len(rows) else ""
    return [
        Listing(
            ("cell (PE/row/column)", "target", "found", "pulses", "why"),
            rows,
            f"Cells that did not converge{more}",
            (1, 2, 3),
        )
    ]


def _keeping(run: Run) -> list[str]:
    keeping = PRESETS.get(preset_of(run))
    if keeping is None:
        return []
    return [
        f"The device preset of this bench keeps {keeping.keeps}.",
        f"It gives up {keeping.gives_up}: no single relaxation rate shows both published pictures.",
        *([keeping.why_differs] if keeping.why_differs else []),
    ]


def _window_text(run: Run) -> str:
    """Say why a write takes more pulses than the published steps give, where it does."""
    window = float(run.parameters.get("window") or COMPUTED_WINDOW)
    if window >= COMPUTED_WINDOW:
        return ""
    return (
        f" A write ends here within \u00b1{quantity(window, 'S')} of its target, a narrower window "
        f"than the \u00b1{quantity(COMPUTED_WINDOW, 'S')} behind the published-steps figure: where "
        "steps are wider than the window, the loop oversteps and comes back, which takes pulses."
    )
