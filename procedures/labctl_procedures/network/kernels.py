"""The host's inner loops: input vectors out of maps, maps out of sums, exact reference sums.

They hold no lock (`nogil`) and start no threads; whoever calls them may use several.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from labctl_data.model.compiled import inlined

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def gather(maps: Bytes, starts: IntArray, taps: IntArray, vectors: Bytes) -> None:
    """Lay out the input vectors of every kernel position.

    Parameters
    ----------
    maps : ndarray of shape (n, size), uint8
        Padded input maps, flat.
    starts : ndarray of shape (positions,), int64
        Where each kernel position starts in a map.
    taps : ndarray of shape (n_inputs,), int64
        Offset of each input from there; -1 for an unused input, whose code is 0.
    vectors : ndarray of shape (n * positions, n_inputs), uint8
        Result.
    """
    for image in range(maps.shape[0]):
        for position in range(starts.shape[0]):
            start = starts[position]
            row = image * starts.shape[0] + position
            for i in range(taps.shape[0]):
                tap = taps[i]
                vectors[row, i] = maps[image, start + tap] if tap >= 0 else 0


@njit(cache=True, nogil=True)
def settle(
    sums: Int32Array, affine: IntArray, window: IntArray, lowest: int, counts: Int32Array
) -> None:
    """Turn sums of the array into counts: maximum pooling, factor and bias, ReLU.

    A count is ``floor(sum * factor / 2**16 + 1/2) + bias``, or the lowest.

    Parameters
    ----------
    sums : ndarray of shape (n, height, width, channels), int32
        Sums of the array.
    affine : ndarray of shape (2, channels), int64
        Factor, above 0, and bias of each output.
    window : ndarray of shape (8,), int64
        Pooling: size, stride, padding (top, left), pooled size, each down and to the right.
    lowest : int
        Least count: 0 with ReLU, else below all counts.
    counts : ndarray of shape (n, pooled height, pooled width, channels), int32
        Result.
    """
    peak = np.empty(sums.shape[3], np.int64)
    for image in range(sums.shape[0]):
        for row in range(window[6]):
            for column in range(window[7]):
                _peaks(sums[image], row, column, window, peak)
                for channel in range(sums.shape[3]):
                    count = (peak[channel] * affine[0, channel] + 32768) >> 16
                    value = max(count + affine[1, channel], lowest)
                    counts[image, row, column, channel] = value


@njit(cache=True, nogil=True)
def encode(counts: Int32Array, scale: IntArray, codes: Bytes) -> int:
    """Turn counts into input codes: ``floor(count * multiplier / 2**shift + 1/2) + zero``.

    Parameters
    ----------
    counts : ndarray of shape (n, height, width, channels), int32
        Counts.
    scale : ndarray of shape (5,), int64
        Multiplier, shift, zero; rows and columns of border in `codes`, top and left.
    codes : ndarray of shape (n, padded height, padded width, channels), uint8
        Result, inside its border, which is left as it is.

    Returns
    -------
    int
        Codes that met an end of their range.
    """
    multiplier, shift, zero, top, left = scale
    half = np.int64(1) << (shift - 1)
    clipped = 0
    for image in range(counts.shape[0]):
        for row in range(counts.shape[1]):
            for column in range(counts.shape[2]):
                for channel in range(counts.shape[3]):
                    count = np.int64(counts[image, row, column, channel])
                    code = ((count * multiplier + half) >> shift) + zero
                    clipped += int((code < 0) | (code > 255))
                    codes[image, top + row, left + column, channel] = min(max(code, 0), 255)
    return clipped


@njit(cache=True, nogil=True)
def _peaks(sums: Int32Array, row: int, column: int, window: IntArray, peak: IntArray) -> None:
    """Put the largest sum of each channel in one pooling window into `peak`, (channels,)."""
    height, width, channels = sums.shape
    top = row * window[2] - window[4]
    left = column * window[3] - window[5]
    peak[:] = -(2**62)
    for y in range(max(top, 0), min(top + window[0], height)):
        for x in range(max(left, 0), min(left + window[1], width)):
            for channel in range(channels):
                peak[channel] = max(peak[channel], sums[y, x, channel])


@njit(cache=True, nogil=True)
def exact_sums(
    vectors: Bytes,
    tables: Int32Array,
    codes: Int32Array,
    lines: Int32Array,
    sums: Int32Array,
) -> int:
    """Compute what an array of exact levels answers, in whole numbers.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_blocks * width), uint8
        Input codes.
    tables : ndarray of shape (n_blocks, groups, 2**size, n_lines), int32
        Line currents, in units, for each pattern of a group of `size` inputs; ADC codes already,
        where there is one group and `codes` is empty.
    codes : ndarray of shape (largest current + 1,) or (0,), int32
        ADC code of each current.
    lines : ndarray of shape (2, n_blocks, n_lines), int32
        Output and sign of each line.
    sums : ndarray of shape (n, n_outputs), int32
        Result; must be zeros.

    Returns
    -------
    int
        The largest entry or sum of entries of `tables` met on a line.
    """
    n_blocks, groups, _, n_lines = tables.shape
    width = vectors.shape[1] // n_blocks
    patterns = np.empty((groups, 8), np.int32)
    current = np.empty(n_lines, np.int32)
    total = np.empty(n_lines, np.int32)
    largest = np.int32(0)
    for v in range(vectors.shape[0]):
        for block in range(n_blocks):
            driven = _find_patterns(vectors[v], block * width, width, patterns)
            total[:] = 0
            for bit in range(8):
                if (driven >> bit) & 1:
                    _add_currents(tables, block, patterns[:, bit], current)
                    largest = max(largest, _convert(current, codes, bit, total))
            if driven:
                for line in range(n_lines):
                    sums[v, lines[0, block, line]] += lines[1, block, line] * total[line]
    return int(largest)


@inlined
def _find_patterns(inputs: Bytes, first: int, width: int, patterns: Int32Array) -> np.int32:
    """Put which inputs of each group have which bit set into `patterns`, (groups, 8).

    Of the `width` inputs from `first`. Returns the bits that any of them has set.
    """
    groups = patterns.shape[0]
    size = -(-width // groups)
    one, driven = np.int32(1), np.int32(0)
    for group in range(groups):
        for bit in range(8):
            patterns[group, bit] = 0
        for i in range(group * size, min((group + 1) * size, width)):
            code = np.int32(inputs[first + i])
            place = np.int32(i - group * size)
            driven |= code
            for bit in range(8):
                patterns[group, bit] |= ((code >> np.int32(bit)) & one) << place
    return driven


@inlined
def _add_currents(
    tables: Int32Array, block: int, patterns: Int32Array, current: Int32Array
) -> None:
    """Put the line currents of one block into `current`, (n_lines,)."""
    for line in range(current.shape[0]):
        current[line] = tables[block, 0, patterns[0], line]
    for group in range(1, patterns.shape[0]):
        for line in range(current.shape[0]):
            current[line] += tables[block, group, patterns[group], line]


@inlined
def _convert(current: Int32Array, codes: Int32Array, bit: int, total: Int32Array) -> np.int32:
    """Add the codes of line currents, shifted, to `total`; return the largest current."""
    shift = np.int32(bit)
    largest = np.int32(0)
    if codes.shape[0] == 0:
        for line in range(current.shape[0]):
            total[line] += current[line] << shift
    else:
        for line in range(current.shape[0]):
            total[line] += codes[current[line]] << shift
    for line in range(current.shape[0]):
        largest = max(largest, current[line])
    return largest
