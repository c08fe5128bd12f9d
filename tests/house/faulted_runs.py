"""Run procedures for a day of bench time while a part of all answers is spoilt.

Run as `python tests/house/faulted_runs.py [HOURS] [FRACTION] [SEED] [BENCH]...` with the source
roots on PYTHONPATH; 24 hours on the five benches take some 5 minutes.

On each bench, without noise, runs follow each other through the engine: write-verify, an I-V sweep,
read disturb, an hour of retention. Of every instrument a fraction of the answers is lost, garbage,
cut short or late. Each reading that a procedure gets is compared with the chip itself: one that
belongs to another query shows. What pulses is counted three times: in the ledgers of the runs, in
the dialogue of the instruments, and by the chip.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labctl.engine import RunError, run
from labctl_data.cells import Cells
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_instruments.bench.fault_plan import fault_plan
from labctl_instruments.bench.loading import find_bench, load_bench
from labctl_instruments.station import FloatArray, LedgerSink, Station
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.rack import Rack
from labctl_procedures import IVSweep, ReadDisturb, Retention, WriteVerify
from labctl_procedures.procedure import ChipProcedure

BENCHES = ("sim-board", "sim-smu", "sim-2636b-707b", "sim-2450-3706a", "sim-b1500a-707b")
HOUR = 3600.0
AGREES = 0.02
"""Largest difference, relative, of a reading from the chip: range and resolution of the meter."""
SHOTS = (b":TRIG1;", b"SRP;", b":PULS:CELL ", b":STR:CELL ", b":SWE:CELL? ")
"""Of the messages that pulse, how they begin."""
READING = 0.5
"""Voltage up to which a pulse reads and does not program, in V."""


@dataclass
class Day:
    """What came of a day on one bench."""

    bench: str
    seconds: float = 0.0
    """Bench time, in s."""
    exchanges: int = 0
    spoilt: int = 0
    """Answers that were spoilt."""
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the run files."""
    rows: int = 0
    readings: int = 0
    wrong: int = 0
    """Of the readings, those that are not the cell's."""
    messages: int = 0
    """Messages that can pulse, by the ledgers."""
    shots: int = 0
    """The same in the instruments' own dialogue."""
    ledger_pulses: int = 0
    """Programming pulses by the ledgers; of a sweep, at most."""
    chip_pulses: int = 0
    """Programming pulses that the chip has seen."""

    @property
    def is_well(self) -> bool:
        """Whether all runs ended, no reading was another's, and no pulse came twice."""
        ended = set(self.statuses) == {"complete"}
        once = self.shots <= self.messages and self.chip_pulses <= self.ledger_pulses
        return ended and not self.wrong and once


class Counting(DialogueLog):
    """Counts the messages that pulse."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.shots = 0

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        self.n_exchanges += 1
        self.shots += message.startswith(SHOTS)


class Compared:
    """A station whose readings are compared with the chip as they come."""

    def __init__(self, station: Station, rack: Rack, day: Day) -> None:
        self._station, self._rack, self._day = station, rack, day

    def __getattr__(self, name: str) -> Any:
        return getattr(self._station, name)

    @property
    def ledger(self) -> LedgerSink:
        return self._station.ledger

    @ledger.setter
    def ledger(self, sink: LedgerSink) -> None:
        self._station.ledger = sink

    def read(self, cells: Cells, voltage: float = 0.2, averages: int = 1) -> FloatArray:
        found = self._station.read(cells, voltage, averages)
        clock = self._rack.clock
        truth = self._rack.chip.conductances(cells.index(self._station.geometry), clock.now())
        self._day.readings += len(found)
        self._day.wrong += int((np.abs(found / truth - 1.0) > AGREES).sum())
        return found


def procedures(bench: str) -> Iterator[ChipProcedure[Any]]:
    """Yield the runs of an hour."""
    cells = "0/0/0:8" if bench == "sim-board" else "0/0/0:3"
    written = {"cells": cells, "levels": 2, "limit": 200}
    yield WriteVerify(**written, after="")
    yield IVSweep(cells="0/1/0:2", cycles=1)
    yield ReadDisturb(**written, total=10_000)
    yield Retention(**written, duration=HOUR, per_decade=4)


def spend(bench: str, hours: float, *, fraction: float, seed: int, folder: Path) -> Day:
    """Spend `hours` of bench time on a bench of which a fraction of all answers is spoilt."""
    path = folder / f"quiet-{bench}.toml"
    text = find_bench(bench).read_text(encoding="utf-8")
    path.write_text(f"{text}\nnoise = false\n", encoding="utf-8")
    day = Day(bench)
    with open_bench(path, seed=seed) as station:
        rack: Rack = station._instruments[0].adapter.connection.visalib.rack  # type: ignore[attr-defined]
        rack.log = log = Counting()
        for fault in fault_plan(load_bench(path), f"{fraction}", seed=seed):
            rack.faults.plan(fault)
        rack.faults._note = lambda *_: setattr(day, "spoilt", day.spoilt + 1)
        everything = np.arange(station.geometry.n_cells)
        before, began = rack.chip.pulse_counts(everything).sum(), rack.clock.now()
        while rack.clock.now() - began < hours * HOUR:
            for procedure in procedures(bench):
                _run(procedure, Compared(station, rack, day), day, folder / "run.h5")
        rack.faults.clear()
        day.seconds = rack.clock.now() - began
        day.exchanges, day.shots = log.n_exchanges, log.shots
        day.chip_pulses = int(rack.chip.pulse_counts(everything).sum() - before)
    return day


def _run(procedure: ChipProcedure[Any], station: Any, day: Day, path: Path) -> None:
    with contextlib.suppress(RunError):  # what the file says is what counts
        run(procedure, station, path)
    stored = open_run(path)
    day.statuses[str(stored.status)] += 1
    day.rows += stored.rows
    ledger = stored.ledger
    day.messages += len(np.unique(ledger["message"]))
    programming = ledger["amplitude"] > READING
    day.ledger_pulses += int(ledger["count"][programming].sum())
    for event in stored.events:
        if event.kind == "fault":
            sys.stderr.write(f"  {type(procedure).__name__}: {event.text}\n")
    path.unlink()


def main() -> None:
    """Spend the time asked for on each bench, and print what came of it."""
    logging.disable(logging.WARNING)
    given = [float(each) for each in sys.argv[1:4]]
    hours, fraction, seed = (*given, *(24.0, 0.01, 1.0)[len(given) :])
    well = True
    for bench in sys.argv[4:] or BENCHES:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            day = spend(bench, hours, fraction=fraction, seed=int(seed), folder=Path(folder))
        statuses = ", ".join(f"{count} {status}" for status, count in day.statuses.items())
        sys.stdout.write(
            f"{bench}: {day.seconds / HOUR:.1f} h in {time.perf_counter() - began:.0f} s, runs "
            f"{statuses}, {day.rows:,} rows; {day.exchanges:,} exchanges, {day.spoilt:,} answers "
            f"spoilt; readings {day.readings:,}, of another query {day.wrong}; messages that pulse "
            f"{day.messages:,}, sent {day.shots:,}; pulses asked {day.ledger_pulses:,}, given "
            f"{day.chip_pulses:,}\n"
        )
        sys.stdout.flush()
        well &= day.is_well
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
