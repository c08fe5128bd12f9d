"""Measure how fast virtual instruments answer, beside pyvisa-sim where that is installed.

Run as `python tests/benchmarks/virtual_instruments.py`. Prints one line a figure; each is the best
of five runs, since the machine may have other work. What is compared takes turns, and is
measured in processor time.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyvisa

from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.wire.blocks import decode_array, encode_block
from labctl_instruments.wire.board_layout import CURRENT, pack_pulses

RUNS = 5
ROUNDS = 15
PE = np.arange(2048, dtype="<u4")


def rate(
    action: Callable[[], object],
    count: int,
    *,
    runs: int = RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return how often a second `action` can be done, the best of `runs`."""
    best = np.inf
    for _ in range(runs):
        start = clock()
        for _ in range(count):
            action()
        best = min(best, clock() - start)
    return count / best


SIMULATED = """
spec: "1.1"
devices:
  meter:
    eom:
      GPIB INSTR:
        q: "\\n"
        r: "\\n"
    error: ERROR
    dialogues:
      - q: "*IDN?"
        r: "labctl,METER,0,1.0"
    properties:
      level:
        default: 0.0
        getter:
          q: ":SOUR:VOLT?"
          r: "{:.6E}"
        setter:
          q: ":SOUR:VOLT {}"
        specs:
          type: float
resources:
  GPIB0::18::INSTR:
    device: meter
"""
"""An instrument of pyvisa-sim that knows one answer and one setting."""
COMPARED = ("*IDN?", ":SOUR:VOLT?")
"""What both are asked: a text, and a setting."""


def against_pyvisa_sim() -> None:
    """Print the rates of queries in process, here and at pyvisa-sim, and their ratios."""
    if importlib.util.find_spec("pyvisa_sim") is None:
        print("pyvisa-sim is not installed: nothing to compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.yaml"
        path.write_text(SIMULATED, encoding="utf-8")
        managers = [pyvisa.ResourceManager(name) for name in ("sim-smu@labctl", f"{path}@sim")]
        opened = [
            manager.open_resource("GPIB0::18::INSTR", read_termination="\n", write_termination="\n")
            for manager in managers
        ]
        for question in COMPARED:
            compare(question, *opened)


def compare(question: str, ours: Any, theirs: Any) -> None:
    """Print the rates of one query at both, in turns, and their ratio."""
    rounds = [
        [
            rate(lambda one=one: one.query(question), 3_000, runs=1, clock=time.process_time)
            for one in (ours, theirs)
        ]
        for _ in range(ROUNDS)
    ]
    here, there = np.median(rounds, axis=0)
    ratios = sorted(first / second for first, second in rounds)
    tell(f"pyvisa query, {question}, virtual 2450, of processor time", here, "/s")
    tell(f"pyvisa query, {question}, pyvisa-sim, of processor time", there, "/s")
    print(
        f"in process against pyvisa-sim: {ratios[ROUNDS // 2]:.2f} times (wanted: 3), "
        f"{ratios[0]:.2f} to {ratios[-1]:.2f} in {ROUNDS} rounds"
    )


def tell(what: str, value: float, unit: str) -> None:
    print(f"{what:<58} {value:>12,.0f} {unit}")


def board() -> None:
    rack = open_rack("sim-board")
    manager = pyvisa.ResourceManager(f"{rack.token}@labctl")
    address = next(name for name in manager.list_resources("?*") if "board" in name)
    instrument = manager.open_resource(address, write_termination="\n")
    tell("pyvisa query, *IDN?", rate(lambda: instrument.query("*IDN?"), 20_000), "/s")
    tell("pyvisa query, LIM:VOLT?", rate(lambda: instrument.query("LIM:VOLT?"), 20_000), "/s")
    tell("rack.exchange, *IDN?", rate(lambda: rack.exchange(address, b"*IDN?\n"), 50_000), "/s")

    instrument.write("OUTP ON")
    block = encode_block(PE)
    pulses = encode_block(pack_pulses(PE, 1, 1.8, 50e-9, 4.7))

    def read() -> None:
        instrument.write_raw(b"READ:CELL? 0.2,1," + block + b"\n")
        decode_array(instrument.read_raw(2**20), CURRENT)

    read()
    instrument.write_raw(b"PULS:CELL " + pulses + b"\n")
    tell("block reads of 2,048 cells", rate(read, 200), "/s")
    pulse = rate(lambda: instrument.write_raw(b"PULS:CELL " + pulses + b"\n"), 200)
    tell("blocks of 2,048 pulses", pulse, "/s")
    manager.close()


def smu() -> None:
    rack = open_rack("sim-smu")
    manager = pyvisa.ResourceManager(f"{rack.token}@labctl")
    opened = [
        manager.open_resource(f"GPIB0::{number}::INSTR", write_termination="\n")
        for number in (18, 20, 1)
    ]
    bit, gate, matrix = opened
    matrix.write('channel.close("1A01,1D02")')
    gate.write(":OUTP ON;:SOUR:VOLT 3")
    bit.write(":OUTP ON")
    tell("2450: set and measure", rate(lambda: bit.query(":SOUR:VOLT 0.2;:READ?"), 500), "/s")
    tell("2450: settings read back", rate(lambda: bit.query(":SENS:CURR:NPLC?"), 20_000), "/s")
    print_count = rate(lambda: matrix.query("print(errorqueue.count)"), 5_000)
    tell("707B: print(errorqueue.count)", print_count, "/s")
    switch = 'channel.exclusiveclose("1A0{}")'

    def turn() -> None:
        matrix.write(switch.format(1))
        matrix.write(switch.format(2))

    tell("707B: crosspoint changes", 2 * rate(turn, 500), "/s")
    manager.close()


if __name__ == "__main__":
    against_pyvisa_sim()
    board()
    smu()
