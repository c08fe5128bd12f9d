"""Look through a run or chip file in a process of its own: what crashes there harms nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from labctl_data.errors import ChipFileError, NotAChipFileError, NotARunFileError, RunFileError
from labctl_data.run_file.layout import TIME, RunStatus
from labctl_data.run_file.reader import Run, open_run

TIMEOUT = 120.0  # s
MEMORY = 2**33  # bytes of address space
BLOCK_ROWS = 2**18


@dataclass(frozen=True)
class ValidationReport:
    """What a look through a whole run file found."""

    path: str
    """The file."""
    ok: bool
    """Whether it is a run file or a chip file without a fault."""
    status: str
    """Its status; empty when it could not be read."""
    rows: int
    """Rows it holds."""
    problems: tuple[str, ...]
    """What is wrong, a line each."""
    kind: str = ""
    """What kind of file it is: `run` or `chip`; empty when it could not be read."""


def validate(path: str | os.PathLike[str], *, timeout: float = TIMEOUT) -> ValidationReport:
    """Read every value of a run file or chip file in a child process with bounded memory and time.

    Parameters
    ----------
    path : path
        The file, of whatever origin.
    timeout : float
        Longest time the child may take, in s.
    """
    command = [sys.executable, "-m", "labctl_data.run_file.validation", os.fspath(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return _unreadable(path, f"{path}: reading it took more than {timeout:g} s")
    if child.returncode != 0:
        return _unreadable(path, f"{path}: reading it ended the process ({child.returncode})")
    facts = json.loads(child.stdout)
    return ValidationReport(**{**facts, "problems": tuple(facts["problems"])})


def inspect(path: Path) -> ValidationReport:
    """Read a run or chip file whole in this process; `validate` is the safe way to call it."""
    try:
        run = open_run(path)
        problems = tuple(_problems(run))
        return ValidationReport(str(path), not problems, run.status, run.rows, problems, "run")
    except NotARunFileError as error:
        return _chip(path, str(error))
    except RunFileError as error:
        return _unreadable(path, str(error))
    except MemoryError:
        return _unreadable(path, f"{path}: reading it takes more than {MEMORY} bytes of memory")


def _chip(path: Path, stranger: str) -> ValidationReport:
    """Read a chip file; a file that is none of labctl's is what `stranger` says."""
    from labctl_data.chip_file import read_chip  # it stands on this package

    try:
        read_chip(path)
    except NotAChipFileError:
        return _unreadable(path, f"{stranger}, nor a chip file")
    except ChipFileError as error:
        return _unreadable(path, str(error))
    return ValidationReport(str(path), ok=True, status="", rows=0, problems=(), kind="chip")


def _unreadable(path: str | os.PathLike[str], problem: str) -> ValidationReport:
    return ValidationReport(os.fspath(path), ok=False, status="", rows=0, problems=(problem,))


def _problems(run: Run) -> list[str]:
    problems = []
    if run.status == RunStatus.INTERRUPTED and run.attributes["status"] == RunStatus.RUNNING:
        problems.append(f"{run.path}: its writer died; recover it")
    rows = run.rows
    for column in run.columns:
        for start in range(0, rows, BLOCK_ROWS):
            run.record(column.name, start=start, stop=start + BLOCK_ROWS)
    if np.any(np.diff(run.record(TIME.name).astype(np.float64)) < 0):
        problems.append(f"{run.path}: /records/time runs backwards")
    for name in run.maps:
        run.map(name)
    _ = run.events, run.summary, run.ledger
    return problems


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has none; the time limit stands
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> None:
    """Inspect the file named on the command line and write the report as JSON."""
    _limit_memory()
    sys.stdout.write(json.dumps(asdict(inspect(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
