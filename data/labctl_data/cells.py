"""Where cells are: the geometry of a chip, and sets of cells in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.errors import CellsError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Geometry:
    """The size of a chip: `pes` arrays of `rows` x `columns` cells."""

    pes: int
    """Number of processing elements (arrays)."""
    rows: int
    """Rows of one array: source lines and word lines."""
    columns: int
    """Columns of one array: bit lines."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a map of the chip, (pe, row, col)."""
        return (self.pes, self.rows, self.columns)

    @property
    def n_cells(self) -> int:
        """Number of cells on the chip."""
        return self.pes * self.rows * self.columns

    @property
    def n_lines(self) -> int:
        """Number of source lines on the chip."""
        return self.pes * self.rows


@dataclass(frozen=True, eq=False)
class Cells:
    """An ordered set of cells.

    Attributes
    ----------
    addresses : ndarray of shape (n, 3), int64
        PE, row and column of each cell.
    """

    addresses: IntArray

    @classmethod
    def of(cls, addresses: npt.ArrayLike) -> Cells:
        """Return the cells at `addresses`, of shape (n, 3) or (3,)."""
        table = np.asarray(addresses, dtype=np.int64).reshape(-1, 3)
        table.setflags(write=False)
        return cls(table)

    @classmethod
    def from_index(cls, index: npt.ArrayLike, geometry: Geometry) -> Cells:
        """Return the cells whose flat (C order) index in `geometry` is `index`."""
        return cls.of(np.stack(np.unravel_index(np.asarray(index), geometry.shape), axis=-1))

    @classmethod
    def from_text(cls, text: str, geometry: Geometry) -> Cells:
        """Parse what a person types: `0/0:128/0:16`, a list `0/3/4, 0/3/5`, or a mask file.

        Parameters
        ----------
        text : str
            Terms `PE/ROW/COL` parted by commas, each part a number, a range `start:stop`
            (stop excluded, `:` for all), or the path of a boolean `.npy` of the chip's shape.
        geometry : Geometry
            The chip the cells must lie on.

        Returns
        -------
        Cells
            In the order typed; within a range, rows before columns; no cell twice.

        Raises
        ------
        CellsError
            If a term cannot be read, lies outside the chip or names a cell twice.
        """
        if text.strip().endswith((".npy", ".npz")):
            return cls._from_mask(Path(text.strip()), geometry)
        blocks = [_parse_term(term.strip(), geometry) for term in text.split(",")]
        cells = cls.of(np.concatenate(blocks))
        if len(np.unique(cells.index(geometry))) != len(cells):
            raise CellsError(f"cells '{text}': a cell is named twice")
        return cells

    @classmethod
    def _from_mask(cls, path: Path, geometry: Geometry) -> Cells:
        if not path.is_file():
            raise CellsError(f"cells '{path}': no such mask file")
        try:
            mask = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CellsError(f"cells '{path}': not a readable .npy mask ({error})") from error
        if not isinstance(mask, np.ndarray):
            mask.close()
            raise CellsError(f"cells '{path}': asked for one array (.npy), found an archive (.npz)")
        if mask.dtype != np.bool_ or mask.shape != geometry.shape:
            raise CellsError(
                f"cells '{path}': asked for a bool mask of shape {geometry.shape}, "
                f"found {mask.dtype} of shape {mask.shape}"
            )
        if not mask.any():
            raise CellsError(f"cells '{path}': the mask selects no cell")
        return cls.of(np.argwhere(mask))

    @property
    def pe(self) -> IntArray:
        """PE of each cell, shape (n,)."""
        return self.addresses[:, 0]

    @property
    def row(self) -> IntArray:
        """Row of each cell, shape (n,)."""
        return self.addresses[:, 1]

    @property
    def column(self) -> IntArray:
        """Column of each cell, shape (n,)."""
        return self.addresses[:, 2]

    def index(self, geometry: Geometry) -> IntArray:
        """Return the flat (C order) index of each cell, shape (n,); refuse cells off the chip."""
        try:
            index = np.ravel_multi_index(tuple(self.addresses.T), geometry.shape)
        except ValueError as error:
            outside = (self.addresses < 0) | (self.addresses >= np.array(geometry.shape))
            address = "/".join(str(part) for part in self.addresses[outside.any(axis=1)][0])
            raise CellsError(
                f"cell {address} lies outside the chip {geometry.shape} (pe, row, col)"
            ) from error
        return np.asarray(index, np.int64)

    def blocks(self, size: int) -> Iterator[Cells]:
        """Yield the cells in runs of at most `size`."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def __len__(self) -> int:
        return len(self.addresses)

    def __getitem__(self, key: Any) -> Cells:  # noqa: ANN401  (whatever indexes an array)
        return Cells.of(self.addresses[key])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cells) and np.array_equal(self.addresses, other.addresses)

    def __hash__(self) -> int:
        return hash(self.addresses.tobytes())


_TERM = re.compile(r"([^/]+)/([^/]+)/([^/]+)")


def _parse_term(term: str, geometry: Geometry) -> IntArray:
    match = _TERM.fullmatch(term)
    if match is None:
        raise CellsError(f"cells '{term}': expected PE/ROW/COL, e.g. 0/0:128/0:16")
    names = ("PE", "row", "column")
    parts = [
        _parse_part(part.strip(), size, f"cells '{term}': {name}")
        for part, size, name in zip(match.groups(), geometry.shape, names, strict=True)
    ]
    return np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, 3)


def _parse_part(part: str, size: int, where: str) -> IntArray:
    match = re.fullmatch(r"(\d*)(:)?(\d*)", part)
    if match is None or part == "":
        raise CellsError(f"{where} '{part}' is neither a number nor a range start:stop")
    first, colon, last = match.groups()
    start = int(first or 0)
    stop = int(last or size) if colon else start + 1
    if not 0 <= start < stop <= size:
        raise CellsError(f"{where} '{part}' is empty or leaves 0:{size}")
    return np.arange(start, stop)
