"""Keithley 3706A system switch, in TSP; channels are slot, row, column: `3107`."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.keithley_switch import KeithleySwitch


class Keithley3706A(KeithleySwitch):
    """A mainframe of 3730 matrix cards with numbered rows; see `KeithleySwitch`."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 3706A",)

    def __init__(self, adapter: Adapter, name: str = "Keithley 3706A") -> None:
        super().__init__(adapter, name)
