"""Cells that a run finds at their targets: it did not write them, and says so."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from labctl.engine import run
from labctl.measured import watched
from labctl_data.run_file import Run, open_run
from labctl_instruments import open_bench
from labctl_instruments.station import Station
from labctl_procedures import ReadDisturb, Retention
from labctl_procedures.errors import ParameterError
from labctl_procedures.prepared import PreparedProcedure

LEVELS = {"levels": 2, "window": "1uS", "seed": 1}


@pytest.fixture
def station() -> Iterator[Station]:
    with open_bench("sim-board-quiet", seed=5) as opened:
        yield opened


def second_run(
    procedure: type[PreparedProcedure[int]] | type[PreparedProcedure[float]],
    station: Station,
    folder: Path,
    cells: str,
) -> Run:
    """Write row 0 of a chip, then watch `cells`."""
    first = Retention(cells="0/0/:", duration="1s", **LEVELS)
    run(first, station, folder / "first.h5")
    run(procedure(cells=cells, **LEVELS), station, folder / "second.h5")
    return open_run(folder / "second.h5")


def pulsed(stored: Run) -> set[tuple[int, int]]:
    strong = stored.ledger["amplitude"] > 0.5
    return set(zip(stored.ledger["row"][strong], stored.ledger["column"][strong], strict=True))


@pytest.mark.parametrize("procedure", [Retention, ReadDisturb])
def test_only_cells_that_got_a_pulse_have_a_time_since_their_write(
    procedure: type[PreparedProcedure[int]], station: Station, tmp_path: Path
) -> None:
    stored = second_run(procedure, station, tmp_path, "0/0:2/:")

    records = stored.records()
    known = np.isfinite(records["elapsed"])
    dated = set(zip(records["row"][known], records["column"][known], strict=True))
    assert 16 <= len(dated) < 32
    assert dated == pulsed(stored)


def test_the_summary_and_the_report_leave_out_cells_without_a_pulse(
    station: Station, tmp_path: Path
) -> None:
    stored = second_run(Retention, station, tmp_path, "0/0:2/:")

    dated = len(pulsed(stored))
    assert stored.summary["cells"] == 32
    assert stored.summary["without_pulse"] == 32 - dated
    assert sum(level["cells"] for level in stored.summary["levels"]) == dated
    assert watched(stored).conductance.shape[1] == dated


def test_a_run_that_finds_every_cell_at_its_target_is_watched_from_its_start(
    station: Station, tmp_path: Path
) -> None:
    near = {"cells": "0/0/0:2", "levels": 2, "window": "5uS"}
    run(Retention(duration="1s", **near), station, tmp_path / "first.h5")
    run(Retention(duration="1min", **near), station, tmp_path / "second.h5")

    stored = open_run(tmp_path / "second.h5")
    assert not pulsed(stored)
    assert stored.summary["drift_mean"] is None
    assert watched(stored).elapsed[-1] == pytest.approx(60, abs=1)


@pytest.mark.parametrize("procedure", [Retention, ReadDisturb])
def test_levels_that_do_not_rise_are_refused(
    procedure: type[PreparedProcedure[int]], station: Station, tmp_path: Path
) -> None:
    asked = procedure(cells="0/0/0:4", g_min="5uS", g_max="3uS")

    with pytest.raises(ParameterError, match="'g_max' must exceed 'g_min'"):
        run(asked, station, tmp_path / "run.h5")

    assert list(tmp_path.iterdir()) == []
