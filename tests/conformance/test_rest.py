"""Every station comes to rest, and does no harm on the way."""

from __future__ import annotations

from typing import Any

import pytest

import labctl_instruments as li
from labctl_instruments.errors import DeadLinkError
from tests.conformance.behind import ONE, RESET, SET, SOME, rack_of


def test_at_rest_nothing_drives_and_nothing_is_joined(station):
    station.read(ONE)
    station.pulse(ONE, **SET)

    station.rest()

    assert [one.outputs_on() for one in station._instruments] == [()] * len(station._instruments)


def test_no_verb_switches_hot_shorts_a_source_or_damages_a_cell(station):
    station.read(SOME)
    station.pulse(SOME, **RESET)
    station.sweep(ONE, [0.3, 1.0, -1.0], gate=1.8, compliance=1e-5)
    station.stress(SOME, 0.2, 50e-9, 1000)
    station.rest()

    assert rack_of(station).log.events == []


def test_a_station_at_rest_can_be_used_again(quiet):
    first = quiet.read(SOME)
    quiet.rest()

    assert quiet.read(SOME) == pytest.approx(first, rel=1e-6)


def test_leaving_the_with_block_in_an_error_rests_the_bench_and_closes_it(station):
    other = li.open_bench(station.bench.path)
    drivers, rack = other._instruments, rack_of(other)

    with pytest.raises(KeyError), other:
        read_and_fail(other)

    questions = {"outputs": b":OUTP?", "crosspoints": b'print(channel.getclose("allslots"))'}
    for driver in drivers:
        question = questions["crosspoints" if "matrix" in driver.name else "outputs"]
        question = question.replace(b"P?", b"P1?") if driver.name == "pulser" else question
        address = driver.adapter.resource_name
        if b"2636B" in rack.exchange(address, b"*IDN?"):
            question = b"print(smua.source.output + smub.source.output)"
        if b"B1500A" in rack.exchange(address, b"*IDN?"):
            question = b"*LRN? 0"
        assert rack.exchange(address, question).strip() in (b"0", b"nil", b"0.00000e+00", b"CL")
    with pytest.raises(DeadLinkError):
        other.read(ONE)


def read_and_fail(station: Any) -> None:
    station.read(ONE)
    raise KeyError("not the bench's fault")
