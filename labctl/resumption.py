"""Which bench a run that ended early can go on with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.bench_choice import BenchChoice
from labctl.errors import NotResumableError

if TYPE_CHECKING:
    from labctl_data.run_file import Run
    from labctl_instruments.bench.schema import BenchFile
    from labctl_instruments.bench.virtual_tables import VirtualTable


def bench_of(run: Run, bench: str | None = None) -> BenchChoice:
    """Return the bench on which a run is to go on: the file's, with its seed and chip file.

    Parameters
    ----------
    run : Run
        The run.
    bench : str, optional
        Where its bench file is now, if it has moved.

    Raises
    ------
    NotResumableError
        If the bench file says otherwise than in the run, or its simulated chip is gone.
    LabctlError
        If the bench file cannot be used.
    """
    from labctl_instruments import load_bench

    _refuse_ended_or_running(run)
    attributes = run.attributes
    file = load_bench(bench or _bench_file(attributes))
    _refuse_changed(run, file, tomllib.loads(str(attributes.get("bench_toml", ""))))
    if file.virtual is None:
        return BenchChoice(str(file.path))
    _refuse_lost(run, file, file.virtual)
    chip = attributes.get("chip_file")
    return BenchChoice(str(file.path), run.seed, Path(chip) if chip else None)


def _refuse_ended_or_running(run: Run) -> None:
    """Refuse before the bench is opened: that puts a running run's outputs off."""
    if run.status == "complete":
        raise NotResumableError(f"{run.path}: the run is complete; there is nothing to resume")
    if run.status == "running":
        raise NotResumableError(f"{run.path}: the run is going on; its writer is alive")


def _bench_file(attributes: Mapping[str, Any]) -> str:
    """Return the path of the bench file; its name where the file is a shipped one or is gone."""
    path = str(attributes.get("bench_file", ""))
    return path if path and Path(path).is_file() else str(attributes.get("bench", ""))


def _refuse_changed(run: Run, file: BenchFile, stored: dict[str, Any]) -> None:
    """Refuse a bench file that differs in more than where the instruments answer."""
    now = tomllib.loads(file.text)
    for table in sorted({*now, *stored}):
        if _without_addresses(now.get(table)) != _without_addresses(stored.get(table)):
            raise NotResumableError(
                f"{run.path}: ran on bench '{run.bench}'; {file.path} differs from it in [{table}]"
            )


def _without_addresses(table: object) -> object:
    if not isinstance(table, Mapping):
        return table
    return {key: _without_addresses(value) for key, value in table.items() if key != "address"}


def _refuse_lost(run: Run, file: BenchFile, virtual: VirtualTable) -> None:
    """Refuse a simulated chip that ended with the process of the run."""
    if virtual.state not in ("formed", "fresh"):
        if not Path(virtual.state).is_file():
            raise NotResumableError(
                f"{run.path}: {file.path.name} [virtual]: state file {virtual.state} is not there: "
                "the run's chip was not saved"
            )
        return
    raise NotResumableError(
        f"{run.path}: its simulated chip lived in the run's own process and is gone; a chip that "
        f"outlives a run is served (labctl serve), or {file.path.name} [virtual] names a state file"
    )
