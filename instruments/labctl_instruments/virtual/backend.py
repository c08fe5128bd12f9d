"""The virtual bench as a VISA library: `pyvisa.ResourceManager("sim-board@labctl")`.

What stands before the @ is the token of an open rack, the name of a shipped bench, or the path of
a bench file; nothing means `sim-board`. A bench that is opened so lives as long as its resource
manager. Addresses are those of the bench file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from pyvisa import constants, highlevel, rname
from pyvisa.constants import EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.typing import VISAEventContext, VISAHandler, VISARMSession, VISASession
from pyvisa.util import DebugInfo, LibraryPath

from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack, registered
from labctl_instruments.virtual.visa_events import SERVICE_REQUEST
from labctl_instruments.virtual.visa_session import VisaSession

DEFAULT_BENCH = "sim-board"

_SUCCESS = StatusCode.success
_LOCKED = StatusCode.error_resource_locked
_UNKNOWN = StatusCode.error_invalid_object
_TOLD_BY_READING = (StatusCode.success_device_not_present, StatusCode.success_max_count_read)
_AS_IT_IS = nullcontext()


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
        self._sessions: dict[int, VisaSession] = {}
        self._handles = itertools.count(1)
        self._contexts: dict[int, EventType] = {}
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
        opened = VisaSession(self.rack, address, parsed)
        if access_mode != constants.AccessModes.no_lock:
            status = _lock(opened, constants.Lock(access_mode), open_timeout, None)[1]
            if status < 0:
                return VISASession(0), self._fail(None, status)
        handle = VISASession(next(self._handles))
        self._sessions[handle] = opened
        return handle, self.handle_return_value(handle, _SUCCESS)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session; the resource manager's own closes a rack that was opened for it."""
        if session == self._manager and self._is_own_rack:
            self.rack.close()
        opened = self._sessions.pop(session, None)
        if opened is not None:
            opened.close()
        self._contexts.pop(session, None)
        return self.handle_return_value(None, _SUCCESS)

    def ignore_warning(
        self, session: VISASession | VISARMSession, *warnings_constants: StatusCode
    ) -> Any:  # noqa: ANN401  (PyVISA says what its own implementation returns)
        """Ignore warnings for a session; what `read` tells by its status it does not warn of."""
        if warnings_constants == _TOLD_BY_READING:
            return _AS_IT_IS
        return super().ignore_warning(session, *warnings_constants)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes to an instrument."""
        opened = self._sessions.get(session)
        status = _UNKNOWN if opened is None else opened.write(data)
        if status is not _SUCCESS:
            return 0, self._fail(session, status)
        self._last_status = self._last_status_in_session[session] = _SUCCESS
        return len(data), _SUCCESS

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read bytes from an instrument; a time-out at once where none wait."""
        opened = self._sessions.get(session)
        if opened is None:
            return b"", self._fail(session, _UNKNOWN)
        data, status = opened.read(count)
        if not data:
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
        opened = self._admitted(session)
        opened.discard()
        opened.input = b""
        opened.rack.clear(opened.address)
        opened.notice()
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
        """Poll the status byte: bit 4 tells whether an answer waits, bit 6 who requests service."""
        opened = self._admitted(session)
        return opened.poll(), self.handle_return_value(session, _SUCCESS)

    def assert_trigger(
        self, session: VISASession, protocol: constants.TriggerProtocol
    ) -> StatusCode:
        """Send a group execute trigger."""
        opened = self._admitted(session)
        opened.rack.trigger(opened.address)
        opened.notice()
        return self.handle_return_value(session, _SUCCESS)

    def lock(
        self,
        session: VISASession,
        lock_type: constants.Lock,
        timeout: int,
        requested_key: str | None = None,
    ) -> tuple[str, StatusCode]:
        """Lock an instrument; `timeout` in ms, of which 0xFFFFFFFF is for ever."""
        opened = self._opened(session)
        key, status = _lock(opened, lock_type, timeout, requested_key)
        return key, self.handle_return_value(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        """Undo the latest lock of this session."""
        opened = self._opened(session)
        status = opened.locks.release(opened.address, opened)
        return self.handle_return_value(session, status)

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
        if session in self._contexts:
            return self._contexts[session], self.handle_return_value(session, _SUCCESS)
        opened = self._opened(session)
        if attribute == ResourceAttribute.resource_lock_state:
            state = opened.locks.state(opened.address)
            return state, self.handle_return_value(session, _SUCCESS)
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
        opened.set_attribute(attribute, attribute_state)
        return self.handle_return_value(session, _SUCCESS)

    def enable_event(
        self,
        session: VISASession,
        event_type: EventType,
        mechanism: EventMechanism,
        context: None = None,
    ) -> StatusCode:
        """Tell of service requests by a queue, by handlers, or by handlers later on."""
        opened = self._opened(session)
        if event_type != SERVICE_REQUEST:
            return self._fail(session, StatusCode.error_invalid_event)
        if mechanism & EventMechanism.handler and not opened.watcher.handlers:
            return self._fail(session, StatusCode.error_handler_not_installed)
        opened.service.enable(opened.address, opened.watcher, mechanism)
        opened.notice()
        return self.handle_return_value(session, _SUCCESS)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Tell of events no more by that mechanism."""
        opened = self._opened(session)
        opened.service.disable(opened.address, opened.watcher, mechanism)
        return self.handle_return_value(session, _SUCCESS)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Forget the events that wait."""
        watcher = self._opened(session).watcher
        if mechanism & EventMechanism.queue:
            watcher.queue.clear()
        if mechanism & EventMechanism.suspend_handler:
            watcher.suspended = 0
        return self.handle_return_value(session, _SUCCESS)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Wait until a service request is queued; `timeout` in ms of the wall's clock."""
        opened = self._opened(session)
        if not opened.watcher.mechanisms & EventMechanism.queue:
            self._fail(session, StatusCode.error_not_enabled)
        opened.notice()  # who answers on another session, or on a socket, may have changed it
        if not opened.service.wait(opened.watcher, _seconds(timeout)):
            self._fail(session, StatusCode.error_timeout)
        status = self.handle_return_value(session, _SUCCESS)
        return SERVICE_REQUEST, self._context(SERVICE_REQUEST), status

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: object
    ) -> tuple[VISAHandler, object, VISAHandler, StatusCode]:
        """Call a function at each event, in the thread whose message brought it about."""
        watcher = self._opened(session).watcher

        def call(function: VISAHandler, user: object) -> None:
            context = self._context(event_type)
            try:
                function(session, event_type, context, user)
            finally:
                self._contexts.pop(context, None)

        watcher.call = call
        watcher.handlers.append((handler, user_handle))
        return handler, user_handle, handler, self.handle_return_value(session, _SUCCESS)

    def uninstall_handler(
        self,
        session: VISASession,
        event_type: EventType,
        handler: VISAHandler,
        user_handle: object = None,
    ) -> StatusCode:
        """Call a function no more."""
        opened = self._sessions.get(session)
        if opened is not None:
            opened.watcher.handlers.remove((handler, user_handle))
        return self.handle_return_value(None, _SUCCESS)

    def _context(self, event_type: EventType) -> VISAEventContext:
        """Return a handle under which the type of an event can be asked for."""
        context = VISAEventContext(next(self._handles))
        self._contexts[context] = event_type
        return context

    def _admitted(self, session: int) -> VisaSession:
        """Return a session that may talk to its instrument; refuse one that is locked out."""
        opened = self._opened(session)
        if not opened.is_admitted:
            self._fail(session, _LOCKED)
        return opened

    def _opened(self, session: int) -> VisaSession:
        if session not in self._sessions:
            self._fail(None, _UNKNOWN)
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


def _lock(
    opened: VisaSession, kind: constants.Lock, timeout: int, key: str | None
) -> tuple[str, StatusCode]:
    return opened.locks.acquire(opened.address, opened, kind, seconds=_seconds(timeout), key=key)


def _seconds(timeout: int) -> float | None:
    """Return a time-out of VISA's, in s; None for ever."""
    return None if timeout == constants.VI_TMO_INFINITE else timeout / 1000
