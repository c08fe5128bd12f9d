"""What every device model of a simulated chip must keep, whatever its physics."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_data.cells import Geometry
from labctl_data.errors import ModelError
from labctl_data.model import DeviceModel, laws, model_from, preset, preset_names
from labctl_data.model.jart_vcm import jart_v1b
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

NAMES = ("yao", "flash-180nm")
"""One preset of each model."""
PULSES = {
    "yao": {PulseKind.SET: (2.0, 50e-9, 1.8), PulseKind.RESET: (1.8, 50e-9, 4.7)},
    "flash-180nm": {PulseKind.SET: (3.5, 1e-5, 6.0), PulseKind.RESET: (4.5, 1e-5, 1.5)},
}
"""Amplitude, width and gate of each model's reference pulses."""
MIDDLE = {"yao": 8e-6, "flash-180nm": 1e-7}
SIZE = Geometry(1, 4, 16)
CELLS = np.arange(SIZE.n_cells)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chip_of(name: str) -> Callable[[DeviceModel], Chip]:
    def make(model: DeviceModel) -> Chip:
        chip = Chip(model, SIZE, seed=3)
        chip.imprint(CELLS, MIDDLE[name])
        return chip

    return make


def record_of(name: str) -> np.record:
    """Return the packed record as Python reads it."""
    record: np.record = preset(name).packed().view(np.recarray)[0]
    return record


def test_each_preset_is_of_a_model_that_is_tested_here() -> None:
    assert {preset(each).name for each in preset_names()} == {preset(each).name for each in NAMES}


@pytest.mark.parametrize("each", preset_names())
def test_a_model_survives_the_way_through_its_name_and_parameters(each: str) -> None:
    model = preset(each)

    again = model_from(model.name, dict(model.parameters))

    assert again == model
    assert {spec.name for spec in model.specs()} == set(model.parameters)
    assert all(spec.unit and spec.doc for spec in model.specs())


def test_cells_have_the_fields_that_all_models_share(name: str) -> None:
    fields = laws.device_type(preset(name)).names or ()

    assert {each for each, _ in laws.COMMON_FIELDS} <= set(fields)


def test_a_model_without_the_laws_of_a_chip_is_refused_by_the_law_it_lacks() -> None:
    with pytest.raises(ModelError, match=r"jart-vcm-v1b: module .*jart_equations lacks the law"):
        Chip(jart_v1b(), SIZE, seed=1)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.floats(-9.0, -5.0), st.floats(-1.0, 1.0))
def test_a_current_is_odd_in_proportion_to_the_conductance_and_never_gives_power(
    name: str, decade: float, voltage: float
) -> None:
    p, g = record_of(name), 10**decade
    amperes = laws.current(p, g, voltage)

    assert amperes * voltage >= 0.0
    assert laws.current(p, g, -voltage) == -amperes
    assert laws.current(p, 2 * g, voltage) == pytest.approx(2 * amperes)


def test_the_conductance_is_current_over_voltage_at_the_read_voltage(name: str) -> None:
    p = record_of(name)

    assert laws.current(p, MIDDLE[name], 0.2) == pytest.approx(0.2 * MIDDLE[name])
    assert laws.voltage_at(p, MIDDLE[name], 0.2 * MIDDLE[name]) == pytest.approx(0.2)


@pytest.mark.parametrize(("kind", "sign"), [(PulseKind.SET, 1), (PulseKind.RESET, -1)])
def test_set_raises_and_reset_lowers_and_two_pulses_go_further_than_one(
    name: str, kind: PulseKind, sign: int, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    chip = chip_of(preset(name).without_variation().without_noise())
    seen = [MIDDLE[name]]

    for _ in range(2):
        chip.pulse(CELLS, kind, *PULSES[name][kind], 0.0)
        seen.append(float(chip.conductances(CELLS, 0.0)[0]))

    assert np.all(sign * np.diff(seen) > 0)


def test_a_model_without_noise_stands_still_and_reads_the_same_again(
    name: str, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    quiet = preset(name).without_noise()
    chip = chip_of(quiet)
    chip.pulse(CELLS, PulseKind.RESET, *PULSES[name][PulseKind.RESET], 0.0)

    first, later = (chip.currents(CELLS, 0.2, 1, time) for time in (1e-6, 1e6))

    assert quiet.is_still
    assert not preset(name).is_still
    np.testing.assert_array_equal(first, later)


def test_a_model_without_variation_makes_all_cells_and_all_pulses_alike(
    name: str, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    chip = chip_of(preset(name).without_variation().without_noise())

    chip.pulse(CELLS, PulseKind.SET, *PULSES[name][PulseKind.SET], 0.0)

    assert np.ptp(chip.conductances(CELLS, 0.0)) == 0.0


def test_what_time_does_to_a_cell_does_not_depend_on_who_looked(
    name: str, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    watched, alone = chip_of(preset(name)), chip_of(preset(name))
    for chip in (watched, alone):
        chip.pulse(CELLS, PulseKind.RESET, *PULSES[name][PulseKind.RESET], 0.0)

    for time in np.geomspace(1e-3, 1e5, 30):
        watched.conductances(CELLS, time)

    np.testing.assert_array_equal(watched.conductances(CELLS, 1e6), alone.conductances(CELLS, 1e6))


def test_a_pulse_without_voltage_leaves_no_trace(
    name: str, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    chip = chip_of(preset(name))

    for kind in PulseKind:
        chip.pulse(CELLS, kind, 0.0, 1e-6, 0.0, 0.0)

    np.testing.assert_array_equal(chip.conductances(CELLS, 1.0), MIDDLE[name])


def test_a_chip_of_the_model_takes_up_its_state_again(
    name: str, chip_of: Callable[[DeviceModel], Chip]
) -> None:
    first, second = chip_of(preset(name)), Chip(preset(name), SIZE, seed=3)
    first.pulse(CELLS, PulseKind.SET, *PULSES[name][PulseKind.SET], 0.0)

    second.restore(first.state())

    np.testing.assert_array_equal(first.conductances(CELLS, 9.0), second.conductances(CELLS, 9.0))
