"""The errors of networks on the array.

LabctlError
└── NetworkError        what is asked of a network cannot be done; names the node and what would fit
    └── ImagesError     an image set that is unknown, damaged or out of reach
"""

from __future__ import annotations

from labctl_data.errors import LabctlError


class NetworkError(LabctlError, ValueError):
    """A network cannot be read, mapped, programmed or run as asked."""


class ImagesError(NetworkError):
    """An image set is unknown, damaged or out of reach."""
