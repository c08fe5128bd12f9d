import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from labctl.engine import Control, run
from labctl_data.run_file import Run, open_run
from labctl_instruments import open_bench
from labctl_instruments.station import Station
from labctl_procedures import WriteVerify

CELLS = "0/0/0:8"
WAIT = 30.0


def outputs_on(station: Station) -> bool:
    return bool(station._board.output)  # type: ignore[attr-defined]  # the board's own word


@contextmanager
def beside(work: object) -> Iterator[None]:
    """Run `work` in a thread of its own, and wait for its end."""
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        thread.join(WAIT)


def written(path: Path, control: Control | None = None, pause_after: tuple[int, ...] = ()) -> Run:
    """Write cells on a fresh seeded bench; pause after the blocks of rows numbered so."""
    blocks = iter(range(10**6))

    def count(_: object) -> None:
        if next(blocks) in pause_after and control is not None:
            control.pause()

    with open_bench("sim-board", seed=7) as station:
        procedure = WriteVerify(cells=CELLS, levels=8, after="0")
        run(procedure, station, path, control=control, on_rows=count)
    return open_run(path)


def resume_each(control: Control, pauses: int) -> None:
    for _ in range(pauses):
        assert control.await_waiting(WAIT)
        control.resume()


@pytest.mark.parametrize("policy", ["rest", "hold"])
def test_a_paused_run_stores_what_an_unpaused_one_does(tmp_path: Path, policy: str) -> None:
    control = Control(during_pause=policy)  # type: ignore[arg-type]

    with beside(lambda: resume_each(control, 3)):
        paused = written(tmp_path / "paused.h5", control, pause_after=(2, 9, 17))

    plain = written(tmp_path / "plain.h5")
    assert paused.status == "complete"
    for name, values in plain.records().items():
        np.testing.assert_array_equal(paused.record(name), values)


@pytest.mark.parametrize(("policy", "is_on"), [("rest", False), ("hold", True)])
def test_the_bench_is_as_the_policy_says_while_a_run_waits(
    tmp_path: Path, policy: str, is_on: bool
) -> None:
    control = Control(during_pause=policy)  # type: ignore[arg-type]
    seen: list[bool] = []

    with open_bench("sim-board", seed=7) as station:

        def look() -> None:
            assert control.await_waiting(WAIT)
            seen.append(outputs_on(station))
            control.resume()

        with beside(look):
            procedure = WriteVerify(cells=CELLS, levels=8, after="0")
            pause_once = iter([control.pause])
            run(
                procedure,
                station,
                tmp_path / "run.h5",
                control=control,
                on_rows=lambda _: next(pause_once, lambda: None)(),
            )

    assert seen == [is_on]


def test_the_file_tells_of_a_pause_and_its_end(tmp_path: Path) -> None:
    control = Control()

    with beside(lambda: resume_each(control, 1)):
        stored = written(tmp_path / "run.h5", control, pause_after=(2,))

    kinds = [event.kind for event in stored.events]
    assert kinds.index("paused") + 1 == kinds.index("resumed")


def test_a_run_that_is_aborted_while_it_waits_ends_as_aborted(tmp_path: Path) -> None:
    control = Control()

    def abort() -> None:
        assert control.await_waiting(WAIT)
        control.abort()

    with beside(abort):
        stored = written(tmp_path / "run.h5", control, pause_after=(2,))

    assert stored.status == "aborted"
    assert control.state == "aborting"


def test_there_is_no_way_back_from_an_abort() -> None:
    control = Control()
    control.abort()

    control.pause()
    control.resume()

    assert control.state == "aborting"
