"""What a run would take: the same procedure, played through on a simulated bench of the same shape.

Nothing is estimated by formula that can be counted: rows, messages' time and pulses are those of
the rehearsal, and the worst voltage is the procedure's own demand.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.bench_choice import BenchChoice
from labctl_data.chip_file import read_chip
from labctl_data.model import SoftBoundModel, preset
from labctl_data.model.vectors import current

if TYPE_CHECKING:
    from labctl.engine import ProgressSink
    from labctl_data.model import DeviceModel
    from labctl_data.run_file import Run
    from labctl_instruments.bench.schema import BenchFile
    from labctl_procedures.procedure import ChipProcedure, Demand

_CLOCK = """
[instruments.rehearsal-clock]
driver = "bench-clock"
address = "TCPIP0::rehearsal-clock.sim::5025::SOCKET"
role = "clock"
"""
_CHIP = """
[virtual]
preset = "yao"
"""
"""What makes a real bench's file one of a simulated bench; one that is served has a clock."""


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to take, and the worst it would do to a cell."""

    time: float
    """Bench time, in s."""
    wall_time: float
    """Time the rehearsal itself took, in s: the run's own time on a simulated bench."""
    rows: int
    """Rows of the run file."""
    file_size: int
    """Size of the run file, in bytes."""
    pulses: int
    """Pulses on all cells together, stress reads and points of sweeps among them."""
    pulses_per_cell: int
    """Most programming pulses that one cell can receive."""
    voltage: float
    """Highest magnitude on a bit line or source line, in V."""
    current: float
    """Highest current through one cell, in A: the compliance of the sweeps, or what the rehearsal's
    device model (its I-V law) gives at the highest pulse or read voltage and the highest
    conductance that the rehearsal read; the envelope's limit where either is not known."""
    energy: float | None
    """Highest energy of one pulse, stress pulse or point of a sweep in a cell, in J: its voltage
    times `current` times its length; 0 where nothing is given, None where the instruments set the
    length of a point."""
    relay_closures: int
    """Contacts of matrices that close."""


@dataclass(frozen=True)
class Rehearsal:
    """A run that was played on a simulated bench."""

    estimate: Estimate
    """What the run is expected to take."""
    summary: Mapping[str, Any]
    """What the rehearsal summed up; the run itself will find other numbers under these names."""


def rehearse(
    procedure: ChipProcedure[Any], where: BenchChoice, *, progress: ProgressSink | None = None
) -> Estimate:
    """Predict a run by playing it on a simulated bench; see `play`."""
    return play(procedure, where, progress=progress).estimate


def play(
    procedure: ChipProcedure[Any], where: BenchChoice, *, progress: ProgressSink | None = None
) -> Rehearsal:
    """Play a run on a simulated bench; the real one is not touched.

    Parameters
    ----------
    procedure : ChipProcedure
        With its parameters; it is spent afterwards.
    where : BenchChoice
        The bench of the run.
    progress : ProgressSink, optional
        Where to show progress.

    Returns
    -------
    Rehearsal

    Raises
    ------
    LabctlError
        If the run would be refused.
    """
    from labctl.engine import run
    from labctl_data.run_file import open_run

    with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
        file = Path(folder) / "rehearsal.h5"
        stand_in = simulated_like(where, Path(folder))
        with stand_in.open() as station:
            began, began_wall = station.now(), time.monotonic()
            result = run(procedure, station, file, progress=progress)
            ended, closures = station.now(), station.relay_closures
            limit = station.bench.envelope.current
        played, demand = open_run(file), procedure.demand()
        current = max(demand.compliance, _pulsed(demand, stand_in, played, limit))
        estimate = Estimate(
            time=ended - began,
            wall_time=time.monotonic() - began_wall,
            rows=result.rows,
            file_size=file.stat().st_size,
            pulses=int(played.ledger["count"].sum()),
            pulses_per_cell=demand.pulses_per_cell,
            voltage=demand.voltage,
            current=current,
            energy=_energy(played, current),
            relay_closures=closures,
        )
        return Rehearsal(estimate, played.summary)


def _energy(run: Run, current: float) -> float | None:
    """Return the highest energy of what the ledger says was given, in J, at `current` A."""
    ledger = run.ledger
    if not np.isfinite(ledger["width"]).all():
        return None
    return float((ledger["amplitude"] * ledger["width"]).max(initial=0.0) * current)


def _pulsed(demand: Demand, where: BenchChoice, run: Run, limit: float) -> float:
    """Return the highest current of pulses and reads in a cell, in A; `limit` if not known."""
    voltage = max([abs(demand.read_voltage), *(pulse.amplitude for pulse in demand.pulses)])
    if not voltage:
        return 0.0
    model = _model(where)
    names = {column.name for column in run.columns}
    seen = run.record("conductance") if "conductance" in names else np.empty(0)
    seen = seen[np.isfinite(seen)]
    if not isinstance(model, SoftBoundModel) or not seen.size:
        return limit
    return float(current(model, seen.max(), voltage))


def _model(where: BenchChoice) -> DeviceModel | None:
    """Return the device model behind a simulated bench."""
    from labctl_instruments import load_bench

    virtual = load_bench(where.bench).virtual
    file = where.chip or (virtual and virtual.file)
    if file:
        return read_chip(Path(file)).model
    return preset(virtual.preset) if virtual and virtual.preset else None


def simulated_like(where: BenchChoice, folder: Path) -> BenchChoice:
    """Return a simulated bench of the shape of the one chosen, whose state nobody will miss."""
    from labctl_instruments import load_bench

    bench = load_bench(where.bench)
    if bench.virtual is None:
        clock = "" if bench.with_role("clock") else _CLOCK
        return BenchChoice(_written(bench, bench.text + clock + _CHIP, folder), where.seed)
    state = Path(bench.virtual.state)
    if bench.virtual.state in ("formed", "fresh"):
        return where
    copy = folder / f"state-{state.name}"
    if state.exists():
        shutil.copyfile(state, copy)
    text = re.sub(r"(?m)^(\s*state\s*=).*$", lambda found: f"{found[1]} '{copy}'", bench.text)
    return replace(
        where, bench=_written(bench, text, folder), chip=where.chip or bench.virtual.file
    )


def _written(bench: BenchFile, text: str, folder: Path) -> str:
    path = folder / f"{bench.name}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)
