"""How fast one array multiplies, as shares of what the machine could do. Run it as a script.

    python tests/benchmarks/mvm.py

Arrays of 128 x 128 and 1,024 x 1,024 cells, 1 and 256 vectors of 8-bit inputs, an 8-bit ADC; bit by
bit, with a conversion each, or in one pass; without noise, with read noise, and with wires of 1 ohm
a segment. Best of three in time of this process alone (processor time over processors, since other
work on the machine disturbs it less). The limit is the larger of two, measured in the same run:

* GEMM: a product of matrices of the same shapes (float64 without noise, float32 and twice with it:
  means and variances);
* draws: a normal number a conversion, by numpy's generator in float32, on all processors.

A share above 1 says that a better way than the limit's was found (inputs that are off are skipped,
a draw costs less than numpy's). The 1,024 x 1,024 effective matrix is not worked out: its ladder of
1,024 ports would take minutes, once a programming; a MAC then costs what it costs without wires.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import preset
from labctl_instruments.chip import Chip

PROCESSORS = os.cpu_count() or 1


def best(work: Callable[[], object], repeat: int = 3) -> float:
    """Return the least processor time of `work` over processors, in s."""
    work()
    spent = []
    for _ in range(repeat):
        used = time.process_time()
        work()
        spent.append((time.process_time() - used) / PROCESSORS)
    return min(spent)


def gemm_time(n: int, size: int, *, noise: bool) -> float:
    form = np.float32 if noise else np.float64
    rng = np.random.default_rng(0)
    on = rng.integers(0, 2, (n, size)).astype(form)
    cells = rng.random((size, size)).astype(form)
    return best(lambda: on @ cells) * (2 if noise else 1)


def draw_time(conversions: int) -> float:
    """Return what so many normal numbers take, from a million of them."""
    rng = np.random.default_rng(0)
    return best(lambda: rng.standard_normal(2**20, np.float32)) / 2**20 * conversions


def chip_of(size: int, *, noise: bool, wires: float) -> Chip:
    chip = Chip(preset("yao"), Geometry(1, size, size), seed=1, noise=noise, wire_resistance=wires)
    levels = 1e-6 * np.linspace(2, 20, 8)
    cells = np.arange(size * size)
    chip.imprint(cells, np.random.default_rng(1).choice(levels, size * size))
    return chip


def plan_of(size: int, dac_bits: int) -> MacPlan:
    lines = np.arange(size)
    return MacPlan(
        lines[np.newaxis],
        lines[np.newaxis] // 2,
        np.where(lines % 2, -1, 1)[np.newaxis],
        adc_full_scale=size * 2e-6,
        dac_bits=dac_bits,
    )


def measure(size: int, name: str, chip: Chip, *, noise: bool) -> None:
    rows = np.arange(size)[np.newaxis]
    for batch in (1, 256):
        vectors = np.random.default_rng(2).integers(0, 256, (batch, size)).astype(np.uint8)
        for dac_bits, passes in ((1, "a bit"), (8, "one pass")):
            plan = plan_of(size, dac_bits)
            spent = best(lambda p=plan, v=vectors: chip.mac(v, rows, p, 1.0))
            slots = batch * plan.n_slots
            gemm = gemm_time(slots, size, noise=noise)
            draws = draw_time(slots * size) if noise else 0.0
            limit, of = max((gemm, "GEMM"), (draws, "draws"))
            print(
                f"{size:5} x {size:<5} {name:8} batch {batch:3}  {passes:8} "
                f"{1e6 * spent / batch:10.1f} us a vector   {limit / spent:6.2f} of the {of} limit",
                flush=True,
            )


def main() -> None:
    for size in (128, 1024):
        for name, noise, wires in (
            ("exact", False, 0.0),
            ("noise", True, 0.0),
            ("wires", True, 1.0),
        ):
            if not (wires and size > 256):
                measure(size, name, chip_of(size, noise=noise, wires=wires), noise=noise)


if __name__ == "__main__":
    main()
