"""The bench file: what it may say, and what it must not contradict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from labctl_data.cells import Geometry
from labctl_data.model import preset_names
from labctl_instruments.bench.drivers import BUILT_IN, check_role, names
from labctl_instruments.bench.wiring import (
    LAYOUT_707B,
    LAYOUT_3706A,
    MatrixLayout,
    Wiring,
    parse_lines,
    parse_rows,
)
from labctl_instruments.errors import DriverError
from labctl_instruments.station.envelope import Envelope
from labctl_instruments.station.protocol import ChipIdentity

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


def _preset(name: str) -> str:
    """Return the name of a device preset that there is."""
    if name not in preset_names():
        raise PydanticCustomError(
            "preset", "there are {names}", {"names": ", ".join(preset_names())}
        )
    return name


FAULT_KINDS = (
    "timeout",
    "garbage",
    "truncated",
    "late",
    "disconnect",
    "stuck-relay",
    "over-range",
    "compliance",
)
"""What can go wrong on a virtual bench."""
ROLES_OF_A_FAULT: Mapping[str, tuple[str, ...]] = {
    "stuck-relay": ("matrix",),
    "over-range": ("bit-line", "source-line", "word-line"),
    "compliance": ("bit-line", "source-line", "word-line"),
}
"""Roles of the instruments that a fault can befall; all, where it is not named."""
Role = Literal[
    "board", "clock", "bit-line", "source-line", "word-line", "pulser", "matrix", "chuck"
]

ROLES_OF_A_KIND: Mapping[str, tuple[str, ...]] = {
    "board": ("board",),
    "smu": ("bit-line", "source-line", "word-line", "pulser", "matrix"),
}
"""Roles that a kind of bench must fill; `matrix` may be filled more than once."""
OPTIONAL_ROLES = ("clock", "chuck")
"""Roles that a bench of any kind may fill."""
_SMUS = (
    "keithley-2450",
    "keithley-2400",
    "keithley-2636b",
    "keysight-b1500a-hrsmu",
    "keysight-b1500a-mpsmu",
)
DRIVERS_OF_A_ROLE: Mapping[str, tuple[str, ...]] = {
    "board": ("array-test-board",),
    "clock": ("bench-clock",),
    "chuck": ("thermal-chuck",),
    "bit-line": _SMUS,
    "source-line": _SMUS,
    "word-line": _SMUS,
    "pulser": ("keysight-81160a", "keysight-b1500a-spgu"),
    "matrix": ("keithley-707b", "keithley-3706a"),
}
"""Drivers that can fill a role."""
_SLOTS = tuple(str(slot) for slot in range(1, 11))
CHANNELS_OF_A_DRIVER: Mapping[str, tuple[str, ...]] = {
    "keithley-2636b": ("a", "b"),
    "keysight-b1500a-hrsmu": _SLOTS,
    "keysight-b1500a-mpsmu": _SLOTS,
    "keysight-b1500a-spgu": _SLOTS,
}
"""Channels of the drivers whose instruments have several, each an instrument of the file."""
MAINFRAME_OF_A_DRIVER: Mapping[str, str] = {
    driver: "keysight-b1500a" for driver in CHANNELS_OF_A_DRIVER if "b1500a" in driver
}
"""What the drivers drive modules of: those of one mainframe have one address."""
LAYOUTS: Mapping[str, MatrixLayout] = {
    "keithley-707b": LAYOUT_707B,
    "keithley-3706a": LAYOUT_3706A,
}
"""Crosspoints of the drivers that switch."""


def _known_driver(name: str) -> str:
    if name not in names():
        raise ValueError(f"expected one of {', '.join(names())}")
    return name


class Table(BaseModel):
    """A table of a bench file: no key beyond those named, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class IdentityTable(Table):
    """Which chip lies on the bench."""

    wafer: str
    """Wafer the chip was cut from."""
    die: str
    """Die on the wafer."""
    chip: str
    """Serial number or nickname of the chip."""
    pads: dict[str, int] = {}
    """Pad number of each line that is bonded, by the line's name; for people, not for programs."""
    chip_file: Path | None = Field(default=None, strict=False)
    """A chip file of this chip, whose stuck cells get no pulse; relative to the bench file's
    folder. It makes no simulated chip: that is what `file` of [virtual] is for."""

    def identity(self) -> ChipIdentity:
        """Return the identity without its pads."""
        return ChipIdentity(self.wafer, self.die, self.chip)


class GeometryTable(Table):
    """Size of the chip."""

    pes: Count
    """Processing elements (arrays)."""
    rows: Count
    """Rows of one array: source lines and word lines."""
    columns: Count
    """Columns of one array: bit lines."""

    def geometry(self) -> Geometry:
        """Return the size of the chip."""
        return Geometry(self.pes, self.rows, self.columns)


class EnvelopeTable(Table):
    """Limits that no request can exceed."""

    voltage: Positive
    """Highest magnitude on a bit line or source line, in V."""
    gate_voltage: Positive
    """Highest word-line voltage, in V."""
    current: Positive
    """Highest current of one line, in A."""
    energy: Positive
    """Highest worst-case energy of one pulse in one cell, in J."""
    pulses: Count
    """Most programming pulses one cell may receive."""
    power: Positive | None = None
    """Highest worst-case power in one cell, in W: voltage * current; none where it is left out."""
    temperature: Positive | None = None
    """Highest temperature of the chip, in K; none where it is left out."""

    def envelope(self) -> Envelope:
        """Return the limits."""
        return Envelope(**self.model_dump(exclude_none=True))


class InstrumentTable(Table):
    """One instrument on the bench."""

    driver: Annotated[str, AfterValidator(_known_driver)]
    """Name of the driver: one of ours, or one that another package announces."""
    address: str = Field(min_length=1)
    """VISA resource string."""
    role: Role
    """What the station uses it for."""
    channel: str = ""
    """Channel of an instrument that has several (`a` or `b`; a slot, `1` to `10`): each has its own
    table here, with the same address."""


class MeasurementTable(Table):
    """How the station measures, where a procedure does not say."""

    read_gate: Positive = 3.0
    """Word-line voltage that turns a row on for reading, in V (SMU bench)."""
    nplc: Positive = 1.0
    """Integration of one reading, in power-line cycles (SMU bench)."""
    sweep_dwell: Positive = 1e-3
    """Time at each point of a sweep, in s (board bench)."""


class FaultTable(Table):
    """One thing that goes wrong on a virtual bench, and when."""

    instrument: str
    """Name of the instrument in this file."""
    kind: Literal[FAULT_KINDS]  # type: ignore[valid-type]  # a tuple of literals is one to pydantic
    """What goes wrong."""
    nth: int | None = Field(default=None, gt=0)
    """The chance that is taken, counted from 1: answers, or messages; either this or
    `probability`."""
    probability: float | None = Field(default=None, gt=0.0, le=1.0)
    """Probability that a chance is taken."""
    seed: int = Field(default=1, ge=0)
    """Seed of the chances taken with a probability."""
    channel: str = ""
    """`stuck-relay`: the crosspoint, e.g. `1A01`."""
    stuck_closed: bool = False
    """`stuck-relay`: whether the contact stays closed; else it stays open."""


Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ConvertersTable(Table):
    """How far a virtual board's converters are from ideal: standard deviations among them."""

    offset: Spread = 0.0
    """Current that a converter adds, in A."""
    gain: Spread = 0.0
    """Relative error of its scale."""
    bow: Spread = 0.0
    """Integral nonlinearity: largest distance from a straight line, as a part of the range."""
    step: Spread = 0.0
    """Differential nonlinearity: error of a code's width, in ADC steps."""
    noise: Spread = 0.0
    """Noise of each conversion, in A."""
    lines_each: int = Field(default=1, ge=1)
    """Neighbouring source lines that one converter serves, one after another."""


class VirtualTable(Table):
    """The simulated chip of a virtual bench."""

    preset: Annotated[str, AfterValidator(_preset)] | None = None
    """Name of a shipped device model; either this or `file`."""
    file: Path | None = Field(default=None, strict=False)
    """A chip file; relative to the bench file's folder."""
    seed: int = Field(default=1, ge=0)
    """Seed of the chip; `--seed` overrules it."""
    state: str = "formed"
    """`formed`, `fresh`, or the path of a state file (loaded if there, saved at the end)."""
    stuck: float = Field(default=0.0, ge=0.0, le=1.0)
    """Fraction of cells that are stuck."""
    noise: bool = True
    """False: reads and conversions without noise."""
    spread: bool = True
    """False: all cells alike, and every pulse its mean step."""
    wire_resistance: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Resistance of one segment of a bit or source line, from cell to cell, in ohm: MACs suffer
    its voltage drops. 0: ideal lines."""
    converters: ConvertersTable = ConvertersTable()
    """The converters of MACs, a table [virtual.converters]; ideal by default."""
    clock: Literal["jump", "real"] = "jump"
    """`jump`: bench time passes at once; `real`: it passes with the wall's."""
    faults: list[FaultTable] = []
    """What goes wrong, each a table `[[virtual.faults]]`."""


class BenchFile(Table):
    """A whole bench file, validated."""

    kind: Literal["board", "smu"]
    """Array-test board, or SMUs behind a switch matrix."""
    description: str = ""
    """For people."""
    identity: IdentityTable
    geometry: GeometryTable
    envelope: EnvelopeTable
    instruments: dict[str, InstrumentTable]
    """The instruments, by the names that other tables use."""
    lines: dict[str, str] = {}
    """SMU bench: `"WL[0:72]" = "matrix1:1-72"`, ranges of lines on ranges of columns."""
    rows: dict[str, str] = {}
    """SMU bench: what hangs on rows A to H: `ground`, an instrument, or `pulser:1`."""
    measurement: MeasurementTable = MeasurementTable()
    virtual: VirtualTable | None = None
    """The simulated chip; absent on a real bench."""

    _path: Path = PrivateAttr(default=Path("bench.toml"))
    _text: str = PrivateAttr(default="")

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path

    @property
    def text(self) -> str:
        """TOML source of the file."""
        return self._text

    @property
    def name(self) -> str:
        """Name of the bench: that of its file."""
        return self._path.stem

    @cached_property
    def wiring(self) -> Wiring:
        """The cabling of an SMU bench; empty on a board bench."""
        return Wiring(parse_lines(self.lines, self.layouts), parse_rows(self.rows), self.layouts)

    @property
    def layouts(self) -> dict[str, MatrixLayout]:
        """Layout of each switching mainframe, by its name."""
        return {
            name: LAYOUTS[table.driver]
            for name, table in self.instruments.items()
            if table.driver in LAYOUTS
        }

    def with_role(self, role: str) -> dict[str, InstrumentTable]:
        """Return the instruments that fill `role`, by name, in the file's order."""
        return {name: table for name, table in self.instruments.items() if table.role == role}

    def sourced(self, path: Path, text: str) -> BenchFile:
        """Remember where the file was read from, and return it."""
        self._path = path
        self._text = text
        return self


def contradictions(bench: BenchFile) -> Iterable[tuple[str, str]]:
    """Yield (table, problem) for each thing a bench file says that cannot be so."""
    yield from _addresses(bench)
    yield from _roles(bench)
    yield from _chip_source(bench)
    yield from _faults(bench)
    if bench.kind == "smu":
        yield from _rows(bench)
        yield from _lines(bench)
    else:
        for table in ("lines", "rows"):
            if getattr(bench, table):
                yield table, "a board bench has no matrix: the board drives its lines itself"


_NAME = re.compile(r"[A-Za-z][\w-]*")


def _addresses(bench: BenchFile) -> Iterable[tuple[str, str]]:
    users: dict[str, dict[str, str]] = {}
    for name, table in bench.instruments.items():
        place = f"instruments.{name}"
        if not _NAME.fullmatch(name) or name == "ground":
            yield place, "a name is letters, digits, - and _, and not 'ground'"
        channels = CHANNELS_OF_A_DRIVER.get(table.driver, ("",))
        if table.channel not in channels:
            wanted = " or ".join(f"'{channel}'" for channel in channels)
            yield place, f"driver '{table.driver}' needs channel {wanted}, found '{table.channel}'"
        others = users.setdefault(table.address.upper(), {})
        for channel, other in others.items():
            if channel == table.channel or _mainframe(bench, other) != _mainframe(bench, name):
                yield place, f"address '{table.address}' is also used by [instruments.{other}]"
                break
        others.setdefault(table.channel, name)


def _mainframe(bench: BenchFile, name: str) -> str:
    driver: str = bench.instruments[name].driver
    return MAINFRAME_OF_A_DRIVER.get(driver, driver)


def _roles(bench: BenchFile) -> Iterable[tuple[str, str]]:
    needed = ROLES_OF_A_KIND[bench.kind]
    for name, table in bench.instruments.items():
        place = f"instruments.{name}"
        if table.role not in (*needed, *OPTIONAL_ROLES):
            yield place, f"role '{table.role}' is not one of a bench of kind '{bench.kind}'"
        if table.driver not in BUILT_IN:
            yield from _role_of_others(place, table)
        elif table.driver not in DRIVERS_OF_A_ROLE[table.role]:
            wanted = "' or '".join(DRIVERS_OF_A_ROLE[table.role])
            yield place, f"role '{table.role}' needs driver '{wanted}', found '{table.driver}'"
    for role in (*needed, *OPTIONAL_ROLES):
        names = list(bench.with_role(role))
        if not names and role not in OPTIONAL_ROLES:
            yield "instruments", f"no instrument has role '{role}'"
        if len(names) > 1 and role != "matrix":
            yield (
                f"instruments.{names[1]}",
                f"role '{role}' is also that of [instruments.{names[0]}]",
            )


def _role_of_others(place: str, table: InstrumentTable) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the driver of another package."""
    try:
        check_role(table.driver, table.role)
    except DriverError as error:
        yield place, str(error)


def _chip_source(bench: BenchFile) -> Iterable[tuple[str, str]]:
    virtual = bench.virtual
    if virtual is None:
        return
    if (virtual.preset is None) == (virtual.file is None):
        yield (
            "virtual",
            "expected either 'preset' or 'file', found "
            + ("neither" if virtual.preset is None else "both"),
        )
    if bench.kind != "board":
        if virtual.wire_resistance:
            yield "virtual", "wire_resistance is met by a board's MACs; this bench is of kind 'smu'"
        if virtual.converters != ConvertersTable():
            yield "virtual.converters", "a bench of kind 'smu' has no converters at its lines"
    if not bench.with_role("clock"):
        yield "instruments", "a bench with [virtual] needs an instrument with role 'clock'"


def _faults(bench: BenchFile) -> Iterable[tuple[str, str]]:
    for fault in bench.virtual.faults if bench.virtual else ():
        for problem in fault_problems(bench, fault):
            yield "virtual.faults", problem


def fault_problems(bench: BenchFile, fault: FaultTable) -> Iterable[str]:
    """Yield what a fault says that cannot be so on a bench."""
    named = f"'{fault.kind}' of '{fault.instrument}'"
    table = bench.instruments.get(fault.instrument)
    if table is None:
        yield f"{named}: '{fault.instrument}' is no instrument of this bench"
    elif table.role not in ROLES_OF_A_FAULT.get(fault.kind, (table.role,)):
        wanted = " or ".join(ROLES_OF_A_FAULT[fault.kind])
        yield f"{named}: befalls instruments with role {wanted}, this one is '{table.role}'"
    if (fault.nth is None) == (fault.probability is None):
        found = "neither" if fault.nth is None else "both"
        yield f"{named}: expected either 'nth' or 'probability', found {found}"
    if fault.kind == "stuck-relay" and table is not None and table.driver in LAYOUTS:
        try:
            LAYOUTS[table.driver].place(fault.channel)
        except ValueError as error:
            yield f"{named}: channel = {error}"


def _rows(bench: BenchFile) -> Iterable[tuple[str, str]]:
    try:
        rows = parse_rows(bench.rows)
    except ValueError as error:
        yield "rows", str(error)
        return
    hung = {terminal.instrument for terminal in rows.values()}
    for matrix, layout in bench.layouts.items():
        for letter in sorted(set(rows) - set(layout.rows)):
            yield (
                "rows",
                f"{letter}: '{matrix}' has rows {layout.rows[0]} to {layout.rows[-1]} only",
            )
    for name in hung - {"ground"} - bench.instruments.keys():
        yield "rows", f"'{name}' is no instrument of this bench"
    if "ground" not in hung:
        yield "rows", "no row is 'ground': unselected lines have nowhere to go"
    for role in ("bit-line", "source-line", "word-line", "pulser"):
        for name in bench.with_role(role).keys() - hung:
            yield "rows", f"'{name}' (role '{role}') hangs on no row"


def _lines(bench: BenchFile) -> Iterable[tuple[str, str]]:
    try:
        columns = parse_lines(bench.lines, bench.layouts)
    except ValueError as error:
        yield "lines", str(error)
        return
    for matrix in sorted({column.matrix for column in columns.values()}):
        if matrix not in bench.with_role("matrix"):
            yield "lines", f"'{matrix}' is no instrument with role 'matrix'"
    geometry = bench.geometry.geometry()
    expected = {
        "BL": geometry.pes * geometry.columns,
        "SL": geometry.n_lines,
        "WL": geometry.n_lines,
    }
    for kind, count in expected.items():
        found = {line.number for line in columns if line.kind == kind}
        if found != set(range(count)):
            yield (
                "lines",
                f"{kind}: the geometry has lines 0 to {count - 1}, {_differ(found, count)}",
            )


def _differ(found: set[int], count: int) -> str:
    missing, extra = set(range(count)) - found, found - set(range(count))
    if missing:
        return f"{len(missing)} of them on no column, the first {min(missing)}"
    return f"{len(extra)} more are named, the first {min(extra)}"
