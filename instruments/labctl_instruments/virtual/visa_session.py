"""One opened instrument of the VISA library, and what all sessions on a rack share."""

from __future__ import annotations

import weakref
from typing import Any, cast

from pyvisa import constants, rname
from pyvisa.constants import EventMechanism, ResourceAttribute, StatusCode

from labctl_instruments.errors import ConnectionLostError
from labctl_instruments.virtual.persona import QUERY_UNTERMINATED
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.scpi.status import MESSAGE_AVAILABLE
from labctl_instruments.virtual.visa_events import ServiceRequests, Watcher
from labctl_instruments.virtual.visa_locks import ResourceLocks

DEFAULT_TIMEOUT = 2000
"""In ms, as VISA counts; an answer is there at once or never, so no time is spent waiting."""
_SUCCESS = StatusCode.success
_LOCKED = StatusCode.error_resource_locked
_LOST = StatusCode.error_connection_lost
_MAX_COUNT = StatusCode.success_max_count_read
_TERMINATED = StatusCode.success_termination_character_read


class Desk:
    """What the sessions of this process on one rack share: its locks and service requests."""

    def __init__(self) -> None:
        self.locks = ResourceLocks()
        self.service = ServiceRequests()


_desks: weakref.WeakKeyDictionary[Rack, Desk] = weakref.WeakKeyDictionary()


class VisaSession:
    """One opened instrument: its attributes, what was written and what waits to be read."""

    __slots__ = (
        "address",
        "attributes",
        "ends_messages",
        "followed",
        "input",
        "is_lost",
        "locked",
        "locks",
        "output",
        "position",
        "rack",
        "service",
        "stops_at_termchar",
        "termchar",
        "watcher",
    )

    def __init__(self, rack: Rack, address: str, parsed: rname.ResourceName) -> None:
        self.rack = rack
        desk = _desks.setdefault(rack, Desk())
        self.locks, self.service = desk.locks, desk.service
        self.locked, self.followed = desk.locks.held, desk.service.followed
        self.address = address
        self.input = b""
        self.output = b""
        self.position = 0
        self.termchar = b"\n"
        self.stops_at_termchar = False
        self.ends_messages = True
        self.attributes: dict[int, Any] = _attributes(parsed)
        self.is_lost = False
        self.watcher = Watcher()

    def set_attribute(self, attribute: int, state: Any) -> None:  # noqa: ANN401
        """Set an attribute; those that every message asks for are kept apart."""
        self.attributes[attribute] = state
        if attribute == ResourceAttribute.termchar:
            self.termchar = bytes([state])
        elif attribute == ResourceAttribute.termchar_enabled:
            self.stops_at_termchar = bool(state)
        elif attribute == ResourceAttribute.send_end_enabled:
            self.ends_messages = bool(state)

    def write(self, data: bytes) -> StatusCode:
        """Send a message, or keep it until the one that ends it; return how that went."""
        if self.locked and not self.is_admitted:
            return _LOCKED
        if self.is_lost:
            return _LOST
        if self.output or self.input or not self.ends_messages:
            return self._write_on(data)
        return self._exchange(data)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Return what waits, up to its end, to the termination character, or to `count` bytes.

        Without a byte the status is an error.
        """
        if self.is_lost or not self.output or self.locked:
            why = self._why_none()
            if why is not None:
                return b"", why
        output, start = self.output, self.position
        stop, status = len(output), _SUCCESS
        if stop - start > count:
            stop, status = start + count, _MAX_COUNT
        if self.stops_at_termchar:
            end = output.find(self.termchar, start, stop)
            if end >= 0:
                stop, status = end + 1, _TERMINATED
        if stop < len(output):
            self.position = stop
            return output[start:stop], status
        self.output, self.position = b"", 0
        if self.address in self.followed:
            self.notice()
        return output[start:], status

    def _why_none(self) -> StatusCode | None:
        """Return why nothing can be read now; None if something can."""
        if self.locked and not self.is_admitted:
            return _LOCKED
        if self.is_lost:
            return _LOST
        if self.output:
            return None
        self.rack.query_error(self.address, QUERY_UNTERMINATED)
        return StatusCode.error_timeout

    def _write_on(self, data: bytes) -> StatusCode:
        """Send what begins, or ends, a message in parts; or follows an answer that nobody read."""
        message = self.input + data
        if not self.ends_messages:
            self.input = message
            return _SUCCESS
        self.input = b""
        kept = b""
        if self.output:
            kept = self.rack.unread(self.address, self.output[self.position :], message)
            self.discard()
        return self._exchange(message, kept)

    def _exchange(self, message: bytes, kept: bytes = b"") -> StatusCode:
        """Send a whole message; its answer, and after it what was `kept`, waits to be read."""
        try:
            reply = self.rack.exchange(self.address, message)
        except ConnectionLostError:
            self.is_lost = True
            return _LOST
        self.output = reply + kept
        if self.address in self.followed:
            self.notice()
        return _SUCCESS

    @property
    def is_admitted(self) -> bool:
        """Whether no other session has locked the instrument."""
        return not self.locked or self.locks.admits(self.address, self)

    def status_byte(self) -> int:
        """Return the instrument's status byte; bit 4 tells whether an answer waits here."""
        waits = bool(self.output)
        value = self.rack.status_byte(self.address, message_available=waits)
        return value | MESSAGE_AVAILABLE if waits else value

    def poll(self) -> int:
        """Return the status byte as a serial poll does; see `ServiceRequests.poll`."""
        return self.service.poll(self.address, self.status_byte())

    def notice(self) -> None:
        """Look whether the instrument requests service."""
        self.service.notice(self.address, self.status_byte())

    def close(self) -> None:
        """Give back the locks, and want to be told nothing more."""
        self.locks.forget(self.address, self)
        self.service.disable(self.address, self.watcher, EventMechanism.all)

    def discard(self) -> None:
        """Forget what waits to be read."""
        self.output = b""
        self.position = 0


def _attributes(parsed: rname.ResourceName) -> dict[int, Any]:
    """Return the attributes of a newly opened session."""
    named = cast("Any", parsed)
    return {
        ResourceAttribute.timeout_value: DEFAULT_TIMEOUT,
        ResourceAttribute.termchar: ord("\n"),
        ResourceAttribute.termchar_enabled: False,
        ResourceAttribute.send_end_enabled: True,
        ResourceAttribute.suppress_end_enabled: False,
        ResourceAttribute.interface_type: parsed.interface_type_const,
        ResourceAttribute.interface_number: int(getattr(named, "board", 0) or 0),
        ResourceAttribute.resource_class: parsed.resource_class,
        ResourceAttribute.resource_name: str(parsed),
        ResourceAttribute.resource_manufacturer_name: "labctl",
        ResourceAttribute.resource_impl_version: 0x00100000,
        ResourceAttribute.resource_spec_version: 0x00700000,
        ResourceAttribute.resource_lock_state: constants.AccessModes.no_lock,
        ResourceAttribute.io_prot: constants.IOProtocol.normal,
        ResourceAttribute.dma_allow_enabled: False,
    }
