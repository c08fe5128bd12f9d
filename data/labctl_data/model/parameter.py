"""What a device model is made of: parameters with units, and what a cell can be stuck as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ParameterValue = float | FloatArray


class StuckClass(IntEnum):
    """How a cell fails to obey pulses; the integers are those of chip files."""

    NONE = 0
    """Obeys."""
    STUCK_LOW = 1
    """Stays in its high-resistance state."""
    STUCK_HIGH = 2
    """Stays in its low-resistance state."""
    OPEN = 3
    """Carries no current."""
    SHORT = 4
    """Conducts far above every programmed state."""


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a device model."""

    name: str
    """Name, as in chip files."""
    unit: str
    """SI unit; `1` for a pure number."""
    shape: tuple[int, ...]
    """Shape of the value; () for a scalar."""
    doc: str
    """What it is."""


@runtime_checkable
class DeviceModel(Protocol):
    """A fitted or preset device model: a name and a flat set of parameters.

    Registered by entry point in the group ``labctl.device_models``; see `model_from`.
    """

    name: ClassVar[str]
    """Name of the model class, as in chip files."""

    @classmethod
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """Return the parameters, in order."""
        ...

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Value of every parameter."""
        ...

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, ParameterValue]) -> Self:
        """Build the model; refuse unknown, missing and unphysical values with ModelError."""
        ...
