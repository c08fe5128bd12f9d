"""Small virtual benches: two arrays of 8 x 4 cells behind the board, one behind the SMUs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pyvisa

from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack

BOARD = "TCPIP0::board.sim::hislip0::INSTR"
CLOCK = "TCPIP0::clock.sim::hislip0::INSTR"
BIT, SOURCE, GATE = (f"GPIB0::{number}::INSTR" for number in (18, 19, 20))
PULSER = "GPIB0::10::INSTR"
MATRIX = "GPIB0::1::INSTR"

MakeRack = Callable[..., Rack]


def instrument(driver: str, address: str, role: str) -> dict[str, str]:
    return {"driver": driver, "address": address, "role": role}


def bench_document(
    kind: str, *, smu: str = "keithley-2450", chuck: bool = False, **virtual: Any
) -> dict[str, Any]:
    """Return the parsed TOML of a small bench."""
    instruments = {"clock": instrument("bench-clock", CLOCK, "clock")}
    wiring: dict[str, Any] = {}
    if chuck:
        instruments["chuck"] = instrument("thermal-chuck", "GPIB0::15::INSTR", "chuck")
    if kind == "board":
        instruments["board"] = instrument("array-test-board", BOARD, "board")
    else:
        for name, address, role in (
            ("bit", BIT, "bit-line"),
            ("source", SOURCE, "source-line"),
            ("gate", GATE, "word-line"),
        ):
            instruments[name] = instrument(smu, address, role)
        instruments["pulser"] = instrument("keysight-81160a", PULSER, "pulser")
        instruments["matrix1"] = instrument("keithley-707b", MATRIX, "matrix")
        wiring = {
            "lines": {
                "BL[0:4]": "matrix1:1-4",
                "SL[0:8]": "matrix1:5-12",
                "WL[0:8]": "matrix1:13-20",
            },
            "rows": {"A": "ground", "B": "bit", "C": "source", "D": "gate", "E": "pulser:1"},
        }
    return {
        "kind": kind,
        "identity": {"wafer": "simulated", "die": "x0y0", "chip": "small"},
        "geometry": {"pes": 2 if kind == "board" else 1, "rows": 8, "columns": 4},
        "envelope": {
            "voltage": 3.5,
            "gate_voltage": 5.0,
            "current": 1e-3,
            "energy": 1e-9,
            "pulses": 1000,
        },
        "instruments": instruments,
        **wiring,
        "virtual": {"preset": "yao", "seed": 3} | virtual,
    }


def channel(column: int, row: str) -> str:
    slot, place = divmod(column - 1, 12)
    return f"{slot + 1}{row}{place + 1:02d}"


def ask(rack: Rack, address: str, message: str) -> str:
    """Return what an instrument answers, without its line end."""
    return rack.exchange(address, message.encode() + b"\n").decode().strip()


def close(rack: Rack, **lines: str) -> None:
    """Put every line on ground, but for those named: `BL2="B"`."""
    columns = {f"BL{k}": k + 1 for k in range(4)}
    columns |= {f"SL{k}": k + 5 for k in range(8)} | {f"WL{k}": k + 13 for k in range(8)}
    names = [channel(column, lines.get(line, "A")) for line, column in columns.items()]
    rack.exchange(MATRIX, f'channel.exclusiveclose("{",".join(names)}")'.encode())


def conductance(rack: Rack) -> float:
    """Return what cell (0, 5, 2) truly conducts, in S."""
    return float(rack.chip.conductances([5 * 4 + 2], rack.clock.now())[0])


@pytest.fixture
def make_bench(tmp_path) -> Callable[..., BenchFile]:
    """Validate a small bench of a kind, with keys of its [virtual] table."""

    def make(kind: str, **virtual: Any) -> BenchFile:
        document = bench_document(kind, **virtual)
        return parse_bench(document, path=tmp_path / f"small-{kind}.toml", text="")

    return make


@pytest.fixture
def make_rack(make_bench) -> MakeRack:
    """Open the rack of a small bench."""
    return lambda kind, **virtual: open_rack(make_bench(kind, **virtual))


@pytest.fixture
def board_rack(make_rack) -> Rack:
    return make_rack("board")


@pytest.fixture
def smu_rack(make_rack) -> Rack:
    return make_rack("smu", noise=False)


@pytest.fixture
def visa() -> Iterator[Callable[[Rack], pyvisa.ResourceManager]]:
    """Return a resource manager on a rack; it is closed at the end."""
    managers: list[pyvisa.ResourceManager] = []

    def manage(rack: Rack) -> pyvisa.ResourceManager:
        managers.append(pyvisa.ResourceManager(f"{rack.token}@labctl"))
        return managers[-1]

    yield manage
    for manager in managers:
        manager.close()
