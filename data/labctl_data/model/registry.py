"""Find a device model by the name that a chip file gives."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from labctl_data.errors import ModelError
from labctl_data.model.parameter import DeviceModel, ParameterValue
from labctl_data.model.soft_bound import SoftBoundModel


def model_from(name: str, parameters: Mapping[str, ParameterValue]) -> DeviceModel:
    """Build the device model `name` from its parameters.

    Parameters
    ----------
    name : str
        The built-in `soft-bound`, or an entry point of the group ``labctl.device_models``.
    parameters : mapping
        Value of every parameter the model declares, in SI units.

    Raises
    ------
    ModelError
        If no such model is installed, or it refuses the parameters.
    """
    return _model_class(name).from_parameters(parameters)


def _model_class(name: str) -> type[DeviceModel]:
    if name == SoftBoundModel.name:
        return SoftBoundModel
    for point in entry_points(group="labctl.device_models", name=name):
        loaded: type[DeviceModel] = point.load()
        return loaded
    raise ModelError(f"device model '{name}' is not installed (built in: {SoftBoundModel.name})")
