"""The device model: parameters and pure equations, shared by the fit and the simulated chip.

The parameters live here and import nothing heavy; the equations, compiled, are imported from
`labctl_data.model.equations` and `labctl_data.model.vectors` by whoever computes with them.
"""

from labctl_data.model.declared import TABLE_BINS
from labctl_data.model.floating_gate import FloatingGateModel
from labctl_data.model.parameter import (
    DeviceModel,
    FloatArray,
    ParameterSpec,
    ParameterValue,
    StuckClass,
)
from labctl_data.model.presets import preset, preset_names
from labctl_data.model.registry import model_from
from labctl_data.model.soft_bound import SoftBoundModel

__all__ = [
    "TABLE_BINS",
    "DeviceModel",
    "FloatArray",
    "FloatingGateModel",
    "ParameterSpec",
    "ParameterValue",
    "SoftBoundModel",
    "StuckClass",
    "model_from",
    "preset",
    "preset_names",
]
