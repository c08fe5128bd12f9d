"""Every station writes its pulses down before it sends them, and the chip gets just these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.behind import ONE, RESET, SET, SOME, Witness, rack_of, sent, truth, whole


def pulsing_messages(station: Any) -> list[int]:
    """Return the places, among the messages sent, of those that can pulse."""
    marks = (b":PULS:CELL", b":STR:CELL", b":SWE:CELL", b":TRIG1", b"*TRG", b"SRP")
    return [k for k, message in enumerate(sent(station)) if message.startswith(marks)]


def test_every_message_that_can_pulse_is_in_the_ledger_before_it_is_sent(station):
    station.read(SOME)
    station.ledger = witness = Witness(station)
    told = len(sent(station))

    station.pulse(SOME, **SET)
    station.stress(ONE, 0.2, 50e-9, 3)

    able = [place for place in pulsing_messages(station) if place >= told]
    assert [place for place, _, _ in witness.entries] == able
    assert sum(len(cells) for _, cells, _ in witness.entries) == len(SOME) + 1


def test_a_sweep_is_in_the_ledger_with_its_highest_voltages(station):
    station.ledger = witness = Witness(station)

    station.sweep(ONE, [0.0, 0.5, 1.0, -0.7], gate=1.8, compliance=1e-4)

    told = [(int(e["kinds"]), float(e["amplitudes"]), e["count"]) for _, _, e in witness.entries]
    assert told == [(0, 1.0, 2), (1, 0.7, 1)]


def test_a_full_disk_under_the_ledger_stops_the_pulse(station):
    class Full:
        def before_pulses(self, *_: Any) -> None:
            raise OSError(28, "No space left on device")

    station.read(ONE)
    before = truth(station, ONE)
    station.ledger = Full()

    with pytest.raises(OSError, match="No space"):
        station.pulse(ONE, **RESET)

    assert rack_of(station).chip.pulse_counts(ONE.index(station.geometry)).tolist() == [0]
    assert truth(station, ONE) == pytest.approx(before, rel=0.05)


def test_the_chip_received_exactly_the_pulses_asked_for(station):
    for cells in (SOME, SOME[:2], SOME[:1]):
        station.pulse(cells, **SET)

    index = whole(station).index(station.geometry)
    received = rack_of(station).chip.pulse_counts(index)
    expected = np.zeros(len(index), np.int64)
    expected[SOME.index(station.geometry)] = [3, 2, 1, 1]
    assert received.tolist() == expected.tolist()


def test_pulse_counts_are_the_chips_where_the_bench_has_counters(station):
    station.pulse(SOME, **SET)

    counts = station.pulse_counts(SOME)

    assert counts is None if station.bench.kind == "smu" else counts.tolist() == [1, 1, 1, 1]
