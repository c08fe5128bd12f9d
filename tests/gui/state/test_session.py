"""The session: a bench and its runs, without a window."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from labctl.queue import JobState
from labctl_data.cells import Cells
from labctl_data.run_file import open_run
from labctl_gui.state.bench import BenchPhase, Outputs
from labctl_gui.state.job_list import JobList
from labctl_gui.state.network_run import inference_request
from labctl_gui.state.opened import open_run_file
from labctl_gui.state.session import Session
from labctl_gui.state.sketcher import Sketcher, Subject, View
from labctl_gui.state.watched import Stopped
from labctl_gui.state.worker import BenchWorker, Task
from labctl_instruments.virtual.rack import _racks
from tests.gui.patience import SECONDS, wait_until

SMALL_WRITE = {"cells": "0/:/:", "levels": "4", "after": ""}
LONG_WRITE = {"cells": "0/:/:", "levels": "32", "window": "2 nS", "limit": "100000"}
"""A window this narrow is hardly ever met: it would go on for minutes."""


def board_outputs(session: Session) -> tuple[str, ...]:
    """What the board itself says is on."""
    return session.station._station._board.outputs_on()


def test_a_bench_is_opened_at_rest_and_says_what_it_is(session):
    status = session.status

    assert status.phase is BenchPhase.READY
    assert status.outputs is Outputs.RESTING
    assert status.info.identity.die == "x2y3"
    assert session.chip_map.geometry.shape == (2, 16, 8)


def test_a_bench_that_does_not_exist_is_a_problem_and_not_an_end(closed_session, bench, caplog):
    closed_session.open_bench("no-such-bench")
    assert closed_session.settled(SECONDS)

    assert closed_session.status.phase is BenchPhase.FAILED
    assert "no-such-bench" in closed_session.status.problem

    closed_session.open_bench(bench)
    assert closed_session.settled(SECONDS)
    assert closed_session.status.phase is BenchPhase.READY
    assert closed_session.status.problem == ""


def test_reading_a_pe_maps_it_and_leaves_the_bench_at_rest(session):
    session.read_pe(1)
    assert session.settled(SECONDS)

    assert (session.chip_map.pe(1) > 1e-6).all()
    assert np.isnan(session.chip_map.pe(0)).all()
    assert session.status.outputs is Outputs.RESTING
    assert board_outputs(session) == ()


def test_a_run_is_stored_and_its_rows_are_in_the_ring(session):
    session.start("WriteVerify", SMALL_WRITE)
    assert session.settled(SECONDS)

    (done,) = session.queue.jobs
    stored = open_run(done.run_file)
    assert done.state is JobState.DONE
    assert stored.status == "complete"
    table = session.rows.table()
    assert table["conductance"].tolist() == stored.record("conductance").tolist()


def test_runs_are_measured_one_after_another(session):
    session.start("IVSweep", {"cells": "0/0/0"})
    session.start("WriteVerify", SMALL_WRITE)
    assert session.settled(SECONDS)

    statuses = [job.state for job in session.queue.jobs]

    assert statuses == [JobState.DONE, JobState.DONE]


def test_the_history_of_a_cell_is_that_of_the_run_file(session):
    session.start("WriteVerify", SMALL_WRITE)
    assert session.settled(SECONDS)
    opened = open_run_file(session.queue.jobs[0].run_file)

    live = session.events.trace(int(np.ravel_multi_index((0, 3, 2), (2, 16, 8))))
    stored = opened.trace((0, 3, 2))

    assert stored.conductances.tolist() == live.conductances.tolist()
    assert stored.pulses.tolist() == live.pulses.tolist()
    assert opened.chip_map.pe(0)[3, 2] == session.chip_map.pe(0)[3, 2]


def test_an_aborted_run_keeps_its_rows_and_holds_the_queue(session):
    session.start("WriteVerify", LONG_WRITE)
    session.start("IVSweep", {"cells": "0/0/0"})
    wait_until(lambda: session.rows.version[1] > 2_000)

    session.abort()
    assert session.settled(SECONDS)

    aborted, waiting = session.queue.jobs
    assert aborted.state is JobState.INTERRUPTED
    assert open_run(aborted.run_file).status == "aborted"
    assert open_run(aborted.run_file).rows > 2_000
    assert waiting.state is JobState.WAITING
    assert session.status.phase is BenchPhase.READY
    assert board_outputs(session) == ()

    session.go_on()
    assert session.settled(SECONDS)
    assert session.queue.jobs[1].state is JobState.DONE


def test_stop_brings_a_running_bench_to_rest(session):
    session.start("WriteVerify", LONG_WRITE)
    wait_until(lambda: session.rows.version[1] > 2_000)

    session.stop()
    assert session.settled(SECONDS)

    assert board_outputs(session) == ()
    assert session.queue.jobs[0].state is JobState.INTERRUPTED
    assert open_run(session.queue.jobs[0].run_file).status == "aborted"


def test_nothing_drives_the_bench_after_a_stop(session):
    session.start("WriteVerify", LONG_WRITE)
    wait_until(lambda: session.rows.version[1] > 2_000)
    log = list(_racks.values())[-1].log

    session.stop()
    assert session.settled(SECONDS)

    messages = log.messages()
    resting = max(k for k, message in enumerate(messages) if b"PULS:CELL" in message.upper())
    after = [message.strip().upper() for message in messages[resting + 1 :]]
    assert b":ABOR" in after
    driving = (b"PULS:", b"READ:", b"SWE:", b"STR:", b"MAC:EXEC", b"OUTP ON", b"OUTP 1")
    first_off = after.index(b":ABOR")
    assert not [m for m in after[first_off:] if any(word in m for word in driving)]


def test_after_a_stop_the_bench_takes_new_orders(session):
    session.stop()
    assert session.settled(SECONDS)

    session.read_pe(0)
    assert session.settled(SECONDS)

    assert np.isfinite(session.chip_map.pe(0)).all()


def test_stop_before_the_bench_is_open_loses_neither_bench_nor_catalogue(closed_session, bench):
    closed_session.open_bench(bench)
    closed_session.stop()
    assert closed_session.settled(SECONDS)

    assert closed_session.status.phase is BenchPhase.READY
    assert "WriteVerify" in closed_session.offers.procedures


def test_a_stopped_station_sends_nothing_but_comes_to_rest(session):
    station, cell = session.station, Cells.of([0, 0, 0])
    session._stop.set()

    for verb in (
        lambda: station.read(cell),
        lambda: station.pulse(cell, 0, 2.0, 50e-9, 1.8),
        lambda: station.sweep(cell, [0.1], gate=1.8, compliance=1e-4),
        lambda: station.stress(cell, 0.2, 50e-9, 10),
        lambda: station.wait(1.0),
    ):
        with pytest.raises(Stopped):
            verb()
    station.rest()

    assert not station.driven
    assert np.isnan(session.chip_map.pe(0)).all()
    session._stop.clear()


def test_a_run_that_fails_says_why_and_holds_the_queue(session, caplog):
    session.start("WriteVerify", {"cells": "7/0/0"})  # there are two PEs
    session.start("IVSweep", {"cells": "0/0/0"})
    assert session.settled(SECONDS)

    failed, waiting = session.queue.jobs
    assert failed.state is JobState.FAILED
    assert "7" in failed.error
    assert waiting.state is JobState.WAITING


def test_closing_during_a_run_ends_it_and_the_bench_rests(closed_session, bench):
    closed_session.open_bench(bench)
    assert closed_session.settled(SECONDS)
    board = closed_session.station._station._board
    asked = []
    close, board.close = board.close, lambda: (asked.append(board.outputs_on()), close())
    closed_session.start("WriteVerify", LONG_WRITE)
    wait_until(lambda: closed_session.rows.version[1] > 500)

    assert closed_session.close(timeout=SECONDS)

    assert asked == [()]
    assert open_run(closed_session.queue.jobs[0].run_file).status == "aborted"
    assert closed_session.status.phase is BenchPhase.CLOSED


def test_a_task_that_fails_does_not_end_the_worker(caplog):
    told, done = [], threading.Event()
    nothing = Task("nothing", lambda: None, told.append)
    worker = BenchWorker(idle=nothing, last=nothing)

    worker.submit(Task("dividing", lambda: 1 / 0, told.append))
    worker.submit(Task("after it", done.set, told.append))

    assert done.wait(SECONDS)
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert any("dividing" in r.message for r in caplog.records if r.levelno == logging.ERROR)
    assert worker.end(10)


def test_a_sketch_is_drawn_again_only_when_something_changed(session):
    sketcher = Sketcher(session)
    sketcher.close()  # drawn by hand here
    sketcher.look_at(View(pe=0, cell=(0, 1, 2), subject=Subject.DISTRIBUTION))
    sketcher.draw_if_changed()
    assert not sketcher.draw_if_changed()

    session.read_pe(0)
    assert session.settled(SECONDS)

    assert sketcher.draw_if_changed()
    sketch = sketcher.sketch
    assert len(sketch.picture.curves[0].x) == 16 * 8
    assert sketch.trace.conductances.tolist() == [session.chip_map.pe(0)[1, 2]]


def test_a_file_is_shown_in_place_of_the_bench_until_told_otherwise(session):
    session.start("IVSweep", {"cells": "0/0/0"})
    assert session.settled(SECONDS)
    sketcher = Sketcher(session)
    sketcher.close()
    live_map = sketcher.shown_map

    session.reader.open(session.queue.jobs[0].run_file)
    wait_until(lambda: session.reader.opened is not None)
    assert sketcher.shown_map is not live_map
    assert session.reader.opened.procedure == "IVSweep"

    session.reader.show_live()
    assert sketcher.shown_map is live_map


def test_a_run_that_pauses_leaves_the_bench_at_rest_and_goes_on(session):
    session.start("WriteVerify", LONG_WRITE)
    wait_until(lambda: session.rows.version[1] > 2_000)

    session.pause()
    wait_until(lambda: session.status.phase is BenchPhase.PAUSED)
    rows = session.rows.version[1]
    assert board_outputs(session) == ()

    session.resume()
    wait_until(lambda: session.rows.version[1] > rows + 100)
    session.stop()
    assert session.settled(SECONDS)
    events = open_run(session.queue.jobs[0].run_file).events
    assert [e.kind for e in events if e.kind in ("paused", "resumed")] == ["paused", "resumed"]


def test_stop_ends_a_run_that_pauses(session):
    session.start("WriteVerify", LONG_WRITE)
    wait_until(lambda: session.rows.version[1] > 1_000)
    session.pause()
    wait_until(lambda: session.status.phase is BenchPhase.PAUSED)

    session.stop()
    assert session.settled(SECONDS)

    assert session.queue.jobs[0].state is JobState.INTERRUPTED
    assert session.status.phase is BenchPhase.READY


def test_an_aborted_run_is_gone_on_with_in_its_own_file(session):
    session.start("WriteVerify", {**SMALL_WRITE, "window": "20 nS"})
    wait_until(lambda: session.rows.version[1] > 200)
    session.abort()
    assert session.settled(SECONDS)
    (job,) = session.queue.jobs
    before = open_run(job.run_file).rows

    session.queue.change("resuming", lambda queue: queue.resume(job.id))
    session.go_on()
    assert session.settled(SECONDS)

    (again,) = session.queue.jobs
    assert (again.state, again.run_file) == (JobState.DONE, job.run_file)
    assert open_run(job.run_file).rows > before


def test_a_job_moves_among_those_that_wait(session):
    for name in ("IVSweep", "Retention", "ReadDisturb"):
        session.queue.add(session.request(name, {}))
    assert session.settled(SECONDS)
    last = session.queue.waiting[-1]

    session.queue.shift(last.id, -2)
    assert session.settled(SECONDS)
    assert [job.procedure for job in session.queue.waiting] == [
        "ReadDisturb", "IVSweep", "Retention"
    ]  # fmt: skip

    session.queue.shift(last.id, 1)
    assert session.settled(SECONDS)
    assert [job.procedure for job in session.queue.waiting][1] == "ReadDisturb"


def test_jobs_that_wait_when_the_window_opens_are_not_started_by_it(session):
    session.queue.add(session.request("IVSweep", {"cells": "0/0/0"}))
    assert session.settled(SECONDS)

    session._look_when_idle()
    assert session.settled(SECONDS)

    assert session.held
    assert session.queue.jobs[0].state is JobState.WAITING


def test_a_prediction_is_what_the_run_then_takes(session):
    values = {"cells": "0/0:2/0", "cycles": "1"}
    session.predict("IVSweep", values)
    wait_until(lambda: session.predictor.now.is_done, 60)

    session.start("IVSweep", values)
    assert session.settled(SECONDS)

    rows = open_run(session.queue.jobs[0].run_file).rows
    assert f" {rows} rows" in session.predictor.now.text
    assert "1.5 V" in session.predictor.now.text


def test_a_run_that_is_refused_cannot_be_predicted_and_says_why(session):
    session.predict("WriteVerify", {"cells": "7/0/0"})
    wait_until(lambda: session.predictor.now.is_done, 60)

    assert "cannot be rehearsed" in session.predictor.now.text
    assert "7" in session.predictor.now.text


def test_a_queue_that_is_damaged_is_told_of_once_and_kept(tmp_path, caplog):
    path = tmp_path / "queue.sqlite"
    path.write_bytes(b"somebody's other file" * 100)
    jobs = JobList(path)

    for _ in range(3):
        jobs._clerk.submit(Task("looking", jobs._look_again, lambda _: None))
    assert jobs.settled(SECONDS)

    assert caplog.text.count("queue.sqlite") == 1
    assert path.read_bytes().startswith(b"somebody")
    assert jobs.close(10)


@pytest.mark.parametrize(("bench", "interlock"), [("sim-smu", True), ("sim-board", None)])
def test_a_session_tells_the_interlock_where_the_bench_has_matrices(
    closed_session: Session, bench: str, interlock: bool | None
) -> None:
    closed_session.open_bench(bench)

    wait_until(lambda: closed_session.status.phase is BenchPhase.READY)
    assert closed_session.status.interlock is interlock


def test_a_network_pauses_with_the_bench_at_rest_goes_on_and_ends_when_it_is_aborted(
    closed_session,
):
    closed_session.open_bench("sim-board")
    closed_session.start_inference(inference_request("mcnn", "digits", 20, train=True))
    wait_until(lambda: closed_session.is_under_way and closed_session.progress.now.done > 0)

    closed_session.pause()
    wait_until(lambda: closed_session.status.phase is BenchPhase.PAUSED)
    assert board_outputs(closed_session) == ()

    closed_session.resume()
    wait_until(lambda: closed_session.status.phase is BenchPhase.BUSY)
    closed_session.abort()
    assert closed_session.settled(SECONDS)
    assert not closed_session.is_under_way
    assert closed_session.status.phase is BenchPhase.READY
    assert closed_session.network.verdict is None
