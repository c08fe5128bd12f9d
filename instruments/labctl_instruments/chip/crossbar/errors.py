"""The errors of nodal solutions.

ChipError
└── CrossbarError               a network of cells and wires that has no solution
"""

from __future__ import annotations

from labctl_instruments.chip.errors import ChipError


class CrossbarError(ChipError):
    """A crossbar that cannot be solved: a cell that is no conductance, a line joined to nothing."""
