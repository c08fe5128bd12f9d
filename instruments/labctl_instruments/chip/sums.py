"""The sums of a MAC: what all patterns of inputs make on every line, tabulated once a call.

`MacPlan` defines the integers. The currents of a group of inputs have few patterns (a bit line is
on or off), so a conversion is a look-up in these tables, and its read noise one normal number whose
variance is that of all its cells together: exactly what independent cells give.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.mac_plan import MacPlan
from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.random import LARGEST_NORMAL

LineArray = npt.NDArray[np.int64]
TableArray = npt.NDArray[Any]
"""A table of sums or a part of one: float32 with noise, float64 without."""

WIDE = 8
"""Lines are padded to a multiple of this."""
PACK = np.dtype([("numbers", np.float32, (2 * WIDE,))])
"""Means and deviations of so many lines as one record, which is copied in one move."""
TIE = 2.0**-30
"""Part of an ADC step by which a current may miss a tie and still count as it (rounded up)."""
LONGEST_RUN = 8
"""Most blocks whose conversions are worked on together."""
_GROUP_WIDTHS = ((64, 10), (4, 5), (0, 3))
"""From how many vectors tables of how many inputs pay."""


class Sums(NamedTuple):
    """The tables of one call, in ADC steps, as the compiled loops take them."""

    exact: TableArray
    """Code + 1/2 before rounding down, shape (n_blocks, n_groups, patterns, n_lines); float64.
    Empty with noise."""
    noisy: TableArray
    """The same and its spread, shape (n_blocks, n_groups, patterns, n_packs, 2 * WIDE): for `WIDE`
    lines the means, then their deviations (variances where there is more than one group); float32.
    Empty without noise."""
    packs: TableArray
    """View of `noisy` as records PACK."""
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
    n_packs = math.ceil(plan.n_lines / WIDE)
    padded = np.zeros((plan.n_blocks, groups * size, n_packs * WIDE))
    padded[:, : plan.width, : plan.n_lines] = steps
    grouped = padded.reshape(plan.n_blocks, groups, size, n_packs * WIDE)
    exact = np.zeros((1, 1, 1, 1))
    noisy = np.zeros((plan.n_blocks, groups, 1, n_packs, 2 * WIDE), np.float32)
    if relative_noise > 0.0:
        noisy = np.zeros((plan.n_blocks, groups, 2**size, n_packs, 2 * WIDE), np.float32)
        fill_noisy(grouped, relative_noise**2, noisy)
    else:
        exact = _all_sums(grouped)
        exact[:, 0] += 0.5 + TIE
    return Sums(
        exact=exact,
        noisy=noisy,
        packs=noisy.view(PACK)[..., 0],
        outputs=np.ascontiguousarray(plan.outputs, np.int64),
        signs=np.ascontiguousarray(plan.signs, np.int64),
        run_ends=_run_ends(plan),
        top=top,
        bits=plan.input_bits,
        width=plan.width,
        size=size,
        saturable=_can_saturate(steps, relative_noise, top),
    )


@compiled
def fill_noisy(steps: FloatArray, variance: float, noisy: npt.NDArray[np.float32]) -> None:
    """Fill the noisy tables from currents grouped as (n_blocks, n_groups, size, n_packs * WIDE).

    Each pattern is the one without its highest input, and that input; `variance` is relative.
    """
    n_blocks, n_groups, size, lanes = steps.shape
    for block in range(n_blocks):
        for group in range(n_groups):
            table, inputs = noisy[block, group], steps[block, group]
            for lane in range(lanes):
                table[0, lane // WIDE, lane % WIDE] = 0.5 if group == 0 else 0.0
            for j in range(size):
                for on in range(1 << j):
                    for lane in range(lanes):
                        pack, i = lane // WIDE, lane % WIDE
                        step = inputs[j, lane]
                        table[on + (1 << j), pack, i] = table[on, pack, i] + step
                        spread = table[on, pack, i + WIDE] + variance * step * step
                        table[on + (1 << j), pack, i + WIDE] = spread
            if n_groups == 1:
                take_roots(table)


@inlined
def take_roots(table: npt.NDArray[np.float32]) -> None:
    """Turn variances into deviations."""
    for on in range(table.shape[0]):
        for pack in range(table.shape[1]):
            for i in range(WIDE, 2 * WIDE):
                table[on, pack, i] = math.sqrt(table[on, pack, i])


def _run_ends(plan: MacPlan) -> LineArray:
    """Return where runs of blocks end whose lines go to the same outputs, shape (n_blocks,).

    Their codes are added up before they leave for the outputs: at most `LONGEST_RUN` blocks, and
    no more than float32 adds exactly.
    """
    largest = (2**plan.adc_bits - 1) * (2**plan.input_bits - 1)
    longest = max(min(LONGEST_RUN, 2**24 // largest), 1)
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


def _can_saturate(steps: FloatArray, relative_noise: float, top: int) -> bool:
    """Say whether all inputs on, with the largest noise, reach the first code above the range."""
    mean = np.maximum(steps, 0.0).sum(axis=1)
    noise = relative_noise * np.sqrt((steps**2).sum(axis=1))
    return bool((mean + LARGEST_NORMAL * noise + 0.5 >= top + 1).any())


def _all_sums(grouped: FloatArray) -> FloatArray:
    """Return sums over all subsets of axis 2; subset p holds input j where bit j of p is set."""
    sums = np.zeros((*grouped.shape[:2], 1, grouped.shape[3]))
    for j in range(grouped.shape[2]):
        sums = np.concatenate([sums, sums + grouped[:, :, j : j + 1]], axis=2)
    return sums
