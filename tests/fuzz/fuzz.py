"""Coverage-guided fuzzing of what strangers can send, with atheris (libFuzzer); run by hand.

    pip install atheris
    PYTHONPATH=.:instruments:data python tests/fuzz/fuzz.py TARGET -max_total_time=120

TARGET is one of `scpi`, `flex`, `framing`, `tsp`, `lua`. What ends it is an exception that leaves
an instrument, an input that takes more than 10 s, or more than 2 GiB of memory. What it cannot see
is in the tests: that a limit holds, and that nothing of Python is reached.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import atheris

Target = Callable[[bytes], object]
LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=600", "-print_final_stats=1")
MESSAGES_BETWEEN_RESETS = 500

# The chip is compiled by numba, which cannot read what atheris makes of a function.
import labctl_instruments.chip  # noqa: E402

with atheris.instrument_imports(include=["labctl_instruments.virtual", "labctl_instruments.wire"]):
    import labctl_instruments.virtual.smu_bench  # noqa: F401  (all personas)
    from labctl_instruments.bench.loading import parse_bench
    from labctl_instruments.errors import ConnectionRefusal
    from labctl_instruments.virtual.lua.confined import ConfinedLua, LuaLimits
    from labctl_instruments.virtual.opening import open_rack
    from labctl_instruments.virtual.rack import Rack
    from labctl_instruments.virtual.serving.framing import Framer
    from labctl_instruments.virtual.serving.opening import compile_kernels
    from tests.instruments.virtual.conftest import bench_document
    from tests.instruments.virtual.test_confined_lua import TABLES
    from tests.instruments.virtual.test_damaged_messages import SMU_MESSAGES


class Exchanges:
    """Sends every input to the instruments of a bench, one after the other.

    What is wrong with it is asked for after each: errors must be ASCII.
    """

    def __init__(self, rack: Rack, addresses: list[str], question: bytes) -> None:
        self._rack = rack
        self._addresses = addresses
        self._question = question
        self._count = 0

    def __call__(self, message: bytes) -> None:
        """Send one input to one instrument; now and then put all of them back."""
        self._count += 1
        address = self._addresses[self._count % len(self._addresses)]
        if self._count % MESSAGES_BETWEEN_RESETS == 0:
            for each in self._addresses:
                self._rack.exchange(each, b"*RST\n")
            self._rack.clock.set_time(0.0)
        self._rack.exchange(address, message + b"\n")
        if not self._rack.exchange(address, self._question).isascii():
            raise AssertionError(f"{message!r}: its error is not told in ASCII")


def bench_of(kind: str, *, smu: str = "keithley-2450") -> Rack:
    """Return the rack of a small bench without noise."""
    document = bench_document(kind, smu=smu, noise=False)
    rack = open_rack(parse_bench(document, path=Path("fuzz.toml"), text=""))
    compile_kernels(rack.chip)  # it would count as the time of an input
    return rack


def scpi() -> Target:
    """Return the parser and the commands of every SCPI instrument there is."""
    racks = [bench_of("smu"), bench_of("smu", smu="keithley-2400")]
    matrix = "GPIB0::1::INSTR"
    targets = [
        Exchanges(rack, [a for a in rack.addresses if a != matrix], b"*LANG SCPI;:SYST:ERR?\n")
        for rack in racks
    ]

    def both(message: bytes) -> None:
        for target in targets:
            target(message)

    return both


def flex() -> Target:
    """Return the parser and the commands of the B1500A."""
    rack = open_rack("sim-b1500a-707b")
    (address,) = [a for a in rack.addresses if b"B1500A" in rack.exchange(a, b"*IDN?\n")]
    return Exchanges(rack, [address], b"FMT 1;ERRX?\n")


def tsp() -> Target:
    """Return the message layer of TSP and the words of a 707B and a 2636B, in this process."""
    rack = open_rack("sim-2636b-707b")
    compile_kernels(rack.chip)
    return Exchanges(rack, ["GPIB0::1::INSTR", "GPIB0::26::INSTR"], b"print(errorqueue.next())\n")


def framing() -> Target:
    """Return the cutting of a stream into messages, whole and in pieces."""

    def feed(received: bytes) -> None:
        size = received[0] % 7 + 1 if received else 1
        for has_blocks in (True, False):
            whole, pieces = (Framer(has_blocks=has_blocks, longest_line=300) for _ in range(2))
            found = []
            for framer, step in ((whole, len(received) + 1), (pieces, size)):
                messages: list[bytes] = []
                try:
                    for at in range(0, len(received), step):
                        messages += framer.feed(received[at : at + step])
                except ConnectionRefusal:
                    messages.append(b"refused")
                found.append(messages)
            if found[0] != found[1] and b"refused" not in (found[0] + found[1]):
                raise AssertionError(
                    f"{received!r}: {found[0]} in one piece, {found[1]} in several"
                )

    return feed


def lua() -> Target:
    """Return a confined Lua: programs that do not end are ended after half a second."""
    confined = ConfinedLua(TABLES, lambda *_: (True, 1.0), limits=LuaLimits(seconds=0.5))
    return lambda source: confined.run(source.decode("latin-1"))


TARGETS: dict[str, Callable[[], Target]] = {
    "scpi": scpi,
    "flex": flex,
    "framing": framing,
    "tsp": tsp,
    "lua": lua,
}


def seeds(folder: Path) -> Path:
    """Write messages that are understood into a folder, for the fuzzer to begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, message in enumerate((*SMU_MESSAGES, b"XE;DZ;TI 1;US", b"a #15hello,1\nb")):
        (folder / f"message-{number}").write_bytes(message)
    return folder


def main() -> None:
    """Fuzz the target that is named until libFuzzer's options end it."""
    name, *options = sys.argv[1:]
    target = TARGETS[name]()
    corpus = seeds(Path(tempfile.gettempdir()) / f"labctl-fuzz-{name}")
    atheris.Setup([sys.argv[0], *LIMITS, *options, str(corpus)], partial(_ignoring_value, target))
    atheris.Fuzz()


def _ignoring_value(target: Target, data: bytes) -> None:
    target(data)


if __name__ == "__main__":
    main()
