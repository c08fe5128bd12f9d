"""What every station refuses, and that it sends nothing of it."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind
from labctl_instruments.errors import EnvelopeError, StationError
from tests.conformance.behind import ONE, SET, SOME, Witness, sent


@pytest.mark.parametrize(
    "excess",
    [
        {"amplitude": 3.6},
        {"gate": 5.1},
        {"width": 1e-3},
        {"amplitude": np.nan},
        {"amplitude": np.inf},
    ],
    ids=str,
)
def test_a_pulse_beyond_the_envelope_sends_nothing_and_writes_nothing(station, excess):
    station.ledger = witness = Witness(station)
    told = len(sent(station))

    with pytest.raises(EnvelopeError, match=r"small-\w+-0.toml \[envelope\]: "):
        station.pulse(SOME, **SET | excess)

    assert len(sent(station)) == told
    assert witness.entries == []


def test_one_pulse_too_many_of_a_set_refuses_them_all(station):
    told = len(sent(station))

    with pytest.raises(EnvelopeError):
        station.pulse(SOME, PulseKind.SET, np.array([1.0, 1.0, 1.0, 3.6]), 50e-9, 1.8)

    assert len(sent(station)) == told


@pytest.mark.parametrize(
    "request_",
    [
        {"voltages": [0.0, 3.6], "gate": 1.8, "compliance": 1e-4},
        {"voltages": [-3.6], "gate": 1.8, "compliance": 1e-4},
        {"voltages": [0.1], "gate": 5.1, "compliance": 1e-4},
        {"voltages": [0.1], "gate": 1.8, "compliance": 2e-3},
    ],
    ids=str,
)
def test_a_sweep_beyond_the_envelope_sends_nothing(station, request_):
    told = len(sent(station))

    with pytest.raises(EnvelopeError):
        station.sweep(ONE, **request_)

    assert len(sent(station)) == told


def test_a_cell_gets_no_more_pulses_than_the_envelope_grants(station):
    for _ in range(10):
        station.sweep(ONE, np.full(50, 0.6), gate=1.8, compliance=1e-4)
    told = len(sent(station))

    with pytest.raises(EnvelopeError, match="pulses on one cell 501 exceeds pulses = 500"):
        station.pulse(ONE, **SET)

    assert len(sent(station)) == told


@pytest.mark.parametrize(
    "wrong",
    [{"amplitude": 0.0}, {"amplitude": -1.0}, {"width": 0.0}, {"gate": -0.1}, {"kind": 2}],
    ids=str,
)
def test_a_pulse_that_is_none_is_refused(station, wrong):
    with pytest.raises(StationError, match="pulse 0 is none"):
        station.pulse(ONE, **SET | wrong)


def test_a_cell_that_stands_twice_in_a_block_of_pulses_is_named(station):
    with pytest.raises(StationError, match=r"cell 0/3/4 stands twice"):
        station.pulse(Cells.of([[0, 1, 1], [0, 3, 4], [0, 3, 4]]), **SET)


@pytest.mark.parametrize("voltage", [0.0, 0.6, np.nan])
def test_a_read_that_would_program_or_measure_nothing_is_refused(station, voltage):
    with pytest.raises((StationError, EnvelopeError)):
        station.read(ONE, voltage)
