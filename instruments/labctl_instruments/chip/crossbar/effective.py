"""The effective matrix of an array: what its source lines carry for each volt on its bit lines.

All lines but the driven ones are at 0 V, the sensed ones too, and every transistor is on. With
linear cells that matrix is all there is to know of the wires (superposition).

Bit lines are a ladder of as many ports as there are columns. With B_i the admittance of row i at
its taps, Y_i = B_i + X_(i+1) is that of row i and all beyond; one segment of wire before it passes
voltages on as M_i = (1 + r Y_i)^-1 and is itself seen as X_i = Y_i M_i. So the ladder is folded up
from its far end, and voltages are passed down from the drivers: exact, with no iteration.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.errors import CrossbarError
from labctl_instruments.chip.crossbar.network import Wires, checked_cells

MOST_PORTS = 256
"""Lines of the narrower side for which the ladder is worth its work."""


def effective_matrix(
    conductance: npt.ArrayLike, wires: Wires, leads: tuple[float, float] = (0.0, 0.0)
) -> FloatArray:
    """Return what each source line carries for one volt on each bit line.

    Parameters
    ----------
    conductance : array_like of shape (rows, columns)
        Conductances of the cells, transistors included, in S.
    wires : Wires
        Resistances of the wires.
    leads : (float, float)
        Resistances between the drivers and the bit lines, and between the source lines and what
        senses them, in ohm.

    Returns
    -------
    ndarray of shape (rows, columns)
        Current into the sensed end of each source line over the voltage of each bit line, in S.

    Raises
    ------
    CrossbarError
        If a cell is no conductance, or both sides have more than `MOST_PORTS` lines.
    """
    cells = checked_cells(conductance)
    rows, columns = cells.shape
    if min(rows, columns) > MOST_PORTS:
        raise CrossbarError(
            f"crossbar: the effective matrix of {rows} x {columns} cells asks for a ladder of "
            f"{min(rows, columns)} ports; at most {MOST_PORTS}"
        )
    if columns > rows:  # by reciprocity: drive the other side, sense this one
        turned = _ladder(np.ascontiguousarray(cells.T), wires.turned, (leads[1], leads[0]))
        return np.ascontiguousarray(turned.T)
    return _ladder(cells, wires, (float(leads[0]), float(leads[1])))


def _ladder(cells: FloatArray, wires: Wires, leads: tuple[float, float]) -> FloatArray:
    rows, columns = cells.shape
    sensed = np.empty((rows, columns))
    passed = np.empty((rows, columns, columns))
    work = np.zeros((3, columns, columns))
    fold(cells, (wires.bit_line, wires.source_line), leads, sensed, passed, work)
    hand_down(sensed, passed, work)
    return sensed


@compiled
def fold(
    cells: FloatArray,
    ohms: tuple[float, float],
    leads: tuple[float, float],
    sensed: FloatArray,
    passed: FloatArray,
    work: FloatArray,
) -> None:
    """Fold up the ladder: fill what each row senses of its taps, and M_i, in `passed`."""
    n = cells.shape[1]
    admittance, beyond, chain = work[0], work[1], work[2]
    wire, end = 1.0 / ohms[1], 1.0 / (ohms[1] + leads[1])
    for i in range(cells.shape[0] - 1, -1, -1):
        before = ohms[0] + (leads[0] if i == 0 else 0.0)
        tap_row(cells[i], (wire, end), chain, sensed[i])
        for a in range(n):
            for b in range(n):
                admittance[a, b] = beyond[a, b] - cells[i, a] * chain[a, b] * cells[i, b]
            admittance[a, a] += cells[i, a]
        m = passed[i]
        for a in range(n):
            for b in range(n):
                m[a, b] = before * admittance[a, b]
            m[a, a] += 1.0
        invert(m)
        multiply(admittance, m, beyond)


@inlined
def tap_row(
    cells: FloatArray, wires: tuple[float, float], chain: FloatArray, sensed: FloatArray
) -> None:
    """Fill the inverse of one source line's conductance matrix, and what its end senses.

    `wires` are the conductances of a segment, and of the first with its lead, in S.

    The inverse of a tridiagonal matrix is u_min(a,b) v_max(a,b), with u and v from the pivots of
    either end; all terms are positive, so nothing cancels. `sensed` is memory for pivots before it
    is filled.
    """
    n = cells.shape[0]
    wire, end = wires
    last = 0.0
    for a in range(n - 1, -1, -1):  # conductance towards the far end, seen from node a
        last = cells[a] + (wire * last / (wire + last) if a < n - 1 else 0.0)
        sensed[a] = last
    near = end  # conductance towards the sensed end, seen from node a
    for a in range(n):
        chain[a, a] = 1.0 / (near + sensed[a])
        for b in range(a + 1, n):
            chain[a, b] = chain[a, b - 1] * wire / (wire + sensed[b])
            chain[b, a] = chain[a, b]
        near = wire * (near + cells[a]) / (wire + near + cells[a])
    for a in range(n):
        sensed[a] = end * chain[0, a] * cells[a]


@inlined
def invert(m: FloatArray) -> None:
    """Invert a symmetric positive definite matrix in place (Gauss and Jordan, no pivoting)."""
    n = m.shape[0]
    for k in range(n):
        pivot = 1.0 / m[k, k]
        m[k, k] = 1.0
        for b in range(n):
            m[k, b] *= pivot
        for a in range(n):
            if a != k:
                factor = m[a, k]
                m[a, k] = 0.0
                for b in range(n):
                    m[a, b] -= factor * m[k, b]


@inlined
def multiply(left: FloatArray, right: FloatArray, out: FloatArray) -> None:
    """Fill `out` with the product of two square matrices."""
    n = left.shape[0]
    for a in range(n):
        for b in range(n):
            out[a, b] = 0.0
        for k in range(n):
            factor = left[a, k]
            for b in range(n):
                out[a, b] += factor * right[k, b]


@compiled
def hand_down(sensed: FloatArray, passed: FloatArray, work: FloatArray) -> None:
    """Pass the drivers' voltages down the ladder; turn what taps are sensed as into the matrix."""
    rows, n = sensed.shape
    voltages, following = work[0], work[1]
    for a in range(n):
        for b in range(n):
            voltages[a, b] = 1.0 if a == b else 0.0
    for i in range(rows):
        multiply(passed[i], voltages, following)
        voltages, following = following, voltages
        line = work[2, 0]
        for b in range(n):
            line[b] = 0.0
        for a in range(n):
            for b in range(n):
                line[b] += sensed[i, a] * voltages[a, b]
        for b in range(n):
            sensed[i, b] = line[b]
