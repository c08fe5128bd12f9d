"""Stop, abort, pause and close: the bench comes to rest, and what was measured is kept."""

from __future__ import annotations

import numpy as np
import pytest

from labctl.queue import JobState
from labctl_data.cells import Cells
from labctl_data.run_file import open_run
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.network_run import inference_request
from labctl_gui.state.watched import Stopped
from labctl_instruments.virtual.rack import _racks
from tests.gui.patience import SECONDS, wait_until
from tests.gui.runs import LONG_WRITE, SMALL_WRITE, board_outputs


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
