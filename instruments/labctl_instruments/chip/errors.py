"""The errors of the simulated chip.

LabctlError
└── ChipError                   a request that no chip of this geometry could serve
"""

from __future__ import annotations

from labctl_data.errors import LabctlError


class ChipError(LabctlError, ValueError):
    """A request that the simulated chip cannot serve: a cell or a line that is not there."""
