"""The envelope, and what is counted against it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from labctl_instruments.errors import EnvelopeError
from labctl_instruments.station import Envelope

ENVELOPE = Envelope(voltage=3.0, gate_voltage=5.0, current=1e-4, energy=1e-11, pulses=100)


def test_a_request_at_the_limit_passes():
    ENVELOPE.check_pulses([2.0, -2.0], 50e-9, 5.0, where="b.toml")  # 2 V * 100 uA * 50 ns = 10 pJ


def test_the_message_says_what_was_asked_what_is_allowed_and_where():
    with pytest.raises(EnvelopeError) as caught:
        ENVELOPE.check_pulses(np.array([1.0, 3.5]), 1e-9, 1.0, where="b.toml")

    assert str(caught.value) == ("b.toml [envelope]: pulse amplitude 3.5 V exceeds voltage = 3 V")
    assert caught.value.excess.key == "voltage"
    assert caught.value.excess.value == 3.5


def test_the_energy_of_a_pulse_is_judged_with_the_highest_current():
    with pytest.raises(EnvelopeError, match=r"worst-case pulse energy 1.5e-11 J exceeds energy"):
        ENVELOPE.check_pulses(3.0, 50e-9, 1.0, where="b.toml")  # 3 V * 100 uA * 50 ns = 15 pJ


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_beyond_every_limit(value):
    with pytest.raises(EnvelopeError):
        ENVELOPE.check_pulses(1.0, 1e-9, value, where="b.toml")
    with pytest.raises(EnvelopeError):
        ENVELOPE.check_read(value, where="b.toml")


def test_a_negative_voltage_is_judged_by_its_magnitude():
    with pytest.raises(EnvelopeError, match=r"sweep voltage 3\.1 V"):
        ENVELOPE.check_sweep([0.0, -3.1], gate=1.0, compliance=1e-5, where="b.toml")


def test_the_compliance_may_be_the_current_limit_and_no_more():
    ENVELOPE.check_sweep([0.1], gate=1.0, compliance=1e-4, where="b.toml")
    with pytest.raises(EnvelopeError, match=r"compliance 0\.00011 A exceeds current = 0\.0001 A"):
        ENVELOPE.check_sweep([0.1], gate=1.0, compliance=1.1e-4, where="b.toml")


def test_a_count_is_told_without_a_unit():
    with pytest.raises(EnvelopeError, match=r"pulses on one cell 101 exceeds pulses = 100$"):
        ENVELOPE.check_counts([100, 101], where="b.toml")


def test_without_a_power_or_a_temperature_there_is_no_such_limit():
    ENVELOPE.check_sweep([3.0], gate=1.0, compliance=1e-4, where="b.toml")
    ENVELOPE.check_temperature(1e3, where="b.toml")


def test_the_power_of_a_pulse_is_judged_with_the_highest_current():
    weak = replace(ENVELOPE, power=2.5e-4)

    weak.check_pulses(2.5, 1e-9, 1.0, where="b.toml")  # 2.5 V * 100 uA = 250 uW
    with pytest.raises(EnvelopeError, match=r"worst-case pulse power 0\.00026 W exceeds power"):
        weak.check_pulses(2.6, 1e-9, 1.0, where="b.toml")


def test_the_power_of_a_sweep_is_judged_at_its_compliance():
    weak = replace(ENVELOPE, power=2e-5)

    weak.check_sweep([-2.0], gate=1.0, compliance=1e-5, where="b.toml")
    with pytest.raises(EnvelopeError, match=r"power of a sweep at its compliance 2\.1e-05 W"):
        weak.check_sweep([-2.1], gate=1.0, compliance=1e-5, where="b.toml")


def test_a_temperature_beyond_the_envelope_is_refused():
    with pytest.raises(EnvelopeError, match=r"temperature 361 K exceeds temperature = 360 K"):
        replace(ENVELOPE, temperature=360.0).check_temperature(361.0, where="b.toml")
