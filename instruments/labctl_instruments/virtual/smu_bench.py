"""The instruments of an SMU bench, joined to one chip through the matrices."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from labctl_instruments.bench.schema import BenchFile, InstrumentTable
from labctl_instruments.bench.virtual_tables import VirtualTable
from labctl_instruments.chip import Chip
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.persona import Persona
from labctl_instruments.virtual.personas.keithley707b import KEITHLEY_707B
from labctl_instruments.virtual.personas.keithley2400 import Keithley2400Persona
from labctl_instruments.virtual.personas.keithley2450 import Keithley2450Persona
from labctl_instruments.virtual.personas.keithley2636b import Keithley2636BPersona
from labctl_instruments.virtual.personas.keithley3706a import KEITHLEY_3706A
from labctl_instruments.virtual.personas.keysight81160a import Keysight81160APersona
from labctl_instruments.virtual.personas.keysight_b1500a import KeysightB1500APersona
from labctl_instruments.virtual.personas.keysight_b1500a_smu import (
    HRSMU,
    MPSMU,
    ModuleKind,
    SmuModule,
)
from labctl_instruments.virtual.personas.keysight_b1500a_spgu import SpguModule
from labctl_instruments.virtual.personas.scpi_source_meter import ScpiSourceMeterPersona
from labctl_instruments.virtual.personas.source_measure_channel import SourceMeasureChannel
from labctl_instruments.virtual.personas.switching import SwitchPersona
from labctl_instruments.virtual.probed_chip import Cabling, ProbedChip
from labctl_instruments.virtual.routing import Ground, Router, Terminal

PERSONAS = "labctl.personas"
"""The entry point group in which other packages announce virtual source-meters, by the names of
the drivers that drive them."""
_SMUS: dict[str, type[ScpiSourceMeterPersona]] = {
    "keithley-2400": Keithley2400Persona,
    "keithley-2450": Keithley2450Persona,
}
_SWITCHES = {"keithley-707b": KEITHLEY_707B, "keithley-3706a": KEITHLEY_3706A}
_B1500A_SMUS: dict[str, ModuleKind] = {
    "keysight-b1500a-hrsmu": HRSMU,
    "keysight-b1500a-mpsmu": MPSMU,
}
_B1500A_SPGU = "keysight-b1500a-spgu"
_PULSER = "keysight-81160a"
SMU_ROLES = ("bit-line", "source-line", "word-line", "inhibit")


def smu_personas(
    bench: BenchFile, chip: Chip, clock: Clock, log: DialogueLog
) -> tuple[dict[str, Persona], ProbedChip]:
    """Return the instruments of an SMU bench by their addresses, and what lies behind them."""
    matrices = bench.with_role("matrix")
    router = Router(bench.wiring, bench.geometry.geometry(), list(matrices))
    virtual = bench.virtual
    probed = ProbedChip(chip, router, clock, log, _cabling(virtual))
    seed = chip.seed if virtual is None or virtual.noise else None

    smus, pulsers = _with_roles(bench, SMU_ROLES), bench.with_role("pulser")
    personas, outputs = _b1500as(smus | pulsers, probed, clock, seed)
    outputs["ground", 1] = Ground()
    of_2636b = _channels_of_2636b(smus, probed, clock, seed)
    for number, (address, channels) in enumerate(of_2636b.items(), start=1):
        personas[address] = Keithley2636BPersona(channels, clock, serial=f"{4_000_000 + number}")
        outputs |= {(channel.name, 1): channel for channel in channels.values()}
    for name, table in smus.items():
        if table.address not in personas:
            smu = _source_meter(table.driver)(name, probed, clock, MeterNoise(seed, name))
            personas[table.address] = smu
            outputs[name, 1] = smu.meter
    for name, table in pulsers.items():
        if table.address not in personas:
            pulser = _pulser(table.driver)(name, probed, clock, log)
            personas[table.address] = pulser
            outputs |= {(name, channel): output for channel, output in pulser.outputs.items()}
    personas |= _switches(matrices, router, probed, clock)
    for row, terminal in bench.wiring.rows.items():
        router.hang(row, outputs[terminal.instrument, terminal.channel])
    return personas, probed


def _cabling(virtual: VirtualTable | None) -> Cabling:
    if virtual is None:
        return Cabling()
    return Cabling(
        lead=virtual.lead_resistance,
        contact=virtual.contact_resistance,
        leakage=virtual.leakage,
        offset=virtual.offset,
    )


def _switches(
    matrices: Mapping[str, InstrumentTable], router: Router, probed: ProbedChip, clock: Clock
) -> dict[str, Persona]:
    return {
        table.address: SwitchPersona(
            _SWITCHES[table.driver],
            name,
            router.crosspoints,
            probed,
            clock,
            serial=f"{1_000_000 + number}",
        )
        for number, (name, table) in enumerate(matrices.items(), start=1)
    }


def _source_meter(driver: str) -> type[ScpiSourceMeterPersona]:
    """Return the persona that a driver drives; RackError if there is none, or it is none."""
    if driver in _SMUS:
        return _SMUS[driver]
    for point in entry_points(group=PERSONAS, name=driver):
        kind = point.load()
        if not (isinstance(kind, type) and issubclass(kind, ScpiSourceMeterPersona)):
            raise RackError(f"driver '{driver}': {point.value} is no ScpiSourceMeterPersona")
        return kind
    raise _voiceless(driver)


def _pulser(driver: str) -> type[Keysight81160APersona]:
    if driver != _PULSER:
        raise _voiceless(driver)
    return Keysight81160APersona


def _voiceless(driver: str) -> RackError:
    return RackError(f"no virtual instrument speaks for driver '{driver}'")


def _with_roles(bench: BenchFile, roles: tuple[str, ...]) -> dict[str, InstrumentTable]:
    return {name: table for role in roles for name, table in bench.with_role(role).items()}


def _channels_of_2636b(
    smus: Mapping[str, InstrumentTable], probed: ProbedChip, clock: Clock, seed: int | None
) -> dict[str, dict[str, SourceMeasureChannel]]:
    """Return the channels of each 2636B, by address and letter; unnamed ones hang on nothing."""
    found: dict[str, dict[str, SourceMeasureChannel]] = {}
    for name, table in smus.items():
        if table.driver == "keithley-2636b":
            noise = MeterNoise(seed, name)
            channel = SourceMeasureChannel(name, probed, clock, noise)
            found.setdefault(table.address, {})[table.channel] = channel
    for address, channels in found.items():
        for letter in "ab":
            name = f"{address} {letter}"
            spare = SourceMeasureChannel(name, probed, clock, MeterNoise(seed, name))
            channels.setdefault(letter, spare)
    return found


def _b1500as(
    modules: Mapping[str, InstrumentTable], probed: ProbedChip, clock: Clock, seed: int | None
) -> tuple[dict[str, Persona], dict[tuple[str, int], Terminal]]:
    """Return the B1500A by their addresses, and the outputs of their modules."""
    smus: dict[str, dict[int, SmuModule]] = {}
    spgus: dict[str, dict[int, SpguModule]] = {}
    outputs: dict[tuple[str, int], Terminal] = {}
    for name, table in modules.items():
        if table.driver in _B1500A_SMUS:
            kind, slot = _B1500A_SMUS[table.driver], int(table.channel)
            noise = MeterNoise(seed, name)
            smu = SmuModule(slot, kind, name, chip=probed, clock=clock, noise=noise)
            smus.setdefault(table.address, {})[slot] = smu
            outputs[name, 1] = smu.meter
        elif table.driver == _B1500A_SPGU:
            slot = int(table.channel)
            spgu = SpguModule(slot, name, chip=probed, clock=clock)
            spgus.setdefault(table.address, {})[slot] = spgu
            outputs |= {
                (name, number - 100 * slot): channel for number, channel in spgu.channels.items()
            }
    frames: dict[str, Persona] = {
        address: KeysightB1500APersona(smus.get(address, {}), spgus.get(address, {}), clock)
        for address in smus.keys() | spgus.keys()
    }
    return frames, outputs
