"""The sums of a MAC: what all patterns of inputs make on every line, tabulated once a call.

`MacPlan` defines the integers. The currents of a group of inputs have few patterns (a bit line is
on or off), so a conversion is a look-up in these tables, and its read noise one normal number whose
variance is that of all its cells together: exactly what independent cells give. This is the way of
narrow blocks and bit-serial inputs; see `products` for the other one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.random import LARGEST_NORMAL
from labctl_instruments.chip.request import Request

LineArray = npt.NDArray[np.int64]
TableArray = npt.NDArray[Any]
"""A table of sums or a part of one: float32 with noise, float64 without."""

WIDE = 8
"""Lines are padded to a multiple of this."""
PACK = np.dtype([("numbers", np.float32, (2 * WIDE,))])
"""Means and deviations of so many lines as one record, which is copied in one move."""
TIE = 2.0**-30
"""Part of an ADC step by which a current may miss a tie and still count as it (rounded up)."""
_GROUP_WIDTHS = ((64, 10), (4, 5), (0, 3))
"""From how many vectors tables of how many inputs pay."""


class Sums(NamedTuple):
    """The tables of one call, in ADC steps, as the compiled loops take them."""

    exact: TableArray
    """Code + 1/2 before rounding down, shape (n_blocks, n_groups, patterns, n_lines); float64.
    Empty with noise, and where there is one group."""
    codes: TableArray
    """The codes themselves, shape (n_blocks, patterns, n_lines); float32. Where there is one group
    and no noise; else empty."""
    above: TableArray
    """How many of a pattern's codes are saturated, shape (n_blocks, patterns), int64."""
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
    edges: FloatArray
    """Of crooked converters, as in `Request`."""
    edges_of: LineArray
    """Row of `edges` for each line, padded to whole packs, shape (n_blocks, n_packs * WIDE)."""
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


def is_tabulable(request: Request, *, n_vectors: int) -> bool:
    """Tell whether tables serve: codes of crooked converters are known there or meet noise."""
    return request.is_straight or request.is_noisy or _groups(request.plan.width, n_vectors) == 1


def tabulate(request: Request, *, n_vectors: int) -> Sums:
    """Tabulate the sums of all patterns of inputs.

    Parameters
    ----------
    request : Request
        The currents that sum up, and how they are converted.
    n_vectors : int
        Vectors to come: few do not pay for large tables.
    """
    plan, layout = request.plan, request.layout
    groups = _groups(plan.width, n_vectors)
    size = math.ceil(plan.width / groups)
    n_packs, top = math.ceil(plan.n_lines / WIDE), 2**plan.adc_bits - 1
    padded = np.zeros((plan.n_blocks, groups * size, n_packs * WIDE))
    padded[:, : plan.width, : plan.n_lines] = request.steps
    grouped = padded.reshape(plan.n_blocks, groups, size, n_packs * WIDE)
    bases = np.zeros((plan.n_blocks, n_packs * WIDE))
    bases[:, : plan.n_lines] = 0.5 + request.offsets
    exact, codes, above = np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1), np.float32), np.zeros((1, 1))
    noisy = np.zeros((plan.n_blocks, groups, 1, n_packs, 2 * WIDE), np.float32)
    if request.is_noisy:
        noisy = np.empty((plan.n_blocks, groups, 2**size, n_packs, 2 * WIDE), np.float32)
        variances = (request.relative_noise**2, request.converter_noise**2)
        fill_noisy(grouped, bases, variances, noisy)
    else:
        exact = _all_sums(grouped)
        exact[:, 0] += bases[:, np.newaxis] + TIE
    if groups == 1 and not request.is_noisy:
        reached = _codes(request, exact[:, 0, :, : plan.n_lines])
        above = (reached > top).sum(axis=2)
        codes, exact = np.clip(reached, 0.0, top).astype(np.float32), exact[:, :, :0]
    return Sums(
        exact=exact,
        codes=codes,
        above=above.astype(np.int64),
        noisy=noisy,
        packs=noisy.view(PACK)[..., 0],
        outputs=layout.outputs,
        signs=layout.signs,
        run_ends=layout.run_ends,
        edges=request.edges,
        edges_of=np.pad(request.edges_of, ((0, 0), (0, n_packs * WIDE - plan.n_lines))),
        top=top,
        bits=plan.input_bits,
        width=plan.width,
        size=size,
        saturable=_can_saturate(request),
    )


@compiled
def fill_noisy(
    steps: FloatArray,
    bases: FloatArray,
    variances: tuple[float, float],
    noisy: npt.NDArray[np.float32],
) -> None:
    """Fill the noisy tables from currents grouped as (n_blocks, n_groups, size, n_packs * WIDE).

    Each pattern is the one without its highest input, and that input. `bases` is what a line
    converts without current, + 1/2; variances are relative (of a cell) and absolute (of a line).
    """
    n_blocks, n_groups, size, lanes = steps.shape
    for block in range(n_blocks):
        for group in range(n_groups):
            table, inputs = noisy[block, group], steps[block, group]
            for lane in range(lanes):
                pack, i = lane // WIDE, lane % WIDE
                table[0, pack, i] = bases[block, lane] if group == 0 else 0.0
                table[0, pack, i + WIDE] = variances[1] if group == 0 else 0.0
            for j in range(size):
                for on in range(1 << j):
                    for lane in range(lanes):
                        pack, i = lane // WIDE, lane % WIDE
                        step = inputs[j, lane]
                        table[on + (1 << j), pack, i] = table[on, pack, i] + step
                        spread = table[on, pack, i + WIDE] + variances[0] * step * step
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


def _can_saturate(request: Request) -> bool:
    """Say whether all inputs on, with the largest noise, reach the first code above the range."""
    steps = request.steps
    mean = np.maximum(steps, 0.0).sum(axis=1) + request.offsets
    variance = request.relative_noise**2 * (steps**2).sum(axis=1) + request.converter_noise**2
    highest = mean + LARGEST_NORMAL * np.sqrt(variance) + 0.5
    return bool((highest >= 2**request.plan.adc_bits).any())


def _groups(width: int, n_vectors: int) -> int:
    """Return into how many groups the inputs of a block fall."""
    largest = next(width for least, width in _GROUP_WIDTHS if n_vectors >= least)
    return math.ceil(width / largest)


def _codes(request: Request, steps: FloatArray) -> FloatArray:
    """Return codes of currents + 1/2, (n_blocks, patterns, n_lines); beyond the range one more."""
    codes = np.floor(steps)
    if request.is_straight:
        return codes
    highest = request.edges.shape[1]
    for block, line in np.ndindex(request.edges_of.shape):
        edges, of_line = request.edges[request.edges_of[block, line]], steps[block, :, line]
        found = np.searchsorted(edges, of_line, side="right")
        codes[block, :, line] = np.where(of_line < highest + 1, found, highest + 1)
    return codes


def _all_sums(grouped: FloatArray) -> FloatArray:
    """Return sums over all subsets of axis 2; subset p holds input j where bit j of p is set."""
    sums = np.zeros((*grouped.shape[:2], 1, grouped.shape[3]))
    for j in range(grouped.shape[2]):
        sums = np.concatenate([sums, sums + grouped[:, :, j : j + 1]], axis=2)
    return sums
