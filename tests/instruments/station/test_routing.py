"""Relays: what is moved to join lines to rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_data.cells import Geometry
from labctl_instruments.bench.wiring import Wiring, parse_lines
from labctl_instruments.station.routing import OPEN, Routing

GEOMETRY = Geometry(1, 2, 3)
LINES = {"BL[0:3]": "m:11-13", "SL[0:2]": "n:1-2", "WL[0:2]": "n:71-72"}
CROSSPOINTS = ["1{}11", "1{}12", "2{}01", "1{}01", "1{}02", "6{}11", "6{}12"]


class Mainframe:
    """A matrix that refuses to close what is closed and to open what is open."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.messages = 0

    def close_only(self, channels) -> None:
        self.closed = set(channels)
        self.messages += 1

    def exchange_channels(self, opened, closed) -> None:
        assert self.closed.issuperset(opened)
        self.closed -= set(opened)
        assert self.closed.isdisjoint(closed)
        self.closed |= set(closed)
        self.messages += 1


def mainframes() -> tuple[Routing, Mainframe, Mainframe]:
    m, n = Mainframe(), Mainframe()
    return Routing(Wiring(parse_lines(LINES), {}), {"m": m, "n": n}, GEOMETRY), m, n


def crosspoints(rows) -> set[str]:
    return {
        where.format("ABCDEFGH"[row])
        for where, row in zip(CROSSPOINTS, rows, strict=True)
        if row != OPEN
    }


@given(st.lists(st.lists(st.integers(-1, 7), min_size=7, max_size=7), min_size=1, max_size=6))
def test_after_any_moves_exactly_the_asked_crosspoints_are_closed(configurations):
    routing, m, n = mainframes()
    for rows in configurations:
        routing.join(np.array(rows, np.int8))

    assert m.closed | n.closed == crosspoints(configurations[-1])


def test_only_mainframes_in_which_something_moves_get_a_message():
    routing, m, n = mainframes()
    routing.join(np.array([0, 0, 0, 0, 0, 0, 0], np.int8))
    routing.join(np.array([0, 1, 0, 0, 0, 0, 0], np.int8))

    assert (m.messages, n.messages) == (2, 1)


def test_nothing_differs_from_what_is_joined_until_it_is_forgotten():
    routing, _, _ = mainframes()
    rows = np.zeros(7, np.int8)
    routing.join(rows)
    assert not routing.differs(rows)

    routing.forget()

    assert routing.differs(rows)


def test_after_a_move_that_failed_everything_is_closed_anew():
    routing, m, n = mainframes()
    routing.join(np.zeros(7, np.int8))
    m.closed = {"6H12"}  # somebody else's doing: the next exchange cannot find what it would open
    with pytest.raises(AssertionError):
        routing.join(np.ones(7, np.int8))

    routing.join(np.ones(7, np.int8))

    assert m.closed | n.closed == crosspoints(np.ones(7, np.int8))
