"""The connections of instruments: what sockets need, and how a block is read."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from pymeasure.adapters import Adapter
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession
from pyvisa.resources import MessageBasedResource

from labctl_instruments.wire.blocks import block_span

_BLOCK_FRAME = 16
"""Bytes around the payload of a block, at most."""
_OPEN_MS = 2000
"""Patience with an instrument whose connection is opened anew."""
_PROBES = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 5000}
"""Quiet seconds before the first probe, seconds between two, how many; and ms in which bytes that
were sent must be acknowledged."""


def is_socket(connection: object) -> bool:
    """Return whether an instrument is reached through a raw socket."""
    name = getattr(connection, "resource_name", None)
    return isinstance(name, str) and name.upper().endswith("::SOCKET")


def disable_nagle(connection: Any) -> None:  # noqa: ANN401  (whatever PyMeasure's adapter holds)
    """Send small messages at once; pyvisa-py refuses the VISA attribute for it."""
    with contextlib.suppress(AttributeError, KeyError, OSError):
        session = connection.visalib.sessions[connection.session]
        session.interface.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def notice_cuts(connection: Any) -> None:  # noqa: ANN401  (whatever PyMeasure's adapter holds)
    """Let a socket fail some 5 s after its cable was cut, however long an answer may take.

    The kernel asks the other side whether it is there (tcp(7)); an instrument that is merely slow
    answers that.
    """
    with contextlib.suppress(AttributeError, KeyError, OSError):
        session = connection.visalib.sessions[connection.session]
        session.interface.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            session.interface.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextlib.contextmanager
def answering_within(connection: object, seconds: float) -> Iterator[None]:
    """Wait so long for each answer inside, in s, and as before afterwards."""
    if not isinstance(connection, MessageBasedResource):
        yield
        return
    before = connection.timeout
    connection.timeout = seconds * 1e3
    try:
        yield
    finally:
        with contextlib.suppress(InvalidSession):  # it could not be opened again
            connection.timeout = before


def reopen(connection: Any) -> None:  # noqa: ANN401  (a resource of PyVISA)
    """Open a connection anew, as it was.

    Raises
    ------
    OSError
        If nobody takes it.
    """
    timeout, termination = connection.timeout, connection.read_termination
    connection.close()
    try:
        connection.open(open_timeout=_OPEN_MS)
    except OSError:
        raise
    except Exception as error:  # pyvisa-py raises plain ones where nobody listens
        raise OSError(f"cannot be opened again: {error}") from error
    disable_nagle(connection)
    notice_cuts(connection)
    connection.timeout = timeout
    connection.read_termination = termination


def is_cut_short(connection: object, answer: str) -> bool:
    """Return whether an answer ends before its line does, where PyVISA does not look."""
    return (
        isinstance(connection, MessageBasedResource)
        and connection.read_termination is None
        and not answer.endswith("\n")
    )


def read_block(adapter: Adapter, expected: int) -> bytes:
    """Read an answer that is a block, of some `expected` bytes, line end included."""
    connection = adapter.connection
    if not isinstance(connection, MessageBasedResource):
        return adapter.read_bytes(-1)
    if is_socket(connection):
        return _read_counted(connection)
    return _read_to_end(connection, max(connection.chunk_size, expected + _BLOCK_FRAME))


def _read_to_end(connection: MessageBasedResource, at_once: int) -> bytes:
    """Read up to END, as `read_raw` does, which copies what it has read twice."""
    parts: list[bytes] = []
    library, session = connection.visalib, connection.session
    more = StatusCode.success_max_count_read
    with connection.ignore_warning(StatusCode.success_device_not_present, more):
        while True:
            part, status = library.read(session, at_once)
            parts.append(part)
            if status != more:
                return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_counted(connection: MessageBasedResource) -> bytes:
    """Read a block from a socket, which has no END: its header says how much is to come."""
    head = connection.read_bytes(2)
    head += connection.read_bytes(max(head[1] - ord("0"), 0))
    _, length = block_span(head)
    with connection.read_termination_context(None):
        return head + connection.read_bytes(length + 1)
