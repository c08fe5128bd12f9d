"""The pulse ledger holds what was about to be sent, and survives its writer."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_data.cells import Cells
from labctl_data.errors import LedgerError
from labctl_data.ledger import MAGIC, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "run.h5.ledger", clock=lambda: 1000.0)


def test_an_entry_is_in_the_file_before_the_call_returns(ledger: Ledger) -> None:
    cells = Cells.of([[0, 1, 2], [7, 127, 15]])

    ledger.before_pulses(cells, [0, 1], [2.0, 1.8], 50e-9, [1.8, 4.7], 1)

    (entry,) = Ledger.read(ledger.path).entries
    assert entry.cells == cells
    assert entry.wall == 1000.0
    assert entry.kinds.tolist() == [0, 1]
    assert entry.amplitudes.tolist() == [2.0, 1.8]
    assert entry.widths.tolist() == [50e-9, 50e-9]
    assert entry.gates.tolist() == [1.8, 4.7]
    assert entry.counts.tolist() == [1, 1]


def test_the_table_has_one_row_a_message_and_cell(ledger: Ledger) -> None:
    ledger.before_pulses(Cells.of([0, 0, 0]), 0, 2.0, 50e-9, 1.8, 1)
    ledger.before_pulses(Cells.of([[0, 0, 1], [0, 0, 2]]), 1, 1.8, 50e-9, 4.7, 1000)

    table = Ledger.read(ledger.path).table()

    assert table["message"].tolist() == [0, 1, 1]
    assert table["column"].tolist() == [0, 1, 2]
    assert table["kind"].tolist() == [0, 1, 1]
    assert table["count"].tolist() == [1, 1000, 1000]


@given(lost=st.integers(1, 60))
def test_a_torn_last_entry_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, lost: int
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "l")
    for k in range(3):
        ledger.before_pulses(Cells.of([0, 0, k]), 0, 2.0, 50e-9, 1.8, 1)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-lost])

    record = Ledger.read(ledger.path)

    assert record.torn
    assert [int(entry.cells.column[0]) for entry in record.entries] == [0, 1]
    ledger.remove()


def test_a_flipped_bit_ends_the_reading(ledger: Ledger) -> None:
    for k in range(3):
        ledger.before_pulses(Cells.of([0, 0, k]), 0, 2.0, 50e-9, 1.8, 1)
    data = bytearray(ledger.path.read_bytes())
    data[len(MAGIC) + (len(data) - len(MAGIC)) // 2] ^= 1
    ledger.path.write_bytes(bytes(data))

    record = Ledger.read(ledger.path)

    assert record.torn
    assert len(record.entries) == 1


def test_an_empty_ledger_has_no_rows(ledger: Ledger) -> None:
    table = Ledger.read(ledger.path).table()

    assert {len(values) for values in table.values()} == {0}
    assert table["message"].dtype == np.uint32


def test_a_left_ledger_is_not_overwritten(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="recover the run"):
        Ledger(ledger.path)


def test_a_closed_ledger_refuses_so_that_no_message_is_sent(ledger: Ledger) -> None:
    ledger.close()

    with pytest.raises(LedgerError, match="closed"):
        ledger.before_pulses(Cells.of([0, 0, 0]), 0, 2.0, 50e-9, 1.8, 1)


def test_fields_of_another_length_are_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="2 cells"):
        ledger.before_pulses(Cells.of([[0, 0, 0], [0, 0, 1]]), 0, [2.0] * 3, 50e-9, 1.8, 1)


def test_a_foreign_file_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"something else entirely")

    with pytest.raises(LedgerError, match="not a pulse ledger"):
        Ledger.read(tmp_path / "a")
