"""What can go wrong with a guardian."""

from __future__ import annotations

from labctl.errors import FailedError


class GuardianError(FailedError):
    """A guardian cannot be started, or is gone: the bench would be unguarded."""
