"""What other simulators are given is what the model says."""

import sys
from types import ModuleType

import numpy as np
import pytest

from labctl_data.errors import ModelError
from labctl_data.exporting import exporter, exporter_names
from labctl_data.model import preset, vectors


class Bare:
    """Stands where CrossSim's base class would: it has no behaviour the module relies on."""

    Gmin_norm, Grange_norm = 0.1, 0.9


@pytest.fixture
def crosssim(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("simulator", "simulator.devices", "simulator.devices.idevice"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(
        sys.modules["simulator.devices.idevice"], "EmptyDevice", Bare, raising=False
    )


def loaded(name: str, preset_name: str = "yao") -> dict[str, object]:
    module: dict[str, object] = {}
    exec(compile(exporter(name)(preset(preset_name)), name, "exec"), module)
    return module


@pytest.mark.parametrize("preset_name", ["yao", "neurram", "stanford-1t1r"])
def test_the_curves_for_aihwkit_give_back_the_steps_of_the_model(preset_name: str) -> None:
    device = loaded("aihwkit", preset_name)["DEVICE"]
    model = preset(preset_name)
    span = model.window_high - model.window_low
    weight = np.linspace(-0.95, 0.95, 15)
    g = model.window_low + (weight + 1) / 2 * span
    nodes = np.linspace(-1, 1, len(device["piecewise_up"]))

    for curve, kind, volts, gate in (
        ("piecewise_up", 0, model.set_voltage, model.set_gate),
        ("piecewise_down", 1, model.reset_voltage, model.reset_gate),
    ):
        step = device["dw_min"] * np.interp(weight, nodes, device[curve]) * span / 2
        shape = {"amplitude": volts, "width": model.pulse_width, "gate": gate}
        expected, _ = vectors.pulse_step(model, g, kind, **shape)
        # Twenty nodes cut the corners of ten bins.
        np.testing.assert_allclose(step, np.abs(expected), rtol=0.15, atol=0.01 * span / 40)


def test_the_device_for_crosssim_drifts_as_the_model_says(crosssim: None) -> None:
    module = loaded("crosssim")
    model = preset("yao")
    device = module["LabctlChip"]()
    part = np.full(40_000, 0.5)

    later = device.drift_error(0.1 + 0.9 * part, 600.0)

    moved = (later - (0.1 + 0.9 * part)) / 0.9 * 18e-6
    mean, sigma = vectors.relaxation(model, 11e-6, 600.0)
    assert np.mean(moved) == pytest.approx(float(mean), abs=4 * float(sigma) / 200)
    assert np.std(moved) == pytest.approx(float(sigma), rel=0.02)


def test_the_device_for_crosssim_reads_with_the_models_noise(crosssim: None) -> None:
    device = loaded("crosssim")["LabctlChip"]()

    read = device.read_noise(np.full(40_000, 1.0))

    assert np.std((read - 1.0) / 0.9 * 18e-6) == pytest.approx(0.01 * 20e-6, rel=0.02)


def test_an_unknown_simulator_is_named_with_those_there_are() -> None:
    with pytest.raises(ModelError, match="'spice' is unknown; there are aihwkit, crosssim"):
        exporter("spice")
    assert exporter_names()[:2] == ("aihwkit", "crosssim")
