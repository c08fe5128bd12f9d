"""What a fit found: the model, the standing of each parameter, the stuck cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.chip_file import CellState, FittedModel, FittedParameter
from labctl_data.errors import FitError, ModelError
from labctl_data.model import FloatArray, SoftBoundModel


@dataclass(frozen=True, eq=False)
class FitResult:
    """A fitted device model."""

    fitted: FittedModel
    """The model with the standing of its parameters; `write_chip` takes it."""
    stuck: npt.NDArray[np.int8]
    """StuckClass of each cell, shape (pe, row, col)."""
    tables: Mapping[str, FloatArray]
    """For plots: bin centres (S), pulses a bin, and each fitted table with its `_error` (S)."""

    @property
    def model(self) -> SoftBoundModel:
        """The fitted model."""
        model = self.fitted.model
        if not isinstance(model, SoftBoundModel):
            raise FitError(f"a fit of '{model.name}' is no soft-bound model")
        return model

    @property
    def parameters(self) -> tuple[FittedParameter, ...]:
        """One entry for each parameter of the model."""
        return self.fitted.parameters

    @property
    def quality(self) -> Mapping[str, Any]:
        """How well the model fits, and what the fit was made from."""
        return self.fitted.quality

    @property
    def cells(self) -> CellState:
        """The stuck cells, as a chip file keeps them."""
        return CellState(self.stuck)


class Estimates:
    """A model under construction: a prior, and what the data have replaced so far.

    Parameters
    ----------
    prior : SoftBoundModel
        Values for what the data do not tell.
    source : str
        Where the prior is from, e.g. `preset yao`.
    """

    def __init__(self, prior: SoftBoundModel, source: str) -> None:
        self.model = prior
        self._source = source
        self._told: dict[str, tuple[npt.ArrayLike, str]] = {}
        self._implied: dict[str, str] = {}

    def tell(self, name: str, value: npt.ArrayLike, error: npt.ArrayLike, source: str) -> None:
        """Replace a parameter by what the data say; `source` names the runs."""
        self._set(**{name: value})
        self._told[name] = (error, source)

    def imply(self, reason: str, **values: npt.ArrayLike) -> None:
        """Set parameters that follow from others, without calling them identifiable.

        Raises
        ------
        FitError
            If a value is not physical.
        """
        self._set(**values)
        self._implied |= dict.fromkeys(values, reason)

    def _set(self, **values: npt.ArrayLike) -> None:
        try:
            self.model = self.model.with_parameters(**values)
        except ModelError as error:
            raise FitError(f"the fit leaves what is physical: {error}") from error

    def known(self, name: str) -> bool:
        """Tell whether the data have told a parameter."""
        return name in self._told

    def error(self, name: str) -> FloatArray:
        """Return the standard error of a told parameter, in the parameter's shape."""
        shape = np.shape(self.model.parameters[name])
        return np.broadcast_to(np.asarray(self._told[name][0], np.float64), shape)

    def result(self) -> tuple[FittedParameter, ...]:
        """Return every parameter with its standing, in the model's order."""
        return tuple(self._standing(spec.name, spec.unit) for spec in self.model.specs())

    def _standing(self, name: str, unit: str) -> FittedParameter:
        value = self.model.parameters[name]
        if name not in self._told:
            nothing = np.full(np.shape(value), np.nan) if np.ndim(value) else float("nan")
            reason = self._implied.get(name)
            source = f"{self._source}, {reason}" if reason else self._source
            return FittedParameter(name, value, unit, nothing, identifiable=False, source=source)
        error, source = self._told[name]
        array = np.broadcast_to(np.asarray(error, np.float64), np.shape(value))
        doubt = array if array.ndim else float(array)
        return FittedParameter(name, value, unit, doubt, identifiable=True, source=source)
