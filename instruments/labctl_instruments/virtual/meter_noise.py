"""The noise of a meter's readings: one draw a reading, keyed by (seed, meter, reading)."""

from __future__ import annotations

import hashlib
import math
import struct


class MeterNoise:
    """Standard normal numbers that depend on nothing but their place.

    Parameters
    ----------
    seed : int or None
        The chip's seed; None for a meter without noise.
    name : str
        The meter's name on its bench.
    """

    def __init__(self, seed: int | None, name: str) -> None:
        self._key = None if seed is None else hashlib.blake2b(f"{seed}/{name}".encode()).digest()
        self._readings = 0

    def draw(self) -> float:
        """Return the next number."""
        self._readings += 1
        if self._key is None:
            return 0.0
        counter = struct.pack("<Q", self._readings)
        first, second = struct.unpack(
            "<QQ", hashlib.blake2b(counter, key=self._key, digest_size=16).digest()
        )
        radius = math.sqrt(-2.0 * math.log((first + 1) / 2**64))
        return radius * math.cos(2.0 * math.pi * second / 2**64)
