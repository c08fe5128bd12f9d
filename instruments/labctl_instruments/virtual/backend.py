"""The virtual bench as a VISA library: `pyvisa.ResourceManager("sim-board@labctl")`.

What stands before the @ is the token of an open rack, the name of a shipped bench, or the path of
a bench file; nothing means `sim-board`. A bench that is opened so lives as long as its resource
manager. Addresses are those of the bench file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, cast

from pyvisa import constants, highlevel, rname
from pyvisa.constants import EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import DebugInfo, LibraryPath

from labctl_instruments.errors import ConnectionLostError
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.persona import QUERY_INTERRUPTED, QUERY_UNTERMINATED
from labctl_instruments.virtual.rack import Rack, registered
from labctl_instruments.virtual.scpi.status import MASTER_SUMMARY, MESSAGE_AVAILABLE

DEFAULT_BENCH = "sim-board"
DEFAULT_TIMEOUT = 2000
"""In ms, as VISA counts; an answer is there at once or never, so no time is spent waiting."""

_SUCCESS = StatusCode.success
_MAX_COUNT = StatusCode.success_max_count_read
_TERMINATED = StatusCode.success_termination_character_read


class _Session:
    """One opened instrument: its attributes, what was written and what waits to be read."""

    __slots__ = (
        "address",
        "attributes",
        "input",
        "is_lost",
        "output",
        "position",
        "rack",
        "termchar",
    )

    def __init__(self, rack: Rack, address: str, parsed: rname.ResourceName) -> None:
        self.rack = rack
        self.address = address
        self.input = b""
        self.output = b""
        self.position = 0
        self.termchar = b"\n"
        self.attributes: dict[int, Any] = _attributes(parsed)
        self.is_lost = False

    def write(self, data: bytes) -> None:
        """Send a message, or keep it until the one that ends it."""
        if not self.attributes[ResourceAttribute.send_end_enabled]:
            self.input += data
            return
        message = self.input + data if self.input else data
        self.input = b""
        if self.output:
            self.discard()
            self.rack.query_error(self.address, QUERY_INTERRUPTED)
        try:
            self.output = self.rack.exchange(self.address, message)
        except ConnectionLostError:
            self.is_lost = True

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Return what waits, up to its end, to the termination character, or to `count` bytes."""
        output, start = self.output, self.position
        if not output:
            self.rack.query_error(self.address, QUERY_UNTERMINATED)
            return b"", StatusCode.error_timeout
        stop = min(len(output), start + count)
        status = _SUCCESS if stop == len(output) else _MAX_COUNT
        if self.attributes[ResourceAttribute.termchar_enabled]:
            end = output.find(self.termchar, start, stop)
            if end >= 0:
                stop, status = end + 1, _TERMINATED
        if stop == len(output):
            self.discard()
        else:
            self.position = stop
        return output[start:stop], status

    def discard(self) -> None:
        """Forget what waits to be read."""
        self.output = b""
        self.position = 0


class LabctlLibrary(highlevel.VisaLibraryBase):
    """A VISA library whose instruments are those of one rack."""

    rack: Rack

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """Name the bench that is opened when none is named."""
        return (LibraryPath(DEFAULT_BENCH),)

    @staticmethod
    def get_debug_info() -> DebugInfo:
        """Say what this backend is, for `pyvisa-info`."""
        return ["Virtual benches of labctl, in process"]

    def _init(self) -> None:
        rack = registered(self.library_path)
        self._is_own_rack = rack is None
        self.rack = open_rack(self.library_path) if rack is None else rack
        self._sessions: dict[int, _Session] = {}
        self._handles = itertools.count(1)
        self._addresses = {_canonical(address): address for address in self.rack.addresses}

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Return a handle for the resource manager."""
        handle = self._manager = VISARMSession(next(self._handles))
        return handle, self.handle_return_value(handle, _SUCCESS)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the addresses that match a VISA expression."""
        return rname.filter(list(self._addresses.values()), query)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open the instrument of that resource string."""
        try:
            parsed = rname.ResourceName.from_string(resource_name)
        except rname.InvalidResourceName:
            return VISASession(0), self._fail(None, StatusCode.error_invalid_resource_name)
        address = self._addresses.get(_canonical(resource_name))
        if address is None:
            return VISASession(0), self._fail(None, StatusCode.error_resource_not_found)
        handle = VISASession(next(self._handles))
        self._sessions[handle] = _Session(self.rack, address, parsed)
        return handle, self.handle_return_value(handle, _SUCCESS)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session; the resource manager's own closes a rack that was opened for it."""
        if session == self._manager and self._is_own_rack:
            self.rack.close()
        self._sessions.pop(session, None)
        return self.handle_return_value(None, _SUCCESS)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes to an instrument."""
        opened = self._sessions.get(session)
        if opened is None:
            return 0, self._fail(session, StatusCode.error_invalid_object)
        if not opened.is_lost:
            opened.write(data)
        if opened.is_lost:
            return 0, self._fail(session, StatusCode.error_connection_lost)
        self._last_status = self._last_status_in_session[session] = _SUCCESS
        return len(data), _SUCCESS

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read bytes from an instrument; a time-out at once where none wait."""
        opened = self._sessions.get(session)
        if opened is None:
            return b"", self._fail(session, StatusCode.error_invalid_object)
        if opened.is_lost:
            return b"", self._fail(session, StatusCode.error_connection_lost)
        data, status = opened.read(count)
        if status < 0:
            return b"", self._fail(session, status)
        self._last_status = self._last_status_in_session[session] = status
        return data, status

    def buffer_read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read; nothing is buffered on the way."""
        return self.read(session, count)

    def buffer_write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Write; nothing is buffered on the way."""
        return self.write(session, data)

    def clear(self, session: VISASession) -> StatusCode:
        """Send a device clear; what waits to be read is lost."""
        opened = self._opened(session)
        opened.discard()
        opened.input = b""
        opened.rack.clear(opened.address)
        return self.handle_return_value(session, _SUCCESS)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Discard what waits to be read, where the mask says so."""
        discarding = (
            constants.BufferOperation.discard_read_buffer
            | constants.BufferOperation.discard_read_buffer_no_io
            | constants.BufferOperation.discard_receive_buffer
            | constants.BufferOperation.discard_receive_buffer2
        )
        if mask & discarding:
            self._opened(session).discard()
        return self.handle_return_value(session, _SUCCESS)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Poll the status byte; bit 4 tells whether an answer waits."""
        opened = self._opened(session)
        value = opened.rack.status_byte(opened.address)
        if opened.output:
            value |= MESSAGE_AVAILABLE
        return value, self.handle_return_value(session, _SUCCESS)

    def assert_trigger(
        self, session: VISASession, protocol: constants.TriggerProtocol
    ) -> StatusCode:
        """Send a group execute trigger."""
        opened = self._opened(session)
        opened.rack.trigger(opened.address)
        return self.handle_return_value(session, _SUCCESS)

    def gpib_control_ren(
        self, session: VISASession, mode: constants.RENLineOperation
    ) -> StatusCode:
        """Accept; a virtual instrument has no front panel to lock."""
        return self.handle_return_value(session, _SUCCESS)

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: Any,  # noqa: ANN401
    ) -> tuple[Any, StatusCode]:
        """Return an attribute of a session."""
        opened = self._opened(session)
        if attribute not in opened.attributes:
            return None, self._fail(session, StatusCode.error_nonsupported_attribute)
        return opened.attributes[attribute], self.handle_return_value(session, _SUCCESS)

    def set_attribute(
        self,
        session: VISASession,
        attribute: ResourceAttribute,
        attribute_state: Any,  # noqa: ANN401
    ) -> StatusCode:
        """Set an attribute of a session."""
        opened = self._opened(session)
        if attribute == ResourceAttribute.termchar:
            opened.termchar = bytes([attribute_state])
        opened.attributes[attribute] = attribute_state
        return self.handle_return_value(session, _SUCCESS)

    def enable_event(
        self,
        session: VISASession,
        event_type: EventType,
        mechanism: EventMechanism,
        context: None = None,
    ) -> StatusCode:
        """Accept; service requests are found by polling."""
        return self.handle_return_value(session, _SUCCESS)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Accept."""
        return self.handle_return_value(session, _SUCCESS)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Accept; no event is queued."""
        return self.handle_return_value(session, _SUCCESS)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Return at once when the instrument requests service, else time out at once."""
        opened = self._opened(session)
        requested = opened.rack.status_byte(opened.address) & MASTER_SUMMARY
        status = _SUCCESS if requested else StatusCode.error_timeout
        context = VISAEventContext(next(self._handles))
        return in_event_type, context, self.handle_return_value(session, status)

    def _opened(self, session: int) -> _Session:
        if session not in self._sessions:
            self._fail(None, StatusCode.error_invalid_object)
        return self._sessions[session]

    def _fail(self, session: Any, status: StatusCode) -> StatusCode:  # noqa: ANN401
        """Raise the error as VisaIOError, remembered as the session's last status."""
        return self.handle_return_value(session, status)


def _canonical(resource: str) -> str:
    """Return one spelling for all spellings of a resource string."""
    try:
        return str(rname.ResourceName.from_string(resource)).upper()
    except rname.InvalidResourceName:
        return resource.upper()


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
