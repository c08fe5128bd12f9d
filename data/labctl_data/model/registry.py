"""Find a device model by the name that a chip file gives."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from labctl_data.errors import ModelError
from labctl_data.model.floating_gate import FloatingGateModel
from labctl_data.model.parameter import DeviceModel, ParameterValue
from labctl_data.model.soft_bound import SoftBoundModel


def model_from(name: str, parameters: Mapping[str, ParameterValue]) -> DeviceModel:
    """Build the device model `name` from its parameters.

    Parameters
    ----------
    name : str
        A built-in model, or an entry point of the group ``labctl.device_models``.
    parameters : mapping
        Value of every parameter the model declares, in SI units.

    Raises
    ------
    ModelError
        If no such model is installed, or it refuses the parameters.
    """
    return _model_class(name).from_parameters(parameters)


_BUILT_IN: Mapping[str, type[DeviceModel]] = {
    SoftBoundModel.name: SoftBoundModel,
    FloatingGateModel.name: FloatingGateModel,
}


def _model_class(name: str) -> type[DeviceModel]:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for point in entry_points(group="labctl.device_models", name=name):
        loaded: type[DeviceModel] = point.load()
        return loaded
    raise ModelError(f"device model '{name}' is not installed (built in: {', '.join(_BUILT_IN)})")
