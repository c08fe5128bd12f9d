"""A bench brought to rest by its file alone, and held for one user at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl_data.cells import Cells
from labctl_instruments import load_bench, open_bench
from labctl_instruments.bench.holding import BenchHold
from labctl_instruments.bench.resting import rest_bench
from labctl_instruments.bench.writing import write_reaching
from labctl_instruments.errors import BenchBusyError
from labctl_instruments.virtual.serving.opening import serve_bench

HOLDING = """
import sys
from labctl_instruments import load_bench
from labctl_instruments.bench.holding import BenchHold
hold = BenchHold(load_bench(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["sim-board", "sim-smu", "sim-b1500a-707b"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    server = serve_bench(request.param)
    path = tmp_path / "served.toml"
    write_reaching(load_bench(request.param), server.instruments, path)
    yield path
    server.close()


def test_a_bench_somebody_else_drives_is_at_rest_afterwards(served: Path) -> None:
    with open_bench(served) as station:
        station.read(Cells.from_text("0/0/0:2", station.geometry))
        on_before = [on for each in station._instruments for on in each.outputs_on()]

        report = rest_bench(served)

        on_after = [on for each in station._instruments for on in each.outputs_on()]
    assert on_before
    assert on_after == []
    assert report.ok


def test_an_instrument_that_does_not_answer_keeps_no_other_from_its_rest(
    served: Path, tmp_path: Path
) -> None:
    bench = load_bench(served)
    if bench.kind != "smu":
        pytest.skip("a board bench has one instrument")
    addresses = {name: table.address for name, table in bench.instruments.items()}
    broken = tmp_path / "broken.toml"
    write_reaching(bench, addresses | {"bit": "TCPIP0::127.0.0.1::1::SOCKET"}, broken)

    report = rest_bench(broken, patience=0.3)

    problems = {each.name for each in report.instruments if each.problem}
    assert not report.ok
    assert problems == {"bit"}


def test_a_bench_is_open_once_at_a_time(served: Path) -> None:
    with open_bench(served), pytest.raises(BenchBusyError, match=f"process {os.getpid()}"):
        BenchHold(load_bench(served), patience=0.0)

    BenchHold(load_bench(served), patience=0.0).close()


def test_another_bench_file_with_one_of_its_instruments_is_refused_too(
    served: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(served.read_text(encoding="utf-8"), encoding="utf-8")

    with BenchHold(load_bench(served)), pytest.raises(BenchBusyError, match=r"copy\.toml"):
        BenchHold(load_bench(copy), patience=0.0)


def test_a_hold_ends_with_its_process_however_that_ends(served: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(served)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(BenchBusyError, match=f"process {holder.pid}"):
        BenchHold(load_bench(served), patience=0.0)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()

    BenchHold(load_bench(served), patience=1.0).close()


def test_benches_inside_their_process_are_open_as_often_as_one_likes() -> None:
    with open_bench("sim-board") as one, open_bench("sim-board") as other:
        assert one is not other
