"""What the host does between layers of the array, in floating point and in whole numbers.

Every operator has one text for both: `apply` takes maps of float32, or of int32 counts, and
`in_counts` returns the operator whose own numbers are counts too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.layers import (
    FloatArray,
    MapShape,
    Pool,
    largest_in_windows,
    windows_of,
)

N = TypeVar("N", np.float32, np.int32)
IntArray = npt.NDArray[np.int64]

FACTOR_BITS = 16
"""Bits behind the point of a factor that is applied to counts."""
OUTSIDE = -(2**31)
"""The lowest count: it loses every maximum."""


class Operator(Protocol):
    """Work on maps of shape (n, height, width, channels)."""

    @property
    def gain(self) -> float:
        """What the result of `apply` is to be multiplied by."""
        ...

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """Return the shape of the result, without n, of inputs of `shapes`."""
        ...

    def in_counts(self, scale: float) -> Operator:
        """Return the operator for counts that are worth `scale` each."""
        ...

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """Return the result for maps of one type and one scale."""
        ...


@dataclass(frozen=True)
class _Plain:
    """An operator on one map, with no number of its own, that keeps the shape."""

    @property
    def gain(self) -> float:
        """See `Operator.gain`."""
        return 1.0

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        return shapes[0]


@dataclass(frozen=True)
class Rectify(_Plain):
    """Negative values become 0."""

    def in_counts(self, scale: float) -> Rectify:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return np.maximum(maps[0], maps[0].dtype.type(0))


@dataclass(frozen=True)
class Clip(_Plain):
    """Values are cut at two ends."""

    low: float
    """The lower end."""
    high: float
    """The upper end."""

    def in_counts(self, scale: float) -> Clip:
        """See `Operator.in_counts`."""
        low, high = (float(np.clip(np.rint(e / scale), -(2**30), 2**30)) for e in self._ends())
        return Clip(low, high)

    def _ends(self) -> tuple[float, float]:
        return (self.low, self.high)

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        kind = maps[0].dtype.type
        return np.clip(maps[0], kind(self.low), kind(self.high))


@dataclass(frozen=True)
class Sign(_Plain):
    """Values become -1, 0 or 1."""

    scale: float = 1.0
    """Value of one count; a sign has none."""

    @property
    def gain(self) -> float:
        """See `Operator.gain`."""
        return 1.0 / self.scale

    def in_counts(self, scale: float) -> Sign:
        """See `Operator.in_counts`."""
        return Sign(scale)

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return np.sign(maps[0])


@dataclass(frozen=True)
class Add(_Plain):
    """Maps of one shape are added."""

    def in_counts(self, scale: float) -> Add:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return sum(maps[1:], start=maps[0])


@dataclass(frozen=True)
class Concat(_Plain):
    """The channels of maps of one size stand after each other."""

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        return (*shapes[0][:2], sum(shape[2] for shape in shapes))

    def in_counts(self, scale: float) -> Concat:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return np.concatenate(maps, axis=3)


@dataclass(frozen=True)
class MaxPool(_Plain):
    """The maximum of each window."""

    pool: Pool
    """The windows."""

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        return self.pool.shape_of(shapes[0])

    def in_counts(self, scale: float) -> MaxPool:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return largest_in_windows(self.pool, maps[0], OUTSIDE)


@dataclass(frozen=True)
class AveragePool(_Plain):
    """The mean of each window: a sum here, and its division in `gain`.

    A window that hangs over the edge has fewer values; its sum is scaled up to a full one.
    """

    pool: Pool
    """The windows."""
    counts_padding: bool = False
    """Whether zeros of the padding count as values."""

    @property
    def gain(self) -> float:
        """See `Operator.gain`."""
        return 1.0 / (self.pool.size[0] * self.pool.size[1])

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        return self.pool.shape_of(shapes[0])

    def in_counts(self, scale: float) -> AveragePool:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        kind = maps[0].dtype
        sums = windows_of(self.pool, maps[0], 0).sum(axis=(4, 5), dtype=kind)
        met = self._values_met(maps[0].shape)
        full = self.pool.size[0] * self.pool.size[1]
        if (met == full).all():
            return np.asarray(sums)
        if kind == np.float32:
            return np.asarray(sums * (full / met).astype(kind))
        scaled = (2 * sums.astype(np.int64) * full + met) // (2 * met)
        return np.asarray(scaled.astype(kind))

    def _values_met(self, shape: tuple[int, ...]) -> IntArray:
        """Return how many values each window counts, (1, pooled height, pooled width, 1)."""
        pooled = self.pool.shape_of((shape[1], shape[2], shape[3]))
        down, right = (self._met_along(axis, shape[axis + 1], pooled[axis]) for axis in (0, 1))
        return (down[:, None] * right)[None, :, :, None]

    def _met_along(self, axis: int, length: int, pooled: int) -> IntArray:
        starts = np.arange(pooled) * self.pool.stride[axis] - self.pool.padding[axis]
        first, past = 0, length
        if self.counts_padding:
            first, past = -self.pool.padding[axis], length + self.pool.padding[axis + 2]
        ends = np.minimum(starts + self.pool.size[axis], past)
        return np.asarray(ends - np.maximum(starts, first), np.int64)


@dataclass(frozen=True, eq=False)
class Affine(_Plain):
    """Each channel is multiplied and moved: a normalisation that no layer could take up."""

    factor: FloatArray
    """Of each channel, shape (channels,)."""
    offset: FloatArray
    """Of each channel, shape (channels,)."""

    def followed_by(self, after: Affine) -> Affine:
        """Return both in one."""
        return Affine(self.factor * after.factor, self.offset * after.factor + after.offset)

    def in_counts(self, scale: float) -> FixedAffine:
        """Return whole factors; the largest one keeps `FACTOR_BITS` bits, the scale takes rest."""
        largest = float(np.abs(self.factor).max(initial=0.0)) or 1.0
        factors = np.rint(self.factor / largest * 2**FACTOR_BITS).astype(np.int64)
        return FixedAffine(factors, np.rint(self.offset / (scale * largest)), largest)

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        kind = maps[0].dtype
        moved = maps[0] * self.factor.astype(kind) + self.offset.astype(kind)
        return moved.astype(maps[0].dtype, copy=False)


@dataclass(frozen=True, eq=False)
class FixedAffine(_Plain):
    """`Affine` on counts: ``floor(count * factor / 2**FACTOR_BITS + 1/2) + offset``."""

    factor: IntArray
    """Whole factors, shape (channels,)."""
    offset: FloatArray
    """Whole numbers of counts, shape (channels,)."""
    largest: float
    """The factor that `2**FACTOR_BITS` stands for."""

    @property
    def gain(self) -> float:
        """See `Operator.gain`."""
        return self.largest

    def in_counts(self, scale: float) -> FixedAffine:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        half = 1 << (FACTOR_BITS - 1)
        moved = (maps[0].astype(np.int64) * self.factor + half) >> FACTOR_BITS
        return (moved + self.offset.astype(np.int64)).astype(maps[0].dtype)


@dataclass(frozen=True)
class Border(_Plain):
    """A map gets a border of one value."""

    before: MapShape
    """Rows, columns and channels above, left and before."""
    after: MapShape
    """Rows, columns and channels below, right and behind."""
    value: float = 0.0
    """What stands there."""

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        height, width, channels = (
            sum(sizes) for sizes in zip(shapes[0], self.before, self.after, strict=True)
        )
        return (height, width, channels)

    def in_counts(self, scale: float) -> Border:
        """See `Operator.in_counts`."""
        return replace(self, value=float(np.rint(self.value / scale)))

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        widths = ((0, 0), *zip(self.before, self.after, strict=True))
        return np.pad(maps[0], widths, constant_values=maps[0].dtype.type(self.value))


@dataclass(frozen=True)
class Slice(_Plain):
    """Some rows, columns and channels of a map."""

    ranges: tuple[slice, slice, slice]
    """Which rows, columns and channels."""

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        height, width, channels = (
            len(range(size)[part]) for size, part in zip(shapes[0], self.ranges, strict=True)
        )
        return (height, width, channels)

    def in_counts(self, scale: float) -> Slice:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return np.ascontiguousarray(maps[0][(slice(None), *self.ranges)])


@dataclass(frozen=True)
class Flatten(_Plain):
    """A map becomes a vector in the order channel, row, column."""

    def shape_of(self, shapes: Sequence[MapShape]) -> MapShape:
        """See `Operator.shape_of`."""
        return (1, 1, int(np.prod(shapes[0])))

    def in_counts(self, scale: float) -> Flatten:
        """See `Operator.in_counts`."""
        return self

    def apply(self, maps: Sequence[npt.NDArray[N]]) -> npt.NDArray[N]:
        """See `Operator.apply`."""
        return as_vectors(maps[0])[:, np.newaxis, np.newaxis, :]


def as_vectors(maps: npt.NDArray[N]) -> npt.NDArray[N]:
    """Return maps (n, height, width, channels) as vectors in the order channel, row, column."""
    return maps.transpose(0, 3, 1, 2).reshape(len(maps), -1)
