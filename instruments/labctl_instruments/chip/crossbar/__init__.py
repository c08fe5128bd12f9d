"""Crossbars whose wires have resistance: nodal solution, effective matrix, biases."""

from labctl_instruments.chip.crossbar.bias import bias
from labctl_instruments.chip.crossbar.cells import CellLaw, Law
from labctl_instruments.chip.crossbar.effective import effective_matrix
from labctl_instruments.chip.crossbar.errors import CrossbarError
from labctl_instruments.chip.crossbar.network import Drivers, Wires
from labctl_instruments.chip.crossbar.solution import Solution, settle, solve
from labctl_instruments.chip.crossbar.tiles import Tiles

__all__ = [
    "CellLaw",
    "CrossbarError",
    "Drivers",
    "Law",
    "Solution",
    "Tiles",
    "Wires",
    "bias",
    "effective_matrix",
    "settle",
    "solve",
]
