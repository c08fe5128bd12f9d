"""Measure a served bench: set + measure through PyMeasure, and write-verify of a PE from outside.

Run as `python tests/benchmarks/served_bench.py`; the bench is served by a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2450
from pyvisa import ResourceManager

from labctl.engine import run
from labctl_instruments import open_bench
from labctl_procedures import WriteVerify

PAIRS = 5000
WANTED = 5000
"""Pairs a second that are to be reached."""


@contextmanager
def served(*options: str) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "labctl", "serve", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield json.loads(server.stdout.readline())["instruments"]
    finally:
        server.terminate()
        server.wait()


def pymeasure_pairs(address: str) -> float:
    """Return set + measure pairs a second of PyMeasure's own driver of the 2450."""
    adapter = VISAAdapter(
        address, visa_library="@py", read_termination="\n", write_termination="\n"
    )
    smu = Keithley2450(adapter)
    smu.apply_voltage()
    smu.compliance_current = 1e-3
    smu.enable_source()
    began = time.perf_counter()
    for k in range(PAIRS):
        smu.source_voltage = 0.001 * (k % 100)
        smu.ask(":READ?")
    return PAIRS / (time.perf_counter() - began)


def visa_pairs(address: str) -> float:
    """Return set + query pairs a second of plain PyVISA on the clock: the transport alone."""
    clock = ResourceManager("@py").open_resource(
        address, read_termination="\n", write_termination="\n"
    )
    began = time.perf_counter()
    for _ in range(PAIRS):
        clock.write(":CLOC:MODE JUMP")
        clock.query(":CLOC:TIME?")
    return PAIRS / (time.perf_counter() - began)


def write_pe(bench: str | Path, folder: Path, name: str) -> None:
    with open_bench(bench) as station:
        began = time.perf_counter()
        result = run(WriteVerify(cells="0/:/:"), station, folder / f"{name}.h5")
        seconds = time.perf_counter() - began
    print(
        f"WriteVerify of 2,048 cells, {name}: {seconds:.2f} s, {result.rows} rows, "
        f"converged {result.summary['converged']:.2%}"
    )


def main() -> None:
    with served("--bench", "sim-smu") as instruments:
        pairs = pymeasure_pairs(instruments["bit"])
        print(f"PyMeasure Keithley2450, set + :READ?: {pairs:,.0f}/s (wanted: {WANTED:,})")
        print(f"PyVISA on the clock, set + query: {visa_pairs(instruments['clock']):,.0f}/s")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        bench = folder / "served.toml"
        with served("--bench", "sim-board", "--write-bench", str(bench)):
            write_pe(bench, folder, "served")
        write_pe("sim-board", folder, "in process")


if __name__ == "__main__":
    main()
