"""The cells an operator has chosen: a mask over the whole chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import CellsError

BoolArray = npt.NDArray[np.bool_]


class Selection:
    """A set of cells of one chip.

    Parameters
    ----------
    geometry : Geometry
        Size of the chip.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._mask = np.zeros(geometry.shape, np.bool_)
        self._version = 0

    @property
    def version(self) -> int:
        """Changes with each change."""
        return self._version

    @property
    def mask(self) -> BoolArray:
        """A copy of it, of shape (pe, row, col)."""
        return self._mask.copy()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._mask))

    def pe(self, number: int) -> BoolArray:
        """Return which cells of a PE are in it, shape (row, col)."""
        return np.array(self._mask[number])

    def clear(self) -> None:
        """Choose no cell."""
        self._mask[:] = False
        self._version += 1

    def toggle(self, pe: int, row: int, column: int) -> None:
        """Take a cell in, or out if it is in."""
        self._mask[pe, row, column] ^= True
        self._version += 1

    def add_rectangle(self, pe: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Take in the cells of a rectangle; both ends of `rows` and `columns` are in it."""
        low, high = sorted(rows)
        left, right = sorted(columns)
        self._mask[pe, low : high + 1, left : right + 1] = True
        self._version += 1

    def text(self) -> str:
        """Return what a form takes for these cells: rectangles, one after another.

        A PE's cells that are a full rectangle are one term; else each row's stretches are.
        """
        return ", ".join(
            term for pe in range(self.geometry.pes) for term in _terms(pe, self._mask[pe])
        )

    def save(self, path: Path) -> None:
        """Write it as the mask file that `cells=` takes: a boolean .npy of the chip's shape."""
        with path.open("wb") as file:
            np.save(file, self._mask, allow_pickle=False)

    def load(self, path: Path) -> None:
        """Take the cells of a mask file in the place of those chosen.

        Raises
        ------
        CellsError
            If the file is no mask of this chip.
        """
        if path.suffix != ".npy":
            raise CellsError(f"mask '{path}': asked for a .npy file")
        cells = Cells.from_text(str(path), self.geometry)
        self._mask[:] = False
        self._mask[cells.pe, cells.row, cells.column] = True
        self._version += 1


def _terms(pe: int, chosen: BoolArray) -> list[str]:
    rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
    if not len(rows):
        return []
    box = chosen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if box.all():
        return [f"{pe}/{_span(rows[0], rows[-1])}/{_span(columns[0], columns[-1])}"]
    return [
        f"{pe}/{row}/{_span(first, last)}"
        for row in rows.tolist()
        for first, last in _stretches(np.flatnonzero(chosen[row]))
    ]


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}:{last + 1}"


def _stretches(numbers: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return first and last of each stretch of numbers without gaps."""
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]
