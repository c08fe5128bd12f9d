"""The sections on runs that watch single cells: IVSweep, ReadDisturb, Retention."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl.measured import FloatArray, Watched, loops, watched
from labctl.report.draw_cells import Trace, iv_picture, traces_picture
from labctl.report.page import Picture, Section
from labctl.report.words import count, duration, quantity, signed
from labctl_data.run_file import Run


def iv_section(run: Run, place: str) -> Section:
    """Return the current-voltage loops of a run of IVSweep."""
    table = loops(run)
    highest = max(float(current.max()) for current in table.currents)
    lowest = min(float(current.min()) for current in table.currents)
    return Section(
        _title("Current and voltage", place),
        f"{len(table.voltages)} loops. Highest current {quantity(highest, 'A')}, lowest "
        f"{quantity(lowest, 'A')}; published for this device: SET at 60 \u00b5A and 1.5 V, "
        f"RESET at 45 \u00b5A and \u22121.2 V.",
        [
            Picture(
                iv_picture(table.voltages, table.currents),
                "Current in one cell, swept 0, SET side, 0, RESET side, 0. Positive voltages "
                "stand on the bit line, negative ones on the source line.",
            )
        ],
    )


def read_disturb_section(run: Run, place: str) -> Section:
    """Return how far a million reads move the cells of a run of ReadDisturb."""
    table = watched(run)
    change = table.conductance[-1] - table.conductance[0]
    voltage = quantity(float(run.parameters.get("stress_voltage", 0.2)), "V")
    return Section(
        _title("Read disturb", place),
        f"{count(table.conductance.shape[1])} cells, {table.reads[-1]:,.0f} read pulses of "
        f"{voltage} each. The mean moved by {signed(float(change.mean()), 'S')}, single cells by "
        f"{quantity(float(change.std()), 'S')} (standard deviation): relaxation over that "
        "time and the noise of two reads are in these figures.",
        [
            Picture(
                traces_picture(
                    _traces(table, table.reads), "read pulses", "Read disturb", linear_to=1.0
                ),
                "Above: mean conductance of each level. Below: standard deviation of the cells' "
                "change since the first look.",
            )
        ],
    )


def retention_section(run: Run, place: str) -> Section:
    """Return how the cells of a run of Retention moved over time."""
    table = watched(run)
    change = table.conductance[-1] - table.conductance[0]
    return Section(
        _title("Retention", place),
        f"{count(table.conductance.shape[1])} cells, from {duration(table.elapsed[0])} to "
        f"{duration(table.elapsed[-1])} after their writes, by the bench's clock. The mean moved "
        f"by {signed(float(change.mean()), 'S')}, single cells by "
        f"{quantity(float(change.std()), 'S')} (standard deviation).",
        [
            Picture(
                traces_picture(
                    _traces(table, table.elapsed), "time since the write / s", "Retention"
                ),
                "Above: mean conductance of each level. Below: standard deviation of the cells' "
                "change since the first look; it grows with the square root of the decades.",
            )
        ],
    )


def _title(name: str, place: str) -> str:
    return f"{name} on {place}" if place else name


def _traces(table: Watched, x: FloatArray) -> list[Trace]:
    groups = np.unique(table.targets[~np.isnan(table.targets)])
    if not len(groups):
        return [_trace("all cells", np.ones(len(table.targets), bool), table, x)]
    return [
        _trace(f"{target * 1e6:.1f} \u00b5S", table.targets == target, table, x)
        for target in groups
    ]


def _trace(label: str, at: npt.NDArray[np.bool_], table: Watched, x: FloatArray) -> Trace:
    cells = table.conductance[:, at]
    return Trace(label, x, cells.mean(axis=1), (cells - cells[0]).std(axis=1))
