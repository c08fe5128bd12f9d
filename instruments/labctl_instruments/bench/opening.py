"""From a bench file to a station: the one place that knows which bench is simulated."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
from pyvisa.highlevel import open_visa_library

from labctl_instruments.bench.drivers import driver_named
from labctl_instruments.bench.holding import BenchHold
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.schema import BenchFile, InstrumentTable
from labctl_instruments.bench.simulation import Simulation
from labctl_instruments.errors import BenchError, InstrumentError
from labctl_instruments.station.bench_time import BenchTime, InstrumentTime, WallTime
from labctl_instruments.station.protocol import BenchInfo, Int8Array, Station

if TYPE_CHECKING:
    from pymeasure.adapters import VISAAdapter

    from labctl_instruments.drivers.bench_instrument import BenchInstrument
    from labctl_instruments.drivers.keithley2636b import Channel, Keithley2636B
    from labctl_instruments.drivers.keithley_switch import KeithleySwitch
    from labctl_instruments.drivers.keysight_b1500a import KeysightB1500AModule
    from labctl_instruments.station.board import BoardStation
    from labctl_instruments.station.bound import Chuck
    from labctl_instruments.station.roles import PulseSource, SourceMeter
    from labctl_instruments.station.smu import SmuStation

    _Module = TypeVar("_Module", bound=KeysightB1500AModule)


_TIMEOUT_MS = 10_000
"""Longer than a message runs whose driver does not say that it takes its time."""
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Access:
    """How the instruments of a bench are reached."""

    library: str
    """VISA library, as pyvisa names it."""
    seed: int | None = None
    """Seed of the simulated chip."""
    chip_file: Path | None = None
    """Chip file behind the simulated chip."""
    on_close: tuple[Callable[[], None], ...] = ()
    """What ends with the bench."""
    simulation: Simulation | None = None
    """What stands behind a simulated bench; None behind a real one."""
    opened: list[VISAAdapter] = field(default_factory=list)
    """Connections opened so far."""


def open_bench(
    bench: str | Path, *, seed: int | None = None, chip: str | Path | None = None
) -> Station:
    """Open a bench and return its station.

    Parameters
    ----------
    bench : str or Path
        Name of a shipped bench, or path of a bench file.
    seed : int, optional
        Seed of a simulated chip, instead of the bench file's.
    chip : str or Path, optional
        Chip file of a simulated chip, instead of what the bench file says.

    Returns
    -------
    Station
        With all outputs off; the first verb puts them on. Its ``with`` block rests and closes it.

    Raises
    ------
    BenchError
        If the bench file is wrong, or a seed or chip is asked of a real bench.
    BenchBusyError
        If another station, here or in another process, holds one of the instruments.
    InstrumentError, StationError
        If an instrument does not answer as it should, or is not the one the file names.
    """
    file = load_bench(bench)
    _refuse_if_real(file, seed, chip)
    access = _held(file, access_to(file, seed, chip))
    info = BenchInfo(
        name=file.name,
        kind=file.kind,
        path=file.path,
        text=file.text,
        identity=file.identity.identity(),
        geometry=file.geometry.geometry(),
        envelope=file.envelope.envelope(),
        seed=access.seed,
        chip_file=access.chip_file,
        stuck_file=file.identity.chip_file,
        passive=None if file.passive is None else file.passive.bias(),
    )
    try:
        station = _STATIONS[file.kind](file, info, access)
        _put_on_chuck(station, file, access)
    except BaseException:
        for end in (*(adapter.close for adapter in access.opened), *access.on_close):
            end()
        raise
    if access.simulation is not None:
        _simulations[station] = access.simulation
    return station


def simulation_behind(station: Station) -> Simulation | None:
    """Return what stands behind a station that `open_bench` returned; None on a real bench."""
    return _simulations.get(station)


_simulations: WeakKeyDictionary[Station, Simulation] = WeakKeyDictionary()


def _held(file: BenchFile, access: Access) -> Access:
    """Hold the instruments that other processes can reach too, until the bench is closed."""
    if file.virtual is not None:
        return access
    return replace(access, on_close=(*access.on_close, BenchHold(file).close))


def _refuse_if_real(file: BenchFile, seed: int | None, chip: str | Path | None) -> None:
    if file.virtual is not None:
        return
    for name, value in (("chip file", chip), ("seed", seed)):
        if value is not None:
            raise BenchError(
                file.path, "", f"{name} '{value}' asked for, but the bench has no [virtual] chip"
            )


def access_to(file: BenchFile, seed: int | None = None, chip: str | Path | None = None) -> Access:
    """Return how to reach the instruments of a bench; builds the rack of a virtual one."""
    if file.virtual is None:
        return Access(library=os.environ.get("PYVISA_LIBRARY") or _platform_library())
    from labctl_instruments.virtual.opening import open_rack

    chosen = file.virtual.file if chip is None else Path(chip)
    chip_file = None if chosen is None else chosen.absolute()  # runs remember it
    rack = open_rack(file, seed=seed, chip=chip_file)
    return Access(
        library=f"{rack.token}@labctl",
        seed=rack.chip.seed,
        chip_file=chip_file,
        on_close=(rack.close,),
        simulation=Simulation(rack, file),
    )


@cache
def _platform_library() -> str:
    """Return the name of this machine's VISA library, so that it is looked for once only.

    PyVISA would look for it at each connection, which takes 0.2 s.
    """
    found = open_visa_library()
    return "@py" if type(found).__module__.startswith("pyvisa_py") else f"{found.library_path}@ivi"


def adapter_of(table: InstrumentTable, access: Access) -> VISAAdapter:
    """Open the connection to one instrument.

    Raises
    ------
    InstrumentError
        If nothing answers there, or the computer has no such interface.
    """
    from pymeasure.adapters import VISAAdapter
    from pyvisa import Error as VisaError

    from labctl_instruments.drivers.connections import disable_nagle, notice_cuts

    on_socket = table.address.upper().endswith("::SOCKET")
    try:
        adapter = VISAAdapter(
            table.address,
            visa_library=access.library,
            write_termination="\n",
            read_termination="\n" if on_socket else None,
            timeout=_TIMEOUT_MS,
            chunk_size=_CHUNK_BYTES,
        )
    except (VisaError, OSError, ValueError) as error:  # pyvisa-py: ValueError without GPIB
        raise InstrumentError(table.address, f"cannot be opened: {error}") from error
    if on_socket:
        disable_nagle(adapter.connection)
        notice_cuts(adapter.connection)
    access.opened.append(adapter)
    return adapter


def _bench_time(file: BenchFile, access: Access) -> BenchTime:
    from labctl_instruments.drivers.bench_clock import BenchClock

    for name, table in file.with_role("clock").items():
        clock = BenchClock(adapter_of(table, access), name)
        clock.check_identity()
        return InstrumentTime(clock)
    return WallTime()


def _put_on_chuck(station: BoardStation | SmuStation, file: BenchFile, access: Access) -> None:
    for name, table in file.with_role("chuck").items():
        station.put_on(cast("Chuck", _plain(name, table, access)))


def _known_stuck(info: BenchInfo) -> Int8Array:
    """Return the cells that the bench's chip files call stuck, shape (pe, row, col)."""
    from labctl_data.chip_file import read_chip

    known = np.zeros(info.geometry.shape, dtype=np.int8)
    for file in (info.stuck_file, info.chip_file):
        cells = None if file is None else read_chip(file).cells
        if cells is None:
            continue
        if cells.stuck.shape != known.shape:
            raise BenchError(
                info.path,
                "geometry",
                f"{known.shape} (pe, row, col), but the stuck map of {file} is {cells.stuck.shape}",
            )
        known = np.where(cells.stuck != 0, cells.stuck, known)
    return known


def _board_station(file: BenchFile, info: BenchInfo, access: Access) -> BoardStation:
    from labctl_instruments.drivers.array_test_board import ArrayTestBoard
    from labctl_instruments.station.board import BoardSettings, BoardStation

    ((name, table),) = file.with_role("board").items()
    return BoardStation(
        ArrayTestBoard(adapter_of(table, access), name),
        info,
        _bench_time(file, access),
        known_stuck=_known_stuck(info),
        settings=BoardSettings(file.measurement.sweep_dwell, file.measurement.zero),
        on_close=access.on_close,
    )


def _smu_station(file: BenchFile, info: BenchInfo, access: Access) -> SmuStation:
    from labctl_instruments.drivers.keithley707b import Keithley707B
    from labctl_instruments.drivers.keithley3706a import Keithley3706A
    from labctl_instruments.drivers.keysight_b1500a import KeysightB1500ASmu, KeysightB1500ASpgu
    from labctl_instruments.station.passive_smu import PassiveSmuStation
    from labctl_instruments.station.smu import SmuStation
    from labctl_instruments.station.smu_instruments import SmuInstruments, SmuSettings

    opened: dict[str, Keithley2636B] = {}
    frames: dict[str, KeysightB1500AModule] = {}

    def smu(role: str) -> SourceMeter:
        ((name, table),) = file.with_role(role).items()
        if table.driver == "keithley-2636b":
            return _channel_of_2636b(name, table, access, opened)
        if table.driver.startswith("keysight-b1500a"):
            return _module_of_b1500a(KeysightB1500ASmu, (name, table), access, frames)
        return cast("SourceMeter", _plain(name, table, access))

    switches: dict[str, Callable[[VISAAdapter, str], KeithleySwitch]] = {
        "keithley-707b": Keithley707B,
        "keithley-3706a": Keithley3706A,
    }

    def pulse_source(name: str, table: InstrumentTable) -> PulseSource:
        if table.driver == "keysight-b1500a-spgu":
            return _module_of_b1500a(KeysightB1500ASpgu, (name, table), access, frames)
        return cast("PulseSource", _plain(name, table, access))

    ((pulser, pulser_table),) = file.with_role("pulser").items()
    channel = min(at.channel for at in file.wiring.rows.values() if at.instrument == pulser)
    instruments = SmuInstruments(
        bit=smu("bit-line"),
        source=smu("source-line"),
        gate=smu("word-line" if file.passive is None else "inhibit"),
        pulser=pulse_source(pulser, pulser_table),
        pulser_channel=channel,
        matrices={
            name: switches[table.driver](adapter_of(table, access), name)
            for name, table in file.with_role("matrix").items()
        },
        wiring=file.wiring,
    )
    kind = SmuStation if file.passive is None else PassiveSmuStation
    return kind(
        instruments,
        info,
        _bench_time(file, access),
        known_stuck=_known_stuck(info),
        settings=SmuSettings(
            file.measurement.read_gate,
            file.measurement.nplc,
            four_wire=file.measurement.sense == "four-wire",
            zero=file.measurement.zero,
        ),
        on_close=access.on_close,
    )


def _plain(name: str, table: InstrumentTable, access: Access) -> BenchInstrument:
    """Return an instrument that has a connection of its own; see `check_role` for its kind."""
    return driver_named(table.driver)(adapter_of(table, access), name)


def _channel_of_2636b(
    name: str, table: InstrumentTable, access: Access, opened: dict[str, Keithley2636B]
) -> Keithley2636B:
    """Return a channel; those of one instrument share its connection, kept in `opened`."""
    from labctl_instruments.drivers.keithley2636b import Keithley2636B

    channel: Channel = "a" if table.channel == "a" else "b"
    address = table.address.upper()
    if address in opened:
        return opened[address].other(name, channel)
    opened[address] = Keithley2636B(adapter_of(table, access), name, channel)
    return opened[address]


def _module_of_b1500a(
    kind: type[_Module],
    named: tuple[str, InstrumentTable],
    access: Access,
    opened: dict[str, KeysightB1500AModule],
) -> _Module:
    """Return a module; those of one mainframe share its connection, the first is in `opened`."""
    name, table = named
    address = table.address.upper()
    if address in opened:
        return kind.beside(opened[address], name, table.channel)
    opened[address] = made = kind(adapter_of(table, access), name, table.channel)
    return made


_STATIONS: dict[str, Callable[[BenchFile, BenchInfo, Access], BoardStation | SmuStation]] = {
    "board": _board_station,
    "smu": _smu_station,
}
