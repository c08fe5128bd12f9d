"""The catalogue: which procedures there are, and how one is made from what a person typed.

Nothing here imports PyMeasure until a procedure is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from labctl_procedures.errors import ProcedureError

if TYPE_CHECKING:
    from pymeasure.experiment import Parameter

    from labctl_procedures.procedure import ChipProcedure

GROUP = "labctl.procedures"
"""The entry point group in which other packages announce their procedures."""

BUILT_IN = {
    "IVSweep": "labctl_procedures.iv_sweep",
    "WriteVerify": "labctl_procedures.write_verify",
    "PulseMap": "labctl_procedures.pulse_map",
    "ReadDisturb": "labctl_procedures.read_disturb",
    "Retention": "labctl_procedures.retention",
    "DifferentialMAC": "labctl_procedures.differential_mac",
}
"""Our own procedures and their modules; they are found in a source tree that is not installed."""


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter of a procedure, as a form or a help text shows it."""

    name: str
    """The attribute, and the key at the command line."""
    label: str
    """What a person reads beside the field."""
    unit: str
    """SI unit; empty for none."""
    default: Any
    """Value when none is given, in SI."""
    minimum: float | None
    """Lowest value, in SI; None without one."""
    maximum: float | None
    """Highest value, in SI; None without one."""
    choices: tuple[Any, ...] | None
    """The values to choose from; None where any will do."""
    doc: str
    """One sentence on what it does."""


def names() -> tuple[str, ...]:
    """Return the names of all procedures, ours first, in the order of a characterisation."""
    return (*BUILT_IN, *sorted(_plugins()))


def load(name: str) -> type[ChipProcedure[Any]]:
    """Import the procedure called `name`.

    Raises
    ------
    ProcedureError
        If there is none of that name, or it cannot be imported, or is no `ChipProcedure`.
    """
    from labctl_procedures.procedure import ChipProcedure

    found = _find(name)
    if not (isinstance(found, type) and issubclass(found, ChipProcedure)):
        raise ProcedureError(f"procedure '{name}': {found!r} is not a ChipProcedure")
    return found


def parameters_of(procedure: type[ChipProcedure[Any]]) -> list[ParameterInfo]:
    """Return the parameters of `procedure`, in the order in which they are written."""
    return [describe(key, parameter) for key, parameter in procedure.declared().items()]


def make(name: str, values: Mapping[str, Any] | None = None) -> ChipProcedure[Any]:
    """Make the procedure called `name` with parameters as a person types them.

    Parameters
    ----------
    name : str
        As in `names`.
    values : mapping, optional
        Texts with units (`58nA`, `10min`) or values in SI, by parameter.

    Raises
    ------
    ProcedureError
        If there is no such procedure.
    ParameterError
        If there is no such parameter, or it does not take the value.
    """
    return load(name)(**dict(values or {}))


def describe(key: str, parameter: Parameter) -> ParameterInfo:
    """Return what is known of one PyMeasure parameter, ours or a stranger's."""
    choices = getattr(parameter, "choices", None)
    return ParameterInfo(
        name=key,
        label=parameter.name,
        unit=getattr(parameter, "units", None) or "",
        default=parameter.default,
        minimum=_limit(parameter, "minimum", -1e9),
        maximum=_limit(parameter, "maximum", 1e9),
        choices=tuple(choices) if choices is not None else None,
        doc=parameter.description or "",
    )


def _limit(parameter: Parameter, side: str, unlimited: float) -> float | None:
    value = getattr(parameter, side, None)
    return None if value is None or value == unlimited else value


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _find(name: str) -> object:
    if name in BUILT_IN:
        return getattr(import_module(BUILT_IN[name]), name)
    plugin = _plugins().get(name)
    if plugin is None:
        raise ProcedureError(f"procedure '{name}' is unknown; there are {', '.join(names())}")
    try:
        return plugin.load()
    except (ImportError, AttributeError) as error:
        found = f"{plugin.value} cannot be loaded: {error}"
        raise ProcedureError(f"procedure '{name}': {found}") from error
