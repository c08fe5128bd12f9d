"""A small bench whose source-meters are the modules of one B1500A, and how to talk to it."""

import re

import pytest

from labctl_data.model.vectors import current
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import MATRIX, bench_document

FRAME = "GPIB0::17::INSTR"
ROUTE = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between slot 1 and ground, its word line on slot 3, the rest grounded."""
PULSED = b'channel.close("1E01,1A02:1A12,2D01,2A02:2A08")'
"""The same with the first pulse output instead of slot 1."""
MODULES = {
    "bit": ("hrsmu", "1"),
    "source": ("hrsmu", "2"),
    "gate": ("mpsmu", "3"),
    "pulser": ("spgu", "5"),
}
_DATUM = re.compile(r"([A-Z])([A-Z])([A-Z])([+-]\d+\.\d+E[+-]\d+)")


def document(**virtual):
    """Return a small bench of which all that drives is in one B1500A."""
    bench = bench_document("smu", **virtual)
    for name, (module, slot) in MODULES.items():
        bench["instruments"][name] |= {
            "driver": f"keysight-b1500a-{module}",
            "address": FRAME,
            "channel": slot,
        }
    return bench


def opened(tmp_path, route=ROUTE, **virtual) -> Rack:
    rack = open_rack(parse_bench(document(**virtual), path=tmp_path / "small.toml", text=""))
    rack.exchange(MATRIX, route)
    rack.exchange(FRAME, b"CN 1,3;DV 3,0,3,1E-3;DV 1,0,0,1E-3\r\n")
    return rack


@pytest.fixture
def rack(tmp_path) -> Rack:
    """A bench without noise: a cell at slot 1, its gate open."""
    return opened(tmp_path, noise=False)


def say(rack: Rack, message: str) -> str:
    return rack.exchange(FRAME, message.encode("latin-1") + b"\r\n").decode("latin-1").rstrip()


def error(rack: Rack) -> int:
    return int(say(rack, "ERRX?").partition(",")[0])


def data(answer: str) -> list[tuple[str, str, str, float]]:
    """Return status, channel, kind and value of each datum of formats 1 and 11."""
    found = [_DATUM.fullmatch(part) for part in answer.split(",")]
    return [(m[1], m[2], m[3], float(m[4])) for m in found if m is not None]


def expected(rack: Rack, voltage: float) -> float:
    """Return the current of cell (0, 0) by the model's equation, in A."""
    conductance = rack.chip.conductances([0], rack.clock.now())
    return float(current(rack.chip.model, conductance, voltage)[0])
