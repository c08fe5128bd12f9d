"""Served benches without noise, and the currents that their chips must show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa

from labctl_data.model.vectors import current
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.serving.server import BenchServer

SWEEP = np.linspace(0.05, 0.3, 11)
"""Voltages of a source-V, measure-I sweep, in V; they write nothing."""
GATE = 3.0
ROWS, COLUMNS = 8, 4
_ADDRESSES = {
    "keithley-2636b": ("GPIB0::26::INSTR", "GPIB0::26::INSTR", "GPIB0::27::INSTR"),
    "other": ("GPIB0::18::INSTR", "GPIB0::19::INSTR", "GPIB0::20::INSTR"),
}


@dataclass(frozen=True)
class ServedBench:
    """A bench behind sockets, with its chip to compare with."""

    instruments: Mapping[str, str]
    """VISA resource string of each instrument, by name."""
    rack: Rack

    def expected(self, voltages: Any = SWEEP) -> Any:
        """Return the current of cell (0, 0) by the model's own equation, in A."""
        conductance = self.rack.chip.conductances([0], self.rack.clock.now())
        return current(self.rack.chip.model, conductance, voltages)


def bench_document(smu: str, matrix: str) -> dict[str, Any]:
    """Return the parsed TOML of a bench of 8 x 4 cells."""
    roles = {"bit": "bit-line", "source": "source-line", "gate": "word-line"}
    addresses = _ADDRESSES.get(smu, _ADDRESSES["other"])
    instruments: dict[str, dict[str, str]] = {
        name: {"driver": smu, "address": address, "role": role}
        for (name, role), address in zip(roles.items(), addresses, strict=True)
    }
    if smu == "keithley-2636b":
        for name, channel in (("bit", "a"), ("source", "b"), ("gate", "a")):
            instruments[name]["channel"] = channel
    for name, driver, address, role in (
        ("pulser", "keysight-81160a", "GPIB0::10::INSTR", "pulser"),
        ("matrix", matrix, "GPIB0::1::INSTR", "matrix"),
        ("clock", "bench-clock", "TCPIP0::clock.sim::hislip0::INSTR", "clock"),
    ):
        instruments[name] = {"driver": driver, "address": address, "role": role}
    return {
        "kind": "smu",
        "identity": {"wafer": "simulated", "die": "x0y0", "chip": "small"},
        "geometry": {"pes": 1, "rows": ROWS, "columns": COLUMNS},
        "envelope": {
            "voltage": 3.5,
            "gate_voltage": 5.0,
            "current": 1e-3,
            "energy": 1e-9,
            "pulses": 1000,
        },
        "instruments": instruments,
        "lines": {"BL[0:4]": "matrix:1-4", "SL[0:8]": "matrix:5-12", "WL[0:8]": "matrix:13-20"},
        "rows": {"A": "ground", "B": "bit", "C": "source", "D": "gate", "E": "pulser:1"},
        "virtual": {"preset": "yao", "seed": 3, "noise": False},
    }


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder that is thrown away: tm_devices leaves its logs where it is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServedBench]]:
    """Serve a small bench of the drivers named; closed at the end."""
    servers: list[BenchServer] = []

    def serve_one(smu: str = "keithley-2450", matrix: str = "keithley-707b") -> ServedBench:
        document = bench_document(smu, matrix)
        file = parse_bench(document, path=tmp_path / "small.toml", text="")
        rack = open_rack(file)
        addresses = {name: table.address for name, table in file.instruments.items()}
        server = BenchServer(rack, addresses)
        servers.append(server)
        return ServedBench(server.instruments, rack)

    yield serve_one
    for server in servers:
        server.close()


def opened(bench: ServedBench, name: str) -> Any:
    """Open an instrument over its socket, with plain PyVISA.

    The manager is the one that the clients have, and is theirs to close.
    """
    return pyvisa.ResourceManager("@py").open_resource(
        bench.instruments[name], read_termination="\n", write_termination="\n"
    )


def say(bench: ServedBench, name: str, *messages: str) -> None:
    """Send messages to an instrument, and see that they are executed."""
    with opened(bench, name) as instrument:
        for message in messages:
            instrument.write(message)
        instrument.query("*IDN?")


@pytest.fixture
def bench_2636b(serve: Callable[..., ServedBench]) -> ServedBench:
    """Two 2636B and a 707B: smua of the first is on cell (0, 0), whose word line is on."""
    bench = serve("keithley-2636b")
    say(bench, "matrix", 'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")')
    say(bench, "gate", f"smua.source.levelv = {GATE}", "smua.source.output = 1")
    return bench


@pytest.fixture
def bench_3706a(serve: Callable[..., ServedBench]) -> ServedBench:
    """2450 and a 3706A: the 2450 `bit` forces 0.2 V, and every crosspoint is open."""
    bench = serve(matrix="keithley-3706a")
    say(bench, "gate", f":SOUR:VOLT {GATE}", ":OUTP ON")
    say(bench, "bit", ":SOUR:VOLT 0.2", ":SENS:FUNC 'CURR'", ":OUTP ON")
    return bench


ROUTE = ("1201", "1102:1112", "1413", "1114:1116", "2101:2104")
"""Channels of the 3706A: cell (0, 0) to `bit`, its word line to `gate`, the rest to 0 V."""


def read_current(bench: ServedBench) -> float:
    """Return what the 2450 `bit` reads, in A."""
    with opened(bench, "bit") as smu:
        return float(smu.query(":READ?"))


@pytest.fixture
def sweep() -> list[float]:
    """Voltages of a sweep, in V."""
    return [float(voltage) for voltage in SWEEP]
