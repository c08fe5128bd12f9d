"""The sums of a MAC in wide blocks: of each bit, only the inputs that are on are added up.

Codes of a layer after a rectifier are small and often 0: of 144 inputs some 20 are on in a bit. Of
each bit the inputs that are on become a list, eight at a time through a table of bytes, and their
rows of the matrix are added; no branch depends on an input. A product of matrices would multiply
all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from labctl_data.model.compiled import compiled, fused, inlined
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.random import Key
from labctl_instruments.chip.request import LineArray, Request
from labctl_instruments.chip.sums import TIE

CodeArray = npt.NDArray[np.uint8]
WordArray = npt.NDArray[np.uint64]

WIDEST = 248
"""Inputs of a block whose numbers, and that of a row of zeros, fit a byte each."""
_ONES = np.uint64(0x0101010101010101)
_TO_BYTE = np.uint64(0x0102040810204080)
"""Multiplied with eight bytes of 0 or 1, it leaves them as the bits of the highest byte."""
_COUNT = np.array([int(byte).bit_count() for byte in range(256)], np.int64)
_PLACES = np.array(
    [
        sum(place << 8 * n for n, place in enumerate(p for p in range(8) if byte >> p & 1))
        for byte in range(256)
    ],
    np.uint64,
)
"""The places of the bits that are on in a byte, one a byte, from the lowest."""


class Driven(NamedTuple):
    """One request, as the compiled loop takes it."""

    matrix: npt.NDArray[Any]
    """Currents in ADC steps, shape (n_blocks, width, n_lines), a row of zeros after the last
    input; float64, or float32 with noise."""
    spread: npt.NDArray[np.float32]
    """Variances, of the same shape; no lines where there is no noise."""
    bases: npt.NDArray[Any]
    """What is added to all currents of a line, 1/2 for rounding in it, (n_blocks, n_lines)."""
    outputs: LineArray
    """Output of each line, shape (n_blocks, n_lines)."""
    signs: LineArray
    """Sign of each line, shape (n_blocks, n_lines)."""
    converter_variance: np.float32
    """Variance of a conversion, whatever its current."""
    bits: int
    """Bits of an input code."""
    top: int
    """Highest code."""


class Scratch(NamedTuple):
    """Memory of one compiled call."""

    on: CodeArray
    """Numbers of the inputs that are on."""
    means: npt.NDArray[Any]
    """Of one bit, shape (n_lines,)."""
    variances: npt.NDArray[np.float32]
    """Of one bit, shape (n_lines,)."""
    totals: npt.NDArray[np.float32]
    """Codes of all bits, shifted and added, shape (n_lines,)."""


def fits(request: Request) -> bool:
    """Tell whether a request can be served here: bits, straight converters, and byte numbers."""
    largest = (2**request.plan.adc_bits - 1) * (2**request.plan.input_bits - 1)
    is_exact = largest < 2**24  # as float32 adds them up
    plan = request.plan
    return plan.dac_bits == 1 and plan.width <= WIDEST and request.is_straight and is_exact


def driven(request: Request) -> Driven:
    """Prepare a request."""
    matrix, spread = request.matrices()
    n_blocks, width, n_lines = matrix.shape
    rows = -(-width // 8) * 8 + 1
    padded = np.zeros((n_blocks, rows, n_lines), matrix.dtype)
    padded[:, :width] = matrix
    variances = np.zeros((n_blocks, rows, n_lines if spread is not None else 0), np.float32)
    if spread is not None:
        variances[:, :width] = spread
    half = 0.5 if request.is_noisy else 0.5 + TIE
    return Driven(
        padded,
        variances,
        (request.offsets + half).astype(matrix.dtype),
        request.layout.outputs,
        request.layout.signs,
        np.float32(request.converter_noise**2),
        request.plan.input_bits,
        2**request.plan.adc_bits - 1,
    )


def convert(
    request: Driven, codes: CodeArray, key: Key, event: int, out: npt.NDArray[np.int32]
) -> int:
    """Add sums of codes to `out`, shape (n, n_outputs); return how many codes saturated.

    `event` is the number of the first vector's draw. The interpreter lock is free meanwhile.
    """
    n_blocks, rows, n_lines = request.matrix.shape
    inputs = codes.reshape(len(codes), n_blocks, -1)
    if inputs.shape[2] != rows - 1:
        padded = np.zeros((len(codes), n_blocks, rows - 1), np.uint8)
        padded[:, :, : inputs.shape[2]] = inputs
        inputs = padded
    scratch = Scratch(
        np.zeros(rows + 16, np.uint8),
        np.zeros(n_lines, request.matrix.dtype),
        np.zeros(n_lines, np.float32),
        np.zeros(n_lines, np.float32),
    )
    words = np.ascontiguousarray(inputs).view(np.uint64)
    return int(convert_driven(request, words, (key, event), scratch, out))


def _store(context: Any, numbers: Any, place: Any, word: Any) -> Any:  # noqa: ANN401  (numba's)
    """Store a word of eight bytes at any byte of an array: numpy has no such store."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        wide = builder.bitcast(pointer, arguments[2].type.as_pointer())
        builder.store(arguments[2], wide).align = 1
        return context.get_dummy_value()

    return types.void(numbers, place, word), generate


put_bytes = cast("Callable[[CodeArray, int, np.uint64], None]", intrinsic(_store))


@compiled
def convert_driven(
    request: Driven,
    words: WordArray,
    draws: tuple[Key, int],
    scratch: Scratch,
    out: npt.NDArray[np.int32],
) -> int:
    """Convert vectors, their codes as words (n, n_blocks, width / 8); return how many saturated."""
    n_blocks, n_lines = request.outputs.shape
    saturated = np.float32(0.0)
    for v in range(words.shape[0]):
        event = draws[1] + v
        drawn = rnd.draw(draws[0], event >> 32, event & 0xFFFFFFFF, rnd.CONVERSION, 0)
        keys = (np.uint32(drawn[0]), np.uint32(drawn[1]))
        for block in range(n_blocks):
            active = any_bits(words[v, block])
            for line in range(n_lines):
                scratch.totals[line] = np.float32(0.0)
            for k in range(request.bits):
                if active >> np.uint64(k) & np.uint64(1):
                    n = list_driven(words[v, block], np.uint64(k), scratch.on)
                    saturated += convert_bit(request, scratch, (block, k, n), keys)
            for line in range(n_lines):
                total = request.signs[block, line] * np.int64(scratch.totals[line])
                out[v, request.outputs[block, line]] += total
    return int(saturated)


@inlined
def convert_bit(
    request: Driven,
    scratch: Scratch,
    which: tuple[int, int, int],
    keys: tuple[np.uint32, np.uint32],
) -> np.float32:
    """Add one bit's codes to the totals; return how many saturated.

    `which` are block, bit, and how many inputs are on.
    """
    block, k, n = which
    n_lines = scratch.means.shape[0]
    for line in range(n_lines):
        scratch.means[line] = request.bases[block, line]
    add_rows(request.matrix[block], scratch.on, n, scratch.means)
    if request.spread.shape[2] == n_lines:
        for line in range(n_lines):
            scratch.variances[line] = request.converter_variance
        add_rows(request.spread[block], scratch.on, n, scratch.variances)
        start = np.uint32((block * request.bits + k) * n_lines)
        shake(scratch.means, scratch.variances, start, keys)
    return add_codes(scratch.means, scratch.totals, request.top, np.float32(1 << k))


@inlined
def any_bits(words: WordArray) -> np.uint64:
    """Return all codes or-ed, in the lowest byte."""
    active = np.uint64(0)
    for word in words:
        active |= word
    active |= active >> np.uint64(32)
    active |= active >> np.uint64(16)
    return active | active >> np.uint64(8)


@inlined
def list_driven(words: WordArray, k: np.uint64, on: CodeArray) -> int:
    """List the inputs whose bit k is on, and up to seven times the row of zeros; return how many.

    Each word writes eight numbers, of which the next word writes over those that are none.
    """
    n = 0
    for i in range(words.shape[0]):
        byte = (words[i] >> k & _ONES) * _TO_BYTE >> np.uint64(56)
        put_bytes(on, n, np.uint64(_PLACES[byte]) + np.uint64(8 * i) * _ONES)
        n += int(_COUNT[byte])
    put_bytes(on, n, np.uint64(8 * words.shape[0]) * _ONES)
    return n


@fused
def add_rows(matrix: npt.NDArray[Any], on: CodeArray, n: int, sums: npt.NDArray[Any]) -> None:
    """Add the rows listed, eight together; the list is filled up with the row of zeros."""
    for i in range(0, n, 8):
        a, b, c, d = matrix[on[i]], matrix[on[i + 1]], matrix[on[i + 2]], matrix[on[i + 3]]
        e, f, g, h = matrix[on[i + 4]], matrix[on[i + 5]], matrix[on[i + 6]], matrix[on[i + 7]]
        for j in range(sums.shape[0]):
            first = (a[j] + b[j]) + (c[j] + d[j])
            sums[j] += first + ((e[j] + f[j]) + (g[j] + h[j]))


@fused
def shake(
    means: npt.NDArray[np.float32],
    variances: npt.NDArray[np.float32],
    start: np.uint32,
    keys: tuple[np.uint32, np.uint32],
) -> None:
    """Add noise to one bit's currents: one normal number a conversion."""
    for line in range(means.shape[0]):
        word = rnd.mixed(np.uint32(start + np.uint32(line)), keys[0], keys[1])
        means[line] += np.sqrt(variances[line]) * rnd.normal_of(word)


@inlined
def add_codes(
    means: npt.NDArray[Any], totals: npt.NDArray[np.float32], top: int, weight: np.float32
) -> np.float32:
    """Round one bit's currents down to codes and add them, weighted; return how many saturated.

    The loop has no branch, so that it becomes vector instructions.
    """
    highest, one, zero = np.float32(top), np.float32(1.0), np.float32(0.0)
    saturated = zero
    for line in range(means.shape[0]):
        code = max(np.float32(np.floor(means[line])), zero)
        clipped = min(code, highest)
        totals[line] += clipped * weight
        saturated += min(code - clipped, one)
    return saturated
