"""The physical reference: its circuit, its heat and its ions obey the published equations."""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants

from labctl_data.errors import ModelError
from labctl_data.model import jart_equations as eq
from labctl_data.model.jart_trajectory import conductance, hold, instant, ramp, switching_time
from labctl_data.model.jart_vcm import JartVcmModel, jart_v1b

CELL = jart_v1b()
OFF, ON = 0.008e26, 20e26
MOST = st.floats(math.log(OFF), math.log(ON)).map(math.exp)


def section() -> float:
    return math.pi * CELL.radius**2


def filament_and_series(vacancies: float, current: float) -> tuple[float, float]:
    density = 2 * constants.e * CELL.mobility * section()
    disc = CELL.disc_length / (density * vacancies)
    plug = (CELL.cell_length - CELL.disc_length) / (density * CELL.plug_vacancies)
    lines = CELL.line_resistance * (
        1 + CELL.line_resistance * CELL.line_coefficient * current**2 * CELL.line_heating
    )
    return disc + plug, CELL.layer_resistance + lines


@settings(deadline=None, max_examples=40)
@given(vacancies=MOST, voltage=st.floats(-1.8, 1.8))
def test_a_cell_takes_power_and_is_never_colder_than_its_surroundings(
    vacancies: float, voltage: float
) -> None:
    found = instant(CELL, vacancies, voltage)

    assert float(found.current) * voltage >= 0.0
    assert float(found.temperature) >= CELL.ambient_temperature


@pytest.mark.parametrize("voltage", [0.1, 0.5, 1.2])
@pytest.mark.parametrize("vacancies", [OFF, 1e25, ON])
def test_voltages_add_up_heat_balances_and_the_contact_obeys_thermionic_field_emission(
    vacancies: float, voltage: float
) -> None:
    """The whole cell written once more, from the equations of Padovani and Stratton."""
    found = instant(CELL, vacancies, voltage)
    current, kelvin = float(found.current), float(found.temperature)
    filament, series = filament_and_series(vacancies, current)

    contact = voltage - current * (filament + series)
    power = current * (voltage - current * series)
    thermal = constants.k * kelvin / constants.e
    e00 = constants.h / (4 * math.pi) * math.sqrt(
        2 * vacancies / (constants.m_e * CELL.permittivity * constants.epsilon_0)
    )  # fmt: skip
    e0 = e00 / math.tanh(e00 / thermal)
    psi = CELL.barrier_height - CELL.fermi_level + contact
    image = (CELL.image_permittivity * constants.epsilon_0) ** 3
    lowering = (constants.e**3 * 2 * vacancies * psi / (8 * math.pi**2 * image)) ** 0.25
    height = max(CELL.barrier_height - lowering, 0.0)
    prefactor = eq.RICHARDSON * kelvin**2 / thermal * math.sqrt(
        math.pi * e00 * (contact + height / math.cosh(e00 / thermal) ** 2)
    )  # fmt: skip
    bias = contact / e00 * (e00 / thermal - math.tanh(e00 / thermal))
    emitted = section() * prefactor * math.exp(-height / e0) * math.expm1(bias)

    assert emitted == pytest.approx(current, rel=1e-5)
    assert kelvin == pytest.approx(CELL.ambient_temperature + CELL.heating * power, rel=1e-6)


@pytest.mark.parametrize("voltage", [0.03, 0.07, 0.085, 0.3, 1.2])
@pytest.mark.parametrize("vacancies", [OFF, 1e25, 1e26, ON])
def test_in_reset_polarity_the_contact_obeys_thermionic_emission(
    vacancies: float, voltage: float
) -> None:
    found = instant(CELL, vacancies, -voltage)
    current, kelvin = -float(found.current), float(found.temperature)
    filament, series = filament_and_series(vacancies, current)

    contact = voltage - current * (filament + series)
    power = current * (voltage - current * series)
    thermal = constants.k * kelvin / constants.e
    psi = max(CELL.barrier_height - CELL.fermi_level - contact, 0.0)
    image = (CELL.image_permittivity * constants.epsilon_0) ** 3
    lowering = (constants.e**3 * 2 * vacancies * psi / (8 * math.pi**2 * image)) ** 0.25
    height = max(CELL.barrier_height - lowering, 0.0)
    emitted = section() * eq.RICHARDSON * kelvin**2 * math.exp(-height / thermal)

    assert emitted * math.expm1(contact / thermal) == pytest.approx(current, rel=1e-4)
    heating = CELL.heating * CELL.reset_heating
    assert kelvin == pytest.approx(CELL.ambient_temperature + heating * power, rel=1e-6)


def test_slow_hops_follow_the_sinh_law_of_mott_and_gurney() -> None:
    field, kelvin = 1e8, 600.0
    thermal = constants.k * kelvin / constants.e
    drift = math.sinh(CELL.hop_distance * field / thermal)

    net = eq.hopping(CELL.packed().view(np.recarray)[0], field, kelvin)

    expected = 2 * CELL.attempt_frequency * math.exp(-CELL.hop_energy / thermal) * drift
    assert net == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(("voltage", "end"), [(0.8, 1e25), (0.6, 5e24), (-1.2, 5e26)])
def test_a_cell_followed_in_time_arrives_when_the_integral_of_its_rate_says(
    voltage: float, end: float
) -> None:
    start = OFF if voltage > 0 else 0.99 * ON
    time = switching_time(CELL, voltage, start, end)

    before, after = hold(CELL, start, voltage, np.array([0.999, 1.001]) * time).vacancies

    assert min(before, after) < end < max(before, after)
    assert abs(math.log(before / start)) < abs(math.log(after / start))


def test_each_tenth_of_a_volt_makes_set_ten_to_a_hundred_times_faster() -> None:
    times = [switching_time(CELL, volts, OFF, 1e26) for volts in (0.5, 0.6, 0.7, 0.8)]

    decades = -np.diff(np.log10(times))

    assert np.all((decades > 1.0) & (decades < 2.0))


def test_a_reset_voltage_never_sets() -> None:
    assert switching_time(CELL, -0.8, OFF, 1e26) == math.inf
    assert switching_time(CELL, 0.8, 1e26, OFF) == math.inf


def test_set_is_abrupt_and_reset_is_gradual() -> None:
    loop = ramp(CELL, OFF, ([0, 1, 2, 3.3], [0, 1, 0, -1.3]), compliance=2e-4)
    logarithm = np.log(conductance(CELL, loop.vacancies))

    def span(leg: slice) -> float:
        part = (logarithm[leg] - logarithm[leg].min()) / np.ptp(logarithm[leg])
        inside = np.abs(loop.voltage[leg][(part > 0.1) & (part < 0.9)])
        return float(np.ptp(inside)) if inside.size else 0.0

    third = len(loop.time) // 3
    assert span(slice(0, third)) < 0.01
    assert span(slice(2 * third, None)) > 0.1


def test_compliance_limits_the_current_and_decides_where_set_ends() -> None:
    up = ([0, 1, 2], [0, 1, 0])

    small, large = (ramp(CELL, OFF, up, compliance=limit) for limit in (5e-5, 2e-4))

    assert small.current.max() == pytest.approx(5e-5, rel=1e-6)
    assert large.current.max() == pytest.approx(2e-4, rel=1e-6)
    ends = [float(conductance(CELL, path.vacancies[-1])) for path in (small, large)]
    assert ends[1] > 1.3 * ends[0]


def test_vacancies_stay_in_their_range_however_long_a_voltage_is_held() -> None:
    high = hold(CELL, OFF, 1.0, [1.0]).vacancies[-1]
    low = hold(CELL, 1e26, -1.5, [1.0]).vacancies[-1]

    assert OFF <= low < 1.01 * OFF
    assert 0.9 * ON < high <= ON


@pytest.mark.parametrize("name", [field.name for field in fields(JartVcmModel)])
def test_a_parameter_that_is_not_physical_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelError, match=f"model jart-vcm-v1b: {name} must lie in"):
        CELL.with_parameters(**{name: -1.0})


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda: instant(CELL, 1e20, 0.2), "vacancies must lie in 8e.23 to 2e.27"),
        (lambda: instant(CELL, math.nan, 0.2), "vacancies must lie in"),
        (lambda: instant(CELL, 1e25, 4.0), r"voltage must lie within \+-3.39 V"),
        (lambda: hold(CELL, OFF, 0.5, [1.0], compliance=0.0), "compliance must be above 0 A"),
        (lambda: CELL.with_parameters(disc_length=5e-9), "disc_length 5e-09 must be below"),
    ],
)
def test_what_the_model_does_not_cover_is_refused(ask: object, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        ask()  # type: ignore[operator]
