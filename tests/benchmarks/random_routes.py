"""Random routes on switch matrices: forbidden closures, shorts of two sources, messages, time.

Each route closes random crosspoints while sources are on (as no station does), after all have been
opened. What the instruments say is closed is compared with what was forbidden, and a union-find of
its own, over the closed crosspoints, says which sources then share a node.

    PYTHONPATH=.:instruments:data python tests/benchmarks/random_routes.py [routes]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from pymeasure.adapters import VISAAdapter

from labctl_data.cells import Geometry
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.wiring import LAYOUT_707B, LAYOUT_3706A, ROW_LETTERS
from labctl_instruments.drivers.keithley707b import Keithley707B
from labctl_instruments.drivers.keithley3706a import Keithley3706A
from labctl_instruments.station.routing import Routing
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import MATRIX, bench_document

SOURCES = {0: 0.0, 1: 0.2, 2: -0.1, 3: 0.3}
"""Voltages of ground and the SMUs, in V, by their rows."""
KINDS = {
    "keithley-707b": (LAYOUT_707B, Keithley707B),
    "keithley-3706a": (LAYOUT_3706A, Keithley3706A),
}


def nodes(closed: list[tuple[int, int]]) -> dict[int, int]:
    """Return the node of each row, joined by the columns that are closed to several."""
    parent = {row: row for row in range(len(ROW_LETTERS))}

    def root(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    first: dict[int, int] = {}
    for column, row in closed:
        parent[root(row)] = root(first.setdefault(column, row))
    return {row: root(row) for row in parent}


def is_short(closed: list[tuple[int, int]]) -> bool:
    """Return whether two sources of different voltages share a node."""
    members = Counter(root for row, root in nodes(closed).items() if row in SOURCES)
    return any(count > 1 for count in members.values())


class CountingLog(DialogueLog):
    """A log that counts what a route is judged by."""

    n_shorts = 0
    """Sources that met."""
    n_messages = 0
    """Messages to the matrix."""

    def event(self, time: float, subject: str, text: str) -> None:
        """Note an event."""
        self.n_shorts += text.startswith("two sources")
        super().event(time, subject, text)

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        """Note an exchange."""
        self.n_messages += address == MATRIX
        super().exchange(asked, address, message, told, reply)


def opened(driver: str) -> tuple[Rack, CountingLog, dict[str, Any]]:
    """Return the rack of a small bench with its sources on, its log, and its document."""
    document = bench_document("smu", noise=False)
    document["instruments"]["matrix1"]["driver"] = driver
    log = CountingLog()
    rack = open_rack(parse_bench(document, path=Path("small.toml"), text=""), log=log)
    for address, voltage in zip((18, 19, 20), list(SOURCES.values())[1:], strict=True):
        rack.exchange(f"GPIB0::{address}::INSTR", f":SOUR:VOLT {voltage};:OUTP ON\n".encode())
    return rack, log, document


def routes_with_sources_on(driver: str, count: int) -> None:
    """Print forbidden closures and undetected shorts of `count` random routes."""
    layout, _ = KINDS[driver]
    rack, log, _ = opened(driver)
    rng = np.random.default_rng(7)
    # Relays of rows A to E on the 20 wired columns; one in ten is forbidden.
    names = [layout.channel(column, row) for column in range(20) for row in range(5)]
    forbidden = {name for name in names if rng.random() < 0.1}
    rack.exchange(MATRIX, f'channel.setforbidden("{",".join(sorted(forbidden))}")'.encode())
    found: Counter[str] = Counter()
    began = time.perf_counter()
    for _ in range(count):
        before = log.n_shorts
        wanted = rng.choice(names, size=rng.integers(1, 5), replace=False)
        rack.exchange(MATRIX, b'channel.open("allslots")')
        rack.exchange(MATRIX, f'channel.close("{",".join(wanted)}")'.encode())
        answer = rack.exchange(MATRIX, b'print(channel.getclose("allslots"))').decode().strip()
        closed = [] if answer == "nil" else answer.split(";")
        is_shorted = is_short([layout.place(name) for name in closed])
        is_detected = log.n_shorts > before
        found["asked for a forbidden channel"] += bool(forbidden & set(wanted))
        found["forbidden closures"] += len(forbidden & set(closed))
        found["shorts"] += is_shorted
        found["shorts undetected"] += is_shorted and not is_detected
        found["false alarms"] += is_detected and not is_shorted
    told = ", ".join(f"{key} {value}" for key, value in found.items())
    print(f"{driver}: {count} routes in {time.perf_counter() - began:.1f} s: {told}")


def routes_of_a_station(driver: str, count: int) -> None:
    """Print the messages that `count` random routes of a station's routing take."""
    _, kind = KINDS[driver]
    rack, log, document = opened(driver)
    for address in (18, 19, 20):
        rack.exchange(f"GPIB0::{address}::INSTR", b":OUTP OFF\n")
    adapter = VISAAdapter(MATRIX, visa_library=f"{rack.token}@labctl", write_termination="\n")
    bench = parse_bench(document, path=Path("small.toml"), text="")
    matrix = kind(adapter, "matrix1")
    matrix.prepare()
    routing = Routing(bench.wiring, {"matrix1": matrix}, Geometry(1, 8, 4))
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 5, size=20).astype(np.int8)
    routing.join(rows)
    before, changes, worst = log.n_messages, 0, 0.0
    for _ in range(count):
        lines = rng.choice(20, size=rng.integers(1, 4), replace=False)
        was, started = rows.copy(), log.n_messages
        rows[lines] = rng.integers(0, 5, size=len(lines))
        routing.join(rows)
        moved = int((rows != was).sum())
        changes += moved
        worst = max(worst, (log.n_messages - started) / max(moved, 1))
    messages = log.n_messages - before
    print(
        f"{driver}: {count} routes of a station: {messages / max(changes, 1):.2f} messages a "
        f"crosspoint change, at most {worst:.0f}"
    )
    adapter.close()


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name in KINDS:
        routes_with_sources_on(name, asked)
        routes_of_a_station(name, max(asked // 10, 1))
