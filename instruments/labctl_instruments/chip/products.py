"""The sums of a MAC as products: for wide blocks, digits of several bits, crooked converters.

A slot's currents are the digits' currents times the matrix of cells, and the variance of its noise
is the squared ones times the squared matrix. Where blocks are narrow and inputs bits, tables of
sums are faster; see `sums`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.conversion import code_between
from labctl_instruments.chip.driven import shake
from labctl_instruments.chip.random import Key
from labctl_instruments.chip.request import LineArray, Request
from labctl_instruments.chip.sums import TIE

CodeArray = npt.NDArray[np.uint8]
_CONVERSIONS_AT_ONCE = 2**20


class Batch(NamedTuple):
    """Currents of one block and some vectors, to be converted."""

    means: npt.NDArray[Any]
    """Currents + 1/2 in ADC steps, shape (n, n_slots, n_lines); float64, or float32 with noise."""
    variances: npt.NDArray[np.float32]
    """Of their noise; no lines where there is none."""
    active: npt.NDArray[np.bool_]
    """Whether any input is on, shape (n, n_slots)."""
    outputs: LineArray
    """Output of each line, shape (n_lines,)."""
    signs: LineArray
    """Sign of each line, shape (n_lines,)."""
    edges: FloatArray
    """As in `Request`."""
    edges_of: LineArray
    """Row of `edges` for each line, shape (n_lines,)."""
    digit_bits: int
    """Bits from one slot to the next."""
    top: int
    """Highest code."""
    start: int
    """Number of the block's first draw."""


def parts(request: Request, n_vectors: int) -> Iterator[slice]:
    """Cut vectors into parts whose currents are in memory at one time."""
    plan = request.plan
    size = max(_CONVERSIONS_AT_ONCE // (plan.n_slots * plan.n_lines), 1)
    for start in range(0, n_vectors, size):
        yield slice(start, min(start + size, n_vectors))


def batches(request: Request, codes: CodeArray) -> Iterator[Batch]:
    """Yield the currents of each block for input codes (n, n_inputs)."""
    plan, layout = request.plan, request.layout
    matrix, spread = request.matrices()
    highest = request.digit_currents[-1] or 1.0
    weights = (request.digit_currents / highest).astype(matrix.dtype)
    bases = (request.offsets + (0.5 if request.is_noisy else 0.5 + TIE)).astype(matrix.dtype)
    digits = request.digits(codes)
    for block in range(plan.n_blocks):
        inputs = digits[:, block * plan.width : (block + 1) * plan.width]
        on = weights[inputs.transpose(0, 2, 1)].reshape(-1, plan.width)
        shape = (len(codes), plan.n_slots, plan.n_lines)
        means = (on @ matrix[block]).reshape(shape)
        means += bases[block]
        variances = np.zeros((1, 1, 0), np.float32)
        if spread is not None:
            variances = (np.square(on) @ spread[block]).reshape(shape)
            variances += np.float32(request.converter_noise**2)
        yield Batch(
            means,
            variances,
            np.asarray(inputs.any(axis=1)),
            layout.outputs[block],
            layout.signs[block],
            request.edges,
            request.edges_of[block],
            plan.dac_bits,
            2**plan.adc_bits - 1,
            block * plan.n_slots * plan.n_lines,
        )


def convert_batch(
    batch: Batch, part: slice, key: Key, event: int, out: npt.NDArray[np.int32]
) -> int:
    """Add sums of codes of a part of the vectors to `out`; return how many codes saturated.

    `event` is the number of the draw of the batch's first vector.
    """
    totals = np.zeros(batch.means.shape[2])
    return int(convert_products(batch, (part.start, part.stop), (key, event), totals, out))


@compiled
def convert_products(
    batch: Batch,
    share: tuple[int, int],
    draws: tuple[Key, int],
    totals: FloatArray,
    out: npt.NDArray[np.int32],
) -> int:
    """Convert the vectors of a share; return how many codes saturated. `totals` is memory."""
    n_slots, n_lines = batch.means.shape[1], batch.means.shape[2]
    saturated = 0
    for v in range(share[0], share[1]):
        event = draws[1] + v
        words = rnd.draw(draws[0], event >> 32, event & 0xFFFFFFFF, rnd.CONVERSION, 0)
        keys = (np.uint32(words[0]), np.uint32(words[1]))
        for line in range(n_lines):
            totals[line] = 0.0
        for k in range(n_slots):
            if batch.active[v, k]:
                row = batch.means[v, k]
                if batch.variances.shape[2] == n_lines:
                    shake(row, batch.variances[v, k], np.uint32(batch.start + k * n_lines), keys)
                if batch.edges.shape[1] > 0:
                    bend(row, batch.edges, batch.edges_of)
                saturated += add_row(row, totals, batch.top, 1 << (k * batch.digit_bits))
        for line in range(n_lines):
            out[v, batch.outputs[line]] += batch.signs[line] * np.int64(totals[line])
    return saturated


@inlined
def bend(row: npt.NDArray[Any], edges: FloatArray, edges_of: LineArray) -> None:
    """Replace currents by the codes of crooked converters, + 1/2."""
    for line in range(row.shape[0]):
        row[line] = code_between(edges[edges_of[line]], row[line]) + 0.5


@inlined
def add_row(row: npt.NDArray[Any], totals: FloatArray, top: int, weight: int) -> int:
    """Round one slot's currents down to codes and add them, weighted; return how many saturated."""
    saturated = 0
    for line in range(row.shape[0]):
        code = max(np.floor(row[line]), 0.0)
        saturated += int(code > top)
        totals[line] += min(code, top) * weight
    return saturated
