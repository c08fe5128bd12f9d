"""Pulses of the virtual B1500A's generator, and sources that meet."""

import numpy as np
import pytest

from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.b1500a.conftest import (
    PULSED,
    error,
    opened,
    say,
)
from tests.instruments.virtual.conftest import MATRIX

SHAPE = (
    "CN 501;SER 501,1E6;SIM 0;SPM 501,1;SPT 501,1,0,5E-8,8E-9;SPV 501,1,0,{level};"
    "SPRM 1,{count};SPPER 1E-6;SPUPD 501"
)


def written(rack: Rack) -> float:
    return float(rack.chip.conductances([0], rack.clock.now())[0])


def test_pulses_write_the_cell_on_the_generators_row(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
    before = written(rack)

    say(rack, SHAPE.format(level=-2.0, count=30))
    assert written(rack) == pytest.approx(before, rel=1e-3)
    assert say(rack, "SRP;SPST?") == "0"

    assert rack.chip.pulse_counts(np.array([0])).tolist() == [30]
    assert written(rack) < 0.9 * before
    assert error(rack) == 0


def test_into_an_open_line_a_level_doubles_unless_the_load_is_told(tmp_path) -> None:
    def moved(load: str) -> float:
        rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
        before = written(rack)
        say(rack, SHAPE.format(level=-1.0, count=10).replace("1E6", load))
        say(rack, "SRP")
        return written(rack) / before

    assert moved("50") < moved("1E6")


def test_what_a_generator_is_told_takes_effect_with_the_update(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
    say(rack, SHAPE.format(level=0.0, count=1))
    before = written(rack)

    say(rack, "SPV 501,1,0,-2.5;SRP")
    assert written(rack) == pytest.approx(before, rel=1e-3)

    say(rack, "SPUPD 501;SRP")
    assert written(rack) != pytest.approx(before, rel=1e-3)


def test_a_train_without_end_makes_the_pulses_of_its_time(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False)
    say(rack, SHAPE.format(level=-2.0, count=1) + ";SPRM 0;SPPER 1E-3")
    before = int(rack.chip.pulse_counts(np.array([0]))[0])

    assert say(rack, "SRP;PA 0.02;SPST?") == "1"
    assert say(rack, "SPP;SPST?") == "0"

    # 20 ms at 1 kHz, and the time of one message.
    assert int(rack.chip.pulse_counts(np.array([0]))[0]) - before == 21


def test_two_sources_that_meet_are_an_event(rack) -> None:
    say(rack, "CN 501;SER 501,1E6;SPV 501,1,1,1;SPUPD 501;DV 1,0,0.2,1E-3")

    rack.exchange(MATRIX, b'channel.close("1E01")')

    assert any("two sources on one line" in str(event) for event in rack.log.events)
