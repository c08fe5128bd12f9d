"""Conversions: bit-serial inputs look up their sums, meet noise, and become codes and outputs.

The loops run without the interpreter lock, on one thread's share of the vectors. Patterns without
any input carry no current and are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model.compiled import compiled, fused, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.random import Key
from labctl_instruments.chip.request import LONGEST_RUN
from labctl_instruments.chip.sums import PACK, WIDE, Sums, TableArray

CodeArray = npt.NDArray[np.uint8]
BitArray = npt.NDArray[np.uint64]

SPREAD = np.array([[(x >> k & 1) << 8 * k for k in range(8)] for x in range(256)], np.uint64).sum(
    axis=1, dtype=np.uint64
)
"""Byte k of entry x is bit k of x."""
_BYTE = np.uint64(255)
_CHUNKS_A_THREAD = 4
_LEAST_CHUNK = 16


class Scratch(NamedTuple):
    """Memory of one compiled call."""

    bits: BitArray
    """Spread bits of each group, shape (n_groups, 2); see `spread_bits`."""
    work: TableArray
    """Conversions of a run of blocks, in packs, shape (n, 2 * WIDE)."""
    work_packs: TableArray
    """View of `work` as records PACK."""
    numbers: TableArray
    """View of `work` in one dimension."""
    weights: TableArray
    """Weight of each pack's bit, shape (n,)."""
    blocks: npt.NDArray[np.int64]
    """Block of each pack, shape (n,)."""


def chunks(n_vectors: int, threads: int) -> Iterator[slice]:
    """Cut vectors into chunks, some for each thread: they do not finish alike."""
    size = max(math.ceil(n_vectors / (_CHUNKS_A_THREAD * threads)), _LEAST_CHUNK)
    for start in range(0, n_vectors, size):
        yield slice(start, min(start + size, n_vectors))


def convert_chunk(
    sums: Sums, vectors: CodeArray, key: Key, event: int, out: npt.NDArray[np.int32]
) -> int:
    """Add sums of codes to `out`, shape (n, n_outputs); return how many codes saturated.

    `event` is the number of the first vector's draw. The interpreter lock is free meanwhile.
    """
    bits = np.zeros((sums.noisy.shape[1], 2), np.uint64)
    if sums.codes.size > 1:
        totals = np.zeros(sums.codes.shape[2], np.float32)
        return int(add_known(sums, vectors, bits, totals, out))
    if sums.exact.size > 1:
        lines = np.zeros((2, sums.exact.shape[3]))
        return int(convert_exactly(sums, vectors, bits, lines, out))
    n = 8 * sums.noisy.shape[3] * LONGEST_RUN
    work = np.zeros((n, 2 * WIDE), np.float32)
    views = (work.view(PACK)[:, 0], work.reshape(-1))
    scratch = Scratch(bits, work, *views, np.zeros(n, np.float32), np.zeros(n, np.int64))
    return int(convert_noisily(sums, vectors, (key, event), scratch, out))


@compiled
def add_known(
    sums: Sums,
    vectors: CodeArray,
    bits: BitArray,
    totals: TableArray,
    out: npt.NDArray[np.int32],
) -> int:
    """Add codes that are known for all patterns; return how many saturated.

    `totals` is memory, float32, shape (n_lines,): 16 bits of code and 8 of input fit its 24.
    """
    saturated = 0
    for v in range(vectors.shape[0]):
        for block in range(sums.outputs.shape[0]):
            active = spread_bits(sums, vectors[v], block, bits)
            for line in range(totals.shape[0]):
                totals[line] = np.float32(0.0)
            for k in range(sums.bits):
                if active >> k & 1:
                    on, weight = pattern(bits, 0, k), np.float32(1 << k)
                    saturated += sums.above[block, on]
                    codes = sums.codes[block, on]
                    for line in range(totals.shape[0]):
                        totals[line] += codes[line] * weight
            for line in range(totals.shape[0]):
                total = sums.signs[block, line] * np.int64(totals[line])
                out[v, sums.outputs[block, line]] += total
    return saturated


@compiled
def convert_exactly(
    sums: Sums,
    vectors: CodeArray,
    bits: BitArray,
    lines: TableArray,
    out: npt.NDArray[np.int32],
) -> int:
    """Convert without noise; return how many codes saturated. `lines` is memory, (2, n_lines)."""
    steps, totals = lines[0], lines[1]
    saturated = 0
    for v in range(vectors.shape[0]):
        for block in range(sums.outputs.shape[0]):
            active = spread_bits(sums, vectors[v], block, bits)
            for line in range(totals.shape[0]):
                totals[line] = 0.0
            for k in range(sums.bits):
                if active >> k & 1:
                    add_steps(sums.exact[block], bits, k, steps)
                    saturated += add_codes(steps, totals, k, sums.top)
            for line in range(sums.outputs.shape[1]):
                total = sums.signs[block, line] * np.int64(totals[line])
                out[v, sums.outputs[block, line]] += total
    return saturated


@inlined
def add_steps(table: TableArray, bits: BitArray, k: int, steps: TableArray) -> None:
    """Fill `steps` with one bit's currents + 1/2, in ADC steps."""
    for line in range(steps.shape[0]):
        steps[line] = 0.0
    for group in range(table.shape[0]):
        on = pattern(bits, group, k)
        for line in range(steps.shape[0]):
            steps[line] += table[group, on, line]


@inlined
def add_codes(steps: TableArray, totals: TableArray, k: int, top: int) -> int:
    """Round one bit's currents down to codes and add them, shifted; return how many saturated."""
    saturated = 0
    for line in range(steps.shape[0]):
        code = max(math.floor(steps[line]), 0)
        saturated += int(code > top)
        totals[line] += min(code, top) << k
    return saturated


@compiled
def convert_noisily(
    sums: Sums,
    vectors: CodeArray,
    draws: tuple[Key, int],
    scratch: Scratch,
    out: npt.NDArray[np.int32],
) -> int:
    """Convert with noise; `draws` are the key and the number of the first vector's draw.

    The conversions of a run of blocks, all bits, stand in one row of the work: its loops are long.
    """
    n_packs = sums.noisy.shape[3]
    saturated = 0
    for v in range(vectors.shape[0]):
        event = draws[1] + v
        words = rnd.draw(draws[0], event >> 32, event & 0xFFFFFFFF, rnd.CONVERSION, 0)
        keys = (np.uint32(words[0]), np.uint32(words[1]))
        block = 0
        while block < sums.outputs.shape[0]:
            n = look_up_run(sums, vectors[v], block, scratch)
            if n > 0:
                start = np.uint32(block * 8 * n_packs * WIDE)
                if sums.edges.shape[1] > 0:
                    convert_crookedly(sums, scratch, n, start, keys)
                else:
                    convert_packs(scratch.work, scratch.weights[:n], sums.top, start, keys)
                fold(scratch.numbers, 2 * WIDE * n_packs, n // n_packs)
                add_outputs(sums, block, scratch.work, out[v])
                if sums.saturable:
                    saturated += count_saturated(scratch.work[:n_packs])
            block = sums.run_ends[block]
    return saturated


@inlined
def look_up_run(sums: Sums, vector: CodeArray, block: int, scratch: Scratch) -> int:
    """Fill the work with the conversions of a run of blocks; return how many packs there are."""
    n = 0
    for member in range(block, sums.run_ends[block]):
        active = spread_bits(sums, vector, member, scratch.bits)
        for k in range(sums.bits):
            if active >> k & 1:
                on = pattern(scratch.bits, 0, k)
                for pack in range(sums.packs.shape[3]):
                    scratch.work_packs[n + pack] = sums.packs[member, 0, on, pack]
                    scratch.weights[n + pack] = np.float32(1 << k)
                    scratch.blocks[n + pack] = member
                if scratch.bits.shape[0] > 1:
                    add_groups(sums.noisy[member], scratch.bits, k, scratch.work[n:])
                n += sums.packs.shape[3]
    return n


@inlined
def add_groups(table: TableArray, bits: BitArray, k: int, work: TableArray) -> None:
    """Add what all groups but the first have, and turn variances into deviations."""
    for group in range(1, table.shape[0]):
        on = pattern(bits, group, k)
        for pack in range(table.shape[2]):
            for i in range(2 * WIDE):
                work[pack, i] += table[group, on, pack, i]
    for pack in range(table.shape[2]):
        for i in range(WIDE, 2 * WIDE):
            work[pack, i] = math.sqrt(work[pack, i])


@inlined
def spread_bits(sums: Sums, vector: CodeArray, block: int, bits: BitArray) -> int:
    """Spread a block's codes so that bit k of all stands in byte k; return all codes or-ed.

    `bits`, shape (n_groups, 2): the first eight inputs of each group, and the others.
    """
    active = 0
    for group in range(bits.shape[0]):
        first = np.uint64(block * sums.width + group * sums.size)
        count = np.uint64(min(sums.size, sums.width - group * sums.size))
        low = high = np.uint64(0)
        for j in range(min(count, np.uint64(8))):
            code = vector[first + np.uint64(j)]
            low |= SPREAD[code] << np.uint64(j)
            active |= code
        for j in range(np.uint64(8), count):
            code = vector[first + np.uint64(j)]
            high |= SPREAD[code] << (np.uint64(j) - np.uint64(8))
            active |= code
        bits[group, 0], bits[group, 1] = low, high
    return active


@inlined
def pattern(bits: BitArray, group: int, k: int) -> int:
    """Return the pattern of a group's inputs in bit k: which bit lines are on."""
    shift = np.uint64(8 * k)
    low, high = bits[group, 0] >> shift & _BYTE, bits[group, 1] >> shift & _BYTE
    return int(low | high << np.uint64(8))


@fused
def convert_packs(
    work: TableArray,
    weights: TableArray,
    top: int,
    start: np.uint32,
    keys: tuple[np.uint32, np.uint32],
) -> None:
    """Turn means into weighted codes, and deviations into 1 where the code saturates, else 0.

    Each line of each pack has a normal number of its own. The inner loop is one vector operation.
    """
    highest, one, zero = np.float32(top), np.float32(1.0), np.float32(0.0)
    for n in range(weights.shape[0]):
        pack, weight = work[n], weights[n]
        counter = np.uint32(start + np.uint32(WIDE * n))
        for i in range(WIDE):
            word = rnd.mixed(np.uint32(counter + np.uint32(i)), keys[0], keys[1])
            code = max(np.floor(pack[i] + pack[i + WIDE] * rnd.normal_of(word)), zero)
            clipped = min(code, highest)
            pack[i] = clipped * weight
            pack[i + WIDE] = min(code - clipped, one)


@inlined
def convert_crookedly(
    sums: Sums, scratch: Scratch, n: int, start: np.uint32, keys: tuple[np.uint32, np.uint32]
) -> None:
    """Do as `convert_packs` with converters whose codes are not equally wide."""
    highest = np.float32(sums.top)
    for p in range(n):
        pack, weight = scratch.work[p], scratch.weights[p]
        first = p % sums.noisy.shape[3] * WIDE
        for i in range(WIDE):
            word = rnd.mixed(np.uint32(start + np.uint32(WIDE * p + i)), keys[0], keys[1])
            value = pack[i] + pack[i + WIDE] * rnd.normal_of(word)
            edges = sums.edges[sums.edges_of[scratch.blocks[p], first + i]]
            code = np.float32(code_between(edges, value))
            clipped = min(code, highest)
            pack[i] = clipped * weight
            pack[i + WIDE] = code - clipped


@inlined
def code_between(edges: FloatArray, value: float) -> int:
    """Return the code between whose edges a current lies; one above the top beyond the range.

    The search begins at the code that a straight converter would give.
    """
    top = int(edges.shape[0])
    if value >= top + 1:
        return top + 1
    code = min(max(int(np.floor(value)), 0), top)
    while code > 0 and value < edges[code - 1]:
        code -= 1
    while code < top and value >= edges[code]:
        code += 1
    return code


@inlined
def fold(numbers: TableArray, width: int, n_rows: int) -> None:
    """Add rows of `width` numbers up into the first, halving their number again and again."""
    while n_rows > 1:
        half = (n_rows + 1) // 2
        upper = numbers[half * width : n_rows * width]
        lower = numbers[: upper.shape[0]]
        for i in range(lower.shape[0]):
            lower[i] += upper[i]
        n_rows = half


@inlined
def count_saturated(work: TableArray) -> int:
    """Return how many codes of a folded run saturated."""
    saturated = np.float32(0.0)
    for pack in range(work.shape[0]):
        for i in range(WIDE, 2 * WIDE):
            saturated += work[pack, i]
    return int(saturated)


@inlined
def add_outputs(sums: Sums, block: int, work: TableArray, out: npt.NDArray[np.int32]) -> None:
    """Add the lines' totals, in the first row of packs, to their outputs."""
    for line in range(sums.outputs.shape[1]):
        total = np.int64(work[line // WIDE, line % WIDE])
        out[sums.outputs[block, line]] += sums.signs[block, line] * total
