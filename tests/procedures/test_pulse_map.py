"""One pulse a cell: dealt out over the grid, given once, also when the run is taken up again."""

from pathlib import Path

import numpy as np
import pytest

import labctl_instruments
from labctl.engine import RunError, resume, run
from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_data.run_file import open_run
from labctl_procedures.catalogue import make
from labctl_procedures.errors import ParameterError

SMALL = {
    "cells": "0/0:16/:",
    "amplitudes": "2.0,2.6",
    "widths": "50ns,300ns",
    "gates": "1.5,1.8",
    "g_min": "4uS",
}


def test_each_cell_gets_one_pulse_of_its_condition(tmp_path: Path) -> None:
    with labctl_instruments.open_bench("sim-board", seed=4) as station:
        result = run(make("PulseMap", SMALL), station, tmp_path / "map.h5")
    rows, ledger = open_run(result.file).records(), open_run(result.file).ledger

    assert result.status == "complete"
    cells = np.stack([rows[name] for name in ("pe", "row", "column")], axis=-1)
    assert len(np.unique(cells, axis=0)) == len(cells) == 256
    conditions, count = np.unique(
        np.stack([rows[name] for name in ("amplitude", "width", "gate")], axis=-1),
        axis=0,
        return_counts=True,
    )
    assert len(conditions) == 8
    assert set(count) == {32}
    sent = (ledger["amplitude"] == 2.6) & (ledger["kind"] == 0)
    assert ledger["count"][sent].sum() == 128


def test_strong_pulses_stop_at_the_bound_of_their_gate(tmp_path: Path) -> None:
    with labctl_instruments.open_bench("sim-board", seed=4) as station:
        result = run(make("PulseMap", SMALL), station, tmp_path / "map.h5")
    rows = open_run(result.file).records()

    strong = (rows["amplitude"] == 2.6) & (rows["width"] == 300e-9)
    for gate in (1.5, 1.8):
        after = rows["after"][strong & (rows["gate"] == gate)]
        # min(Gmax, s_p (V_WL - V_tp)) of the yao preset; a tenth is the spread of bounds.
        bound = min(26e-6, 26e-6 / 1.1 * (gate - 0.7))
        assert np.median(after) < bound * 1.03
    weak = (rows["amplitude"] == 2.0) & (rows["width"] == 50e-9)
    assert np.median(rows["after"][weak]) < np.median(rows["after"][strong])


@pytest.mark.parametrize("after", [False, True], ids=["before it was sent", "after it arrived"])
def test_a_map_whose_link_broke_pulses_no_cell_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    with labctl_instruments.open_bench("sim-board", seed=4) as station:
        whole, calls = station.pulse, 0

        def broken(cells: Cells, kind: int, amplitude: float, width: float, gate: float) -> None:
            nonlocal calls
            calls += int(np.max(amplitude) == 2.6)
            if calls != 3 or after:
                whole(cells, kind, amplitude, width, gate)
            if calls == 3:
                raise OSError("the cable fell out")

        with monkeypatch.context() as patch:
            patch.setattr(type(station), "pulse", lambda _, *shape: broken(*shape))
            with pytest.raises(RunError, match="cable fell out"):
                run(make("PulseMap", SMALL), station, tmp_path / "map.h5")
        result = resume(tmp_path / "map.h5", station)
        counts = station.pulse_counts(Cells.from_text(SMALL["cells"], station.geometry))
        stored = open_run(tmp_path / "map.h5")

    rows, ledger = stored.records(), stored.ledger
    cells = np.stack([rows[name] for name in ("pe", "row", "column")], axis=-1)
    lost = [event.text for event in stored.events if event.kind == "lost"]
    assert result.status == "complete"
    assert len(np.unique(cells, axis=0)) == len(cells)
    assert len(lost) == (32 if after else 0)
    assert len(cells) + len(lost) == 256
    sent = (ledger["amplitude"] == 2.6) & (ledger["kind"] == 0)
    assert ledger["count"][sent].sum() == 128
    assert counts is not None
    assert counts.sum() == ledger["count"].sum()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cells": "0/0/0:4"}, "8 conditions"),
        ({"amplitudes": ""}, "0 conditions"),
        ({"gates": "9"}, "gates"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, str], named: str
) -> None:
    with labctl_instruments.open_bench("sim-board", seed=4) as station:
        with pytest.raises((ParameterError, LabctlError)) as refused:
            run(make("PulseMap", SMALL | changes), station, tmp_path / "map.h5")
        assert named in str(refused.value)
