"""Rings: what they keep, and in which order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labctl_gui.state.rings import RowRing


@given(capacity=st.integers(1, 20), lengths=st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_a_ring_keeps_the_last_rows_in_the_order_they_came(capacity, lengths):
    ring, all_rows = RowRing(capacity), []

    for length in lengths:
        fresh = [len(all_rows) + k for k in range(length)]
        all_rows += fresh
        ring.extend({"number": np.array(fresh, np.int64), "half": np.array(fresh) / 2})

    table = ring.table()
    assert table["number"].tolist() == all_rows[-capacity:]
    assert table["half"].tolist() == [n / 2 for n in all_rows[-capacity:]]


def test_a_scalar_column_stands_for_every_row():
    ring = RowRing()

    ring.extend({"time": 2.5, "row": np.arange(3)})

    assert ring.table()["time"].tolist() == [2.5, 2.5, 2.5]


def test_a_cleared_ring_takes_other_columns_and_has_another_version():
    ring = RowRing()
    ring.extend({"a": [1.0]})
    before = ring.version

    ring.clear()
    ring.extend({"b": [1.0]})

    assert list(ring.table()) == ["b"]
    assert ring.version != before
