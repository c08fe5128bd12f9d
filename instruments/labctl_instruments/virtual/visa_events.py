"""Service requests of a rack's instruments, as VISA events: queued, or handled at once.

An instrument requests service when its master summary rises (IEEE 488.2, 11.3). That is looked for
after every exchange, clear and trigger of an instrument that somebody has polled or waits for; of
the others nothing is asked, which keeps queries fast.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyvisa.constants import EventMechanism, EventType

from labctl_instruments.virtual.scpi.status import MASTER_SUMMARY

LONGEST_QUEUE = 50
"""Events that a session keeps, as VISA does by default; later ones are lost."""
SERVICE_REQUEST = EventType.service_request


@dataclass(eq=False)
class Watcher:
    """What one session wants to know of an instrument."""

    mechanisms: int = 0
    """How it wants to be told: bits of `EventMechanism`."""
    queue: deque[EventType] = field(default_factory=lambda: deque(maxlen=LONGEST_QUEUE))
    """Events that wait to be taken."""
    suspended: int = 0
    """Events that wait for their handlers to be enabled."""
    handlers: list[tuple[Any, Any]] = field(default_factory=list)
    """Functions to call, with their user handles."""
    call: Callable[[Any, Any], None] = lambda function, user_handle: None
    """Calls one of them."""


@dataclass
class _Service:
    """The service request of one instrument."""

    summary: bool = False
    """The master summary when it was last seen."""
    requested: bool = False
    """Whether it requests service, and was not polled since."""
    watchers: list[Watcher] = field(default_factory=list)


class ServiceRequests:
    """The service requests of one rack.

    Attributes
    ----------
    followed : dict
        What is known, by address, of the instruments that are looked after.
    """

    def __init__(self) -> None:
        self.followed: dict[str, _Service] = {}
        self._changed = threading.Condition()

    def notice(self, address: str, status: int) -> None:
        """Take note of an instrument's status byte; tell watchers of a new request."""
        service = self.followed.setdefault(address, _Service())
        summary = bool(status & MASTER_SUMMARY)
        is_new = summary and not service.summary
        service.summary = summary
        service.requested = is_new or (service.requested and summary)
        if is_new:
            for watcher in list(service.watchers):
                self._tell(watcher)

    def poll(self, address: str, status: int) -> int:
        """Return a status byte as a serial poll does: bit 6 is the request, which it ends."""
        self.notice(address, status)
        service = self.followed[address]
        requested, service.requested = service.requested, False
        return status & ~MASTER_SUMMARY | (MASTER_SUMMARY if requested else 0)

    def enable(self, address: str, watcher: Watcher, mechanism: int) -> None:
        """Tell a session of requests from now on."""
        watcher.mechanisms |= mechanism
        service = self.followed.setdefault(address, _Service())
        if watcher not in service.watchers:
            service.watchers.append(watcher)
        if mechanism & EventMechanism.handler:
            while watcher.suspended:
                watcher.suspended -= 1
                _handle(watcher)

    def disable(self, address: str, watcher: Watcher, mechanism: int) -> None:
        """Tell a session no more by that mechanism."""
        watcher.mechanisms &= ~mechanism
        if not watcher.mechanisms and address in self.followed:
            service = self.followed[address]
            service.watchers = [each for each in service.watchers if each is not watcher]

    def wait(self, watcher: Watcher, seconds: float | None) -> bool:
        """Wait for an event in a session's queue, and take it; False if none comes in time."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not watcher.queue:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0.0:
                    return False
                self._changed.wait(left)
            watcher.queue.popleft()
            return True

    def _tell(self, watcher: Watcher) -> None:
        if watcher.mechanisms & EventMechanism.queue:
            with self._changed:
                watcher.queue.append(SERVICE_REQUEST)
                self._changed.notify_all()
        if watcher.mechanisms & EventMechanism.handler:
            _handle(watcher)
        elif watcher.mechanisms & EventMechanism.suspend_handler:
            watcher.suspended += 1


def _handle(watcher: Watcher) -> None:
    for function, user_handle in list(watcher.handlers):
        watcher.call(function, user_handle)
