"""What the array would answer if every cell were exact and nothing were noisy, in whole numbers.

Currents are counted in `CellLevels.unit` times the read voltage. With an ADC step of p / q of
those, p odd and q a power of two, ``code = floor(current / step + 1/2)`` is
``(2 q current + p) // (2 p)``: no current can lie on an edge, so floating point on the other side
of the dialogue agrees.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.kernels import exact_sums
from labctl_procedures.network.plan import LayerPlan

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
LARGEST_GROUP = 9
"""Inputs in one table of patterns: 512 rows stay in the cache."""


class ExactLayer:
    """One layer of a plan on exact cells."""

    def __init__(self, plan: LayerPlan, cell_levels: CellLevels) -> None:
        self.plan = plan
        self.cell_levels = cell_levels

    @cached_property
    def tables(self) -> Int32Array:
        """Line currents of each pattern, (n_blocks, groups, 2**size, n_lines), in units."""
        levels = self.plan.cell_levels.transpose(0, 2, 1)
        cells = np.where(levels < 0, 0, self.cell_levels.units(levels))
        n_blocks, width, n_lines = cells.shape
        groups = -(-width // LARGEST_GROUP)
        size = -(-width // groups)
        padded = np.zeros((n_blocks, groups * size, n_lines), np.int64)
        padded[:, :width] = cells
        bits = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
        sums = bits @ padded.reshape(n_blocks, groups, size, n_lines)
        return np.ascontiguousarray(sums.astype(np.int32))

    @cached_property
    def largest(self) -> int:
        """Current of the fullest line with all bit lines driven, in units."""
        return int(self.tables[:, :, -1].sum(axis=1, dtype=np.int64).max())

    @cached_property
    def _coded(self) -> tuple[Int32Array, Int32Array]:
        """Tables and codes for `exact_sums`: of a single group, the tables hold the codes."""
        codes = adc_codes(self.plan.lsb, self.largest, self.plan.mac.adc_bits)
        if self.tables.shape[1] > 1:
            return self.tables, codes
        return codes[self.tables], np.zeros(0, np.int32)

    def mac(self, vectors: Bytes) -> Int32Array:
        """Return the sums of input vectors: uint8 (n, n_inputs) to int32 (n, n_outputs)."""
        return self._run(vectors, *self._coded)[0]

    def peak_current(self, vectors: Bytes) -> int:
        """Return the largest line current that the vectors cause, in units."""
        return self._run(vectors, self.tables, np.zeros(0, np.int32))[1]

    def _run(self, vectors: Bytes, tables: Int32Array, codes: Int32Array) -> tuple[Int32Array, int]:
        tiling = self.plan.tiling
        lines = np.stack([tiling.outputs, tiling.signs]).astype(np.int32)
        inputs = np.ascontiguousarray(vectors)
        sums = np.zeros((len(vectors), self.plan.layer.outputs), np.int32)

        def share(part: slice) -> int:
            return int(exact_sums(inputs[part], tables, codes, lines, sums[part]))

        threads = os.cpu_count() or 1
        edges = np.linspace(0, len(vectors), threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            largest = max(pool.map(share, itertools.starmap(slice, itertools.pairwise(edges))))
        return sums, largest


def adc_codes(lsb: tuple[int, int], largest: int, bits: int) -> Int32Array:
    """Return the ADC code of each current 0 ... `largest`, in units; shape (largest + 1,)."""
    p, q = lsb
    currents = np.arange(largest + 1, dtype=np.int64)
    codes = np.minimum((2 * q * currents + p) // (2 * p), 2**bits - 1)
    return np.asarray(codes, np.int32)
