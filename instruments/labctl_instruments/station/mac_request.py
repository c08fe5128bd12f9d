"""What makes a MAC request one that a chip can serve, and the ADC's rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_instruments.errors import StationError
from labctl_instruments.station.protocol import FloatArray


def check_mac(
    vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return input codes (n, n_inputs) and source lines (n_blocks, n_lines) of a request.

    Raises
    ------
    StationError
        If shapes do not agree with the plan, or a code does not fit its bits.
    """
    codes, lines = np.asarray(vectors), np.asarray(rows, dtype=np.int64)
    if codes.ndim != 2 or codes.shape[1] != plan.n_inputs or codes.dtype != np.uint8:
        raise StationError(
            f"MAC: expected uint8 vectors of {plan.n_inputs} codes, "
            f"found {codes.dtype} of shape {codes.shape}"
        )
    if lines.shape != plan.outputs.shape:
        raise StationError(f"MAC: expected rows of shape {plan.outputs.shape}, found {lines.shape}")
    if plan.input_bits < 8 and codes.size and int(codes.max()) >> plan.input_bits:
        raise StationError(f"MAC: code {codes.max()} does not fit {plan.input_bits} input bits")
    return codes, lines


def digitise(currents: FloatArray, plan: MacPlan) -> tuple[npt.NDArray[np.int64], int]:
    """Return the ADC codes of currents (A), and how many lay beyond the top of the range.

    ``code = min(2**adc_bits - 1, floor(I / lsb + 1/2))``, negative currents 0.
    """
    top = 2**plan.adc_bits - 1
    codes = np.floor(np.maximum(currents, 0.0) / plan.lsb + 0.5).astype(np.int64)
    return np.minimum(codes, top), int(np.count_nonzero(codes > top))


def check_lines(lines: npt.NDArray[np.int64], plan: MacPlan, geometry: Geometry) -> None:
    """Refuse source lines (n_blocks, n_lines) that the chip cannot serve with a plan.

    Those of one block may lie in several PEs: the same bit lines of each are driven alike.

    Raises
    ------
    StationError
        If a used line or bit line is not on the chip.
    """
    used = plan.signs != 0
    outside = used & ((lines < 0) | (lines >= geometry.n_lines))
    if outside.any():
        raise StationError(
            f"MAC: source line {lines[outside][0]} is not on the chip ({geometry.n_lines} lines)"
        )
    if plan.columns.max(initial=-1) >= geometry.columns or plan.columns.min(initial=0) < -1:
        raise StationError(f"MAC: a bit line is not one of the {geometry.columns} of a PE")
