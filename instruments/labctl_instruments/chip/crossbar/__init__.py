"""Crossbars whose wires have resistance: nodal solution, effective matrix, biases."""

from labctl_instruments.chip.crossbar.bias import Scheme, bias
from labctl_instruments.chip.crossbar.cells import CellLaw
from labctl_instruments.chip.crossbar.effective import effective_matrix
from labctl_instruments.chip.crossbar.errors import CrossbarError
from labctl_instruments.chip.crossbar.network import Wires
from labctl_instruments.chip.crossbar.solution import Solution, solve
from labctl_instruments.chip.crossbar.tiles import Tiles

__all__ = [
    "CellLaw",
    "CrossbarError",
    "Scheme",
    "Solution",
    "Tiles",
    "Wires",
    "bias",
    "effective_matrix",
    "solve",
]
