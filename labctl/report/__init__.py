"""Reports: one self-contained page of figures and provenance from run files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path

from labctl.configuration import refuse_existing
from labctl.inference_file import PROCEDURE as INFERENCE
from labctl.report.page import Key, Page, Section, render
from labctl.report.section_cells import iv_section, read_disturb_section, retention_section
from labctl.report.section_fit import fit_section
from labctl.report.section_levels import write_verify_keys, write_verify_section
from labctl.report.section_networks import inference_keys, inference_section, mac_section
from labctl.report.section_other import other_section
from labctl.report.section_provenance import provenance_section
from labctl.report.section_pulses import pulse_map_section
from labctl.report.section_twin import (
    comparison_keys,
    comparison_section,
    is_twin,
    place_of,
)
from labctl.run_files import chip_of
from labctl_data.run_file import Run, open_run

__all__ = ["compose", "write_report"]

_SECTIONS: dict[str, Callable[[Run, str], Section]] = {
    "WriteVerify": write_verify_section,
    "IVSweep": iv_section,
    "PulseMap": pulse_map_section,
    "ReadDisturb": read_disturb_section,
    "Retention": retention_section,
    "DifferentialMAC": mac_section,
    INFERENCE: inference_section,
}
"""What is drawn of a run, by its procedure, in the order of the page."""

_KEYS: dict[str, Callable[[Run, str], list[Key]]] = {
    "WriteVerify": write_verify_keys,
    INFERENCE: inference_keys,
}
"""What stands at the head of the page, by procedure."""


def write_report(
    runs: Sequence[Path],
    path: Path,
    *,
    title: str = "Measured on the bench",
    chip: Path | None = None,
) -> Path:
    """Draw one page from run files and write it.

    Parameters
    ----------
    runs : sequence of Path
        Run files of any procedures; of each procedure the first is the original that others are
        compared with.
    path : Path
        The page; must not exist.
    title : str
        Its heading.
    chip : Path, optional
        A chip file whose fit to show.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    LabctlError
        If a file cannot be read, or `path` exists.
    """
    refuse_existing(path)
    page = compose([open_run(run) for run in runs], title=title, chip=chip)
    path.write_text(render(page), encoding="utf-8")
    return path


def compose(runs: Sequence[Run], *, title: str, chip: Path | None = None) -> Page:
    """Return the page of `runs`: see `write_report`."""
    ordered = sorted(runs, key=_rank)
    places = _places(ordered)
    sections = [
        _section(run, place)
        for run, place in zip(ordered, places, strict=True)
        if not is_twin(run, ordered)
    ]
    originals = [run for run in ordered if not is_twin(run, ordered)]
    comparison = comparison_section(ordered)
    return Page(
        title=title,
        subtitle=_subtitle(ordered),
        keys=_keys(ordered, places),
        sections=[
            *sections,
            *([comparison] if comparison else []),
            *([fit_section(chip, originals)] if chip else []),
            provenance_section(ordered),
        ],
        program=f"labctl {labctl_version()}",
    )


def _section(run: Run, place: str) -> Section:
    draw = _SECTIONS.get(run.procedure, other_section)
    return draw(run, place) if run.rows else other_section(run, place)


def _rank(run: Run) -> int:
    order = list(_SECTIONS)
    return order.index(run.procedure) if run.procedure in order else len(order)


def _places(runs: Sequence[Run]) -> list[str]:
    """Return what tells runs of one procedure apart; empty where there is only one."""
    shown = [run.procedure for run in runs if not is_twin(run, runs)]
    return ["" if shown.count(run.procedure) <= 1 else place_of(run, runs) for run in runs]


def _keys(runs: Sequence[Run], places: Sequence[str]) -> list[Key]:
    keys: list[Key] = []
    for run, place in zip(runs, places, strict=True):
        make = _KEYS.get(run.procedure)
        if make and run.rows and not is_twin(run, runs):
            keys += make(run, place)
    return keys + comparison_keys(runs)


def _subtitle(runs: Sequence[Run]) -> str:
    chips = dict.fromkeys(chip_of(run) for run in runs)
    benches = dict.fromkeys(run.bench for run in runs)
    starts = sorted(str(run.attributes.get("start", "")) for run in runs)
    parts = [", ".join(filter(None, chips)), ", ".join(filter(None, benches)), _day(starts[0])]
    return " \u00b7 ".join(filter(None, parts))


def _day(stamp: str) -> str:
    try:
        day = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return f"{day.day}\u00a0{day:%B}\u00a0{day.year}"


def labctl_version() -> str:
    """Return the version of labctl, or that this is a source tree."""
    try:
        return metadata.version("labctl")
    except metadata.PackageNotFoundError:
        return "(source tree)"
