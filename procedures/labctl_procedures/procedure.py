"""What a procedure is: a plan of points, and one measurement a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
from pymeasure.experiment import Parameter, Procedure

from labctl_data.cells import Cells
from labctl_data.run_file import Column
from labctl_instruments.station import Envelope, FloatArray, Station
from labctl_procedures.closed_loop import PulseShape, Rows, address_columns
from labctl_procedures.errors import ParameterError
from labctl_procedures.stored import Records, Stored
from labctl_procedures.waiting import wait

P = TypeVar("P")

__all__ = [
    "ADDRESS",
    "TIME",
    "ChipProcedure",
    "Demand",
    "PulseShape",
    "Rows",
    "Snapshot",
    "address_columns",
    "read_in_blocks",
]
TIME = Column.from_pymeasure("Time (s)")
ADDRESS = (
    Column.from_pymeasure("PE", "i2"),
    Column.from_pymeasure("Row", "i2"),
    Column.from_pymeasure("Column", "i2"),
)


@dataclass(frozen=True)
class Demand:
    """The most a procedure will ask of one cell, known before it starts."""

    read_voltage: float
    """Highest read voltage, in V."""
    pulses: tuple[PulseShape, ...] = ()
    """Every shape of pulse it gives."""
    pulses_per_cell: int = 0
    """Most programming pulses one cell can receive; points of a sweep count."""
    sweep: tuple[float, ...] = ()
    """The extreme voltages of its sweeps, in V."""
    sweep_gate: float = 0.0
    """Word-line voltage in sweeps, in V."""
    compliance: float = 0.0
    """Highest current it allows, in A."""

    def check(self, envelope: Envelope, *, where: str) -> None:
        """Refuse what the bench would refuse later, before anything is begun.

        Raises
        ------
        EnvelopeError
            If a voltage, a current, an energy or the pulses a cell exceed the envelope.
        """
        envelope.check_read(self.read_voltage, where=where)
        for pulse in self.pulses:
            envelope.check_pulses(pulse.amplitude, pulse.width, pulse.gate, where=where)
        if self.sweep:
            envelope.check_sweep(
                self.sweep, gate=self.sweep_gate, compliance=self.compliance, where=where
            )
        envelope.check_counts(self.pulses_per_cell, where=where)

    @property
    def voltage(self) -> float:
        """Highest magnitude on a bit line or source line, in V."""
        return max(
            abs(self.read_voltage),
            *(pulse.amplitude for pulse in self.pulses),
            *(abs(voltage) for voltage in self.sweep),
            0.0,
        )


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One map of the chip, taken during a run."""

    name: str
    """Name of the map, as in `MAPS`."""
    values: FloatArray
    """Shape (pe, row, col); NaN where no cell was asked for."""
    time: float = field(default=float("nan"))
    """Bench time, in s."""


class ChipProcedure(Procedure, Generic[P]):
    """A measurement of cells through a station.

    A subclass names its `COLUMNS`, yields its `points` (a pure function of its parameters and the
    chip's geometry) and measures one point at a time. Whoever runs it, our engine or PyMeasure's
    own Worker, sets `station`, `emit` and `should_stop`.
    """

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    """Columns of the rows, time first."""
    MAPS: ClassVar[tuple[Column, ...]] = ()
    """Maps it takes: name, unit and long name."""

    station: Station
    """The bench; set before the procedure starts."""

    def __init_subclass__(cls) -> None:
        """Derive PyMeasure's column names from `COLUMNS`."""
        super().__init_subclass__()
        cls.DATA_COLUMNS = [column.header for column in cls.COLUMNS]

    def __init__(self, **values: object) -> None:
        super().__init__()
        self.part_done = 0.0
        self.stored: Stored | None = None
        """What the run has stored already; None for a new one."""
        self.half_done: Records = {}
        """Rows stored of the first point that is measured; empty from the next one on."""
        for key, value in values.items():
            self._set(key, value)

    @classmethod
    def declared(cls) -> dict[str, Parameter]:
        """Return the class's parameters by attribute, in the order in which they are written."""
        found: dict[str, Parameter] = {}
        for base in reversed(cls.__mro__):
            own = {key: value for key, value in vars(base).items() if isinstance(value, Parameter)}
            found.update(own)
        return found

    def parameter_values(self) -> dict[str, Any]:
        """Return every parameter's value: numbers in SI, words, cells as text."""
        return {key: self.__dict__[key] for key in self.declared()}

    def parameter_objects(self) -> dict[str, Parameter]:
        """Return PyMeasure's parameters, holding the values of this procedure."""
        for key, value in self.parameter_values().items():
            self._parameters[key].value = value
        return dict(self._parameters)

    def points(self) -> Iterable[P]:
        """Yield the points of the plan, in order."""
        raise NotImplementedError

    def measure(self, point: P) -> Rows | Iterable[Rows]:
        """Measure one point; return its rows, or yield them as they come."""
        raise NotImplementedError

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        raise NotImplementedError

    def summary(self) -> dict[str, Any]:
        """Return what the run came to, in few numbers."""
        return {}

    def check(self) -> None:
        """Refuse what this station cannot do, before anything is begun.

        Raises
        ------
        EnvelopeError
            If the procedure asks more of a cell than the bench allows.
        LabctlError
            If the parameters contradict each other or the chip.
        """
        for key in self.declared():
            getattr(self, key)  # cells become cells of the chip here: it may not have them
        bench = self.station.bench
        self.demand().check(bench.envelope, where=bench.path.name)

    def execute(self) -> None:
        """Measure the points one after another, until the end or until told to stop."""
        points = list(self.points())
        finished = self.stored.finished if self.stored is not None else {}
        for number, point in enumerate(points):
            if number in finished:
                continue
            if self.should_stop():
                return
            self.part_done = 0.0
            for rows in _each(self.measure(point)):
                self.emit("results", self._timed(rows))
                self.emit("progress", 100 * (number + self.part_done) / len(points))
            self.half_done = {}
            self.emit("point", number)
            self.emit("progress", 100 * (number + 1) / len(points))

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early; called before it starts, the station being set.

        A subclass restores what its summary needs. Nothing stored is measured again, and no pulse
        of the ledger is given again.
        """
        self.stored = stored
        self.half_done = stored.half_done()

    def recall(self, found: FloatArray) -> int:
        """Fill in the reads of a look at all cells that had been begun; return how many there are.

        Parameters
        ----------
        found : ndarray of shape (n,)
            Conductances of the procedure's cells, in their order, in S.
        """
        stored = self.half_done.get("conductance", np.empty(0))
        found[: len(stored)] = stored
        return len(stored)

    def shutdown(self) -> None:
        """Bring the bench to rest, under whatever runs this procedure."""
        self.station.rest()

    def wait(self, seconds: float) -> None:
        """Let bench time pass; on a real bench, in slices that can be stopped."""
        wait(self.station, seconds, self.should_stop)

    def snapshot(
        self, name: str, cells: Cells, values: FloatArray, time: float | None = None
    ) -> None:
        """Add a map of the values (n,) found at `cells`, other cells NaN; at bench time now."""
        image = np.full(self.station.geometry.shape, np.nan)
        image[cells.pe, cells.row, cells.column] = values
        self.emit("map", Snapshot(name, image, self.station.now() if time is None else time))

    def _timed(self, rows: Rows) -> Rows:
        return rows if TIME.header in rows else {TIME.header: self.station.now(), **rows}

    def _set(self, key: str, value: object) -> None:
        owner, known = type(self).__name__, self.declared()
        if key not in known:
            raise ParameterError(
                f"{owner}: parameter '{key}': there is none; there are {', '.join(known)}"
            )
        try:
            setattr(self, key, known[key].convert(value))
        except ParameterError as error:
            raise ParameterError(f"{owner}: parameter '{key}': {error}") from error
        except ValueError as error:  # a plain PyMeasure parameter
            raise ParameterError(f"{owner}: parameter '{key}': {value!r}: {error}") from error


def read_in_blocks(
    station: Station, cells: Cells, voltage: float, averages: int
) -> Iterator[tuple[Cells, FloatArray]]:
    """Read the cells in blocks as large as one message serves; yield each with its S (n,)."""
    for block in cells.blocks(station.parallel_cells):
        yield block, station.read(block, voltage, averages)


def _each(rows: Rows | Iterable[Rows]) -> Iterator[Rows]:
    return iter([cast("Rows", rows)] if isinstance(rows, Mapping) else rows)
