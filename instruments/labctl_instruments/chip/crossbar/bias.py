"""Biases of a passive array while one of its cells is written or read."""

from __future__ import annotations

import numpy as np

from labctl_data.array_bias import OTHERS, Scheme
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.errors import CrossbarError


def bias(
    shape: tuple[int, int], cell: tuple[int, int], voltage: float, scheme: Scheme
) -> tuple[FloatArray, FloatArray]:
    """Return the voltages of bit lines and source lines that select one cell.

    Parameters
    ----------
    shape : (int, int)
        Rows (source lines) and columns (bit lines).
    cell : (int, int)
        Row and column of the selected cell.
    voltage : float
        Voltage over it, in V: on its bit line; its source line is at 0 V.
    scheme : Scheme
        Bias of all other lines. With `half`, cells that share one line with the selected one see
        V/2 and all others 0 V; with `third` all see V/3 or -V/3.

    Raises
    ------
    CrossbarError
        If there is no such cell or scheme.
    """
    row, column = cell
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise CrossbarError(
            f"crossbar: row {row}, column {column} does not exist; there are {shape[0]} rows and "
            f"{shape[1]} columns"
        )
    if scheme not in OTHERS:
        raise CrossbarError(f"crossbar: unknown bias '{scheme}'; there are {', '.join(OTHERS)}")
    bit_part, source_part = OTHERS[scheme]
    bit = np.full(shape[1], bit_part * voltage)
    source = np.full(shape[0], source_part * voltage)
    bit[column], source[row] = voltage, 0.0
    return bit, source
