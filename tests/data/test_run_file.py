"""What a run file promises while it grows, when it is finished, and when its writer is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import MissingExtraError, RunFileError
from labctl_data.run_file import Column, MapSpec, RunStatus, RunWriter, open_run, recover, validate
from labctl_data.run_file.layout import ledger_path, lock_path

COLUMNS = (
    Column("conductance", "S", "Conductance"),
    Column("row", "", "Row", "i4"),
    Column("reason", "", "Reason", "S12"),
)
GEOMETRY = Geometry(2, 3, 4)
MAPS = (MapSpec("conductance", "S", GEOMETRY),)


def create(path: Path, **attributes: object) -> RunWriter:
    return RunWriter.create(path, columns=COLUMNS, maps=MAPS, attributes=attributes)


def rows(n: int, start: int = 0) -> dict[str, object]:
    index = np.arange(start, start + n)
    return {"time": index * 0.5, "conductance": index * 1e-6, "row": index, "reason": "ok"}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    with create(path, procedure="IVSweep", parameters={"levels": 32}, seed=7, bench="b") as writer:
        writer.append(rows(100))
        writer.finish("complete", {"converged": 0.99, "levels": [1, 2]})

    run = open_run(path)
    assert run.status == RunStatus.COMPLETE
    assert (run.procedure, run.parameters, run.seed, run.bench) == (
        "IVSweep",
        {"levels": 32},
        7,
        "b",
    )
    assert run.summary == {"converged": 0.99, "levels": [1, 2]}
    assert [c.name for c in run.columns] == ["time", "conductance", "row", "reason"]
    np.testing.assert_array_equal(run.record("conductance"), np.arange(100) * 1e-6)
    np.testing.assert_array_equal(run.record("Conductance (S)"), np.arange(100) * 1e-6)
    assert set(run.record("reason")) == {"ok"}


def test_a_pymeasure_header_becomes_a_column() -> None:
    column = Column.from_pymeasure("Current (A)")

    assert (column.name, column.unit, column.long_name) == ("current", "A", "Current")
    assert Column.from_pymeasure("Pulse number").name == "pulse_number"
    assert column.header == "Current (A)"


def test_rows_may_be_named_by_their_pymeasure_headers(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer:
        writer.append({"Time (s)": 0.0, "Conductance (S)": 2e-6, "Row": 3, "Reason": ""})

    assert open_run(tmp_path / "run.h5").record("row").tolist() == [3]


def test_a_live_run_is_readable_and_says_running(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with create(path) as writer:
        run = open_run(path)
        writer.append(rows(64))

        assert run.status == RunStatus.RUNNING
        assert run.rows == 64

        writer.append(rows(64, 64))
        assert run.record("row")[-1] == 127
    assert run.status == RunStatus.COMPLETE


def test_rows_are_held_back_until_enough_have_come(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer:
        writer.append(rows(63))
        before = open_run(writer.path).rows
        writer.append(rows(1, 63))

        assert (before, open_run(writer.path).rows, writer.rows) == (0, 64, 64)


def test_a_waiting_row_reaches_the_file_without_another_append(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer:
        writer.append(rows(1))

        deadline = time.monotonic() + 10
        while open_run(writer.path).rows == 0 and time.monotonic() < deadline:
            pass

        assert open_run(writer.path).rows == 1


def test_maps_keep_their_times(tmp_path: Path) -> None:
    snapshot = np.arange(24.0).reshape(GEOMETRY.shape) * 1e-6

    with create(tmp_path / "run.h5") as writer:
        writer.append_map("conductance", 1.5, snapshot)
        writer.append_map("conductance", 2.5, 2 * snapshot)

    times, values = open_run(tmp_path / "run.h5").map("conductance")
    assert times.tolist() == [1.5, 2.5]
    np.testing.assert_array_equal(values, [snapshot, 2 * snapshot])


def test_a_long_event_is_kept_whole(tmp_path: Path) -> None:
    text = "µS and kΩ " * 200

    with create(tmp_path / "run.h5") as writer:
        writer.event(0.25, "note", text)
        writer.event(0.5, "stop", "short")

    first, second = open_run(tmp_path / "run.h5").events
    assert (first.time, first.kind, first.text) == (0.25, "note", text)
    assert (second.kind, second.text) == ("stop", "short")


def test_xarray_opens_the_records_and_the_maps(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with create(path) as writer:
        writer.append(rows(70))
        writer.append_map("conductance", 0.0, np.ones(GEOMETRY.shape))
        live = {"group": "records", "engine": "h5netcdf", "driver_kwds": {"swmr": True}}
        with xarray.open_dataset(path, **live) as growing:
            assert growing.sizes["time"] == 70

    with xarray.open_dataset(path, group="records", engine="h5netcdf") as records:
        assert records["conductance"].dims == ("time",)
        assert records["conductance"].attrs["units"] == "S"
        assert records["conductance"].values[3] == 3e-6
    with xarray.open_dataset(path, group="maps", engine="h5netcdf") as maps:
        assert maps["conductance"].dims == ("conductance_time", "pe", "row", "col")
    assert open_run(path).to_xarray()["row"].attrs["long_name"] == "Row"


def test_without_xarray_the_extra_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create(tmp_path / "run.h5") as writer:
        writer.append(rows(3))
    monkeypatch.setitem(sys.modules, "xarray", None)  # as Python has it for a module that is absent

    with pytest.raises(MissingExtraError, match=r"labctl\[analysis\]"):
        open_run(tmp_path / "run.h5").to_xarray()


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    path.write_text("mine")

    with pytest.raises(RunFileError, match="exists already"):
        create(path)

    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_marks_the_run_as_failed(tmp_path: Path) -> None:
    def measure() -> None:
        with create(tmp_path / "run.h5") as writer:
            writer.append(rows(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure()

    assert open_run(tmp_path / "run.h5").status == RunStatus.FAILED
    assert open_run(tmp_path / "run.h5").rows == 3


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"row": None}, "without \\['row'\\]"),
        ({"extra": 1}, "unknown \\['extra'\\]"),
        ({"row": [1, 2, 3]}, "one length"),
        ({"row": 0.5}, "cannot hold"),
        ({"row": 2**40}, "cannot hold"),
        ({"reason": "longer than twelve"}, "cannot hold"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    tmp_path: Path, bad: dict[str, object], complaint: str
) -> None:
    given = {**rows(2), **bad}
    given = {name: value for name, value in given.items() if value is not None}

    with create(tmp_path / "run.h5") as writer, pytest.raises(RunFileError, match=complaint):
        writer.append(given)


def test_the_ledger_is_folded_in_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with create(path) as writer:
        writer.ledger.before_pulses(Cells.of([[0, 1, 2], [1, 2, 3]]), 1, [1.8, 1.9], 50e-9, 4.7, 1)
        assert open_run(path).ledger["amplitude"].tolist() == [1.8, 1.9]

    assert not ledger_path(path).exists()
    assert not lock_path(path).exists()
    ledger = open_run(path).ledger
    assert ledger["amplitude"].tolist() == [1.8, 1.9]
    assert ledger["row"].tolist() == [1, 2]
    assert ledger["message"].tolist() == [0, 0]


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, int]:
    """Give the file of a writer that was killed, and how many rows it had flushed at least."""
    path = tmp_path / "run.h5"
    script = Path(__file__).with_name("dying_writer.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, script, path, "16"], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        flushed = [int(child.stdout.readline()) for _ in range(40)][-1]
        assert open_run(path).status == RunStatus.RUNNING
        child.send_signal(signal.SIGKILL)
        child.wait()
    return path, flushed


def test_a_kill_loses_no_flushed_row_and_shows_as_interrupted(killed: tuple[Path, int]) -> None:
    path, flushed = killed

    run = open_run(path)

    assert run.status == RunStatus.INTERRUPTED
    assert run.rows >= flushed
    np.testing.assert_array_equal(run.record("row"), np.arange(run.rows))
    np.testing.assert_array_equal(run.record("conductance"), np.arange(run.rows) * 1e-6)


def test_recovery_closes_a_killed_run(killed: tuple[Path, int]) -> None:
    path, flushed = killed

    report = recover(path)

    run = open_run(path)
    assert report.changed
    assert report.rows == run.rows >= flushed
    assert run.attributes["status"] == "interrupted"
    assert len(run.ledger["message"]) == report.pulses >= flushed / 16
    np.testing.assert_array_equal(run.record("row"), np.arange(run.rows))
    assert run.procedure == "Dying"
    assert sorted(p.name for p in path.parent.iterdir()) == ["run.h5"]
    with xarray.open_dataset(path, group="records", engine="h5netcdf") as records:
        assert records.sizes["time"] == run.rows
    assert validate(path).ok
    assert not recover(path).changed


def test_recovery_refuses_a_living_writer(tmp_path: Path) -> None:
    with create(tmp_path / "run.h5") as writer, pytest.raises(RunFileError, match="is writing"):
        recover(writer.path)


def test_a_run_keeps_no_child_process_alive_as_its_writer(tmp_path: Path) -> None:
    writer = create(tmp_path / "run.h5")
    lock = lock_path(writer.path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        writer.finish("complete")

        assert not lock.exists()
        assert open_run(tmp_path / "run.h5").status == RunStatus.COMPLETE
        child.communicate(b"\n")
