"""All cells of a chip: what each is, what has happened to it, and how time passes for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.model import DeviceModel, FloatArray, laws
from labctl_instruments.chip import kernels
from labctl_instruments.chip.cell import STATE, Tables
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.kernels import IndexArray
from labctl_instruments.chip.random import Key

ROOM_TEMPERATURE = 298.15
"""Temperature at which relaxation runs as the model says, in K."""
_BOLTZMANN = 8.617333262e-5
"""Boltzmann's constant in eV/K."""
_DERIVED = ("walk_node", "walk_sum", "walk_slope")
_LATER = ("conflicts", "ambient", "damage")
"""What older states do not hold: none, room temperature, none."""


class Population:
    """The tables of a chip's cells; who changes them through `tables` says so in `changes`.

    Parameters
    ----------
    model : DeviceModel
        The device model, without noise if the cells have none.
    geometry : Geometry
        Size of the chip.
    key : ndarray of shape (2,), uint32
        Key of all random draws.
    """

    def __init__(self, model: DeviceModel, geometry: Geometry, key: Key) -> None:
        self.geometry = geometry
        self.tables = Tables(
            model.packed(),
            key,
            np.zeros(geometry.n_cells, laws.device_type(model)),
            np.zeros(geometry.n_cells, STATE),
            np.array([ROOM_TEMPERATURE]),
        )
        self.changes = 0
        """How often cells may have changed."""
        self.mac_events = 0
        """Vectors multiplied: number of the next draw of a MAC."""
        self._activation_energy = model.activation_energy
        self._clock = np.array([0.0, 0.0, 1.0])  # anchor: bench time, effective time, acceleration
        self._conflicts = np.zeros(geometry.n_cells, np.uint32)
        kernels.draw_devices(self.tables)

    def replace_devices(self, cell_parameters: Mapping[str, npt.ArrayLike]) -> None:
        """Replace drawn device parameters by maps of shape (pe, row, column)."""
        for name, values in cell_parameters.items():
            if name not in (names := self.tables.devices.dtype.names or ()):
                raise ChipError(f"chip: unknown cell parameter '{name}'; there are {names}")
            values_of_cells = self._map(values, f"cell parameter {name}")
            self._refuse_cells(~np.isfinite(values_of_cells), values_of_cells, f"as its {name}")
            self.tables.devices[name] = values_of_cells.reshape(-1)

    def begin(self, state: str, stuck: npt.ArrayLike | None) -> None:
        """Put all cells where a chip that is "formed" or "fresh" starts; `stuck` is a map."""
        if state not in ("formed", "fresh"):
            raise ChipError(f"chip: state must be 'formed' or 'fresh', found '{state}'")
        devices, states = self.tables.devices, self.tables.states
        states["conductance"] = devices[f"{state}_conductance"]
        states["formed"] = state == "formed"
        states["walk_node"] = -1
        if stuck is not None:
            states["stuck"] = self._map(stuck, "stuck map").reshape(-1)

    def silence(self) -> None:
        """Take two-state noise from all cells."""
        self.tables.devices["rtn_amplitude"] = 0.0

    @property
    def is_still(self) -> bool:
        """Whether no cell has two-state noise."""
        return not self.tables.devices["rtn_amplitude"].any()

    def cells(self, index: npt.ArrayLike) -> IndexArray:
        """Return flat indices, shape (n,), checked."""
        cells = np.ascontiguousarray(index, np.int64).reshape(-1)
        if cells.size and (cells.min() < 0 or cells.max() >= self.geometry.n_cells):
            worst = cells.min() if cells.min() < 0 else cells.max()
            raise ChipError(f"chip: cell {worst} does not exist; there are {self.geometry.n_cells}")
        return cells

    def set_temperature(self, kelvin: float, time: float) -> None:
        """Change the temperature at bench time `time`: relaxation speeds up by Arrhenius' law.

        What cells conduct changes as the model's `at_temperature` says.
        """
        if kelvin <= 0.0:
            raise ChipError(f"chip: a temperature must be above 0 K, found {kelvin:g}")
        inverse = 1.0 / ROOM_TEMPERATURE - 1.0 / kelvin
        acceleration = np.exp(self._activation_energy / _BOLTZMANN * inverse)
        self._clock[:] = time, self.effective(time), acceleration
        self.tables.ambient[0] = kelvin
        self.changes += 1

    def effective(self, time: npt.ArrayLike) -> FloatArray:
        """Return the time that has passed at room temperature's pace, in s."""
        anchor, effective, acceleration = self._clock
        return np.asarray(effective + (np.asarray(time, np.float64) - anchor) * acceleration)

    def pulse_counts(self, index: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Return how many programming pulses cells have received, shape (n,)."""
        counts: npt.NDArray[np.uint32] = self.tables.states["pulses"][self.cells(index)]
        return counts

    def conflict(self, index: npt.ArrayLike) -> None:
        """Flag cells on lines where two sources met: what they then saw is not to be trusted."""
        self._conflicts[self.cells(index)] += 1

    @property
    def conflicts(self) -> npt.NDArray[np.uint32]:
        """How often two sources have met on a line of each cell, shape (pe, row, column)."""
        return self._conflicts.reshape(self.geometry.shape).copy()

    def imprint(self, index: npt.ArrayLike, conductance: npt.ArrayLike) -> None:
        """Put cells at conductances in S, settled, as no bench can: where studies start."""
        cells = self.cells(index)
        asked = np.broadcast_to(np.asarray(conductance, np.float64), cells.shape)
        bad = ~(np.isfinite(asked) & (asked >= 0.0))
        if bad.any():
            pe, row, column = np.unravel_index(cells[np.argmax(bad)], self.geometry.shape)
            raise ChipError(
                f"chip: the cell {pe}/{row}/{column} cannot conduct {asked[np.argmax(bad)]:g} S"
            )
        states = self.tables.states
        self.changes += 1
        states["conductance"][cells] = asked
        for name in ("acted_at", "disturb", "walk"):
            states[name][cells] = 0
        states["formed"][cells] = 1
        states["walk_node"][cells] = -1

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that has happened: maps of shape (pe, row, column), clock and MAC counter."""
        maps = {
            name: self.tables.states[name].reshape(self.geometry.shape).copy()
            for name in STATE.names or ()
            if name not in _DERIVED
        }
        return {
            **maps,
            "conflicts": self.conflicts,
            "clock": self._clock.copy(),
            "ambient": self.tables.ambient.copy(),
            "mac_events": np.array(self.mac_events),
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
            self.tables.states[name] = values.reshape(-1)
        self.tables.states["walk_node"] = -1
        self.changes += 1
        self._clock[:] = np.asarray(state["clock"], np.float64)
        self.mac_events = int(np.asarray(state["mac_events"]))
        self.tables.ambient[0] = np.asarray(state.get("ambient", [ROOM_TEMPERATURE]))[0]
        if "conflicts" in state:
            self._conflicts = self._map(state["conflicts"], "state conflicts").astype(np.uint32)
            self._conflicts = self._conflicts.reshape(-1)

    def cell_parameters(self) -> dict[str, FloatArray]:
        """Return what each cell is: maps of shape (pe, row, column); see `device_type`."""
        return {
            name: self.tables.devices[name].reshape(self.geometry.shape).copy()
            for name in self.tables.devices.dtype.names or ()
        }

    def _refuse_cells(
        self, bad: npt.NDArray[np.bool_], values: npt.NDArray[Any], what: str
    ) -> None:
        """Refuse maps of shape (pe, row, column) that hold what no cell can be; name the cell."""
        if bad.any():
            pe, row, column = (int(place) for place in np.argwhere(bad)[0])
            found = values[pe, row, column]
            raise ChipError(f"chip: the cell {pe}/{row}/{column} cannot have {found:g} {what}")

    def _map(self, values: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
        array = np.asarray(values)
        if array.shape != self.geometry.shape:
            raise ChipError(f"chip: {what} must have shape {self.geometry.shape}, is {array.shape}")
        return array
