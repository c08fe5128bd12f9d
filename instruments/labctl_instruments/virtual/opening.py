"""From a bench file to a rack: the chip, the clock, the instruments and what joins them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.chip import Chip
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.chip_source import make_chip, save_chip
from labctl_instruments.virtual.clock import Clock, ClockMode
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.persona import Persona
from labctl_instruments.virtual.personas.array_board import ArrayBoardPersona
from labctl_instruments.virtual.personas.clock import ClockPersona
from labctl_instruments.virtual.rack import Rack, register


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
        If the bench has no [virtual] table, or a state file is not of this chip.
    """
    described = bench if isinstance(bench, BenchFile) else load_bench(bench)
    virtual = described.virtual
    if virtual is None:
        raise RackError(f"{described.path.name}: a real bench (no [virtual]) has no rack")
    source = make_chip(described, virtual, seed=seed, chip=chip)
    clock = Clock()
    clock.set_time(source.time)
    clock.mode = ClockMode[virtual.clock.upper()]
    journal = DialogueLog() if log is None else log
    personas = _BUILDERS[described.kind](described, source.chip, clock, journal)
    rack = Rack(source.chip, clock, personas, journal)
    if source.state_file is not None:
        rack.on_close(lambda: save_chip(source, clock.now()))
    register(rack)
    return rack


def _board_personas(
    bench: BenchFile, chip: Chip, clock: Clock, journal: DialogueLog
) -> dict[str, Persona]:
    personas: dict[str, Persona] = {}
    for table in bench.with_role("board").values():
        serial = bench.identity.chip.replace(",", " ")
        personas[table.address] = ArrayBoardPersona(chip, clock, serial=serial)
    return personas | _clock_personas(bench, clock)


def _clock_personas(bench: BenchFile, clock: Clock) -> dict[str, Persona]:
    return {table.address: ClockPersona(clock) for table in bench.with_role("clock").values()}


def _smu_personas(
    bench: BenchFile, chip: Chip, clock: Clock, journal: DialogueLog
) -> dict[str, Persona]:
    from labctl_instruments.virtual.smu_bench import smu_personas

    return smu_personas(bench, chip, clock, journal) | _clock_personas(bench, clock)


_BUILDERS: dict[str, Callable[[BenchFile, Chip, Clock, DialogueLog], dict[str, Persona]]] = {
    "board": _board_personas,
    "smu": _smu_personas,
}
