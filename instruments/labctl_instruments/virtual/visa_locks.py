"""VISA locks on a rack's instruments: exclusive, or shared by those who have the key.

They hold between the sessions of this process on one rack (VPP-4.3, section 3.6). Clients of a
served bench have sockets, which know no locks.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field

from pyvisa.constants import AccessModes, Lock, StatusCode

Session = object


@dataclass
class _Held:
    """The locks of one instrument."""

    owner: Session | None = None
    """Whose the exclusive lock is."""
    depth: int = 0
    """How many times the owner has locked it."""
    key: str = ""
    """Of the shared lock."""
    sharers: dict[Session, int] = field(default_factory=dict)
    """Sessions that share it, with how many times each has locked it."""


class ResourceLocks:
    """The locks of one rack.

    Attributes
    ----------
    held : dict
        Locks by address, of the instruments that are locked at all.
    """

    def __init__(self) -> None:
        self.held: dict[str, _Held] = {}
        self._changed = threading.Condition()

    def admits(self, address: str, session: Session) -> bool:
        """Return whether a session may talk to an instrument."""
        held = self.held.get(address)
        if held is None:
            return True
        if held.owner is not None:
            return held.owner is session
        return session in held.sharers

    def state(self, address: str) -> AccessModes:
        """Return how an instrument is locked."""
        held = self.held.get(address)
        if held is None:
            return AccessModes.no_lock
        return AccessModes.shared_lock if held.owner is None else AccessModes.exclusive_lock

    def acquire(
        self, address: str, session: Session, kind: Lock, *, seconds: float | None, key: str | None
    ) -> tuple[str, StatusCode]:
        """Lock an instrument, waiting while others have it.

        Parameters
        ----------
        address : str
            The instrument.
        session : object
            Whose lock it is to be.
        kind : Lock
            Exclusive or shared.
        seconds : float or None
            Longest wait, in s of the wall's clock; None waits for ever.
        key : str or None
            Key of the shared lock that is to be joined; None makes one.

        Returns
        -------
        tuple of (str, StatusCode)
            The key (empty for an exclusive lock); success, a nested lock, or why there is none:
            `error_resource_locked` where there was no time to wait, `error_timeout` after a wait.
        """
        attempt = self._take_exclusive if kind is Lock.exclusive else self._take_shared
        end = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while (taken := attempt(address, session, key)) is None:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0.0:
                    refused = StatusCode.error_timeout if seconds else _LOCKED
                    return "", refused
                self._changed.wait(left)
            return taken

    def release(self, address: str, session: Session) -> StatusCode:
        """Undo the session's latest lock: an exclusive one first."""
        with self._changed:
            held = self.held.get(address)
            if held is not None and held.owner is session:
                held.depth -= 1
                if held.depth:
                    return StatusCode.success_nested_exclusive
                held.owner = None
            elif held is not None and session in held.sharers:
                held.sharers[session] -= 1
                if held.sharers[session]:
                    return StatusCode.success_nested_shared
                del held.sharers[session]
            else:
                return StatusCode.error_session_not_locked
            self._tidy(address, held)
            return StatusCode.success

    def forget(self, address: str, session: Session) -> None:
        """Undo all locks of a session: it is closed."""
        while self.held and self.release(address, session) >= 0:
            pass

    def _take_exclusive(
        self, address: str, session: Session, key: str | None
    ) -> tuple[str, StatusCode] | None:
        held = self.held.setdefault(address, _Held())
        if held.owner not in (None, session) or (held.sharers and session not in held.sharers):
            return None
        held.owner = session
        held.depth += 1
        return "", StatusCode.success if held.depth == 1 else StatusCode.success_nested_exclusive

    def _take_shared(
        self, address: str, session: Session, key: str | None
    ) -> tuple[str, StatusCode] | None:
        held = self.held.setdefault(address, _Held())
        mine = session in held.sharers
        if held.owner not in (None, session) or (held.sharers and not mine and key != held.key):
            return None
        if not held.sharers:
            held.key = key or uuid.uuid4().hex
        held.sharers[session] = held.sharers.get(session, 0) + 1
        return held.key, StatusCode.success_nested_shared if mine else StatusCode.success

    def _tidy(self, address: str, held: _Held) -> None:
        if held.owner is None and not held.sharers:
            del self.held[address]
        self._changed.notify_all()


_LOCKED = StatusCode.error_resource_locked
