"""Counter-based randomness: every draw is a pure function of (seed, cell, event, stream).

Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11; the tests hold
it against the known answers of its authors' Random123 library. Nothing here has state, so draws do
not depend on the order in which cells are visited, nor on threads.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from labctl_data.model.compiled import fused, inlined

Key = npt.NDArray[np.uint64]
"""Two 32-bit words of the seed, shape (2,)."""
Words = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
"""Four random 32-bit words."""

# Streams: the last word of the counter says what a draw is for.
DEVICE, PULSE, READ, WALK, DISTURB, TELEGRAPH, CONVERSION, FLICKER = range(8)

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FACTOR_0, _FACTOR_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_TO_UNIT = 2.0**-32

# Of `normal_of`: fields of the word, and the polynomial (least squares, weight: probability).
_ELEVEN, _TENTH, _ONE = np.uint32(0x7FF), np.uint32(22), np.uint32(1)
_C1, _C3, _C5 = np.float32(0.9370458), np.float32(0.051601723), np.float32(-0.030028557)
_C7, _C9, _C11 = np.float32(0.009792334), np.float32(-0.0013533883), np.float32(7.380235e-05)
LARGEST_NORMAL = 4.76
"""No number of `normal_of` is larger."""
_FIELDS_MEAN, _FIELDS_SCALE = np.float32(3070.0), np.float32(1.0 / 1024.0)


def key_of(seed: int) -> Key:
    """Return the key of a seed: its low 64 bits."""
    return np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], np.uint64)


@inlined
def philox(key: Key, c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64) -> Words:
    """Return the four words of Philox4x32-10 for a counter of four 32-bit words."""
    k0, k1 = key[0], key[1]
    for _ in range(10):
        low, high = c0 * _FACTOR_0, c2 * _FACTOR_1
        c0, c2 = (high >> _HALF) ^ c1 ^ k0, (low >> _HALF) ^ c3 ^ k1
        c1, c3 = high & _MASK, low & _MASK
        k0, k1 = (k0 + _WEYL_0) & _MASK, (k1 + _WEYL_1) & _MASK
    return c0, c1, c2, c3


@inlined
def draw(key: Key, cell: int, event: int, stream: int, block: int) -> Words:
    """Return block `block` of the words that `cell` has for event number `event` of `stream`."""
    return philox(key, np.uint64(cell), np.uint64(event), np.uint64(block), np.uint64(stream))


@inlined
def uniform(word: np.uint64) -> float:
    """Return a word as a number strictly between 0 and 1."""
    return (float(word) + 0.5) * _TO_UNIT


@inlined
def normal_pair(first: np.uint64, second: np.uint64) -> tuple[float, float]:
    """Return two independent standard normal numbers (Box and Muller, 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform(first)))
    angle = 2.0 * math.pi * uniform(second)
    return radius * math.cos(angle), radius * math.sin(angle)


@inlined
def rare_student(u: float, share: float) -> float:
    """Return a Student number with probability `share`, else 0; of unit variance all the same."""
    if share >= 1.0:
        return student(u)
    if abs(u - 0.5) < 0.5 * (1.0 - share):
        return 0.0
    within = u / share if u < 0.5 else 1.0 - (1.0 - u) / share
    return student(within) / math.sqrt(share)


@inlined
def student(u: float) -> float:
    """Return a Student-t number with 4 degrees of freedom, scaled to unit variance, of u in (0, 1).

    Its quantile function is closed (Shaw, J. Comp. Finance 9, 37 (2006)); variance of t4 is 2.
    """
    alpha = math.sqrt(4.0 * u * (1.0 - u))
    size = math.sqrt(2.0 * max(math.cos(math.acos(alpha) / 3.0) / alpha - 1.0, 0.0))
    return size if u > 0.5 else -size


@inlined
def mixed(counter: np.uint32, first: np.uint32, second: np.uint32) -> np.uint32:
    """Return a random 32-bit word for a counter under two key words, in few instructions.

    A two-round multiply-and-shift permutation (constants of the hash-prospector search, C. Wellons)
    with the keys before and between its rounds. It serves the conversions of one MAC vector, whose
    keys come from Philox: a loop over counters turns into vector instructions, Philox does not.
    """
    x = np.uint32(counter ^ first)
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x * np.uint32(0x21F0AAAD))
    x = np.uint32(x ^ (x >> np.uint32(15)))
    x = np.uint32(x + second)
    x = np.uint32(x * np.uint32(0x735A2D97))
    return np.uint32(x ^ (x >> np.uint32(15)))


@fused
def normal_of(word: np.uint32) -> np.float32:
    """Return a standard normal number of one word, without tables, logarithms or branches.

    The word's fields of 11, 11 and 10 bits add up to a nearly bell-shaped number of 6,142 values;
    an odd polynomial, fitted to the normal quantile of its exact distribution, makes it normal:
    variance 1 + 2e-9, excess kurtosis -2e-4, distribution function within 1.9e-4 everywhere and
    tails within 1 % to 4 standard deviations. What lies beyond 4.75 (2e-6) is neglected.
    """
    fields = (word & _ELEVEN) + ((word >> np.uint32(11)) & _ELEVEN) + ((word >> _TENTH) << _ONE)
    s = (np.float32(np.int32(fields)) - _FIELDS_MEAN) * _FIELDS_SCALE
    t = s * s
    return np.float32(s * (_C1 + t * (_C3 + t * (_C5 + t * (_C7 + t * (_C9 + t * _C11))))))
