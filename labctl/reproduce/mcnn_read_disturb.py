"""1,000,000 reads of every convolution weight, and what the network makes of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl.report import draw_reproductions as draw
from labctl.report.page import Picture
from labctl.report.published import READ_DISTURB
from labctl.reproduce.figures import row
from labctl.reproduce.registry import Entry, Findings, Parts
from labctl.reproduce.study import Study
from labctl_data.cells import Cells
from labctl_procedures.network import NetworkPlan
from labctl_procedures.network.programming import read_all

FloatArray = npt.NDArray[np.float64]
COUNTS = (1, 100_000, 500_000, 1_000_000)
"""Reads after which the cells are mapped."""
VOLTAGE, WIDTH = 0.2, 50e-9
"""Of a read, in V and s."""


def run(study: Study) -> Findings:
    """Transfer, classify, read the convolutions' cells ever more often, map, classify."""
    network = study.network()
    maps: list[list[FloatArray]] = []
    before: list[float] = []
    after: list[float] = []
    levels = np.zeros(0, np.int64)
    for station in study.stations():
        plan = study.plan(station, network, copies=1)
        study.transfer(station, plan)
        before.append(study.ask(station, plan).accuracy)
        cells, levels = _convolutions(plan)
        done, found = 0, []
        for count in COUNTS:
            station.stress(cells, VOLTAGE, WIDTH, count - done)
            done = count
            found.append(read_all(station, cells))
        maps.append(found)
        after.append(study.ask(station, plan).accuracy)
    change = [np.asarray(found[-1] - found[0]) for found in maps]
    rows = [
        row(
            "states apart after 1,000,000 reads",
            [_apart(f[-1], levels) for f in maps],
            READ_DISTURB["states"],
            "states",
        ),
        row("mean change of a cell", [float(each.mean()) for each in change], unit="S"),
        row("standard deviation of the change", [float(each.std()) for each in change], unit="S"),
        row("accuracy, before the reads", before),
        row("accuracy, after them", after),
    ]

    def pictures() -> Parts:
        panels = dict(zip((f"{count:,} reads" for count in COUNTS), maps[0], strict=True))
        return [
            Picture(
                draw.states_picture(panels, levels),
                "Conductances of the cells of all convolution weights, by their eight states, "
                "on the first chip.",
            )
        ]

    notes = [
        "A state is apart where more than half of its cells are nearer to its median than to any "
        "other state's.",
        "The change holds read noise and what the cells relax meanwhile.",
    ]
    return Findings(rows, pictures, notes)


def _convolutions(plan: NetworkPlan) -> tuple[Cells, npt.NDArray[np.int64]]:
    """Return the cells of the convolutions with their level, (n,)."""
    cells = Cells.of(
        np.concatenate([each.cells(0, plan.geometry).addresses for each in plan.layers[:-1]])
    )
    levels = [each.cell_levels[each.cell_levels >= 0] for each in plan.layers[:-1]]
    return cells, np.concatenate(levels)


def _apart(conductances: FloatArray, levels: npt.NDArray[np.int64]) -> float:
    """Return of how many states more than half of the cells are nearest to their own median."""
    states = np.unique(levels)
    medians = np.array([np.median(conductances[levels == state]) for state in states])
    nearest = states[np.abs(conductances[:, None] - medians).argmin(axis=1)]
    return float(sum(np.mean(nearest[levels == state] == state) > 0.5 for state in states))


ENTRY = Entry(run, "mnist")
