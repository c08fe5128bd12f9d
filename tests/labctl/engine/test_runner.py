import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from labctl.engine import RunError, StopSignals, guarded, run
from labctl_data.cells import Cells
from labctl_data.errors import RunFileError
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_instruments.errors import EnvelopeError, InstrumentError
from labctl_instruments.station import Station
from labctl_instruments.virtual.rack import _racks as racks
from labctl_procedures import WriteVerify
from labctl_procedures.parameters import CellsParameter, CountParameter
from labctl_procedures.procedure import (
    ADDRESS,
    TIME,
    ChipProcedure,
    Column,
    Demand,
    Rows,
    address_columns,
)


class Reads(ChipProcedure[int]):
    """Read a few cells a few times; fail where told."""

    COLUMNS = (TIME, *ADDRESS, Column.from_pymeasure("Conductance (S)"))

    cells = CellsParameter("Cells", default="0/0/0:4")
    count = CountParameter("Count", default=3, minimum=0)
    fails_at = CountParameter("Fails at", default=-1, minimum=-1)

    def points(self) -> Iterator[int]:
        yield from range(self.count)

    def demand(self) -> Demand:
        return Demand(read_voltage=0.2)

    def measure(self, point: int) -> Rows:
        if point == self.fails_at:
            raise OSError("the cable fell out")
        g = self.station.read(self.cells)
        return {**address_columns(self.cells), "Conductance (S)": g}


class RefusesToShutDown(Reads):
    def shutdown(self) -> None:
        raise OSError("the shutdown failed")


class Counting:
    def __init__(self) -> None:
        self.label, self.total, self.done, self.ended = "", 0, 0, False

    def start(self, label: str, total: int | None) -> None:
        self.label, self.total = label, total or 0

    def advance(self, n: int = 1) -> None:
        self.done += n

    def finish(self) -> None:
        self.ended = True


@pytest.fixture
def station() -> Iterator[Station]:
    with open_bench("sim-board", seed=7) as bench:
        yield bench


def outputs_on(station: Station) -> bool:
    return bool(station._board.output)  # type: ignore[attr-defined]  # the board's own word


def test_a_run_file_says_where_its_rows_come_from(station: Station, tmp_path: Path) -> None:
    result = run(Reads(count=2), station, tmp_path / "run.h5", operator="Ada")

    stored = open_run(result.file)
    facts = stored.attributes
    assert (result.status, result.rows) == ("complete", 8)
    assert stored.status == "complete"
    assert (stored.procedure, facts["operator"], stored.seed) == ("Reads", "Ada", 7)
    assert stored.parameters == {"cells": "0/0/0:4", "count": 2, "fails_at": -1}
    assert facts["bench_toml"] == station.bench.text
    assert (facts["wafer"], facts["chip"]) == ("simulated", "yao")
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["source"]
    assert facts["start"] <= facts["stop"]


def test_the_bench_is_at_rest_after_a_run(station: Station, tmp_path: Path) -> None:
    seen: list[bool] = []

    run(Reads(), station, tmp_path / "run.h5", on_rows=lambda _: seen.append(outputs_on(station)))

    assert seen == [True] * 3
    assert not outputs_on(station)


def test_rows_are_handed_on_as_they_are_stored(station: Station, tmp_path: Path) -> None:
    seen: list[Rows] = []

    run(Reads(), station, tmp_path / "run.h5", on_rows=seen.append)

    handed = np.concatenate([rows["Conductance (S)"] for rows in seen])
    assert np.array_equal(handed, open_run(tmp_path / "run.h5").record("conductance"))


def test_progress_ends_at_its_total(station: Station, tmp_path: Path) -> None:
    progress = Counting()

    run(Reads(), station, tmp_path / "run.h5", progress=progress)

    assert progress.label == "Reads"
    assert progress.done == progress.total == 100
    assert progress.ended


def test_an_existing_file_is_refused_and_nothing_is_sent(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_text("precious")

    with pytest.raises(RunFileError, match="exists already"):
        run(Reads(), station, path)

    assert path.read_text() == "precious"
    assert not outputs_on(station)


def test_what_the_envelope_forbids_is_refused_before_anything_is_written(
    station: Station, tmp_path: Path
) -> None:
    with pytest.raises(EnvelopeError, match=r"pulse amplitude 4\.2 V exceeds"):
        run(WriteVerify(set_amplitude="4.2V"), station, tmp_path / "run.h5")

    assert not list(tmp_path.iterdir())
    assert not outputs_on(station)


def test_a_run_that_fails_keeps_its_rows_names_the_fault_and_rests(
    station: Station, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="the cable fell out") as caught:
        run(Reads(fails_at=2), station, tmp_path / "run.h5")

    stored = open_run(tmp_path / "run.h5")
    assert stored.status == "failed"
    assert stored.rows == caught.value.result.rows == 8
    assert [(e.kind, e.text) for e in stored.events] == [("fault", "OSError: the cable fell out")]
    assert isinstance(caught.value.__cause__, OSError)
    assert not outputs_on(station)


def test_a_failing_shutdown_does_not_keep_the_bench_from_rest(
    station: Station, tmp_path: Path
) -> None:
    with pytest.raises(RunError) as caught:
        run(RefusesToShutDown(fails_at=1), station, tmp_path / "run.h5")

    assert [str(fault) for fault in caught.value.faults] == [
        "the cable fell out",
        "the shutdown failed",
    ]
    assert open_run(tmp_path / "run.h5").status == "failed"
    assert not outputs_on(station)


def test_a_run_told_to_stop_is_aborted_with_the_rows_so_far(
    station: Station, tmp_path: Path
) -> None:
    rows: list[Rows] = []

    result = run(
        Reads(count=10),
        station,
        tmp_path / "run.h5",
        on_rows=rows.append,
        should_stop=lambda: len(rows) == 4,
    )

    stored = open_run(tmp_path / "run.h5")
    assert (result.status, result.rows) == ("aborted", 16)
    assert (stored.status, stored.rows) == ("aborted", 16)
    assert not outputs_on(station)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_at_its_next_pulse_boundary(
    number: signal.Signals, station: Station, tmp_path: Path
) -> None:
    before = signal.getsignal(number)

    result = run(
        WriteVerify(cells="0/0:8/:", after=""),
        station,
        tmp_path / "run.h5",
        on_rows=lambda rows: os.kill(os.getpid(), number) if np.max(rows["Pulses"]) == 3 else None,
    )

    stored = open_run(tmp_path / "run.h5")
    assert (result.status, stored.status) == ("aborted", "aborted")
    assert stored.record("pulses").max() == 3
    assert [e.text for e in stored.events if e.kind == "stopped"] == [number.name]
    assert not outputs_on(station)
    assert signal.getsignal(number) == before


def test_a_signal_that_was_ignored_stays_ignored(station: Station, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = run(
            Reads(),
            station,
            tmp_path / "run.h5",
            on_rows=lambda _: os.kill(os.getpid(), signal.SIGHUP),
        )
    finally:
        signal.signal(signal.SIGHUP, before)

    assert result.status == "complete"


def test_whoever_runs_many_runs_hears_the_signal_that_ended_one() -> None:
    with StopSignals() as campaign:
        with StopSignals() as run_of_it:
            os.kill(os.getpid(), signal.SIGTERM)
        with StopSignals() as next_run:
            pass

    assert (campaign.received, run_of_it.received) == ("SIGTERM", "SIGTERM")
    assert next_run.received is None


def test_a_second_signal_does_not_wait(station: Station, tmp_path: Path) -> None:
    def insist(_: Rows) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(Reads(), station, tmp_path / "run.h5", on_rows=insist)

    assert open_run(tmp_path / "run.h5").status == "aborted"
    assert not outputs_on(station)


def test_every_pulse_of_the_rows_is_in_the_ledger(station: Station, tmp_path: Path) -> None:
    run(WriteVerify(cells="0/0:4/:", after=""), station, tmp_path / "run.h5")

    stored = open_run(tmp_path / "run.h5")
    pulsed = stored.record("kind") >= 0
    ledger = stored.ledger
    for name in ("row", "column", "kind", "amplitude", "width", "gate"):
        assert np.array_equal(ledger[name], stored.record(name)[pulsed]), name
    assert set(ledger["count"]) == {1}


def test_a_run_that_no_instrument_answers_before_it_begins_leaves_no_file_and_rests_the_bench(
    tmp_path: Path,
) -> None:
    with open_bench("sim-board", seed=1) as station:
        rack = list(racks.values())[-1]
        station.read(Cells.from_text("0/0/:", station.geometry))
        said = len(rack.log.messages())
        rack.faults.inject("garbage", "board", probability=1.0)

        with pytest.raises(InstrumentError):
            run(Reads(), station, tmp_path / "run.h5")

        rack.faults.clear()
        assert any(b":ABOR" in message for message in rack.log.messages()[said:])
        assert not outputs_on(station)
    assert not (tmp_path / "run.h5").exists()


def test_guarded_work_that_is_interrupted_leaves_the_bench_at_rest(station: Station) -> None:
    cells = Cells.from_text("0/0/:", station.geometry)

    def read_and_be_killed() -> None:
        with guarded(station):
            station.read(cells)
            assert outputs_on(station)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        read_and_be_killed()

    assert not outputs_on(station)
