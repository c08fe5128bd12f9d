"""Orders that are typed at the bench."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.journal import Journal, Sieve
from labctl_gui.state.orders import VERBS, parse_order, read_in_blocks
from tests.gui.patience import SECONDS


def answer(session, text):
    return parse_order(text, session.station.geometry)(session.station)


def test_a_read_of_many_cells_tells_their_span_and_puts_them_on_the_map(session):
    told = answer(session, "read 0/:/: 0.1V")

    known = session.chip_map.pe(0)
    assert told.startswith("128 cells, ")
    assert np.isfinite(known).all()
    assert f"median {1e6 * np.median(known):.4g} uS" in told


def test_reads_in_blocks_come_in_the_order_of_their_cells(session):
    cells = Cells.from_text("1/3/7, 0/2/1", session.station.geometry)

    read = read_in_blocks(session.station, cells)

    assert read == pytest.approx([session.chip_map.pe(1)[3, 7], session.chip_map.pe(0)[2, 1]])


def test_bench_time_passes_when_it_is_told_to(session):
    before = session.station.now()

    answer(session, "wait 10min")

    assert session.station.now() - before == pytest.approx(600, abs=1)


def test_cells_that_were_never_pulsed_have_no_counts(session):
    assert answer(session, "counts 0/0/0:2") == "0 pulses, 0 pulses"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pulse 0/0/0", "'pulse' is no order"),
        ("", "'' is no order"),
        ("read", "read CELLS"),
        ("time 5", "expected 'time'"),
        ("read 7/0/0", "PE '7'"),
        ("read 0/0/0 3s", "3s"),
        ("wait soon", "soon"),
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(session, text, found):
    with pytest.raises(LabctlError, match=found):
        answer(session, text)


def test_help_names_every_order(session):
    told = answer(session, "help")

    assert all(verb.usage in told for verb in VERBS.values())


def test_an_order_is_answered_in_the_log_and_one_beyond_the_envelope_refused_there(session, caplog):
    with caplog.at_level(logging.INFO, "labctl_gui"):
        session.order("who")
        session.order("read 0/0/0 100V")
        assert session.settled(SECONDS)

    who, refused = caplog.messages
    assert who == "who  →  small: wafer w1, die x2y3, chip c4, 2 x 16 x 8 cells"
    assert "100" in refused
    assert session.status.phase is BenchPhase.READY


def test_a_sieve_lets_pass_what_is_grave_enough_and_holds_its_words():
    journal = Journal()
    for level, text in ((logging.INFO, "Bench open"), (logging.ERROR, "bench lost")):
        journal.handle(logging.LogRecord("labctl", level, "", 0, text, None, None))

    def shown(sieve):
        return [line.text for line in journal.since(0) if sieve.passes(line)]

    assert shown(Sieve()) == ["Bench open", "bench lost"]
    assert shown(Sieve(words="OPEN")) == ["Bench open"]
    assert shown(Sieve(logging.WARNING)) == ["bench lost"]
    assert shown(Sieve(logging.WARNING, "open")) == []
