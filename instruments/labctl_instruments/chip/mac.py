"""The chip multiplies: currents of source lines for bit-serial inputs, converted and summed.

`MacPlan` defines the integers. The currents of a group of inputs have few patterns (a bit line is
on or off), so the sums of all patterns are tabulated once a call; a conversion is then a look-up,
and its read noise one normal number whose variance is that of all its cells together: exactly what
independent cells give. Zero patterns carry no current and are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.mac_plan import MacPlan
from labctl_data.model.compiled import compiled, fused, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.random import LARGEST_NORMAL, Key

CodeArray = npt.NDArray[np.uint8]
LineArray = npt.NDArray[np.int64]
TableArray = npt.NDArray[Any]
"""Sums of every pattern, shape (n_blocks, n_groups, patterns, lanes): lines padded to `WIDE`."""
WIDE = 8
"""Lines are padded to a multiple of this."""
LANES = np.dtype([("lanes", np.float32, (WIDE,))])
"""So many numbers as one record."""

TIE = 2.0**-30
"""Part of an ADC step by which a current may miss a tie and still count as it (rounded up)."""
_WEIGHTS = np.repeat(2.0 ** np.arange(8), WIDE).astype(np.float32)
_GROUP_WIDTHS = ((64, 10), (4, 5), (0, 3))
"""From how many vectors tables of how many inputs pay."""
_LONGEST_RUN = 8
_CHUNKS_A_THREAD = 4
_LEAST_CHUNK = 16
SPREAD = np.array([[(x >> k & 1) << 8 * k for k in range(8)] for x in range(256)], np.uint64).sum(
    axis=1, dtype=np.uint64
)
"""Byte k of entry x is bit k of x."""
_BYTE = np.uint64(255)


class Sums(NamedTuple):
    """The tables of one call, in ADC steps, as the compiled loops take them."""

    mean: TableArray
    """Mean of code + 1/2 before rounding down; float32 with noise, float64 without."""
    deviation: TableArray
    """Standard deviation where there is one group, variance where there are more; float32."""
    mean_lanes: TableArray
    """View of `mean` as LANES."""
    deviation_lanes: TableArray
    """View of `deviation` as LANES."""
    weight_lanes: TableArray
    """Weight of each bit, 2**k, as LANES, shape (8,)."""
    outputs: LineArray
    """Output of each line, shape (n_blocks, n_lines)."""
    signs: LineArray
    """Sign of each line, shape (n_blocks, n_lines)."""
    run_ends: LineArray
    """First block after the run that begins at a block, shape (n_blocks,); see `_run_ends`."""
    top: int
    """Highest code."""
    bits: int
    """Bits of an input code."""
    width: int
    """Inputs of one block."""
    size: int
    """Inputs of one group."""
    saturable: bool
    """Whether any noisy conversion can meet the top of the range."""


class Scratch(NamedTuple):
    """Memory of one compiled call."""

    planes: LineArray
    """Pattern of each group for each bit, shape (n_groups, 8)."""
    work: TableArray
    """Means, deviations and weights of a run of blocks, shape (3, n)."""
    work_lanes: TableArray
    """View of `work` as LANES."""


def check_request(vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> LineArray:
    """Return the rows as an array; refuse vectors and rows that do not fit the plan."""
    lines = np.ascontiguousarray(rows, np.int64)
    if lines.shape != plan.outputs.shape:
        raise ChipError(
            f"chip: the plan converts lines of shape {plan.outputs.shape} (blocks, lines), "
            f"rows have shape {lines.shape}"
        )
    found = np.asarray(vectors)
    if found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != plan.n_inputs:
        raise ChipError(
            f"chip: the plan takes uint8 vectors of shape (n, {plan.n_inputs}), "
            f"found {found.dtype} of shape {found.shape}"
        )
    return lines


def tabulate(steps: FloatArray, plan: MacPlan, *, relative_noise: float, n_vectors: int) -> Sums:
    """Tabulate the sums of all patterns of inputs.

    Parameters
    ----------
    steps : ndarray of shape (n_blocks, width, n_lines)
        Current of each cell at the read voltage, in ADC steps; 0 where there is none.
    plan : MacPlan
        The plan.
    relative_noise : float
        Standard deviation of one cell's read over its current; 0 for exact conversion.
    n_vectors : int
        Vectors to come: few do not pay for large tables.
    """
    largest = next(width for least, width in _GROUP_WIDTHS if n_vectors >= least)
    groups = math.ceil(plan.width / largest)
    size = math.ceil(plan.width / groups)
    top = 2**plan.adc_bits - 1
    lanes = WIDE * math.ceil(plan.n_lines / WIDE)
    padded = np.zeros((plan.n_blocks, groups * size, lanes))
    padded[:, : plan.width, : plan.n_lines] = steps
    grouped = padded.reshape(plan.n_blocks, groups, size, lanes)
    mean = _all_sums(grouped)
    mean[:, 0] += 0.5 + TIE
    deviation = np.zeros((1, 1, 1, WIDE), np.float32)
    if relative_noise > 0.0:
        variance = _all_sums((grouped * relative_noise) ** 2)
        deviation = (np.sqrt(variance) if groups == 1 else variance).astype(np.float32)
        mean = mean.astype(np.float32)
    return Sums(
        mean=mean,
        deviation=deviation,
        mean_lanes=mean.view(LANES),
        deviation_lanes=deviation.view(LANES),
        weight_lanes=_WEIGHTS.view(LANES).reshape(-1),
        outputs=np.ascontiguousarray(plan.outputs, np.int64),
        signs=np.ascontiguousarray(plan.signs, np.int64),
        run_ends=_run_ends(plan),
        top=top,
        bits=plan.input_bits,
        width=plan.width,
        size=size,
        saturable=relative_noise > 0.0 and _can_saturate(mean, deviation, top),
    )


def _run_ends(plan: MacPlan) -> LineArray:
    """Return where runs of blocks end whose lines go to the same outputs, shape (n_blocks,).

    Their codes are added up before they leave for the outputs: at most `_LONGEST_RUN` blocks, and
    no more than float32 adds exactly.
    """
    largest = (2**plan.adc_bits - 1) * (2**plan.input_bits - 1)
    longest = max(min(_LONGEST_RUN, 2**24 // largest), 1)
    ends = np.arange(1, plan.n_blocks + 1)
    for block in reversed(range(plan.n_blocks - 1)):
        following = block + 1
        if following % longest and _alike(plan, block, following):
            ends[block] = ends[following]
    return ends


def _alike(plan: MacPlan, first: int, second: int) -> bool:
    """Say whether the lines of two blocks go to the same outputs with the same signs."""
    return np.array_equal(plan.outputs[first], plan.outputs[second]) and np.array_equal(
        plan.signs[first], plan.signs[second]
    )


def _can_saturate(mean: TableArray, deviation: TableArray, top: int) -> bool:
    """Say whether mean plus the largest noise reaches the first code above the range."""
    largest = mean.max(axis=2).sum(axis=1)
    spread = deviation.max(axis=2).sum(axis=1)
    noise = np.sqrt(spread) if mean.shape[1] > 1 else spread
    return bool((largest + LARGEST_NORMAL * noise >= top + 1).any())


def _all_sums(grouped: FloatArray) -> FloatArray:
    """Return sums over all subsets of axis 2; subset p holds input j where bit j of p is set."""
    sums = np.zeros((*grouped.shape[:2], 1, grouped.shape[3]))
    for j in range(grouped.shape[2]):
        sums = np.concatenate([sums, sums + grouped[:, :, j : j + 1]], axis=2)
    return sums


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
    groups, lanes = sums.mean.shape[1], sums.mean.shape[3]
    kind = sums.mean.dtype
    work = np.zeros((3, 8 * lanes * _LONGEST_RUN), kind)
    scratch = Scratch(np.zeros((groups, 8), np.int64), work, work.view(LANES))
    if kind == np.float64:
        return int(convert_exactly(sums, vectors, scratch, out))
    return int(convert_noisily(sums, vectors, (key, event), scratch, out))


@compiled
def convert_exactly(
    sums: Sums, vectors: CodeArray, scratch: Scratch, out: npt.NDArray[np.int32]
) -> int:
    """Convert without noise; return how many codes saturated."""
    lines = sums.outputs.shape[1]
    steps, totals = scratch.work[0], scratch.work[1]
    saturated = 0
    for v in range(vectors.shape[0]):
        for block in range(sums.outputs.shape[0]):
            active = fill_planes(sums, vectors[v], block, scratch.planes)
            for line in range(lines):
                totals[line] = 0.0
            for k in range(sums.bits):
                if active >> k & 1:
                    for line in range(lines):
                        steps[line] = sums.mean[block, 0, scratch.planes[0, k], line]
                    add_groups(sums.mean[block], scratch.planes[:, k], steps)
                    for line in range(lines):
                        code = max(math.floor(steps[line]), 0)
                        saturated += int(code > sums.top)
                        totals[line] += min(code, sums.top) << k
            add_outputs(sums, block, totals, out[v])
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
    work = scratch.work
    saturated = 0
    for v in range(vectors.shape[0]):
        event = draws[1] + v
        words = rnd.draw(draws[0], event >> 32, event & 0xFFFFFFFF, rnd.CONVERSION, 0)
        keys = (np.uint32(words[0]), np.uint32(words[1]))
        block = 0
        while block < sums.outputs.shape[0]:
            n = look_up_run(sums, vectors[v], block, scratch)
            if n > 0:
                start = np.uint32(block * 8 * sums.mean.shape[3])
                add_noise(work[0, :n], work[1, :n], start, keys)
                weigh_codes(work[0, :n], work[1, :n], work[2, :n], sums.top)
                if sums.saturable:
                    saturated += count_above(work[1, :n], sums.top)
                fold(work[0], sums.mean.shape[3], n // sums.mean.shape[3])
                add_outputs(sums, block, work[0], out[v])
            block = sums.run_ends[block]
    return saturated


@inlined
def look_up_run(sums: Sums, vector: CodeArray, block: int, scratch: Scratch) -> int:
    """Fill the work with the conversions of a run of blocks; return how many there are."""
    n = 0
    for member in range(block, sums.run_ends[block]):
        active = fill_planes(sums, vector, member, scratch.planes)
        for k in range(sums.bits):
            if active >> k & 1:
                look_up(sums, member, scratch, k, n)
                n += sums.mean.shape[3]
    return n


@inlined
def look_up(sums: Sums, block: int, scratch: Scratch, k: int, n: int) -> None:
    """Put means, deviations and weights of one bit's conversions at place `n` of the work.

    Whole `LANES` are copied as records, which are single moves; a loop over numbers is not.
    """
    plane = scratch.planes[0, k]
    first = n // WIDE
    for i in range(sums.mean_lanes.shape[3]):
        scratch.work_lanes[0, first + i] = sums.mean_lanes[block, 0, plane, i]
        scratch.work_lanes[1, first + i] = sums.deviation_lanes[block, 0, plane, i]
        scratch.work_lanes[2, first + i] = sums.weight_lanes[k]
    if scratch.planes.shape[0] > 1:
        add_groups(sums.mean[block], scratch.planes[:, k], scratch.work[0, n:])
        add_groups(sums.deviation[block], scratch.planes[:, k], scratch.work[1, n:])
        for lane in range(sums.deviation.shape[3]):
            scratch.work[1, n + lane] = math.sqrt(scratch.work[1, n + lane])


@inlined
def add_groups(table: TableArray, planes: LineArray, out: TableArray) -> None:
    """Add the sums of all groups but the first."""
    for group in range(1, table.shape[0]):
        row = table[group, planes[group]]
        for lane in range(row.shape[0]):
            out[lane] += row[lane]


@inlined
def fill_planes(sums: Sums, vector: CodeArray, block: int, planes: LineArray) -> int:
    """Turn a block's codes into bit planes; return a mask of the planes that are not all zero."""
    active = 0
    for group in range(planes.shape[0]):
        first = group * sums.size
        start = block * sums.width + first
        codes = vector[start : start + min(sums.size, sums.width - first)]
        low = high = np.uint64(0)
        for j in range(min(codes.shape[0], 8)):
            low |= SPREAD[codes[j]] << np.uint64(j)
        for j in range(8, codes.shape[0]):
            high |= SPREAD[codes[j]] << np.uint64(j - 8)
        for k in range(sums.bits):
            shift = np.uint64(8 * k)
            plane = np.int64(low >> shift & _BYTE) | np.int64(high >> shift & _BYTE) << 8
            planes[group, k] = plane
            active |= int(plane != 0) << k
    return active


@fused
def add_noise(
    mean: TableArray, deviation: TableArray, start: np.uint32, keys: tuple[np.uint32, np.uint32]
) -> None:
    """Add to each mean its deviation times a normal number of its own."""
    for i in range(mean.shape[0]):
        word = rnd.mixed(np.uint32(start + np.uint32(i)), keys[0], keys[1])
        mean[i] += deviation[i] * rnd.normal_of(word)


@inlined
def weigh_codes(steps: TableArray, codes: TableArray, weights: TableArray, top: int) -> None:
    """Round currents down to `codes`, and multiply what the ADC says of them by the weights."""
    highest = np.float32(top)
    for i in range(steps.shape[0]):
        codes[i] = max(np.floor(steps[i]), np.float32(0.0))
        steps[i] = min(codes[i], highest) * weights[i]


@inlined
def count_above(codes: TableArray, top: int) -> int:
    """Return how many codes are above the top of the range."""
    highest = np.float32(top)
    saturated = np.uint32(0)
    for i in range(codes.shape[0]):
        saturated = np.uint32(saturated + np.uint32(codes[i] > highest))
    return int(saturated)


@inlined
def fold(rows: TableArray, lanes: int, n_rows: int) -> None:
    """Add rows of `lanes` numbers up into the first, halving their number again and again."""
    while n_rows > 1:
        half = (n_rows + 1) // 2
        upper = rows[half * lanes : n_rows * lanes]
        lower = rows[: upper.shape[0]]
        for i in range(lower.shape[0]):
            lower[i] += upper[i]
        n_rows = half


@inlined
def add_outputs(sums: Sums, block: int, totals: TableArray, out: npt.NDArray[np.int32]) -> None:
    """Add the lines' totals to their outputs."""
    for line in range(sums.outputs.shape[1]):
        out[sums.outputs[block, line]] += sums.signs[block, line] * np.int64(totals[line])
        totals[line] = 0.0
