"""The section on where everything comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.report.page import Listing, Section
from labctl.report.words import count
from labctl.run_files import chip_of
from labctl_data.run_file import Run

_TOLD_ABOVE = (
    *("parameters", "procedure", "status", "bench", "wafer", "die", "chip", "seed"),
    *("bench_toml", "json_attributes", "schema"),
)


def provenance_section(runs: Sequence[Run]) -> Section:
    """Return what was run where, with which parameters, seeds and versions."""
    facts = [_facts(run) for run in runs]
    shared = {k: v for k, v in facts[0].items() if all(each.get(k) == v for each in facts)}
    own = [{k: v for k, v in each.items() if k not in shared} for each in facts]
    return Section(
        "Provenance",
        "Everything above is computed from these files.",
        [
            _overview(runs),
            Listing(
                ("file", "parameters"),
                [[run.path.name, _pairs(run.parameters)] for run in runs],
                "Parameters",
            ),
            Listing(("", ""), list(map(list, shared.items())), "The same in all of them"),
            Listing(
                ("file", "", ""),
                [
                    [run.path.name, name, value]
                    for run, table in zip(runs, own, strict=True)
                    for name, value in table.items()
                ],
                "Of each",
            ),
        ],
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


def _facts(run: Run) -> dict[str, str]:
    """Return what a run file says of its making and no table above says."""
    return {
        name.replace("_", " "): _value(value)
        for name, value in run.attributes.items()
        if name not in _TOLD_ABOVE and value not in ("", None)
    }


def _value(value: Any) -> str:  # noqa: ANN401  (whatever JSON holds)
    if isinstance(value, Mapping):
        return _pairs(value)
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)


def _pairs(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in table.items())


def _number(value: Any) -> str:  # noqa: ANN401  (whatever JSON holds)
    if isinstance(value, list | tuple):
        return " ".join(map(_number, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
