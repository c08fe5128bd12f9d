"""Loops of the nodal solution: source lines eliminated, conjugate gradients on the bit lines.

Rows of the arrays are source lines, columns bit lines. Each loop works on a share of the rows or of
the columns, without the interpreter lock and without memory of its own.

With T the (tridiagonal) conductance matrix of one source line and its cells, g the cells, and L the
wire of the bit lines, what remains after elimination is S = L + diag(g) - diag(g) T^-1 diag(g), row
by row. Its part along the bit lines alone, L + diag(g - g^2 diag(T^-1)), is tridiagonal too and
serves as preconditioner.
"""

from __future__ import annotations

from typing import NamedTuple

from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray

Share = tuple[int, int]
"""First and past-the-last row or column that one call works on."""


class Factors(NamedTuple):
    """What stays the same from iteration to iteration; arrays of shape (rows, columns)."""

    cells: FloatArray
    """Conductances, in S."""
    source: FloatArray
    """1 / pivot of each node of the source lines, in ohm."""
    bit: FloatArray
    """1 / pivot of each node of the bit lines in the preconditioner, in ohm."""
    source_wire: float
    """Conductance of a segment of a source line, in S."""
    bit_wire: float
    """The same of a bit line."""
    source_ends: FloatArray
    """Conductance from each source line's first node to its driver, shape (rows,); 0 floats."""
    bit_ends: FloatArray
    """The same of the bit lines, shape (columns,)."""


class Vectors(NamedTuple):
    """The vectors of conjugate gradients, shape (rows, columns)."""

    solution: FloatArray
    residue: FloatArray
    preconditioned: FloatArray
    direction: FloatArray
    image: FloatArray
    """S times `direction`."""


@compiled
def factor_sources(f: Factors, work: FloatArray, share: Share) -> None:
    """Factor the source lines of some rows, and put the preconditioner's own diagonal into `bit`.

    The diagonal of T^-1 comes from the pivots of both ends: 1 / (pivot + pivot' - diagonal).
    `work` is memory, shape (rows, columns).
    """
    columns = f.cells.shape[1]
    w = f.source_wire
    for i in range(share[0], share[1]):
        back = work[i]
        pivot = 0.0
        for j in range(columns - 1, -1, -1):
            diagonal = node_diagonal(f, i, j)
            pivot = diagonal - (w * w / pivot if j < columns - 1 else 0.0)
            back[j] = pivot
        pivot = 0.0
        for j in range(columns):
            diagonal = node_diagonal(f, i, j)
            pivot = diagonal - (w * w / pivot if j > 0 else 0.0)
            f.source[i, j] = 1.0 / pivot
            g = f.cells[i, j]
            f.bit[i, j] = g - g * g / (pivot + back[j] - diagonal)


@inlined
def node_diagonal(f: Factors, i: int, j: int) -> float:
    """Return the sum of all conductances at node j of source line i, in S."""
    before = f.source_wire if j > 0 else f.source_ends[i]
    after = f.source_wire if j < f.cells.shape[1] - 1 else 0.0
    return float(before + after + f.cells[i, j])


@compiled
def factor_bits(f: Factors, share: Share) -> None:
    """Turn the preconditioner's diagonal into reciprocal pivots, in some columns."""
    rows = f.cells.shape[0]
    w = f.bit_wire
    for i in range(rows):
        for j in range(share[0], share[1]):
            before = w if i > 0 else f.bit_ends[j]
            after = w if i < rows - 1 else 0.0
            previous = w * w * f.bit[i - 1, j] if i > 0 else 0.0
            f.bit[i, j] = 1.0 / (f.bit[i, j] + before + after - previous)


@compiled
def solve_sources(f: Factors, currents: FloatArray, out: FloatArray, share: Share) -> None:
    """Solve the source lines of some rows for node currents: `out` gets T^-1 `currents`.

    They may be the same array.
    """
    for i in range(share[0], share[1]):
        last = 0.0
        for j in range(out.shape[1]):
            last = (currents[i, j] + f.source_wire * last) * f.source[i, j]
            out[i, j] = last
        substitute_back(f.source[i], f.source_wire, out[i])


@inlined
def substitute_back(pivots: FloatArray, wire: float, nodes: FloatArray) -> None:
    """Finish the solution of one factored chain of nodes."""
    n = nodes.shape[0]
    last = nodes[n - 1]
    for j in range(n - 2, -1, -1):
        last = nodes[j] + wire * pivots[j] * last
        nodes[j] = last


@compiled
def precondition(f: Factors, v: Vectors, alpha: float, share: Share) -> float:
    """Step by `alpha` in some columns, and precondition; return residue . preconditioned."""
    rows = f.cells.shape[0]
    w = f.bit_wire
    first, past = share
    for i in range(rows):
        for j in range(first, past):
            v.solution[i, j] += alpha * v.direction[i, j]
            r = v.residue[i, j] - alpha * v.image[i, j]
            v.residue[i, j] = r
            above = v.preconditioned[i - 1, j] if i > 0 else 0.0
            v.preconditioned[i, j] = (r + w * above) * f.bit[i, j]
    total = 0.0
    for i in range(rows - 1, -1, -1):
        for j in range(first, past):
            z = v.preconditioned[i, j]
            if i < rows - 1:
                z += w * f.bit[i, j] * v.preconditioned[i + 1, j]
                v.preconditioned[i, j] = z
            total += z * v.residue[i, j]
    return total


@compiled
def turn(v: Vectors, beta: float, share: Share) -> None:
    """Turn the direction of some rows: preconditioned + `beta` times the old one."""
    for i in range(share[0], share[1]):
        for j in range(v.direction.shape[1]):
            v.direction[i, j] = v.preconditioned[i, j] + beta * v.direction[i, j]


@compiled
def apply(f: Factors, v: Vectors, work: FloatArray, share: Share) -> float:
    """Fill `image` with S times `direction` in some rows; return direction . image.

    `work` is memory, shape (rows, columns); only rows of the share are touched.
    """
    rows, columns = f.cells.shape
    w, total = f.bit_wire, 0.0
    for i in range(share[0], share[1]):
        line = work[i]
        last = 0.0
        for j in range(columns):
            last = (f.cells[i, j] * v.direction[i, j] + f.source_wire * last) * f.source[i, j]
            line[j] = last
        substitute_back(f.source[i], f.source_wire, line)
        for j in range(columns):
            p = v.direction[i, j]
            wires = (w if i > 0 else f.bit_ends[j]) * p
            if i > 0:
                wires -= w * v.direction[i - 1, j]
            if i < rows - 1:
                wires += w * (p - v.direction[i + 1, j])
            q = wires + f.cells[i, j] * (p - line[j])
            v.image[i, j] = q
            total += p * q
    return total
