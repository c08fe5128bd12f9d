"""How fast crossbars with resistive wires are solved, and how well. Run it as a script.

    python tests/benchmarks/nodal.py

Cells of 10-100 uS, evenly on a log scale, 1 ohm a segment. Best of several, in ms of wall time and,
which other work on the machine disturbs less, of processor time:

* solve: one nodal solution, all lines driven; `difference` is that of the cell currents from the
  sparse direct solver of scipy (SuperLU), over the largest of them; `times` how much longer that
  one takes;
* curved: the same with sinh cells and transistors at 1 V, by Newton steps;
* floating: one cell of a passive array read while all other lines float;
* effective: the effective matrix of an array; `difference` is from nodal solutions, line by line.

`badcrossbar` is compared with, up to 128 x 128, where it is installed (of its own needs
`pathvalidate` suffices here: `pip install --no-deps badcrossbar pathvalidate`).
"""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from labctl_instruments.chip.crossbar import CellLaw, Wires, bias, effective_matrix, solve

WIRES = Wires.alike(1.0)


Spent = tuple[float, float]
"""Wall and processor time, in s."""


def best(work: Callable[[], Any], repeat: int) -> tuple[Spent, Any]:
    """Return the shortest times of `work`, and its result."""
    result = work() if repeat > 1 else None
    wall, busy = [], []
    for _ in range(repeat):
        started, used = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - started)
        busy.append(time.process_time() - used)
    return (min(wall), min(busy)), result


def cells_of(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    return np.exp(rng.uniform(np.log(1e-5), np.log(1e-4), (rows, columns)))


def directly(cells: np.ndarray, bit: np.ndarray) -> np.ndarray:
    """Return the cell currents by one sparse LU factorisation, source lines at 0 V."""
    rows, columns = cells.shape
    tops = np.arange(rows * columns).reshape(rows, columns)
    bottoms = tops + rows * columns
    wire = 1.0 / WIRES.bit_line
    one = np.concatenate([tops.ravel(), tops[:-1].ravel(), bottoms[:, :-1].ravel()])
    other = np.concatenate([bottoms.ravel(), tops[1:].ravel(), bottoms[:, 1:].ravel()])
    between = np.full(len(one), wire)
    between[: rows * columns] = cells.ravel()
    joined = sparse.coo_matrix((between, (one, other)), (2 * rows * columns,) * 2)
    joined = joined + joined.T
    ends, fed = np.zeros(2 * rows * columns), np.zeros(2 * rows * columns)
    ends[tops[0]] = ends[bottoms[:, 0]] = wire
    fed[tops[0]] = bit * wire
    diagonal = np.asarray(joined.sum(axis=1)).ravel() + ends
    nodes = spsolve((sparse.diags(diagonal) - joined).tocsc(), fed)
    return cells * (nodes[tops] - nodes[bottoms])


def measure_solutions(size: int, repeat: int) -> None:
    cells, ground = cells_of(size, size), np.zeros(size)
    bit = np.random.default_rng(1).uniform(0.0, 0.2, size)
    spent, found = best(lambda: solve(cells, bit, ground, WIRES), repeat)
    report(f"solve {size} x {size}", spent, f"{found.iterations} iterations")
    if size <= 256:
        peer, currents = best(lambda: directly(cells, bit), 1)
        difference = np.abs(found.cell_currents - currents).max() / np.abs(currents).max()
        ratio = peer[1] / spent[1]
        print(f"{'':22} difference {difference:.1e}; scipy takes {ratio:.0f} times as long")
    measure_badcrossbar(cells, bit, spent)
    law = CellLaw(curvature=3.0, series_resistance=2e3)
    spent, found = best(lambda: solve(cells, 5.0 * bit, ground, WIRES, law=law), 2)
    report(f"curved {size} x {size}", spent, f"{found.iterations} iterations")
    lines = bias((size, size), (size // 2, size // 2), 0.2, "floating")
    spent, found = best(lambda: solve(cells, *lines, WIRES), 2)
    report(f"floating {size} x {size}", spent, f"{found.iterations} iterations")


def measure_badcrossbar(cells: np.ndarray, bit: np.ndarray, ours: Spent) -> None:
    if len(bit) > 256 or importlib.util.find_spec("badcrossbar") is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        import badcrossbar  # pyright: ignore[reportMissingImports]
    logging.disable(logging.INFO)

    # Its word lines are our bit lines; it senses at the far end, which the reversal makes the near.
    volts, ohms = bit[::-1].reshape(-1, 1), 1.0 / cells[:, ::-1].T
    peer, found = best(lambda: badcrossbar.compute(volts, ohms, 1.0), 1)
    ground = np.zeros(len(cells))
    currents = -solve(cells, bit, ground, WIRES).source_currents
    theirs = np.asarray(found.currents.output).ravel()
    difference = np.abs(theirs - currents).max() / currents.max()
    ratio = peer[1] / ours[1]
    print(f"{'':22} badcrossbar takes {ratio:.0f} times as long, differs by {difference:.1e}")


def measure_effective(rows: int, columns: int, repeat: int) -> None:
    cells, ground = cells_of(rows, columns), np.zeros(rows)
    spent, found = best(lambda: effective_matrix(cells, WIRES), repeat)
    some = np.eye(columns)[:: max(columns // 8, 1)]
    nodal = np.transpose([-solve(cells, v, ground, WIRES).source_currents for v in some])
    difference = np.abs(found @ some.T - nodal).max() / nodal.max()
    report(f"effective {rows} x {columns}", spent, f"difference {difference:.1e}")


def report(name: str, spent: Spent, more: str) -> None:
    wall, busy = spent
    print(f"{name:22} {1e3 * wall:9.2f} ms, {1e3 * busy:9.2f} of processor   {more}", flush=True)


def main() -> None:
    for size, repeat in ((20, 20), (128, 20), (1024, 3)):
        measure_solutions(size, repeat)
    for rows, columns, repeat in ((128, 16, 20), (16, 128, 20), (144, 16, 20), (128, 128, 2)):
        measure_effective(rows, columns, repeat)


if __name__ == "__main__":
    main()
