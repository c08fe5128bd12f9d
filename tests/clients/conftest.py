"""A small SMU bench served on loopback, for programs that are not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.serving.server import BenchServer

BIT, SOURCE, GATE = (f"GPIB0::{number}::INSTR" for number in (18, 19, 20))
MATRIX = "GPIB0::1::INSTR"


def _document(smu: str) -> dict[str, Any]:
    """Return the parsed TOML of a bench of 8 x 4 cells, without noise."""

    def instrument(driver: str, address: str, role: str) -> dict[str, str]:
        return {"driver": driver, "address": address, "role": role}

    return {
        "kind": "smu",
        "identity": {"wafer": "simulated", "die": "x0y0", "chip": "small"},
        "geometry": {"pes": 1, "rows": 8, "columns": 4},
        "envelope": {
            "voltage": 3.5,
            "gate_voltage": 5.0,
            "current": 1e-3,
            "energy": 1e-9,
            "pulses": 1000,
        },
        "instruments": {
            "clock": instrument("bench-clock", "TCPIP0::clock.sim::hislip0::INSTR", "clock"),
            "bit": instrument(smu, BIT, "bit-line"),
            "source": instrument(smu, SOURCE, "source-line"),
            "gate": instrument(smu, GATE, "word-line"),
            "pulser": instrument("keysight-81160a", "GPIB0::10::INSTR", "pulser"),
            "matrix1": instrument("keithley-707b", MATRIX, "matrix"),
        },
        "lines": {
            "BL[0:4]": "matrix1:1-4",
            "SL[0:8]": "matrix1:5-12",
            "WL[0:8]": "matrix1:13-20",
        },
        "rows": {"A": "ground", "B": "bit", "C": "source", "D": "gate", "E": "pulser:1"},
        "virtual": {"preset": "yao", "seed": 3, "noise": False},
    }


@dataclass(frozen=True)
class Served:
    """A bench behind sockets, and the truth behind it."""

    rack: Rack
    resources: dict[str, str]
    """VISA resource string of each instrument, by its name."""

    def current(self, voltage: float) -> float:
        """Return what the model says flows through the cell at a voltage, in A, now."""
        bits, sources, words = np.zeros(4), np.zeros(8), np.zeros(8)
        bits[2], words[5] = voltage, 3.0
        found = self.rack.chip.wiring.drive(
            0, bits, sources, words, 0.0, self.rack.clock.now(), averages=0
        )
        return float(found.bit_lines[2])

    def errors(self, address: str = BIT) -> str:
        """Return the oldest error that an instrument has queued."""
        return self.rack.exchange(address, b":SYST:ERR?\n").decode().strip()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Served]]:
    """Serve a bench of SMUs of one driver; cell (0, 5, 2) lies between them, its gate at 3 V."""
    servers: list[BenchServer] = []

    def serve_one(smu: str) -> Served:
        bench = parse_bench(_document(smu), path=tmp_path / "small.toml", text="")
        rack = open_rack(bench)
        rows = {3: "B", 10: "C", 18: "D"}
        names = [
            f"{(c - 1) // 12 + 1}{rows.get(c, 'A')}{(c - 1) % 12 + 1:02d}" for c in range(1, 21)
        ]
        rack.exchange(MATRIX, f'channel.exclusiveclose("{",".join(names)}")'.encode())
        for address in (SOURCE, GATE):
            rack.exchange(address, b":OUTP ON\n")
        rack.exchange(GATE, b":SOUR:VOLT 3\n")
        addresses = {name: table.address for name, table in bench.instruments.items()}
        servers.append(BenchServer(rack, addresses))
        return Served(rack, servers[-1].instruments)

    yield serve_one
    for server in servers:
        server.close()
