"""The simulated chip: cells with state, driven by whoever holds the lines; it keeps no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import DeviceModel, FloatArray
from labctl_data.model.vectors import current
from labctl_instruments.chip import kernels
from labctl_instruments.chip.converters import ConverterSpread
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.kernels import IndexArray
from labctl_instruments.chip.multiplication import multiply
from labctl_instruments.chip.periphery import Periphery
from labctl_instruments.chip.population import Population
from labctl_instruments.chip.random import key_of
from labctl_instruments.chip.request import check_request
from labctl_instruments.chip.wiring import Wiring
from labctl_instruments.chip.workers import Workers


class Chip:
    """A chip of 1T1R cells in arrays, each with its own parameters, history and noise.

    Cells are flat C-order indices into (pe, row, column). `time` is bench time, in s; it may differ
    from cell to cell (the order in which a board serves them) and must not run backwards.
    All draws come from (seed, cell, event number): the same requests give the same answers in any
    order of cells and on any number of threads.

    Parameters
    ----------
    model : DeviceModel
        The device model; its equations follow `labctl_data.model.laws`.
    geometry : Geometry
        Size of the chip.
    seed : int
        Seed of the chip's devices and of all its noise.
    state : {"formed", "fresh"}
        Whether the cells have been formed.
    stuck : ndarray of shape (pe, row, column), int, optional
        StuckClass of each cell.
    cell_parameters : mapping of str to ndarray of shape (pe, row, column), optional
        Device parameters that replace the drawn ones; see `device_type` for names and units.
    noise : bool
        Whether reads are noisy and cells relax; see `DeviceModel.without_noise`.
    threads : int, optional
        Threads of large calls; all processors by default.
    wire_resistance : float
        Resistance of one segment of a bit or source line, in ohm; 0: ideal lines. MACs and
        `Wiring.drive` see it.
    lead_resistance : float
        Resistance between a driver and its line's end (contact, cable, probe), in ohm, where
        `Wiring.drive` is told of no other; MACs of passive cells see it too.
    passive : bool
        Whether the cells have no transistor (0T1R): word lines are of no account then.
    converters : ConverterSpread, optional
        How far the converters of MACs are from ideal.
    """

    def __init__(  # noqa: PLR0913  (all that a virtual bench file may say of its chip)
        self,
        model: DeviceModel,
        geometry: Geometry,
        *,
        seed: int,
        state: Literal["formed", "fresh"] = "formed",
        stuck: npt.ArrayLike | None = None,
        cell_parameters: Mapping[str, npt.ArrayLike] | None = None,
        noise: bool = True,
        threads: int | None = None,
        wire_resistance: float = 0.0,
        lead_resistance: float = 0.0,
        passive: bool = False,
        converters: ConverterSpread | None = None,
    ) -> None:
        self.model = model if noise else model.without_noise()
        self.geometry = geometry
        self.seed = seed
        self.is_passive = passive
        """Whether the cells have no transistor."""
        self._workers = Workers(threads)
        self._population = Population(self.model, geometry, key_of(seed))
        self._tables = self._population.tables
        self.wiring = Wiring(
            self._population, passive=passive, wire=wire_resistance, lead=lead_resistance
        )
        """The lines of all arrays, to be driven."""
        self._population.replace_devices(cell_parameters or {})
        if not noise:
            self._population.silence()
        self._population.begin(state, stuck)
        self._is_still = self.model.is_still and self._population.is_still
        self._periphery = Periphery(
            self.model,
            geometry,
            seed=seed,
            resistances=(wire_resistance, lead_resistance if passive else 0.0),
            is_still=self._is_still,
            converters=converters or ConverterSpread(),
        )

    def set_temperature(self, kelvin: float, time: float) -> None:
        """Change the temperature at bench time `time`: relaxation speeds up by Arrhenius' law.

        What cells conduct changes as the model's `at_temperature` says.
        """
        self._population.set_temperature(kelvin, time)

    # Cells

    def conductances(self, index: npt.ArrayLike, time: npt.ArrayLike) -> FloatArray:
        """Return what cells truly conduct at 0.2 V, shape (n,), in S: no noise, no event."""
        cells = self._population.cells(index)
        out = np.empty(len(cells))
        clock = _rows(len(cells), self._population.effective(time))[0]
        kernels.conductances(self._tables, cells, clock, out)
        return out

    def currents(
        self, index: npt.ArrayLike, voltage: float, averages: int, time: npt.ArrayLike
    ) -> FloatArray:
        """Read cells: currents with noise, shape (n,), in A; `averages` conversions each.

        Reading leaves no trace but the number of the next draw. Read disturb is `stress`'s.
        """
        if averages < 1:
            raise ChipError(f"chip: a read needs at least 1 average, found {averages}")
        cells = self._population.cells(index)
        clock = _rows(len(cells), self._population.effective(time), time)
        out = np.empty(len(cells))
        read = (float(voltage), int(averages))
        self._workers.on_cells(
            lambda share: kernels.measure(self._tables, cells, clock, read, out, share), cells
        )
        return out

    def quiet_currents(
        self, index: npt.ArrayLike, voltage: float, time: npt.ArrayLike
    ) -> FloatArray:
        """Return what cells alone carry at a voltage, shape (n,), in A: no noise, no event."""
        return np.asarray(current(self.model, 1.0, voltage) * self.conductances(index, time))

    def pulse_units(self, plan: MacPlan) -> int:
        """Return how many times a plan's read width one slot of a MAC takes."""
        return self._periphery.pulse_units(plan)

    def converter_offsets(self, index: npt.ArrayLike) -> FloatArray:
        """Return what the converters of the cells' source lines add to a read, (n,), in A."""
        return self._periphery.offsets(self._population.cells(index) // self.geometry.columns)

    def pulse(
        self,
        index: npt.ArrayLike,
        kind: npt.ArrayLike,
        amplitude: npt.ArrayLike,
        width: npt.ArrayLike,
        gate: npt.ArrayLike,
        time: npt.ArrayLike,
    ) -> None:
        """Give each cell one programming pulse, all other lines biased as they should be.

        Parameters
        ----------
        index : ndarray of shape (n,), int
            Cells; one that stands twice is pulsed twice, in order.
        kind : PulseKind or ndarray of shape (n,), int
            SET or RESET.
        amplitude, width, gate, time : float or ndarray of shape (n,)
            Magnitude in V, width in s, word-line voltage in V, bench time in s.
        """
        cells = self._population.cells(index)
        n = len(cells)
        kinds = np.ascontiguousarray(np.broadcast_to(np.asarray(kind, np.int64), n))
        numbers = _rows(n, amplitude, width, gate, self._population.effective(time))
        self._population.changes += 1
        self._workers.on_cells(
            lambda share: kernels.pulse(self._tables, cells, kinds, numbers, share), cells
        )

    def stress(
        self, index: npt.ArrayLike, voltage: float, width: float, count: int, time: float
    ) -> None:
        """Give each cell `count` equal pulses in READ polarity."""
        pulses = (abs(float(voltage)), float(width), float(count))
        self._population.changes += 1
        cells, now = self._population.cells(index), float(self._population.effective(time))
        kernels.stress(self._tables, cells, pulses, now)

    def sweep(
        self,
        cell: int,
        voltages: npt.ArrayLike,
        *,
        dwell: float,
        gate: float,
        compliance: float,
        time: float,
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Sweep the voltage over one cell, word line at `gate`; positive is SET polarity.

        Returns
        -------
        currents : ndarray of shape (n,)
            Current at the end of each dwell, of the voltage's sign, in A.
        in_compliance : ndarray of shape (n,), bool
            Where the current was held at `compliance`.
        """
        points = np.ascontiguousarray(voltages, np.float64).reshape(-1)
        times = time + dwell * np.arange(1, len(points) + 1)
        out = np.zeros((2, len(points)))
        self._population.changes += 1
        kernels.sweep(
            self._tables,
            int(self._population.cells(cell)[0]),
            points,
            np.stack([self._population.effective(times), times.astype(np.float64)]),
            kernels.SweepSettings(float(dwell), float(gate), float(compliance)),
            out,
        )
        return out[0], out[1] > 0.0

    def mac(
        self, vectors: npt.NDArray[np.uint8], rows: npt.ArrayLike, plan: MacPlan, time: float
    ) -> tuple[npt.NDArray[np.int32], int]:
        """Multiply vectors by the conductances, as `MacPlan` says: all word lines on, bit by bit.

        Parameters
        ----------
        vectors : ndarray of shape (n, plan.n_inputs), uint8
            Input codes.
        rows : ndarray of shape (n_blocks, n_lines), int
            Source line ``pe * rows + row`` of each conversion; -1 where unused.
        plan : MacPlan
            The digital sum plan.
        time : float
            Bench time at which all of it happens, in s.

        Returns
        -------
        sums : ndarray of shape (n, plan.n_outputs), int32
            Sums of shifted codes.
        saturated : int
            Conversions that met the top of the range.
        """
        lines = check_request(vectors, rows, plan)
        codes = np.ascontiguousarray(vectors)
        first = self._population.mac_events
        self._population.mac_events += len(codes)
        request = self._periphery.request(
            plan,
            lines,
            lambda cells: self._standing(cells, float(time)),
            lambda cells: self.conductances(cells, time),
            moment=(self._population.changes, None if self._is_still else float(time)),
        )
        return multiply(request, codes, (self._tables.key, first), self._workers)

    def conversions_in_turn(self, rows: npt.ArrayLike, plan: MacPlan) -> int:
        """Return the conversions that one slot of a vector takes one after another, all blocks."""
        return self._periphery.conversions_in_turn(rows, plan)

    def _standing(self, cells: IndexArray, time: float) -> FloatArray:
        """Return conductances at 0.2 V, two-state noise included, shape (n,), in S."""
        known = self._population.cells(cells)
        conductance = np.empty(len(known))
        clock = (float(self._population.effective(time)), time)
        self._workers.on_cells(
            lambda share: kernels.standing(self._tables, known, clock, conductance, share), known
        )
        return conductance

    # Cells without their lines

    def pulse_counts(self, index: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Return how many programming pulses cells have received, shape (n,)."""
        return self._population.pulse_counts(index)

    def conflict(self, index: npt.ArrayLike) -> None:
        """Flag cells on lines where two sources met: what they then saw is not to be trusted."""
        self._population.conflict(index)

    @property
    def conflicts(self) -> npt.NDArray[np.uint32]:
        """How often two sources have met on a line of each cell, shape (pe, row, column)."""
        return self._population.conflicts

    def imprint(self, index: npt.ArrayLike, conductance: npt.ArrayLike) -> None:
        """Put cells at conductances in S, settled, as no bench can: where studies start."""
        self._population.imprint(index, conductance)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that has happened: maps of shape (pe, row, column), clock and MAC counter."""
        return self._population.state()

    def restore(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Take up a state that `state` returned; ChipError if it is of another chip."""
        self._population.restore(state)

    def cell_parameters(self) -> dict[str, FloatArray]:
        """Return what each cell is: maps of shape (pe, row, column); see `device_type`."""
        return self._population.cell_parameters()


def _rows(n: int, *values: npt.ArrayLike) -> FloatArray:
    """Return scalars or (n,) arrays as the rows of one array."""
    rows = np.empty((len(values), n))
    for row, each in zip(rows, values, strict=True):
        row[:] = each
    return rows
