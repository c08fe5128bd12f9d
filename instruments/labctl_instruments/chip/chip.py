"""The simulated chip: cells with state, driven by whoever holds the lines; it keeps no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import DeviceModel, FloatArray, laws
from labctl_data.model.vectors import current
from labctl_instruments.chip import kernels
from labctl_instruments.chip.cell import STATE, Tables
from labctl_instruments.chip.converters import ConverterSpread
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.kernels import IndexArray
from labctl_instruments.chip.lines import (
    OPEN_GATE,
    PROGRAMMING_VOLTAGE,
    Hold,
    LineCurrents,
    Lines,
    Losses,
    hold_known,
    hold_unknown,
)
from labctl_instruments.chip.multiplication import multiply
from labctl_instruments.chip.periphery import Periphery
from labctl_instruments.chip.random import key_of
from labctl_instruments.chip.request import check_request
from labctl_instruments.chip.workers import Workers

ROOM_TEMPERATURE = 298.15
"""Temperature at which relaxation runs as the model says, in K."""
_BOLTZMANN = 8.617333262e-5
"""Boltzmann's constant in eV/K."""
_DERIVED = ("walk_node", "walk_sum", "walk_slope")
_LATER = ("conflicts", "ambient", "damage")
"""What older states do not hold: none, room temperature, none."""
_SELECTED = 0.75
"""Part of the highest voltage over a cell of a passive array above which a cell was meant."""


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
        Resistance of one segment of a bit or source line, in ohm; 0: ideal lines. MACs and `drive`
        see it.
    lead_resistance : float
        Resistance between a driver and its line's end (contact, cable, probe), in ohm, where
        `drive` is told of no other; `drive` sees it.
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
        wire = _resistance(wire_resistance, "a segment of wire")
        lead = _resistance(lead_resistance, "a lead")
        self._losses = Losses(wire, np.full(geometry.rows + geometry.columns, lead))
        self.is_lossy = not self._losses.are_none
        """Whether wires or leads take a part of the drivers' voltages."""
        self._workers = Workers(threads)
        self._tables = Tables(
            self.model.packed(),
            key_of(seed),
            np.zeros(geometry.n_cells, laws.device_type(model)),
            np.zeros(geometry.n_cells, STATE),
            np.array([ROOM_TEMPERATURE]),
        )
        self._clock = np.array([0.0, 0.0, 1.0])  # anchor: bench time, effective time, acceleration
        self._mac_events = 0
        self._conflicts = np.zeros(geometry.n_cells, np.uint32)
        self._changes = 0
        kernels.draw_devices(self._tables)
        self._replace_devices(cell_parameters or {})
        if not noise:
            self._tables.devices["rtn_amplitude"] = 0.0
        self._begin(state, stuck)
        self._is_still = self.model.is_still and not self._tables.devices["rtn_amplitude"].any()
        self._periphery = Periphery(
            self.model,
            geometry,
            seed=seed,
            resistances=(wire_resistance, lead_resistance if passive else 0.0),
            is_still=self._is_still,
            converters=converters or ConverterSpread(),
        )

    def _replace_devices(self, cell_parameters: Mapping[str, npt.ArrayLike]) -> None:
        for name, values in cell_parameters.items():
            if name not in (names := self._tables.devices.dtype.names or ()):
                raise ChipError(f"chip: unknown cell parameter '{name}'; there are {names}")
            values_of_cells = self._map(values, f"cell parameter {name}")
            self._refuse_cells(~np.isfinite(values_of_cells), values_of_cells, f"as its {name}")
            self._tables.devices[name] = values_of_cells.reshape(-1)

    def _refuse_cells(
        self, bad: npt.NDArray[np.bool_], values: npt.NDArray[Any], what: str
    ) -> None:
        """Refuse maps of shape (pe, row, column) that hold what no cell can be; name the cell."""
        if bad.any():
            pe, row, column = (int(place) for place in np.argwhere(bad)[0])
            found = values[pe, row, column]
            raise ChipError(f"chip: the cell {pe}/{row}/{column} cannot have {found:g} {what}")

    def _begin(self, state: str, stuck: npt.ArrayLike | None) -> None:
        if state not in ("formed", "fresh"):
            raise ChipError(f"chip: state must be 'formed' or 'fresh', found '{state}'")
        devices, states = self._tables.devices, self._tables.states
        states["conductance"] = devices[f"{state}_conductance"]
        states["formed"] = state == "formed"
        states["walk_node"] = -1
        if stuck is not None:
            states["stuck"] = self._map(stuck, "stuck map").reshape(-1)

    def _map(self, values: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
        array = np.asarray(values)
        if array.shape != self.geometry.shape:
            raise ChipError(f"chip: {what} must have shape {self.geometry.shape}, is {array.shape}")
        return array

    # Time

    def set_temperature(self, kelvin: float, time: float) -> None:
        """Change the temperature at bench time `time`: relaxation speeds up by Arrhenius' law.

        What cells conduct changes as the model's `at_temperature` says.
        """
        if kelvin <= 0.0:
            raise ChipError(f"chip: a temperature must be above 0 K, found {kelvin:g}")
        inverse = 1.0 / ROOM_TEMPERATURE - 1.0 / kelvin
        acceleration = np.exp(self.model.activation_energy / _BOLTZMANN * inverse)
        self._clock[:] = time, self._effective(time), acceleration
        self._tables.ambient[0] = kelvin
        self._changes += 1

    def _effective(self, time: npt.ArrayLike) -> FloatArray:
        """Return the time that has passed at room temperature's pace, in s."""
        anchor, effective, acceleration = self._clock
        return np.asarray(effective + (np.asarray(time, np.float64) - anchor) * acceleration)

    # Cells

    def conductances(self, index: npt.ArrayLike, time: npt.ArrayLike) -> FloatArray:
        """Return what cells truly conduct at 0.2 V, shape (n,), in S: no noise, no event."""
        cells = self._cells(index)
        out = np.empty(len(cells))
        kernels.conductances(self._tables, cells, _each(self._effective(time), len(cells)), out)
        return out

    def currents(
        self, index: npt.ArrayLike, voltage: float, averages: int, time: npt.ArrayLike
    ) -> FloatArray:
        """Read cells: currents with noise, shape (n,), in A; `averages` conversions each.

        Reading leaves no trace but the number of the next draw. Read disturb is `stress`'s.
        """
        if averages < 1:
            raise ChipError(f"chip: a read needs at least 1 average, found {averages}")
        cells = self._cells(index)
        clock = _rows(len(cells), self._effective(time), time)
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
        return self._periphery.offsets(self._cells(index) // self.geometry.columns)

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
        cells = self._cells(index)
        n = len(cells)
        kinds = np.ascontiguousarray(np.broadcast_to(np.asarray(kind, np.int64), n))
        numbers = _rows(n, amplitude, width, gate, self._effective(time))
        self._changes += 1
        self._workers.on_cells(
            lambda share: kernels.pulse(self._tables, cells, kinds, numbers, share), cells
        )

    def stress(
        self, index: npt.ArrayLike, voltage: float, width: float, count: int, time: float
    ) -> None:
        """Give each cell `count` equal pulses in READ polarity."""
        pulses = (abs(float(voltage)), float(width), float(count))
        self._changes += 1
        kernels.stress(self._tables, self._cells(index), pulses, float(self._effective(time)))

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
        self._changes += 1
        kernels.sweep(
            self._tables,
            int(self._cells(cell)[0]),
            points,
            np.stack([self._effective(times), times.astype(np.float64)]),
            kernels.SweepSettings(float(dwell), float(gate), float(compliance)),
            out,
        )
        return out[0], out[1] > 0.0

    def drive(  # noqa: PLR0913  (three kinds of line, an instant, and how it is measured)
        self,
        pe: int,
        bit_lines: npt.ArrayLike,
        source_lines: npt.ArrayLike,
        word_lines: npt.ArrayLike,
        width: float,
        time: float,
        *,
        averages: int = 1,
        limits: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        leads: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> LineCurrents:
        """Hold all lines of one array for `width` s: every cell sees what its lines give it.

        Parameters
        ----------
        pe : int
            The array.
        bit_lines, source_lines, word_lines : ndarray of shape (columns,), (rows,), (rows,)
            Voltages in V; NaN floats (a floating word line is off). Word lines of a passive array
            are of no account.
        width : float
            How long, in s; 0 is too short for a cell to move.
        time : float
            Bench time, in s.
        averages : int
            Conversions of the measurement of current, for read noise; 0: not measured, so currents
            are free of noise and no read is counted.
        limits : pair of ndarray of shape (columns,), (rows,), optional
            Largest current of the drivers of bit and of source lines, in A; inf for none.
        leads : pair of ndarray of shape (columns,), (rows,), optional
            Resistances of the leads of bit and of source lines, in ohm, instead of the chip's
            `lead_resistance`.

        Returns
        -------
        LineCurrents
            At the end of the hold.
        """
        lines, first = self._lines(pe, bit_lines, source_lines, word_lines)
        self._changes += 1
        hold = Hold(float(width), float(self._effective(time)), float(time), int(averages))
        losses = self._losses
        if leads is not None:
            losses = losses._replace(leads=self._of_lines(leads))
        pulses = self._pulses_of(first).copy() if self.is_passive and width > 0.0 else None
        if (
            limits is None
            and not (self.is_lossy or leads is not None)
            and not (np.isnan(lines.bit).any() or np.isnan(lines.source).any())
        ):
            found = hold_known(self._tables, first, lines, hold)
        else:
            most = self._of_lines(limits if limits is not None else (np.inf, np.inf))
            found = hold_unknown(self._tables, first, lines, hold, most, losses)
        if pulses is not None:
            self._count_selected(first, pulses, found)
        return found

    def _of_lines(self, pair: tuple[npt.ArrayLike, npt.ArrayLike]) -> FloatArray:
        """Return what is so of each line, bit lines first, shape (columns + rows,)."""
        bit, source = pair
        return np.concatenate(
            [_each(bit, self.geometry.columns), _each(source, self.geometry.rows)]
        )

    def _pulses_of(self, first: int) -> npt.NDArray[np.uint32]:
        """Return the pulse counters of one array, shape (rows * columns,); they can be written."""
        size = self.geometry.rows * self.geometry.columns
        counters: npt.NDArray[np.uint32] = self._tables.states["pulses"][first : first + size]
        return counters

    def _count_selected(
        self, first: int, before: npt.NDArray[np.uint32], found: LineCurrents
    ) -> None:
        """Count the pulses of the cells of a passive array that were meant, not half-selected."""
        seen = np.abs(found.bit_voltages - found.source_voltages[:, np.newaxis]).reshape(-1)
        meant = seen > max(PROGRAMMING_VOLTAGE, _SELECTED * float(seen.max()))
        self._pulses_of(first)[:] = before + meant

    def _lines(
        self,
        pe: int,
        bit_lines: npt.ArrayLike,
        source_lines: npt.ArrayLike,
        word_lines: npt.ArrayLike,
    ) -> tuple[Lines, int]:
        """Return the lines, checked, and the index of the array's first cell."""
        pes, rows, columns = self.geometry.shape
        if not 0 <= pe < pes:
            raise ChipError(f"chip: PE {pe} does not exist; there are {pes}")
        arrays = [
            np.ascontiguousarray(line, np.float64) for line in (bit_lines, source_lines, word_lines)
        ]
        found = tuple(array.shape for array in arrays)
        if found != ((columns,), (rows,), (rows,)):
            raise ChipError(
                f"chip: asked for {columns} bit, {rows} source and {rows} word lines, found {found}"
            )
        if self.is_passive:
            arrays[2] = np.full(rows, OPEN_GATE)
        return Lines(*arrays), pe * rows * columns

    def is_on(self, word_lines: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say at which word-line voltages, in V, cells conduct; those of a passive chip always."""
        gates = np.asarray(word_lines, np.float64)
        if self.is_passive:
            return np.ones(gates.shape, np.bool_)
        record = self._tables.model.view(np.recarray)[0]
        return np.array([laws.is_on(record, gate) for gate in gates.ravel()]).reshape(gates.shape)

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
        first = self._mac_events
        self._mac_events += len(codes)
        request = self._periphery.request(
            plan,
            lines,
            lambda cells: self._standing(cells, float(time)),
            lambda cells: self.conductances(cells, time),
            moment=(self._changes, None if self._is_still else float(time)),
        )
        return multiply(request, codes, (self._tables.key, first), self._workers)

    def conversions_in_turn(self, rows: npt.ArrayLike, plan: MacPlan) -> int:
        """Return the conversions that one slot of a vector takes one after another, all blocks."""
        return self._periphery.conversions_in_turn(rows, plan)

    def _standing(self, cells: IndexArray, time: float) -> FloatArray:
        """Return conductances at 0.2 V, two-state noise included, shape (n,), in S."""
        known = self._cells(cells)
        conductance = np.empty(len(known))
        clock = (float(self._effective(time)), time)
        self._workers.on_cells(
            lambda share: kernels.standing(self._tables, known, clock, conductance, share), known
        )
        return conductance

    def pulse_counts(self, index: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Return how many programming pulses cells have received, shape (n,)."""
        counts: npt.NDArray[np.uint32] = self._tables.states["pulses"][self._cells(index)]
        return counts

    def conflict(self, index: npt.ArrayLike) -> None:
        """Flag cells on lines where two sources met: what they then saw is not to be trusted."""
        self._conflicts[self._cells(index)] += 1

    @property
    def conflicts(self) -> npt.NDArray[np.uint32]:
        """How often two sources have met on a line of each cell, shape (pe, row, column)."""
        return self._conflicts.reshape(self.geometry.shape).copy()

    def imprint(self, index: npt.ArrayLike, conductance: npt.ArrayLike) -> None:
        """Put cells at conductances in S, settled, as no bench can: where studies start."""
        cells = self._cells(index)
        asked = np.broadcast_to(np.asarray(conductance, np.float64), cells.shape)
        bad = ~(np.isfinite(asked) & (asked >= 0.0))
        if bad.any():
            pe, row, column = np.unravel_index(cells[np.argmax(bad)], self.geometry.shape)
            raise ChipError(
                f"chip: the cell {pe}/{row}/{column} cannot conduct {asked[np.argmax(bad)]:g} S"
            )
        states = self._tables.states
        self._changes += 1
        states["conductance"][cells] = asked
        for name in ("acted_at", "disturb", "walk"):
            states[name][cells] = 0
        states["formed"][cells] = 1
        states["walk_node"][cells] = -1

    # State

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that has happened: maps of shape (pe, row, column), clock and MAC counter."""
        maps = {
            name: self._tables.states[name].reshape(self.geometry.shape).copy()
            for name in STATE.names or ()
            if name not in _DERIVED
        }
        return {
            **maps,
            "conflicts": self.conflicts,
            "clock": self._clock.copy(),
            "ambient": self._tables.ambient.copy(),
            "mac_events": np.array(self._mac_events),
        }

    def restore(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Take up a state that `state` returned; ChipError if it is of another chip."""
        known = (set(STATE.names or ()) - set(_DERIVED) - set(_LATER)) | {"clock", "mac_events"}
        if set(state) - set(_LATER) != known:
            raise ChipError(f"chip: a state holds {sorted(known)}, found {sorted(state)}")
        maps = {
            name: self._map(state[name], f"state {name}")
            for name in (known | {"damage"} & set(state)) - {"clock", "mac_events"}
        }
        conducts = maps["conductance"]
        self._refuse_cells(~(np.isfinite(conducts) & (conducts >= 0.0)), conducts, "S")
        for name, values in maps.items():
            self._tables.states[name] = values.reshape(-1)
        self._tables.states["walk_node"] = -1
        self._changes += 1
        self._clock[:] = np.asarray(state["clock"], np.float64)
        self._mac_events = int(np.asarray(state["mac_events"]))
        self._tables.ambient[0] = np.asarray(state.get("ambient", [ROOM_TEMPERATURE]))[0]
        if "conflicts" in state:
            self._conflicts = self._map(state["conflicts"], "state conflicts").astype(np.uint32)
            self._conflicts = self._conflicts.reshape(-1)

    def cell_parameters(self) -> dict[str, FloatArray]:
        """Return what each cell is: maps of shape (pe, row, column); see `device_type`."""
        return {
            name: self._tables.devices[name].reshape(self.geometry.shape).copy()
            for name in self._tables.devices.dtype.names or ()
        }

    # Work

    def _cells(self, index: npt.ArrayLike) -> IndexArray:
        cells = np.ascontiguousarray(index, np.int64).reshape(-1)
        if cells.size and (cells.min() < 0 or cells.max() >= self.geometry.n_cells):
            worst = cells.min() if cells.min() < 0 else cells.max()
            raise ChipError(f"chip: cell {worst} does not exist; there are {self.geometry.n_cells}")
        return cells


def _rows(n: int, *values: npt.ArrayLike) -> FloatArray:
    """Return scalars or (n,) arrays as the rows of one array."""
    rows = np.empty((len(values), n))
    for row, each in zip(rows, values, strict=True):
        row[:] = each
    return rows


def _each(values: npt.ArrayLike, n: int) -> FloatArray:
    """Return a scalar or (n,) array as a contiguous (n,) array."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float64), n))


def _resistance(ohms: float, what: str) -> float:
    """Return a resistance, in ohm; refuse what is none."""
    if not (np.isfinite(ohms) and ohms >= 0.0):
        raise ChipError(f"chip: {what} must have a resistance of 0 ohm or more, found {ohms:g}")
    return float(ohms)
