"""Where the chip of a virtual bench comes from, and where it goes when the bench is closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labctl_data.chip_file import CellState, ChipFile, read_chip, write_chip
from labctl_data.model import DeviceModel, FloatingGateModel, StuckClass, preset
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.bench.virtual_tables import VirtualTable
from labctl_instruments.chip import Chip, ConverterSpread
from labctl_instruments.errors import RackError

_STUCK_SHARES = {
    StuckClass.STUCK_LOW: 0.45,
    StuckClass.STUCK_HIGH: 0.45,
    StuckClass.OPEN: 0.05,
    StuckClass.SHORT: 0.05,
}
"""How the stuck cells of a virtual chip divide among the classes [chosen]."""
_STUCK_STREAM = 0x57


@dataclass(frozen=True, eq=False)
class ChipSource:
    """A chip, and what to know of it beyond what it is."""

    chip: Chip
    """The chip."""
    seed: int
    """Its seed."""
    time: float
    """Bench time at which its state was left, in s; 0 for a new one."""
    state_file: Path | None
    """Where its state is kept from run to run; None if nowhere."""


def make_chip(
    bench: BenchFile, virtual: VirtualTable, *, seed: int | None, chip: Path | None
) -> ChipSource:
    """Return the chip that a bench file asks for.

    Parameters
    ----------
    bench : BenchFile
        The bench; its geometry is the chip's.
    virtual : VirtualTable
        Its table [virtual].
    seed : int, optional
        Seed that overrules the bench file's.
    chip : Path, optional
        Chip file that overrules the bench file's `preset` or `file`. One that holds a chip's
        state is that chip, carried on; of any other the model and the stuck cells are taken.

    Raises
    ------
    RackError
        If a state is not of this geometry, or of another seed than the one asked for, or the bench
        does not suit the model.
    """
    state_file = state_path(virtual)
    path = chip or virtual.file
    described = None if path is None else read_chip(path)
    model = preset(virtual.preset or "") if described is None else described.model
    _check_gates(bench, model)
    carried = _carried(state_file, described)
    if carried is not None:
        return _continued(bench, virtual, carried, model, seed, state_file)
    chosen = virtual.seed if seed is None else seed
    stuck = _stuck(bench, virtual, described, chosen)
    state: Literal["formed", "fresh"] = "fresh" if virtual.state == "fresh" else "formed"
    made = Chip(
        _plain(model, virtual),
        bench.geometry.geometry(),
        seed=chosen,
        state=state,
        stuck=stuck,
        **_surroundings(bench, virtual),
    )
    return ChipSource(made, chosen, 0.0, state_file)


def state_of(source: ChipSource, time: float, exchanges: int) -> CellState:
    """Return a chip's state at bench time `time`, in s, after so many exchanges of its bench."""
    state = source.chip.state()
    return CellState(
        stuck=state["stuck"].astype(np.int8),
        parameters=source.chip.cell_parameters(),
        state=state,
        facts={"seed": source.seed, "time": time, "exchanges": exchanges},
    )


def save_state(source: ChipSource, cells: CellState) -> None:
    """Write a state of the chip to its state file, whole or not at all."""
    if source.state_file is not None:
        write_chip(source.state_file, source.chip.model, cells=cells, replace=True)


def state_path(virtual: VirtualTable) -> Path | None:
    """Return where a bench keeps its chip's state; None if nowhere."""
    return None if virtual.state in ("formed", "fresh") else Path(virtual.state)


def _carried(state_file: Path | None, described: ChipFile | None) -> ChipFile | None:
    """Return the chip file whose state is to be continued, if there is one."""
    if state_file is not None and state_file.exists():
        return read_chip(state_file)
    if described is not None and described.cells is not None and described.cells.state:
        return described
    return None


def _continued(
    bench: BenchFile,
    virtual: VirtualTable,
    carried: ChipFile,
    model: DeviceModel,
    seed: int | None,
    state_file: Path | None,
) -> ChipSource:
    cells = carried.cells
    if cells is None or "seed" not in cells.facts:
        raise RackError(f"{carried.path}: holds no state of a simulated chip")
    kept = int(cells.facts["seed"])
    if seed is not None and seed != kept:
        raise RackError(f"{carried.path}: its chip has seed {kept}, asked for seed {seed}")
    geometry = bench.geometry.geometry()
    if cells.stuck.shape != geometry.shape:
        raise RackError(
            f"{carried.path}: its chip is {cells.stuck.shape}, "
            f"{bench.path.name} [geometry] is {geometry.shape} (pe, row, col)"
        )
    chip = Chip(
        _plain(model, virtual),
        geometry,
        seed=kept,
        cell_parameters=cells.parameters,
        **_surroundings(bench, virtual),
    )
    chip.restore(cells.state)
    return ChipSource(chip, kept, float(cells.facts.get("time", 0.0)), state_file)


def _check_gates(bench: BenchFile, model: DeviceModel) -> None:
    """Refuse a bench that would read floating-gate cells at another gate than they are told at."""
    if not isinstance(model, FloatingGateModel):
        return
    if bench.passive is not None:
        raise RackError(
            f"{bench.path.name}: [passive] has no gates, cells of {model.name} need them"
        )
    gate = bench.measurement.read_gate
    if bench.kind == "smu" and gate != model.read_gate:
        raise RackError(
            f"{bench.path.name} [measurement]: read_gate is {gate:g} V, but the conductances of "
            f"the model {model.name} are those at {model.read_gate:g} V"
        )


def _surroundings(bench: BenchFile, virtual: VirtualTable) -> dict[str, Any]:
    """Return what a bench file says of a chip besides its cells, as arguments of `Chip`."""
    return {
        "noise": virtual.noise,
        "wire_resistance": virtual.wire_resistance,
        "lead_resistance": virtual.lead_resistance + virtual.contact_resistance,
        "passive": bench.passive is not None,
        "converters": ConverterSpread(**virtual.converters.model_dump()),
    }


def _plain(model: DeviceModel, virtual: VirtualTable) -> DeviceModel:
    """Return the model; without spread of cells and pulses where the bench file says so."""
    return model if virtual.spread else model.without_variation()


def _stuck(
    bench: BenchFile, virtual: VirtualTable, described: ChipFile | None, seed: int
) -> npt.NDArray[Any] | None:
    """Return the stuck class of each cell, of a chip file or drawn; None without any."""
    shape = bench.geometry.geometry().shape
    if described is not None and described.cells is not None:
        found = described.cells.stuck
        if found.shape != shape:
            raise RackError(
                f"{described.path}: its stuck map is {found.shape}, "
                f"{bench.path.name} [geometry] is {shape} (pe, row, col)"
            )
        return found
    if virtual.stuck == 0.0:
        return None
    rng = np.random.default_rng([seed, _STUCK_STREAM])
    classes = rng.choice(list(_STUCK_SHARES), size=shape, p=list(_STUCK_SHARES.values()))
    return np.where(rng.random(shape) < virtual.stuck, classes, int(StuckClass.NONE))
