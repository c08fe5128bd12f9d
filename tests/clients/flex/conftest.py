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
from tests.instruments.virtual.conftest import MATRIX, bench_document

FRAME = "GPIB0::17::INSTR"
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


MODULES = {"bit": ("hrsmu", "1"), "source": ("hrsmu", "2"), "gate": ("mpsmu", "3")}
PULSES = {"pulser": ("spgu", "5")}


def _document(*, has_pulses: bool) -> dict[str, Any]:
    """Return the parsed TOML of a bench of 8 x 4 cells, without noise."""
    document = bench_document("smu", noise=False, spread=False)
    for name, (module, slot) in (MODULES | (PULSES if has_pulses else {})).items():
        document["instruments"][name] |= {
            "driver": f"keysight-b1500a-{module}",
            "address": FRAME,
            "channel": slot,
        }
    return document


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
