"""Bench time."""

import pytest

from labctl_instruments.virtual.clock import Clock, ClockMode
from labctl_instruments.virtual.personas.clock import ClockPersona


class Wall:
    """A wall clock that stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_charged_time_passes_at_once() -> None:
    clock = Clock()

    clock.charge(3600.0)

    assert clock.now() == 3600.0


def test_real_time_goes_with_the_wall_and_sleeps_what_is_charged() -> None:
    wall = Wall()
    clock = Clock(ClockMode.REAL, monotonic=wall.monotonic, sleep=wall.sleep)

    wall.time += 5.0
    clock.charge(2.0)

    assert clock.now() == 7.0
    assert wall.time == 1007.0


def test_time_goes_on_where_it_was_when_the_mode_changes() -> None:
    wall = Wall()
    clock = Clock(monotonic=wall.monotonic, sleep=wall.sleep)
    clock.charge(100.0)
    wall.time += 50.0

    clock.mode = ClockMode.REAL
    wall.time += 1.0

    assert clock.now() == 101.0


def test_time_that_passes_ten_times_as_fast_sleeps_a_tenth() -> None:
    wall = Wall()
    clock = Clock(monotonic=wall.monotonic, sleep=wall.sleep)
    clock.charge(100.0)

    clock.speed = 10.0
    wall.time += 1.0
    clock.charge(20.0)

    assert clock.mode is ClockMode.REAL
    assert wall.time == 1003.0
    assert clock.now() == pytest.approx(130.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_never_runs_backwards_or_for_ever(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot pass"):
        Clock().charge(seconds)


def test_a_client_tells_and_moves_the_time() -> None:
    clock = Clock()
    persona = ClockPersona(clock)

    answer = persona.exchange(b":CLOC:ADV 600;*OPC?;:CLOC:TIME?;MODE?\n")

    assert answer == b"1;600;JUMP\n"
    assert clock.now() == 600.0


def test_a_clock_does_not_go_backwards_on_request() -> None:
    persona = ClockPersona(Clock())

    assert persona.exchange(b"CLOCK:ADVANCE -1;:SYST:ERR?;:CLOCK:TIME?").startswith(b"-222,")
