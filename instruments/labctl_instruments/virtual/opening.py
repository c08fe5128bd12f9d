"""From a bench file to a rack: the chip, the clock, the instruments and what joins them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

from labctl_data.chip_file import CellState
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.bench.virtual_tables import VirtualTable
from labctl_instruments.chip import Chip
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.chip_source import (
    ChipSource,
    make_chip,
    save_state,
    state_of,
    state_path,
)
from labctl_instruments.virtual.clock import Clock, ClockMode
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.fault_injection import Breakables
from labctl_instruments.virtual.faults import Hardware
from labctl_instruments.virtual.persona import Persona
from labctl_instruments.virtual.personas.array_board import ArrayBoardPersona
from labctl_instruments.virtual.personas.clock import ClockPersona
from labctl_instruments.virtual.personas.keithley2510 import Keithley2510Persona
from labctl_instruments.virtual.rack import Rack, register
from labctl_instruments.virtual.state_file import StateHold, StateKeeper


def open_rack(
    bench: BenchFile | str | Path,
    *,
    seed: int | None = None,
    chip: Path | None = None,
    log: DialogueLog | None = None,
) -> Rack:
    """Build the virtual instruments of a bench around one chip, and make them reachable.

    Parameters
    ----------
    bench : BenchFile, str or Path
        A bench with a table [virtual]; or the name of a shipped one, or a file.
    seed : int, optional
        Seed of the chip, instead of the bench file's.
    chip : Path, optional
        Chip file, instead of the bench file's preset or file.
    log : DialogueLog, optional
        Where exchanges go; by default the newest are kept in memory.

    Returns
    -------
    Rack
        Registered: ``pyvisa.ResourceManager(f"{rack.token}@labctl")`` reaches it for as long as
        somebody holds it. `Rack.close` saves the chip where the bench file names a state file.

    Raises
    ------
    RackError
        If the bench has no [virtual] table, or a state file is not of this chip or carried on by
        another bench.
    """
    described = bench if isinstance(bench, BenchFile) else load_bench(bench)
    virtual = described.virtual
    if virtual is None:
        raise RackError(f"{described.path.name}: a real bench (no [virtual]) has no rack")
    path = state_path(virtual)
    hold = None if path is None else StateHold(path)
    try:
        source = make_chip(described, virtual, seed=seed, chip=chip)
        rack = _rack_of(described, virtual, source, log)
    except BaseException:
        if hold is not None:
            hold.close()
        raise
    if hold is not None:
        keeper = StateKeeper(hold, _taker(rack, source), partial(save_state, source))
        rack.on_close(keeper.close)
    register(rack)
    return rack


def _rack_of(
    described: BenchFile, virtual: VirtualTable, source: ChipSource, log: DialogueLog | None
) -> Rack:
    clock = Clock()
    clock.set_time(source.time)
    clock.mode = ClockMode[virtual.clock.upper()]
    journal = DialogueLog() if log is None else log
    personas, hardware = _BUILDERS[described.kind](described, source.chip, clock, journal)
    personas |= _clock_personas(described, clock) | _chucks(described, source.chip, clock)
    rack = Rack(source.chip, clock, personas, journal, Breakables(described, hardware))
    for fault in virtual.faults:
        rack.faults.plan(fault)
    return rack


def _taker(rack: Rack, source: ChipSource) -> Callable[[], CellState | None]:
    """Return what takes the chip's state between two messages; it does not keep the rack alive."""
    found = weakref.ref(rack)

    def take() -> CellState | None:
        held = found()
        if held is None:
            return None
        with held.turn:
            return state_of(source, held.clock.now(), held.log.n_exchanges)

    return take


Equipment = tuple[dict[str, Persona], Hardware | None]
"""Instruments by their addresses, and what lies behind them where it can break."""


def _board_personas(bench: BenchFile, chip: Chip, clock: Clock, journal: DialogueLog) -> Equipment:
    personas: dict[str, Persona] = {}
    for table in bench.with_role("board").values():
        serial = bench.identity.chip.replace(",", " ")
        personas[table.address] = ArrayBoardPersona(chip, clock, serial=serial)
    return personas, None


def _clock_personas(bench: BenchFile, clock: Clock) -> dict[str, Persona]:
    return {table.address: ClockPersona(clock) for table in bench.with_role("clock").values()}


def _chucks(bench: BenchFile, chip: Chip, clock: Clock) -> dict[str, Persona]:
    tables = bench.with_role("chuck").values()
    return {table.address: Keithley2510Persona(chip, clock) for table in tables}


def _smu_personas(bench: BenchFile, chip: Chip, clock: Clock, journal: DialogueLog) -> Equipment:
    from labctl_instruments.virtual.smu_bench import smu_personas

    return smu_personas(bench, chip, clock, journal)


_BUILDERS: dict[str, Callable[[BenchFile, Chip, Clock, DialogueLog], Equipment]] = {
    "board": _board_personas,
    "smu": _smu_personas,
}
