"""The bench file: what it may say, and what it must not contradict."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from labctl_data.array_bias import PassiveBias, ReadScheme, WriteScheme
from labctl_data.cells import Geometry
from labctl_instruments.bench.drivers import names
from labctl_instruments.bench.equipment import LAYOUTS, Role
from labctl_instruments.bench.table import Count, Positive, Table
from labctl_instruments.bench.virtual_tables import VirtualTable
from labctl_instruments.bench.wiring import MatrixLayout, Wiring, parse_lines, parse_rows
from labctl_instruments.station.envelope import Envelope
from labctl_instruments.station.protocol import ChipIdentity


def _known_driver(name: str) -> str:
    if name not in names():
        raise ValueError(f"expected one of {', '.join(names())}")
    return name


class IdentityTable(Table):
    """Which chip lies on the bench."""

    wafer: str
    """Wafer the chip was cut from."""
    die: str
    """Die on the wafer."""
    chip: str
    """Serial number or nickname of the chip."""
    pads: dict[str, int] = Field(default_factory=dict)
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


class PassiveTable(Table):
    """That the cells have no transistor (0T1R), and how one of them is selected."""

    write: WriteScheme = "half"
    """What the lines of other cells are at while one is written: `half` V/2, `third` V/3."""
    read: ReadScheme = "grounded"
    """While one is read: `grounded`, or `floating` (sneak currents then join its own)."""

    def bias(self) -> PassiveBias:
        """Return the schemes."""
        return PassiveBias(self.write, self.read)


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
    sense: Literal["two-wire", "four-wire"] = "two-wire"
    """Where source-meters sense the voltages they force: at their own terminals, or at the ends of
    their leads, by sense wires of their own (SMU bench)."""
    zero: bool = False
    """Whether each read is followed by one without the cell's current, which is taken off it:
    offset of the meter, and leakage where word lines can close the cell (twice the time)."""


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
    lines: dict[str, str] = Field(default_factory=dict)
    """SMU bench: `"WL[0:72]" = "matrix1:1-72"`, ranges of lines on ranges of columns."""
    rows: dict[str, str] = Field(default_factory=dict)
    """SMU bench: what hangs on rows A to H: `ground`, an instrument, or `pulser:1`."""
    measurement: MeasurementTable = MeasurementTable()
    passive: PassiveTable | None = None
    """Present where the cells have no transistor."""
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
