"""The session: a bench and its runs, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from labctl.queue import JobState
from labctl_data.run_file import open_run
from labctl_gui.state.bench import BenchPhase, Outputs
from labctl_gui.state.opened import open_run_file
from labctl_gui.state.session import Session
from tests.gui.patience import SECONDS, wait_until
from tests.gui.runs import SMALL_WRITE, board_outputs


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


def test_a_run_that_fails_says_why_and_holds_the_queue(session, caplog):
    session.start("WriteVerify", {"cells": "7/0/0"})  # there are two PEs
    session.start("IVSweep", {"cells": "0/0/0"})
    assert session.settled(SECONDS)

    failed, waiting = session.queue.jobs
    assert failed.state is JobState.FAILED
    assert "7" in failed.error
    assert waiting.state is JobState.WAITING


@pytest.mark.parametrize(("bench", "interlock"), [("sim-smu", True), ("sim-board", None)])
def test_a_session_tells_the_interlock_where_the_bench_has_matrices(
    closed_session: Session, bench: str, interlock: bool | None
) -> None:
    closed_session.open_bench(bench)

    wait_until(lambda: closed_session.status.phase is BenchPhase.READY)
    assert closed_session.status.interlock is interlock
