"""The table [virtual] of a bench file: the simulated chip, and what is wrong around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from labctl_data.model import preset_names
from labctl_instruments.bench.equipment import FAULT_KINDS
from labctl_instruments.bench.table import NotNegative, Table


def _preset(name: str) -> str:
    """Return the name of a device preset that there is."""
    if name not in preset_names():
        raise PydanticCustomError(
            "preset", "there are {names}", {"names": ", ".join(preset_names())}
        )
    return name


class FaultTable(Table):
    """One thing that goes wrong on a virtual bench, and when."""

    instrument: str
    """Name of the instrument in this file."""
    kind: Literal[FAULT_KINDS]  # type: ignore[valid-type]  # a tuple of literals is one to pydantic
    """What goes wrong."""
    nth: int | None = Field(default=None, gt=0)
    """The chance that is taken, counted from 1: answers, or messages; either this or
    `probability`."""
    probability: float | None = Field(default=None, gt=0.0, le=1.0)
    """Probability that a chance is taken."""
    seed: int = Field(default=1, ge=0)
    """Seed of the chances taken with a probability."""
    channel: str = ""
    """`stuck-relay`: the crosspoint, e.g. `1A01`."""
    stuck_closed: bool = False
    """`stuck-relay`: whether the contact stays closed; else it stays open."""


class ConvertersTable(Table):
    """How far a virtual board's converters are from ideal: standard deviations among them."""

    offset: NotNegative = 0.0
    """Current that a converter adds, in A; single reads meet it too."""
    gain: NotNegative = 0.0
    """Relative error of its scale."""
    bow: NotNegative = 0.0
    """Integral nonlinearity: largest distance from a straight line, as a part of the range."""
    step: NotNegative = 0.0
    """Differential nonlinearity: error of a code's width, in ADC steps."""
    noise: NotNegative = 0.0
    """Noise of each conversion, in A."""
    lines_each: int = Field(default=1, ge=1)
    """Neighbouring source lines that one converter serves, one after another."""
    droop: NotNegative = 0.0
    """Part of a sampled current that is lost for each conversion its line waits for (sample and
    hold); at most 1."""
    input_resistance: NotNegative = 0.0
    """Resistance between each source line and 0 V, in ohm: the input of a sense amplifier, or of a
    current mirror."""
    time_coded: bool = False
    """True: a digit of several bits is the length of a read pulse, and its charge is converted;
    false: it is a voltage."""


class VirtualTable(Table):
    """The simulated chip of a virtual bench."""

    preset: Annotated[str, AfterValidator(_preset)] | None = None
    """Name of a shipped device model; either this or `file`."""
    file: Path | None = Field(default=None, strict=False)
    """A chip file; relative to the bench file's folder."""
    seed: int = Field(default=1, ge=0)
    """Seed of the chip; `--seed` overrules it."""
    state: str = "formed"
    """`formed`, `fresh`, or the path of a state file (loaded if there, saved at the end)."""
    stuck: float = Field(default=0.0, ge=0.0, le=1.0)
    """Fraction of cells that are stuck."""
    noise: bool = True
    """False: reads and conversions without noise."""
    spread: bool = True
    """False: all cells alike, and every pulse its mean step."""
    wire_resistance: NotNegative = 0.0
    """Resistance of one segment of a bit or source line, from cell to cell, in ohm: MACs suffer
    its voltage drops, and so does all else on an SMU bench or a passive array. 0: ideal lines."""
    lead_resistance: NotNegative = 0.0
    """Resistance from an instrument through matrix and cable to the probe of a line, in ohm; a
    four-wire sense takes it off (SMU bench, passive array)."""
    contact_resistance: NotNegative = 0.0
    """Resistance of the probe on each pad, in ohm, beyond what any sense reaches."""
    leakage: NotNegative = 0.0
    """Conductance between each driven bit line and each driven source line in matrix and cables,
    in S (SMU bench)."""
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """Current that every meter reads at none, in A (SMU bench); a board's are its converters'."""
    converters: ConvertersTable = ConvertersTable()
    """The converters of MACs, a table [virtual.converters]; ideal by default."""
    clock: Literal["jump", "real"] = "jump"
    """`jump`: bench time passes at once; `real`: it passes with the wall's."""
    faults: list[FaultTable] = Field(default_factory=list)
    """What goes wrong, each a table `[[virtual.faults]]`."""
