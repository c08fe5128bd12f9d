"""Runs that ended early, gone on with on the same bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.engine import RunError, resume, run
from labctl.errors import NotResumableError
from labctl_data.cells import Cells
from labctl_data.run_file import Run, open_run
from labctl_instruments import open_bench
from labctl_instruments.station import Station
from labctl_procedures import catalogue
from labctl_procedures.closed_loop import Stage

BOARD = {"cells": "0/0:8/:", "levels": "8", "after": "10min"}
SMU = {"cells": "0/0:2/0:2", "levels": "8", "after": "", "window": "0.8uS"}
OF_BENCH = {"sim-board": BOARD, "sim-smu": SMU}


class CableError(OSError):
    """The link broke."""


@pytest.fixture(params=["sim-board", "sim-smu"])
def station(request: pytest.FixtureRequest) -> Iterator[Station]:
    with open_bench(request.param, seed=11) as bench:
        yield bench


@pytest.fixture
def board() -> Iterator[Station]:
    with open_bench("sim-board", seed=11) as bench:
        yield bench


def break_link(
    monkeypatch: pytest.MonkeyPatch, station: Any, verb: str, *, nth: int, after: bool
) -> None:
    """Let the link break at the nth message of a driver's verb: before it is sent, or after."""
    driver = station._board if hasattr(station, "_board") else station._use.pulser
    whole: Callable[..., Any] = getattr(driver, verb)
    calls = 0

    def broken(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != nth:
            return whole(*arguments, **options)
        if after:
            whole(*arguments, **options)
        raise CableError("the cable fell out")

    monkeypatch.setattr(driver, verb, broken)


def begin(name: str, values: dict[str, str], station: Station, path: Path) -> Run:
    with pytest.raises(RunError, match="cable fell out"):
        run(catalogue.make(name, values), station, path)
    return open_run(path)


def kinds_of(stored: Run) -> list[str]:
    return [event.kind for event in stored.events]


def given(stored: Run, station: Station, cells: Cells) -> np.ndarray[Any, Any]:
    """Return the pulses of each cell by the ledger, without what never arrived."""
    ledger = stored.ledger
    lost = [each.undelivered for each in stored.segments if each.undelivered is not None]
    kept = ~np.isin(ledger["message"], lost)
    address = np.stack([ledger[name][kept] for name in ("pe", "row", "column")], axis=-1)
    index = Cells.of(address).index(station.geometry)
    table = np.bincount(index, ledger["count"][kept], station.geometry.n_cells)
    return table[cells.index(station.geometry)].astype(int)


@pytest.mark.parametrize("after", [False, True], ids=["before it was sent", "after it arrived"])
@pytest.mark.parametrize("nth", [1, 7, 40])
def test_the_one_uncertain_message_is_settled_by_the_counters_and_no_pulse_is_given_twice(
    board, tmp_path, monkeypatch, nth, after
):
    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        break_link(patch, board, "pulse_cells", nth=nth, after=after)
        broken = begin("WriteVerify", BOARD, board, path)
        rows, sent = broken.rows, len(np.unique(broken.ledger["message"]))
        assert sent == nth

    result = resume(path, board)

    stored = open_run(path)
    cells = Cells.from_text(BOARD["cells"], board.geometry)
    counted = board.pulse_counts(cells)
    records = stored.records()
    fresh = records["stage"] == Stage.FRESH
    told = np.zeros(len(cells), int)
    told[records["row"][fresh] * 16 + records["column"][fresh]] = records["pulses"][fresh]
    assert result.status == stored.status == "complete"
    assert ("delivered" if after else "undelivered") in kinds_of(stored)
    assert np.array_equal(given(stored, board, cells), counted)
    assert np.array_equal(told, counted)
    assert stored.segments[1].rows == rows
    assert result.summary["cells"] == int(fresh.sum()) == len(cells)
    assert result.summary["converged"] == 1.0


@pytest.mark.parametrize("nth", [1, 5, 30])
def test_finished_cells_are_left_alone_and_rows_are_kept(station, tmp_path, monkeypatch, nth):
    path, values = tmp_path / "run.h5", OF_BENCH[station.bench.name]
    verb = "pulse_cells" if station.bench.kind == "board" else "trigger"
    with monkeypatch.context() as patch:
        break_link(patch, station, verb, nth=nth, after=True)
        before = begin("WriteVerify", values, station, path).records()

    resume(path, station)

    stored = open_run(path)
    after = stored.records()
    rows = len(before["time"])
    for name, values_before in before.items():
        assert np.array_equal(after[name][:rows], values_before, equal_nan=True), name
    done = set(
        zip(*(before[k][before["stage"] == Stage.FRESH] for k in ("row", "column")), strict=True)
    )
    later = after["stage"][rows:] != Stage.MAP
    touched = set(zip(*(after[k][rows:][later] for k in ("row", "column")), strict=True))
    assert not done & touched
    first = after["stage"][rows:][0]
    assert first in (Stage.FIRST, Stage.MAP)  # it starts with a read
    kinds = kinds_of(stored)
    assert "resumed" in kinds
    assert ("delivered" if station.bench.kind == "board" else "uncertain") in kinds


def test_a_run_stopped_between_two_points_goes_on_as_if_it_had_not_been(station, tmp_path):
    values = {"cells": "0/0:2/0:4", "levels": "0", "duration": "1h"}
    whole, parted = tmp_path / "whole.h5", tmp_path / "parted.h5"
    name = station.bench.name
    with open_bench(name, seed=4) as one:
        run(catalogue.make("Retention", values), one, whole)
    looks = 0

    def count(_: object) -> None:
        nonlocal looks
        looks += 1

    with open_bench(name, seed=4) as other:
        cells = 1 if other.parallel_cells > 1 else 8
        result = run(
            catalogue.make("Retention", values),
            other,
            parted,
            on_rows=count,
            should_stop=lambda: looks == 3 * cells,
        )
        assert result.status == "aborted"
        resumed = resume(parted, other)

    expected, found = open_run(whole).records(), open_run(parted).records()
    assert resumed.status == "complete"
    assert np.array_equal(found["conductance"], expected["conductance"])
    assert found["time"] == pytest.approx(expected["time"], rel=1e-3, abs=0.1)


def test_prepared_cells_are_not_written_again(board, tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    values = {"cells": "0/0:4/:", "levels": "4", "duration": "10min"}
    with monkeypatch.context() as patch:
        break_link(patch, board, "read_cells", nth=10_000, after=False)
        looks: list[object] = []
        run(
            catalogue.make("Retention", values),
            board,
            path,
            on_rows=looks.append,
            should_stop=lambda: len(looks) == 2,
        )
    cells = Cells.from_text(values["cells"], board.geometry)
    counted = board.pulse_counts(cells)
    elapsed = open_run(path).record("elapsed")

    result = resume(path, board)

    stored = open_run(path)
    assert np.array_equal(board.pulse_counts(cells), counted)
    assert np.all(np.diff(stored.record("elapsed").reshape(-1, len(cells)), axis=0) > 0)
    assert np.array_equal(stored.record("elapsed")[: len(elapsed)], elapsed)
    assert [level["cells"] for level in result.summary["levels"]] == [16] * 4


@pytest.mark.parametrize("after", [False, True])
def test_stress_is_not_given_again_once_it_was_sent(board, tmp_path, monkeypatch, after):
    path = tmp_path / "run.h5"
    values = {"cells": "0/0:2/:", "levels": "0", "total": "1e4"}
    with monkeypatch.context() as patch:
        break_link(patch, board, "stress_cells", nth=3, after=after)
        begin("ReadDisturb", values, board, path)

    resume(path, board)

    stored = open_run(path)
    cells = Cells.from_text(values["cells"], board.geometry)
    assert stored.status == "complete"
    assert given(stored, board, cells).tolist() == [10_000] * len(cells)
    assert np.unique(stored.record("reads")).tolist() == [0, 1, 10, 100, 1000, 10_000]
    assert "uncertain" in kinds_of(stored)


@pytest.mark.parametrize("after", [False, True])
def test_a_swept_half_is_not_swept_again(board, tmp_path, monkeypatch, after):
    path = tmp_path / "run.h5"
    values = {"cells": "0/0/0:3", "cycles": "2"}
    with monkeypatch.context() as patch:
        break_link(patch, board, "sweep_cell", nth=6, after=after)
        begin("IVSweep", values, board, path)

    result = resume(path, board)

    stored = open_run(path)
    sides = [stored.record("column"), stored.record("cycle"), stored.record("voltage") < 0]
    assert result.status == "complete"
    assert len(np.unique(stored.ledger["message"])) == 12  # 3 cells, 2 cycles, 2 halves
    assert "lost" in kinds_of(stored)
    assert np.unique(sides, axis=1).shape[1] == 11


def test_vectors_are_multiplied_once_each(board, tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    values = {"cells": "0/0:4/:", "vectors": "200"}
    with monkeypatch.context() as patch:
        break_link(patch, board, "execute_mac", nth=3, after=True)
        begin("DifferentialMAC", values, board, path)

    result = resume(path, board)

    stored = open_run(path)
    assert np.array_equal(np.unique(stored.record("vector"), return_counts=True)[1], [2] * 200)
    assert len(stored.map("conductance")[0]) == 1
    assert result.summary["vectors"] == 200


def test_a_run_can_be_gone_on_with_more_than_once(board, tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        break_link(patch, board, "pulse_cells", nth=5, after=False)
        begin("WriteVerify", BOARD, board, path)
    for nth in (4, 9):
        with monkeypatch.context() as patch:
            break_link(patch, board, "pulse_cells", nth=nth, after=False)
            with pytest.raises(RunError):
                resume(path, board)

    resume(path, board)

    stored = open_run(path)
    cells = Cells.from_text(BOARD["cells"], board.geometry)
    assert np.array_equal(given(stored, board, cells), board.pulse_counts(cells))
    assert [each.undelivered for each in stored.segments] == [None, 4, 8, 17]


def test_another_chip_is_refused_and_the_file_stays_resumable(board, tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        break_link(patch, board, "pulse_cells", nth=5, after=True)
        rows = begin("WriteVerify", BOARD, board, path).rows

    with (
        open_bench("sim-board", seed=12) as other,
        pytest.raises(NotResumableError, match=r"cell 0/0/0 has received 0 pulses.*says 4 to 5"),
    ):
        resume(path, other)

    assert open_run(path).rows == rows
    assert resume(path, board).status == "complete"


def test_cells_that_somebody_pulsed_meanwhile_are_named(board, tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        break_link(patch, board, "pulse_cells", nth=5, after=True)
        begin("WriteVerify", BOARD, board, path)
    for _ in range(2):
        board.pulse(Cells.of([0, 3, 4]), 0, 1.0, 50e-9, 1.8)

    with pytest.raises(NotResumableError, match=r"cell 0/3/4 has received 7 pulses.*4 to 5"):
        resume(path, board)


def test_a_complete_run_is_not_gone_on_with(board, tmp_path):
    path = tmp_path / "run.h5"
    run(catalogue.make("WriteVerify", BOARD), board, path)

    with pytest.raises(NotResumableError, match="complete"):
        resume(path, board)
