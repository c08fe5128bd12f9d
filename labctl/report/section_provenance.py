"""The section on where everything comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.report.page import Listing, Section
from labctl.report.words import count
from labctl.run_files import chip_of
from labctl_data.run_file import Run

_TOLD_ABOVE = ("parameters", "bench_toml", "packages", "json_attributes")


def provenance_section(runs: Sequence[Run]) -> Section:
    """Return what was run where, with which parameters, seeds and versions."""
    return Section(
        "Provenance",
        "Everything above is computed from these files; each holds what is listed here.",
        [_overview(runs), *(_details(run) for run in runs)],
    )


def _overview(runs: Sequence[Run]) -> Listing:
    rows = [
        [
            run.path.name,
            run.procedure,
            str(run.status),
            count(run.rows),
            run.bench,
            chip_of(run),
            "" if run.seed is None else str(run.seed),
        ]
        for run in runs
    ]
    return Listing(
        ("file", "procedure", "status", "rows", "bench", "chip", "seed"), rows, "", (3, 6)
    )


def _details(run: Run) -> Listing:
    attributes = run.attributes
    rows = [["parameters", _pairs(run.parameters)]]
    rows += [
        [name.replace("_", " "), _value(value)]
        for name, value in attributes.items()
        if name not in _TOLD_ABOVE and value not in ("", None)
    ]
    packages = attributes.get("packages")
    if isinstance(packages, Mapping):
        rows.append(["packages", _pairs(packages)])
    return Listing(("", ""), rows, run.path.name)


def _value(value: Any) -> str:  # noqa: ANN401  (whatever JSON holds)
    return _pairs(value) if isinstance(value, Mapping) else str(value)


def _pairs(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in table.items())


def _number(value: Any) -> str:  # noqa: ANN401  (whatever JSON holds)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
