"""What a procedure may ask of a bench: physical verbs on sets of cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias
from labctl_data.cells import Cells, Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.pulse import PulseKind
from labctl_instruments.station.envelope import Envelope

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
UInt32Array = npt.NDArray[np.uint32]

Kind = PulseKind | int | npt.NDArray[np.integer]
"""The kind of pulses: one for all, or one a cell, as the integers of `PulseKind`."""
Value = float | FloatArray
"""A quantity: one for all cells, or an array (n,) with one a cell."""


@dataclass(frozen=True)
class ChipIdentity:
    """Which chip lies on the bench."""

    wafer: str
    """Wafer the chip was cut from."""
    die: str
    """Die on the wafer, e.g. `x3y7`."""
    chip: str
    """Serial number or nickname of the chip."""


@dataclass(frozen=True)
class BenchInfo:
    """What a run remembers of the bench it ran on."""

    name: str
    """Name of the bench."""
    kind: Literal["board", "smu"]
    """Array-test board, or SMUs behind a switch matrix."""
    path: Path
    """The bench file."""
    text: str
    """TOML source of the bench file."""
    identity: ChipIdentity
    """The chip on the bench."""
    geometry: Geometry
    """Size of the chip."""
    envelope: Envelope
    """Limits that no request can exceed."""
    seed: int | None = None
    """Seed of a simulated chip; None on a real bench."""
    chip_file: Path | None = None
    """Chip file behind a simulated chip; None without one."""
    passive: PassiveBias | None = None
    """How a cell is selected where cells have no transistor; None where they have one."""
    stuck_file: Path | None = None
    """Chip file that the bench file names for the stuck cells of the chip; None without one."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """Currents of one swept cell."""

    currents: FloatArray
    """Current at each voltage, shape (n,), in A; its sign is that of the voltage."""
    in_compliance: BoolArray
    """Where the compliance held the current, shape (n,)."""


class LedgerSink(Protocol):
    """Whatever writes down each message that can pulse, before it is sent."""

    def before_pulses(
        self,
        cells: Cells,
        kinds: npt.ArrayLike,
        amplitudes: npt.ArrayLike,
        widths: npt.ArrayLike,
        gates: npt.ArrayLike,
        count: int,
    ) -> None:
        """Write one entry; return only when the operating system has it.

        Parameters
        ----------
        cells : Cells
            The n cells of the message.
        kinds : int or array_like of shape (n,)
            `PulseKind` of each cell. Read-polarity stress counts as SET: its bit line is driven.
        amplitudes : float or array_like of shape (n,)
            Highest magnitude each cell can see, in V.
        widths : float or array_like of shape (n,)
            Length of one pulse, in s; NaN where a slow instrument sets its own pace.
        gates : float or array_like of shape (n,)
            Word-line voltage, in V; NaN where the bench's read gate is used.
        count : int
            Most pulses that each cell can receive from this message.
        """


class NullLedger:
    """A ledger that keeps nothing: for a bench outside a run."""

    def before_pulses(
        self,
        cells: Cells,
        kinds: npt.ArrayLike,
        amplitudes: npt.ArrayLike,
        widths: npt.ArrayLike,
        gates: npt.ArrayLike,
        count: int,
    ) -> None:
        """Forget the message."""


@runtime_checkable
class Switched(Protocol):
    """A station whose lines are joined to instruments by a matrix."""

    @property
    def connections(self) -> Int8Array:
        """Row (0 for A) that each line is joined to, -1 for none.

        Shape (n_lines,): bit lines of all PEs, then source lines, then word lines. As last told to
        the matrix; all -1 at rest.
        """
        ...

    def is_interlocked(self) -> bool:
        """Ask every matrix whether its interlock is engaged, without which no relay closes."""
        ...


class Station(Protocol):
    """A bench with a chip on it, as procedures see it.

    Every verb checks the bench's envelope before it sends anything and raises
    `labctl_instruments.errors.EnvelopeError` if it is exceeded; every message that can pulse is
    in the ledger before it is sent. Conductance is current over voltage at the read voltage.
    Leaving the station's ``with`` block rests it and closes it.
    """

    @property
    def bench(self) -> BenchInfo:
        """What a run remembers of this bench."""
        ...

    @property
    def geometry(self) -> Geometry:
        """Size of the chip."""
        ...

    @property
    def parallel_cells(self) -> int:
        """How many cells one message can serve; procedures work in blocks of at most this."""
        ...

    @property
    def known_stuck(self) -> Int8Array:
        """`StuckClass` of each cell by the bench's chip file, shape (pe, row, col); 0 is none."""
        ...

    @property
    def saturated(self) -> int:
        """ADC conversions that met the top of their range since the station was opened."""
        ...

    @property
    def relay_closures(self) -> int:
        """Contacts of matrices that were told to close since the station was opened."""
        ...

    @property
    def ledger(self) -> LedgerSink:
        """Where messages that can pulse are written down; the engine puts the run's ledger here."""
        ...

    @ledger.setter
    def ledger(self, sink: LedgerSink) -> None: ...

    def read(self, cells: Cells, voltage: float = 0.2, averages: int = 1) -> FloatArray:
        """Measure conductances.

        Parameters
        ----------
        cells : Cells
            The n cells; one cell may be named more than once.
        voltage : float
            Bit-line voltage, in V.
        averages : int
            Conversions averaged a cell.

        Returns
        -------
        ndarray of shape (n,)
            Conductances in the order of `cells`, in S.
        """
        ...

    def pulse(self, cells: Cells, kind: Kind, amplitude: Value, width: Value, gate: Value) -> None:
        """Give each cell one programming pulse.

        Parameters
        ----------
        cells : Cells
            The n cells, none of them twice.
        kind : PulseKind, int or ndarray of shape (n,)
            SET drives the bit line, RESET the source line.
        amplitude : float or ndarray of shape (n,)
            Magnitude, > 0, in V.
        width : float or ndarray of shape (n,)
            Length, in s.
        gate : float or ndarray of shape (n,)
            Word-line voltage, in V.
        """

    def sweep(
        self, cell: Cells, voltages: npt.ArrayLike, *, gate: float, compliance: float
    ) -> Sweep:
        """Sweep one cell and measure its current at each point.

        Parameters
        ----------
        cell : Cells
            One cell.
        voltages : array_like of shape (n,)
            In V. Positive: bit line driven (SET polarity); negative: source line driven with the
            magnitude (RESET polarity).
        gate : float
            Word-line voltage, in V.
        compliance : float
            Highest current magnitude, in A.
        """
        ...

    def stress(self, cells: Cells, voltage: float, width: float, count: int) -> None:
        """Give each cell `count` equal pulses in read polarity, of `voltage` V and `width` s."""

    def mac(self, vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> Int32Array:
        """Multiply input vectors with conductances, and sum.

        Parameters
        ----------
        vectors : array_like of shape (n, plan.n_inputs), uint8
            Input codes, block after block.
        rows : array_like of shape (plan.n_blocks, plan.n_lines), int
            Source line ``pe * geometry.rows + row`` of each converted line; -1 where unused.
        plan : MacPlan
            Which bit lines are driven, and how the conversions are added.

        Returns
        -------
        ndarray of shape (n, plan.n_outputs), int32
            Sums in ADC codes.
        """
        ...

    def pulse_counts(self, cells: Cells) -> UInt32Array | None:
        """Return the programming pulses each cell ever received, (n,); None without counters."""
        ...

    def set_temperature(self, kelvin: float) -> None:
        """Bring the chuck to `kelvin`; a bench without a chuck raises `StationError`."""

    def temperature(self) -> float | None:
        """Measure the temperature of the chuck, in K; None on a bench without one."""
        ...

    def wait(self, seconds: float) -> None:
        """Let `seconds` of bench time pass."""

    def now(self) -> float:
        """Return the bench time, in s."""
        ...

    def rest(self) -> None:
        """Put every output off, then open every crosspoint, and see that it is so.

        Raises
        ------
        RestError
            If something could not be brought, or seen, to rest; everything was tried.
        """

    def close(self) -> None:
        """Close every connection, without touching an output."""

    def __enter__(self) -> Self:
        """Return the station."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Rest and close."""
