"""A day of bench time on SMUs while a part of all answers is spoilt.

Every minute a cell is pulsed and three are read; what goes wrong is noted and the next minute goes
on, as a careful program does. The bench has no noise, so a value that belongs to another query
shows: each reading is compared with the chip itself. Pulses are counted at the chip, and compared
with the messages that the ledger was told of.

    PYTHONPATH=.:instruments:data python tests/benchmarks/faulted_day.py [hours] [fraction] [seed]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyvisa

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_data.pulse import PulseKind
from labctl_instruments.bench.fault_plan import fault_plan
from labctl_instruments.bench.loading import find_bench, load_bench
from labctl_instruments.virtual.rack import Rack

CELLS = Cells.of([[0, 5, 5], [0, 5, 6], [0, 90, 1]])
MINUTE = 60.0
AGREES = 0.02
"""Largest difference, relative, of a reading from the chip: range and resolution of the meter."""


class CountingLedger:
    """A ledger that counts the messages that may pulse."""

    def __init__(self) -> None:
        self.messages = 0

    def before_pulses(self, *arguments: object, **keys: object) -> None:
        """Count one."""
        self.messages += 1


@dataclass
class Day:
    """What came of a day."""

    seconds: float = 0.0
    """Bench time, in s."""
    exchanges: int = 0
    answers_spoilt: int = 0
    reads: int = 0
    """Readings that were returned."""
    wrong: int = 0
    """Of them, those that are not the cell's."""
    pulses_asked: int = 0
    """Messages of which the ledger was told."""
    pulses_given: int = 0
    """Pulses that the chip saw."""
    pulses_done: int = 0
    """Pulses of which the station said that they were given."""
    failures: Counter[str] = field(default_factory=Counter)
    """Verbs that raised, by the kind of error."""
    is_at_rest: bool = False
    """Whether the bench was brought to rest at the end."""


def spend(hours: float, *, fraction: float, seed: int) -> Day:
    """Spend `hours` of bench time on an SMU bench of which a fraction of all answers is spoilt."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quiet.toml"
        text = find_bench("sim-smu").read_text(encoding="utf-8")
        path.write_text(f"{text}\nnoise = false\nspread = false\n", encoding="utf-8")
        station = li.open_bench(path, seed=seed)
        try:
            return _spend(station, load_bench(path), hours * 3600.0, (fraction, seed))
        finally:
            station.close()


def _spend(station, bench, seconds: float, spoilt: tuple[float, int]) -> Day:
    day, ledger = Day(), CountingLedger()
    rack = rack_of(bench, station)
    station.ledger = ledger
    station.read(CELLS)
    fraction, seed = spoilt
    for fault in fault_plan(bench, f"{fraction}", seed=seed):
        rack.faults.plan(fault)
    before = pulses_at(rack)
    began, events, exchanges = rack.clock.now(), rack.log.n_events, rack.log.n_exchanges
    minute = 0
    while rack.clock.now() - began < seconds:
        minute += 1
        kind = PulseKind.RESET if minute % 2 else PulseKind.SET
        amplitude, gate = (1.5, 4.7) if minute % 2 else (1.6, 1.8)
        cell = CELLS[minute % 3 : minute % 3 + 1]
        _pulse(station, day, (cell, kind, amplitude, gate))
        _read(station, rack, day)
        rack.clock.charge(MINUTE - (rack.clock.now() - began) % MINUTE)
    rack.faults.clear()
    day.is_at_rest = _comes_to_rest(station, rack)
    day.seconds = rack.clock.now() - began
    day.answers_spoilt = rack.log.n_events - events
    day.exchanges = rack.log.n_exchanges - exchanges
    day.pulses_asked, day.pulses_given = ledger.messages, pulses_at(rack) - before
    return day


def _pulse(station, day: Day, pulse: tuple) -> None:
    cell, kind, amplitude, gate = pulse
    try:
        station.pulse(cell, kind, amplitude, 50e-9, gate)
        day.pulses_done += 1
    except LabctlError as error:
        day.failures[f"pulse: {type(error).__name__}"] += 1


def _read(station, rack: Rack, day: Day) -> None:
    try:
        found = station.read(CELLS)
    except LabctlError as error:
        day.failures[f"read: {type(error).__name__}"] += 1
        return
    truth = rack.chip.conductances(CELLS.index(station.geometry), rack.clock.now())
    day.reads += len(found)
    day.wrong += int((np.abs(found / truth - 1.0) > AGREES).sum())


def _comes_to_rest(station, rack: Rack) -> bool:
    try:
        station.rest()
    except LabctlError:
        return False
    outputs = [persona.drive() for persona in _personas(rack) if hasattr(persona, "drive")]
    return all(drive is None or drive.is_weak for drive in outputs)


def _personas(rack: Rack) -> list:
    return [getattr(one, "_inner", one) for one in rack._personas.values()]


def pulses_at(rack: Rack) -> int:
    """Return how many programming pulses the three cells have received, by the chip."""
    return int(rack.chip.pulse_counts(CELLS.index(rack.chip.geometry)).sum())


def rack_of(bench, station) -> Rack:
    """Return the rack behind a station on a virtual bench."""
    connection = station._instruments[0].adapter.connection
    library: pyvisa.highlevel.VisaLibraryBase = connection.visalib
    return library.rack


def main() -> None:
    """Spend the time asked for and print what came of it."""
    given = [float(each) for each in sys.argv[1:]]
    hours, fraction, seed = (*given, *(24.0, 0.01, 1.0)[len(given) :])
    began = time.perf_counter()
    day = spend(hours, fraction=fraction, seed=int(seed))
    print(
        f"{day.seconds / 3600:.1f} h of bench time in {time.perf_counter() - began:.0f} s, "
        f"{day.exchanges:,} exchanges, {day.answers_spoilt:,} answers spoilt ({fraction:.1%} asked)"
    )
    print(f"readings {day.reads:,}, of another query {day.wrong}")
    print(
        f"pulses: {day.pulses_asked:,} messages, {day.pulses_given:,} at the chip "
        f"(repeated: {max(0, day.pulses_given - day.pulses_asked)}), {day.pulses_done:,} confirmed"
    )
    failures = ", ".join(f"{kind} {count}" for kind, count in day.failures.items())
    print(f"verbs that raised: {failures or 'none'}; at rest at the end: {day.is_at_rest}")


if __name__ == "__main__":
    main()
