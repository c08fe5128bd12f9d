"""What a device model is made of: parameters with units, and what a cell can be stuck as."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from labctl_data.errors import ModelError

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


class Described(Protocol):
    """Named parameters, and where their equations are."""

    name: ClassVar[str]
    """Name of the model class, as in chip files."""
    equations: ClassVar[str]
    """Name of the module of its equations; importing it loads the compiler."""

    @classmethod
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """Return the parameters, in order."""
        ...

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Value of every parameter."""
        ...


@runtime_checkable
class DeviceModel(Described, Protocol):
    """A fitted or preset device model: a name, a flat set of parameters, and their equations.

    Registered by entry point in the group ``labctl.device_models``; see `model_from`. The chip
    simulates any model whose equations follow `labctl_data.model.laws`.
    """

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, ParameterValue]) -> Self:
        """Build the model; refuse unknown, missing and unphysical values with ModelError."""
        ...

    def packed(self) -> npt.NDArray[np.void]:
        """Return what `packed_record` makes of the model."""
        ...

    @property
    def read_noise(self) -> float:
        """Standard deviation of one read over the conductance."""
        ...

    @property
    def activation_energy(self) -> float:
        """Arrhenius energy of what time does to a cell, in eV."""
        ...

    @property
    def is_still(self) -> bool:
        """Whether cells stay where pulses leave them."""
        ...

    def without_noise(self) -> Self:
        """Return the model with still reads: no noise, nothing that time or reads do to a cell."""
        ...

    def without_variation(self) -> Self:
        """Return the model with all devices alike, and all pulses."""
        ...


_TAG = "equations of "


def packed_record(model: Described) -> npt.NDArray[np.void]:
    """Return the parameters of a model as one record, shape (1,), as compiled equations take them.

    The last field holds nothing: its name says where the equations are and which sources they have,
    so that code compiled for this type of record is of these equations.
    """
    fields = [(spec.name, np.float64, spec.shape) for spec in model.specs()]
    tag = f"{_TAG}{model.equations} {_digest(model.equations)}"
    record = np.zeros(1, np.dtype([*fields, (tag, np.uint8)]))
    for name, value in model.parameters.items():
        record[name][0] = value
    return record


def equations_of(fields: Iterable[str]) -> str:
    """Return the module of the equations of a packed record with these fields."""
    tag = next(name for name in fields if name.startswith(_TAG))
    return tag.removeprefix(_TAG).split()[0]


@cache
def _digest(module: str) -> str:
    """Return what changes with the source of a module."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModelError(f"device model: module {module} of its equations is not installed")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:16]
