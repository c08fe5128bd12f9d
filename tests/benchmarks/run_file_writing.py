"""Measure how fast rows and ledger entries reach the operating system.

Run as `python tests/benchmarks/run_file_writing.py`; prints one line a figure.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from labctl_data.cells import Cells
from labctl_data.ledger import Ledger
from labctl_data.run_file import Column, RunWriter, open_run

NAMES = ("conductance", "target", "voltage", "gate", "width", "current")
INTEGERS = ("pe", "row", "column", "kind", "pulse_number")
COLUMNS = (
    *(Column(name, "", name) for name in NAMES),
    *(Column(name, "", name, "i4") for name in INTEGERS),
)


def append_blocks(folder: Path, block: int, total: int) -> None:
    rows: dict[str, object] = {"time": np.arange(block) * 1e-6}
    rows |= {name: np.random.default_rng(1).random(block) for name in NAMES}
    rows |= {name: np.arange(block) for name in INTEGERS}
    seconds = []
    with RunWriter.create(folder / f"{block}.h5", columns=COLUMNS) as writer:
        for _ in range(total // block):
            begin = time.perf_counter()
            writer.append(rows)
            seconds.append(time.perf_counter() - begin)
    rate = total / np.sum(seconds)
    print(
        f"blocks of {block:5d} rows x {len(COLUMNS) + 1} columns: {rate:10,.0f} rows/s, "
        f"append median {np.median(seconds) * 1e6:6.0f} us, "
        f"p99 {np.quantile(seconds, 0.99) * 1e6:6.0f} us"
    )


def read_back(path: Path) -> None:
    begin = time.perf_counter()
    table = open_run(path).records()
    seconds = time.perf_counter() - begin
    print(f"read {len(table['time']):,} rows back: {seconds * 1e3:.1f} ms")


def note_pulses(folder: Path, cells: int, messages: int) -> None:
    ledger = Ledger(folder / f"{cells}.ledger")
    block = Cells.of(np.zeros((cells, 3), np.int64))
    amplitude = 2.0 if cells == 1 else np.full(cells, 2.0)
    begin = time.perf_counter()
    for _ in range(messages):
        ledger.before_pulses(block, 0, amplitude, 50e-9, 1.8, 1)
    rate = messages / (time.perf_counter() - begin)
    print(f"ledger, {cells} cells a message: {rate:,.0f} messages/s")
    begin = time.perf_counter()
    Ledger.read(ledger.path).table()
    print(f"ledger read back: {(time.perf_counter() - begin) * 1e3:.1f} ms")
    ledger.remove()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for block, total in ((1, 20_000), (64, 200_000), (100, 200_000), (2048, 1_000_000)):
            append_blocks(folder, block, total)
        read_back(folder / "2048.h5")
        note_pulses(folder, 1, 50_000)
        note_pulses(folder, 2048, 500)


if __name__ == "__main__":
    main()
