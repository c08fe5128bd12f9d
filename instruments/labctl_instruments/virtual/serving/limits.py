"""What strangers may take of a served bench."""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass

from labctl_instruments.errors import ConnectionRefusal

Network = ipaddress.IPv4Network
LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


@dataclass(frozen=True)
class ServingLimits:
    """Bounds of a served bench, for all its clients together where not said otherwise."""

    clients: int = 32
    """Connections at a time."""
    clients_an_instrument: int = 8
    """Connections to one instrument at a time."""
    waiting_bytes: int = 256 * 2**20
    """Bytes of messages that have not ended, and of long answers that are not taken yet."""
    send_seconds: float = 30.0
    """Wall time in which a client must take an answer, in s."""


class Budget:
    """Counts what clients hold, and refuses what is too much.

    Parameters
    ----------
    limits : ServingLimits
        The bounds.
    """

    def __init__(self, limits: ServingLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._clients: dict[str, int] = {}
        self._waiting = 0

    def enter(self, instrument: str) -> None:
        """Count a connection; ConnectionRefusal if there are too many."""
        with self._lock:
            here, all_of_them = self._clients.get(instrument, 0), sum(self._clients.values())
            if here >= self._limits.clients_an_instrument or all_of_them >= self._limits.clients:
                raise ConnectionRefusal(f"{here} clients here, {all_of_them} in all")
            self._clients[instrument] = here + 1

    def leave(self, instrument: str) -> None:
        """Forget a connection."""
        with self._lock:
            self._clients[instrument] -= 1

    def hold(self, size: int) -> None:
        """Count bytes that wait (less, if negative); ConnectionRefusal if they are too many."""
        with self._lock:
            if self._waiting + size > self._limits.waiting_bytes:
                raise ConnectionRefusal(f"{self._waiting} bytes wait, {size} more are too many")
            self._waiting += size

    def release(self, size: int) -> None:
        """Forget bytes that no longer wait."""
        with self._lock:
            self._waiting -= size
