"""Measure how long a station's verbs take, and in how many messages. Run it as a script."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import labctl_instruments as li
from labctl_data.cells import Cells


def measure(name: str, station: Any, verb: Callable[[], object], cells: int, repeat: int) -> None:
    """Print wall time, messages and bench time of a verb."""
    log = station._instruments[0].adapter.connection.visalib.rack.log
    verb()
    messages, bench, wall = log.n_exchanges, station.now(), time.perf_counter()
    for _ in range(repeat):
        verb()
    wall = (time.perf_counter() - wall) / repeat
    bench = (station.now() - bench) / repeat
    count = (log.n_exchanges - messages - 1) / repeat
    print(
        f"{station.bench.name:10s} {name:22s} {cells:5d} cells {wall * 1e6:10.0f} us "
        f"{count:8.1f} messages {bench * 1e3:10.3f} ms of bench time"
    )


def measure_verbs(station: Any, cells: Cells, repeat: int) -> None:
    """Measure reads and pulses of one cell and of all `cells`."""
    n, one = len(cells), cells[:1]
    kinds = np.arange(n) % 2
    amplitudes, gates = np.full(n, 1.9), np.where(kinds == 0, 1.8, 4.7)
    measure("read one", station, lambda: station.read(one), 1, 100)
    measure("pulse one", station, lambda: station.pulse(one, 0, 2.0, 5e-8, 1.8), 1, 100)
    measure("read", station, lambda: station.read(cells), n, repeat)
    measure("pulse", station, lambda: station.pulse(cells, 0, 2.0, 5e-8, 1.8), n, repeat)
    measure(
        "pulse, one value a cell",
        station,
        lambda: station.pulse(cells, kinds, amplitudes, 5e-8, gates),
        n,
        repeat,
    )


def main() -> None:
    """Measure both benches."""
    for name, cells, repeat in (("sim-board", "0/:/:", 200), ("sim-smu", "0/0:8/:", 2)):
        with li.open_bench(name, seed=1) as station:
            measure_verbs(station, Cells.from_text(cells, station.geometry), repeat)


if __name__ == "__main__":
    main()
