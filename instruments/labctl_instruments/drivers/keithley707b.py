"""Keithley 707B switching mainframe, in TSP; channels are slot, row, column: `3A07`."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.keithley_switch import KeithleySwitch


class Keithley707B(KeithleySwitch):
    """A mainframe of matrix cards with lettered rows; see `KeithleySwitch`."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 707B",)

    def __init__(self, adapter: Adapter, name: str = "Keithley 707B") -> None:
        super().__init__(adapter, name)
