"""Figures of a mapping: which layer lies where on the chip, and what its cells are to hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from labctl.report.ink import BLUE, GREEN, INK, MUTED, ORANGE, RED, RULE, VIOLET, drawn, painted

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEW = 16
"""Arrays that are drawn cell by cell; more become a tile each."""
_INKS = (BLUE, ORANGE, GREEN, VIOLET, RED)
_PALEST = 0.25


def mapping_picture(layers: IntArray, targets: FloatArray, names: Sequence[str]) -> Markup:
    """Draw where the layers of a network lie.

    A few arrays are drawn cell by cell, a colour a layer, the stronger the more a cell is to
    conduct; of many arrays each is a tile in the colour of its layer.

    Parameters
    ----------
    layers : ndarray of shape (pe, row, col)
        Number of the layer that holds each cell; -1 for none.
    targets : ndarray of shape (pe, row, col)
        Conductance each cell is to have, in S; NaN for none.
    names : sequence of str
        Names of the layers.
    """
    title = f"{len(names)} layers on {np.count_nonzero((layers >= 0).any(axis=(1, 2)))} arrays"
    draw, panels = _drawing(layers, targets, names)
    return drawn(title, draw, ncols=panels)


def mapping_png(layers: IntArray, targets: FloatArray, names: Sequence[str]) -> bytes:
    """Return what `mapping_picture` draws as a PNG on white paper, for a screen."""
    draw, panels = _drawing(layers, targets, names)
    return painted(draw, ncols=panels)


def _drawing(
    layers: IntArray, targets: FloatArray, names: Sequence[str]
) -> tuple[Callable[[Any], None], int]:
    """Return what draws a mapping, and on how many axes."""
    if len(layers) <= FEW:
        return lambda axes: _draw_cells(np.atleast_1d(axes), layers, targets, names), len(layers)
    return lambda axes: _draw_tiles(axes, layers, names), 1


def _draw_cells(
    axes: Any,  # noqa: ANN401  (an array of axes)
    layers: IntArray,
    targets: FloatArray,
    names: Sequence[str],
) -> None:
    low, high = np.nanmin(targets), np.nanmax(targets)
    strength = _PALEST + (1 - _PALEST) * (targets - low) / max(high - low, 1e-12)
    for pe, panel in enumerate(axes.flat):
        panel.imshow(_colours(layers[pe], strength[pe]), aspect="auto", interpolation="nearest")
        panel.set_title(f"PE {pe}")
        panel.set_xticks([0, layers.shape[2] - 1])
        panel.set_yticks([0, layers.shape[1] - 1] if pe == 0 else [])
        panel.grid(visible=False)
        _name_layers(panel, layers[pe], names)
    axes.flat[0].set_ylabel("row")
    axes.flat[0].set_xlabel("column")


def _name_layers(panel: Axes, layers: IntArray, names: Sequence[str]) -> None:
    """Write each layer's name into the middle of its cells."""
    for number in np.unique(layers[layers >= 0]).tolist():
        rows, columns = np.nonzero(layers == number)
        place = float(columns.mean()), float(rows.mean())
        panel.text(*place, names[int(number)], ha="center", va="center", fontsize=8, color=INK)


def _draw_tiles(axes: Axes, layers: IntArray, names: Sequence[str]) -> None:
    held = np.array([pe[pe >= 0].min(initial=10**6) for pe in layers])
    held[held == 10**6] = -1
    across = math.ceil(math.sqrt(2.4 * len(held)))
    tiles = np.full(across * math.ceil(len(held) / across), -1)
    tiles[: len(held)] = held
    grid = tiles.reshape(-1, across)
    axes.imshow(_colours(grid, np.full(grid.shape, 0.8)), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for edge in range(grid.shape[0] + 1):
        axes.axhline(edge - 0.5, color=RULE, linewidth=0.5)
    for edge in range(across + 1):
        axes.axvline(edge - 0.5, color=RULE, linewidth=0.5)
    for number in (0, len(names) // 2, len(names) - 1):
        first = int(np.argmax(tiles == number))
        row, column = divmod(first, across)
        axes.annotate(
            names[number],
            (column, row),
            xytext=(8, 8),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    axes.set_xlabel("an array a tile, in the order of PEs; a colour a layer", color=MUTED)


def _colours(layers: IntArray, strength: FloatArray) -> FloatArray:
    """Return colours with opacity, shape (rows, columns, 4); nothing where no layer is."""
    inks = np.array([to_rgb(ink) for ink in _INKS])
    colours = np.zeros((*layers.shape, 4))
    colours[..., :3] = inks[layers % len(inks)]
    colours[..., 3] = np.where(layers >= 0, np.nan_to_num(strength), 0.0)
    return colours
