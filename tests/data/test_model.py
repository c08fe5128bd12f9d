"""The device model: its parameters are checked, its equations are those of its sources."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_data.errors import ModelError
from labctl_data.model import (
    TABLE_BINS,
    DeviceModel,
    SoftBoundModel,
    model_from,
    preset,
    preset_names,
    vectors,
)
from labctl_data.pulse import PulseKind

YAO = preset("yao")
CENTRES = 1e-6 * (2 + 18 * (np.arange(TABLE_BINS) + 0.5) / TABLE_BINS)
SET_REFERENCE = {"amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET_REFERENCE = {"amplitude": 1.8, "width": 50e-9, "gate": 4.7}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_the_way_through_a_plain_mapping(name: str) -> None:
    model = preset(name)

    again = model_from(model.name, dict(model.parameters))

    assert again == model
    assert isinstance(again, DeviceModel)


def test_the_presets_differ_in_relaxation_alone() -> None:
    quiet, loud = preset("yao-quiet").parameters, YAO.parameters

    differing = {name for name in loud if not np.array_equal(loud[name], quiet[name])}

    assert differing == {"relaxation_sigma", "relaxation_drift"}


def test_every_parameter_has_a_unit_and_a_meaning() -> None:
    for spec in SoftBoundModel.specs():
        assert spec.unit
        assert spec.doc
        assert np.shape(YAO.parameters[spec.name]) == spec.shape


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"read_noise": -0.1}, "read_noise must lie in 0 to inf, found -0.1"),
        ({"rtn_fraction": 1.5}, "rtn_fraction must lie in 0 to 1, found 1.5"),
        ({"window_low": float("nan")}, "window_low must lie in"),
        ({"set_step": np.zeros(3)}, "set_step must have shape"),
        ({"reset_step": np.full(TABLE_BINS, 1e-7)}, "reset_step must lie in -inf to 0"),
        ({"curvature": "steep"}, "curvature must be numbers"),
        ({"window_low": 3e-5}, "window_low 3e-05 must be below window_high"),
        ({"stickiness": 1.0}, "unknown parameter stickiness"),
        ({"set_rate": -1.0}, "set_rate must lie in 0 to inf"),
        ({"reset_exponent": 0.0}, "reset_exponent must lie in 0.1 to inf"),
        ({"wear_rate": -1e-6}, "wear_rate must lie in 0 to inf"),
        ({"wear_exponent": float("inf")}, "wear_exponent must lie in"),
        ({"worn_low_share": 1.1}, "worn_low_share must lie in 0 to 1, found 1.1"),
        ({"overforming_rate": -2.0}, "overforming_rate must lie in 0 to inf"),
        ({"frailty_spread": float("nan")}, "frailty_spread must lie in"),
        ({"flicker_noise": 0.5}, "flicker_noise must lie in 0 to 0.3, found 0.5"),
        ({"relaxation_share": 0.0}, "relaxation_share must lie in 0.01 to 1"),
        ({"switching_threshold": -0.1}, "switching_threshold must lie in 0 to inf"),
        ({"gate_threshold": 5.0, "set_gate": 6.0}, "gate_threshold 5 must be below reset_gate 4.7"),
    ],
)
def test_an_unphysical_parameter_is_named_and_refused(
    change: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        YAO.with_parameters(**change)  # type: ignore[arg-type]


LATER = {
    "set_rate", "set_exponent", "reset_rate", "reset_exponent", "switching_threshold",
    "relaxation_share", "flicker_noise", "overforming_rate", "wear_rate", "wear_exponent",
    "frailty_spread", "worn_low_share",
}  # fmt: skip


@pytest.mark.parametrize("name", ["yao", "yao-quiet", "neurram", "ucsb-passive"])
def test_what_a_published_device_does_not_tell_is_off(name: str) -> None:
    off = {"set_rate", "reset_rate", "switching_threshold", "flicker_noise", "overforming_rate",
           "wear_rate", "frailty_spread", "worn_low_share"}  # fmt: skip
    parameters = preset(name).parameters

    assert {each: parameters[each] for each in off} == dict.fromkeys(off, 0.0)
    assert parameters["relaxation_share"] == 1.0


def test_a_file_of_before_there_were_such_effects_holds_the_same_model() -> None:
    older = {name: value for name, value in YAO.parameters.items() if name not in LATER}

    assert SoftBoundModel.from_parameters(older) == YAO


def test_up_to_the_threshold_of_switching_nothing_moves() -> None:
    """Measured 1T1R cells do not move at 0.5 V, where the law fitted above 1 V still does."""
    model = preset("stanford-1t1r")
    pulse = {"width": 100e-9, "gate": 2.5}

    mean, sigma = vectors.pulse_step(model, 1e-5, PulseKind.SET, amplitude=[0.2, 0.5], **pulse)
    above, _ = vectors.pulse_step(model, 1e-5, PulseKind.SET, amplitude=0.55, **pulse)

    assert not mean.any()
    assert not sigma.any()
    assert above > 0.0


def test_a_missing_parameter_is_named() -> None:
    parameters = dict(YAO.parameters)
    del parameters["curvature"]

    with pytest.raises(ModelError, match="lacks parameter curvature"):
        SoftBoundModel.from_parameters(parameters)


def test_an_unknown_model_or_preset_is_named() -> None:
    with pytest.raises(ModelError, match="device model 'magic' is not installed"):
        model_from("magic", {})
    with pytest.raises(ModelError, match="'yoa' is unknown; there are yao, yao-quiet"):
        preset("yoa")


def test_tables_of_a_model_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        YAO.set_step[0] = 0.0


def test_importing_the_parameters_does_not_load_the_compiler() -> None:
    code = "import labctl_data.model, sys; sys.exit('numba' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, env=_path()).returncode == 0


def test_reference_pulses_step_as_the_lab_published() -> None:
    """The published statistics: tables of ten bins, SET low to high, RESET high to low."""
    published_set = [0.325, 0.250, 0.237, 0.143, 0.087, 0.060, 0.054, 0.036, 0.019, 0.019]
    published_reset = [0.511, 0.269, 0.146, 0.099, 0.054, 0.045, 0.022, 0.074, 0.076, 0.003]

    set_mean, set_sigma = vectors.pulse_step(YAO, CENTRES, PulseKind.SET, **SET_REFERENCE)
    reset_mean, _ = vectors.pulse_step(YAO, CENTRES, PulseKind.RESET, **RESET_REFERENCE)

    np.testing.assert_allclose(set_mean, 1e-6 * np.array(published_set))
    np.testing.assert_allclose(reset_mean[::-1], -1e-6 * np.array(published_reset))
    assert set_sigma[0] == pytest.approx(0.53e-6)


def test_ten_pulses_in_one_long_pulse_step_like_ten_pulses() -> None:
    still = YAO.with_parameters(width_exponent=1.0)
    g = 5e-6
    for _ in range(10):
        g += float(vectors.pulse_step(still, g, PulseKind.SET, **SET_REFERENCE)[0])

    long_pulse = SET_REFERENCE | {"width": 500e-9}
    step, _ = vectors.pulse_step(still, 5e-6, PulseKind.SET, **long_pulse)

    assert 5e-6 + float(step) == pytest.approx(g, rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (PulseKind.SET, {"gate": 0.5}),
        (PulseKind.RESET, {"gate": 0.5}),
        (PulseKind.SET, {"width": 0.0}),
    ],
)
def test_a_pulse_behind_a_closed_transistor_or_of_no_width_does_nothing(
    kind: PulseKind, change: dict[str, float]
) -> None:
    reference = SET_REFERENCE if kind is PulseKind.SET else RESET_REFERENCE

    mean, sigma = vectors.pulse_step(YAO, CENTRES, kind, **(reference | change))

    assert not mean.any()
    assert not sigma.any()


def test_a_million_reads_move_the_mean_by_less_than_a_hundredth_of_a_level() -> None:
    mean, _ = vectors.pulse_step(YAO, CENTRES, PulseKind.SET, amplitude=0.2, width=50e-9, gate=4.7)

    assert np.abs(mean).max() * 1e6 < 0.01 * 0.581e-6


def test_a_weak_gate_starves_a_reset() -> None:
    """The transistor is a source follower: gate 1.8 V passes at most 1.1 V."""
    starved = RESET_REFERENCE | {"gate": 1.8}
    direct = RESET_REFERENCE | {"amplitude": 1.1}

    assert vectors.pulse_step(YAO, 15e-6, PulseKind.RESET, **starved)[0] == pytest.approx(
        vectors.pulse_step(YAO, 15e-6, PulseKind.RESET, **direct)[0]
    )


def test_the_gate_bounds_a_set_and_the_amplitude_a_reset() -> None:
    gates = np.array([0.5, 1.25, 1.8, 3.0])
    _, high = vectors.bounds(YAO, PulseKind.SET, amplitude=2.0, gate=gates)
    low, _ = vectors.bounds(YAO, PulseKind.RESET, amplitude=[1.8, 1.3, 0.8], gate=4.7)

    np.testing.assert_allclose(high, [0.0, 13e-6, 26e-6, 26e-6])
    np.testing.assert_allclose(low, 1e-6 * np.exp([0.0, 1.0, 2.0]))


def test_a_cell_beyond_its_bound_is_not_pulled_back() -> None:
    weak_gate = SET_REFERENCE | {"gate": 1.25}

    mean, sigma = vectors.pulse_step(YAO, 15e-6, PulseKind.SET, **weak_gate)

    assert float(mean) == float(sigma) == 0.0


def test_the_direct_current_points_come_out_as_published() -> None:
    """Yao: 60 uA at 1.5 V (SET), 45 uA at -1.2 V (RESET), at 20 uS; b = 1.5 /V: 62 and 39."""
    amperes = vectors.current(YAO, 20e-6, [1.5, -1.2])

    np.testing.assert_allclose(amperes, [62e-6, -39e-6], rtol=0.02)


@settings(deadline=None)  # the first example compiles
@given(
    g=st.floats(1e-8, 1e-4),
    voltage=st.floats(-2, 2).filter(lambda v: abs(v) > 1e-6),
    curvature=st.floats(0, 4),
)
def test_current_is_odd_passive_and_ohmic_at_the_read_voltage(
    g: float, voltage: float, curvature: float
) -> None:
    model = YAO.with_parameters(curvature=curvature)

    forward, backward, read = vectors.current(model, g, [voltage, -voltage, 0.2])

    assert forward == pytest.approx(-backward)
    assert forward * voltage > 0.0
    assert read == pytest.approx(0.2 * g)


def test_relaxation_grows_as_the_root_of_decades() -> None:
    mean, sigma = vectors.relaxation(YAO, 11e-6, [0.0, 9e-3, 99.999])

    np.testing.assert_allclose(mean, -0.03e-6 * np.array([0.0, 1.0, 5.0]), rtol=1e-6)
    np.testing.assert_allclose(sigma, 0.19e-6 * np.sqrt([0.0, 1.0, 5.0]), rtol=1e-6)


def _path() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}
