"""What the array-test board refuses, before it does anything of a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_instruments.virtual.scpi import ScpiError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SHORTEST_PULSE, LONGEST_PULSE = 10e-9, 1.0
LONGEST_SWEEP = 65_536
HIGHEST_SUM = 2**31 - 1


@dataclass
class BoardLimits:
    """The limits, with their power-on values."""

    voltage: float = 5.0
    """Highest magnitude on a bit or source line, in V."""
    gate: float = 6.0
    """Highest word-line voltage, in V."""
    current: float = 1e-3
    """Highest current of one source line in a sweep, in A."""
    pulses: int = 0
    """Most programming pulses a cell may ever receive; 0 for no limit."""

    def check(self, what: str, value: float, name: str) -> None:
        """Refuse `value` beyond the limit `name` with -222."""
        limit = getattr(self, name)
        if not value <= limit:
            raise ScpiError(-222, f"{what} {value:g} is beyond LIMit:{name.upper()} {limit:g}")


def check_cells(cells: IntArray, geometry: Geometry) -> IntArray:
    """Return the cells; -224 if one is not on the chip."""
    outside = cells >= geometry.n_cells
    if outside.any():
        record = int(outside.argmax())
        raise ScpiError(
            -224, f"record {record}: cell {cells[record]}, the chip has {geometry.n_cells}"
        )
    return cells


def check_pulses(
    records: npt.NDArray[Any], limits: BoardLimits, counts: npt.NDArray[np.integer]
) -> None:
    """Refuse a block of pulses if any record of it is twice there, out of range or too many.

    Parameters
    ----------
    records : ndarray of shape (n,), dtype PULSE
        The pulses asked for, on cells that exist.
    limits : BoardLimits
        The limits set.
    counts : ndarray of shape (n,)
        Programming pulses each of the cells has received.
    """
    _refuse_twice(records["cell"])
    amplitude, width, gate = (records[name] for name in ("amplitude", "width", "gate"))
    _refuse(~(records["kind"] <= 1), records["kind"], "kind", "0 SET or 1 RESET")
    _refuse(
        ~((amplitude > 0) & (amplitude <= limits.voltage)),
        amplitude,
        "amplitude",
        f"above 0 and up to LIMit:VOLTAGE {limits.voltage:g} V",
    )
    _refuse(
        ~((width >= SHORTEST_PULSE) & (width <= LONGEST_PULSE)),
        width,
        "width",
        f"{SHORTEST_PULSE:g} to {LONGEST_PULSE:g} s",
    )
    _refuse(
        ~((gate >= 0) & (gate <= limits.gate)),
        gate,
        "gate",
        f"0 to LIMit:GATE {limits.gate:g} V",
    )
    if limits.pulses:
        _refuse(counts >= limits.pulses, counts, "pulse count", f"below {limits.pulses}")


def check_sweep(voltages: npt.NDArray[np.float64], limits: BoardLimits, count: int) -> None:
    """Refuse a sweep that is too long or too high, or that would bring a cell to `count` pulses."""
    if len(voltages) > LONGEST_SWEEP:
        raise ScpiError(-223, f"{len(voltages)} voltages, at most {LONGEST_SWEEP}")
    _refuse(
        ~(np.abs(voltages) <= limits.voltage),
        voltages,
        "voltage",
        f"within LIMit:VOLTAGE {limits.voltage:g} V",
    )
    if limits.pulses and count > limits.pulses:
        raise ScpiError(-222, f"the sweep would be pulse {count}, at most {limits.pulses}")


def check_plan(plan: MacPlan, rows: IntArray, geometry: Geometry) -> None:
    """Refuse a sum plan whose lines are not on the chip or whose sums do not fit an int32."""
    if plan.columns.min() < -1 or plan.columns.max() >= geometry.columns:
        raise ScpiError(-224, f"MAC plan: a bit line is not in -1..{geometry.columns - 1}")
    if rows.min() < -1 or rows.max() >= geometry.n_lines:
        raise ScpiError(-224, f"MAC plan: a source line is not in -1..{geometry.n_lines - 1}")
    lines = np.bincount(plan.outputs[plan.signs != 0].ravel())
    highest = int(lines.max()) * (2**plan.adc_bits - 1) * (2**plan.input_bits - 1)
    if highest > HIGHEST_SUM:
        raise ScpiError(-224, f"MAC plan: an output may reach {highest}, beyond an int32")


def _refuse_twice(cells: npt.NDArray[np.integer]) -> None:
    order = np.argsort(cells, kind="stable")
    again = np.flatnonzero(cells[order][1:] == cells[order][:-1])
    if len(again):
        record = int(order[again + 1].min())
        raise ScpiError(-224, f"record {record}: cell {cells[record]} stands twice in the block")


def _refuse(bad: BoolArray, values: npt.NDArray[Any], what: str, allowed: str) -> None:
    if bad.any():
        record = int(bad.argmax())
        raise ScpiError(-222, f"record {record}: {what} {values[record]:g}, allowed is {allowed}")
