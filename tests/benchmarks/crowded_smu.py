"""Eight threads on one source-meter, each asking for what only it can be answered: cross-talk.

Once in process and once over a socket, through one driver that all threads share, and over as many
sockets as there are threads.

    PYTHONPATH=.:instruments:data python tests/benchmarks/crowded_smu.py [seconds] [threads]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from pymeasure.adapters import VISAAdapter

from labctl_instruments.drivers.keithley2450 import Keithley2450
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.serving.opening import serve_bench

Ask = Callable[[str], float]
BIT = "GPIB0::18::INSTR"


@dataclass(frozen=True)
class Crowd:
    """What came of a crowd of threads."""

    answers: int
    """Answers that came."""
    wrong: int
    """Of them, those to another's question."""


def crowd(asks: list[Ask], seconds: float) -> Crowd:
    """Let each of `asks` put its own questions for `seconds` of wall time, side by side."""
    end = time.monotonic() + seconds

    def question(number: int) -> tuple[int, int]:
        asked = wrong = 0
        while time.monotonic() < end:
            level = 0.001 * (number + 1) + 1e-6 * (asked % 900)
            found = asks[number](f":SOUR:VOLT {level:.9g};:SOUR:VOLT?")
            delay = asks[number](f":SOUR:CURR:DEL {number + 1};:SOUR:CURR:DEL?")
            wrong += abs(found - level) > 1e-7
            wrong += delay != number + 1
            asked += 2
        return asked, wrong

    with ThreadPoolExecutor(len(asks)) as pool:
        found = list(pool.map(question, range(len(asks))))
    return Crowd(sum(each[0] for each in found), sum(each[1] for each in found))


@contextmanager
def sharing_one_driver(threads: int) -> Iterator[list[Ask]]:
    """Yield one driver's question to each thread, in process."""
    rack = open_rack("sim-smu")
    adapter = VISAAdapter(BIT, visa_library=f"{rack.token}@labctl", write_termination="\n")
    smu = Keithley2450(adapter, "bit")
    yield [smu.ask_number] * threads
    smu.close()


@contextmanager
def sharing_one_socket(threads: int) -> Iterator[list[Ask]]:
    """Yield one driver's question to each thread, over one socket."""
    server = serve_bench("sim-smu")
    smu = Keithley2450(_on_socket(server.instruments["bit"]), "bit")
    yield [smu.ask_number] * threads
    smu.close()
    server.close()


@contextmanager
def each_with_a_socket(threads: int) -> Iterator[list[Ask]]:
    """Yield the question of a driver of its own to each thread."""
    server = serve_bench("sim-smu")
    smus = [Keithley2450(_on_socket(server.instruments["bit"]), "bit") for _ in range(threads)]
    yield [smu.ask_number for smu in smus]
    for smu in smus:
        smu.close()
    server.close()


WAYS = {
    "one driver, in process": sharing_one_driver,
    "one driver, one socket": sharing_one_socket,
    "a driver and a socket each": each_with_a_socket,
}


def _on_socket(address: str) -> VISAAdapter:
    return VISAAdapter(
        address, visa_library="@py", write_termination="\n", read_termination="\n", timeout=20_000
    )


def main() -> None:
    """Print what came of each way of sharing."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    for name, way in WAYS.items():
        with way(threads) as asks:
            found = crowd(asks, seconds)
        print(
            f"{threads} threads for {seconds:g} s, {name}: {found.answers:,} answers, "
            f"{found.wrong} of another question"
        )


if __name__ == "__main__":
    main()
