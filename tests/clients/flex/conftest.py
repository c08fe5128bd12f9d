"""A B1500A served on loopback, and the current that its chip must show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl_data.model.vectors import current
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.serving.server import BenchServer

FRAME, MATRIX = "GPIB0::17::INSTR", "GPIB0::1::INSTR"
GATE = 3.0


@dataclass(frozen=True)
class ServedFrame:
    """A B1500A behind a socket, slot 1 on cell (0, 0), slot 3 on its word line."""

    resource: str
    """Its VISA resource string."""
    rack: Rack

    def expected(self, voltages: Any) -> Any:
        """Return the current of cell (0, 0) by the model's own equation, in A."""
        conductance = self.rack.chip.conductances([0], self.rack.clock.now())
        return current(self.rack.chip.model, conductance, np.asarray(voltages, dtype=float))

    def errors(self) -> str:
        """Return the oldest error that it has queued."""
        return self.rack.exchange(FRAME, b"ERRX?\n").decode().strip()


def _document(*, has_pulses: bool) -> dict[str, Any]:
    """Return the parsed TOML of a bench of 8 x 4 cells, without noise."""
    modules = {"bit": ("hrsmu", "1"), "source": ("hrsmu", "2"), "gate": ("mpsmu", "3")}
    roles = {"bit": "bit-line", "source": "source-line", "gate": "word-line"}
    instruments: dict[str, dict[str, str]] = {
        name: {
            "driver": f"keysight-b1500a-{module}",
            "address": FRAME,
            "channel": slot,
            "role": roles[name],
        }
        for name, (module, slot) in modules.items()
    }
    pulser = {"driver": "keysight-81160a", "address": "GPIB0::10::INSTR", "role": "pulser"}
    if has_pulses:
        pulser |= {"driver": "keysight-b1500a-spgu", "address": FRAME, "channel": "5"}
    clock = {"driver": "bench-clock", "address": "TCPIP0::clock::hislip0::INSTR", "role": "clock"}
    matrix = {"driver": "keithley-707b", "address": MATRIX, "role": "matrix"}
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
        "instruments": {**instruments, "pulser": pulser, "matrix": matrix, "clock": clock},
        "lines": {"BL[0:4]": "matrix:1-4", "SL[0:8]": "matrix:5-12", "WL[0:8]": "matrix:13-20"},
        "rows": {"A": "ground", "B": "bit", "C": "source", "D": "gate", "E": "pulser:1"},
        "virtual": {"preset": "yao", "seed": 3, "noise": False, "spread": False},
    }


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServedFrame]]:
    """Serve a B1500A with or without its pulse generator; closed at the end."""
    servers: list[BenchServer] = []

    def serve_one(*, has_pulses: bool = True, row: str = "B") -> ServedFrame:
        document = _document(has_pulses=has_pulses)
        file = parse_bench(document, path=tmp_path / "small.toml", text="")
        rack = open_rack(file)
        route = f'channel.close("1{row}01,1A02:1A12,2D01,2A02:2A08")'
        rack.exchange(MATRIX, route.encode())
        rack.exchange(FRAME, f"CN 3;DV 3,0,{GATE},1E-3\n".encode())
        addresses = {name: table.address for name, table in file.instruments.items()}
        servers.append(BenchServer(rack, addresses))
        return ServedFrame(servers[-1].instruments["bit"], rack)

    yield serve_one
    for server in servers:
        server.close()
