"""A device model as one frozen dataclass whose fields declare unit, meaning and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from labctl_data.errors import ModelError
from labctl_data.model.parameter import ParameterSpec, ParameterValue, packed_record

TABLE_BINS = 10
"""Bins of the window in the tables of steps and of relaxation."""
TINY = 1e-12
"""What stands for 'above zero' in limits of conductances and voltages."""


@dataclass(frozen=True)
class Scalar:
    """Unit, meaning and physical limits (included) of a parameter."""

    shape: ClassVar[tuple[int, ...]] = ()

    unit: str
    doc: str
    least: float = -np.inf
    most: float = np.inf


class Table(Scalar):
    """The same for a table over the bins of the window, low conductance first."""

    shape: ClassVar[tuple[int, ...]] = (TABLE_BINS,)


@dataclass(frozen=True, eq=False)
class DeclaredModel:
    """Base of device models: fields ``name: Annotated[float, Scalar(...)]``, checked when built.

    Raises
    ------
    ModelError
        If a parameter is not a number, of another shape, or outside its limits; the message names
        model and parameter.
    """

    name: ClassVar[str]
    """Name of the model class, as in chip files."""
    equations: ClassVar[str]
    """Name of the module of its equations; see `labctl_data.model.laws`."""
    ordered: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of parameters of which the first must be below the second."""

    declarations: ClassVar[Mapping[str, Scalar]] = {}
    """What each parameter is declared to be, in order; made for each class."""

    def __init_subclass__(cls) -> None:
        """Collect the declarations of a model's parameters."""
        super().__init_subclass__()
        hints = get_type_hints(cls, include_extras=True)
        cls.declarations = {
            name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated
        }

    def __post_init__(self) -> None:
        for name, declared in self.declarations.items():
            value = _checked(f"model {self.name}: {name}", getattr(self, name), declared)
            object.__setattr__(self, name, value)
        for low, high in self.ordered:
            if getattr(self, low) >= getattr(self, high):
                raise ModelError(
                    f"model {self.name}: {low} {getattr(self, low):g} must be below "
                    f"{high} {getattr(self, high):g}"
                )

    @classmethod
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """Return the parameters, in order."""
        return tuple(
            ParameterSpec(name, declared.unit, declared.shape, declared.doc)
            for name, declared in cls.declarations.items()
        )

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Value of every parameter: floats, and ndarrays of shape (`TABLE_BINS`,)."""
        return {name: getattr(self, name) for name in self.declarations}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, ParameterValue]) -> Self:
        """Build the model from a full mapping of parameters.

        Those with a default may be missing: files of before they were there hold none.

        Raises
        ------
        ModelError
            If a parameter is missing, unknown, of another shape or not physical.
        """
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        missing = needed - parameters.keys()
        if missing:
            raise ModelError(f"model {cls.name}: lacks parameter {', '.join(sorted(missing))}")
        unknown = parameters.keys() - cls.declarations.keys()
        if unknown:
            raise ModelError(f"model {cls.name}: unknown parameter {', '.join(sorted(unknown))}")
        values: dict[str, Any] = dict(parameters)
        return cls(**values)

    def with_parameters(self, **changes: npt.ArrayLike) -> Self:
        """Return the model with some parameters replaced."""
        values: dict[str, Any] = {**self.parameters, **changes}
        return self.from_parameters(values)

    def packed(self) -> npt.NDArray[np.void]:
        """Return the parameters as one record, shape (1,), as the compiled equations take them."""
        return packed_record(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.packed().tobytes() == other.packed().tobytes()

    def __hash__(self) -> int:
        return hash(self.packed().tobytes())


def _checked(where: str, value: npt.ArrayLike, declared: Scalar) -> ParameterValue:
    """Return the value as float or read-only table; refuse what is not physical."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where} must be numbers, found {value!r}") from error
    if array.shape != declared.shape:
        raise ModelError(f"{where} must have shape {declared.shape}, found {array.shape}")
    bad = ~(np.isfinite(array) & (array >= declared.least) & (array <= declared.most))
    if bad.any():
        limits = f"{declared.least:g} to {declared.most:g}"
        raise ModelError(f"{where} must lie in {limits}, found {array[bad][0]:g}")
    if not declared.shape:
        return float(array)
    array.setflags(write=False)
    return array
