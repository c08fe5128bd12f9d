"""The errors of the procedures floor.

LabctlError
├── ProcedureError              a procedure that cannot be found, or cannot run on this bench
└── ParameterError              a parameter that does not exist, or a value it does not take
    └── QuantityError           a text that is not a quantity of the unit asked
"""

from __future__ import annotations

from labctl_data.errors import LabctlError


class ProcedureError(LabctlError, LookupError):
    """A procedure cannot be found or loaded, or cannot run on this bench."""


class ParameterError(LabctlError, ValueError):
    """A parameter does not exist, or does not take the value given."""


class QuantityError(ParameterError):
    """A text is not a quantity of the unit asked."""
