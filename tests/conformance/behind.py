"""The pulses and cells that stations are asked for, and what lies behind their benches."""

from __future__ import annotations

from typing import Any

from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind

SET = {"kind": PulseKind.SET, "amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET = {"kind": PulseKind.RESET, "amplitude": 1.8, "width": 50e-9, "gate": 4.7}
ONE = Cells.of([0, 3, 4])
SOME = Cells.of([[0, 3, 4], [0, 3, 5], [0, 12, 0], [0, 0, 7]])


def whole(station: Any) -> Cells:
    return Cells.from_text("0/:/:", station.geometry)


def rack_of(station: Any) -> Any:
    return station._instruments[0].adapter.connection.visalib.rack


def sent(station: Any) -> list[bytes]:
    return rack_of(station).log.messages()


def truth(station: Any, cells: Cells) -> Any:
    rack = rack_of(station)
    return rack.chip.conductances(cells.index(station.geometry), rack.clock.now())


class Witness:
    """A ledger that notes how many messages had been sent when each entry was made."""

    def __init__(self, station: Any) -> None:
        self.station = station
        self.entries: list[tuple[int, Cells, Any]] = []

    def before_pulses(self, cells, kinds, amplitudes, widths, gates, count) -> None:
        told = len(sent(self.station))
        fields = {"kinds": kinds, "amplitudes": amplitudes, "widths": widths, "count": count}
        self.entries.append((told, cells, fields))
