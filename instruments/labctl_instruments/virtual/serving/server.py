"""A virtual bench on TCP sockets: one port an instrument, one rack behind them all."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from labctl_instruments.errors import ConnectionLostError, ConnectionRefusal, ServingError
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.serving.framing import Framer
from labctl_instruments.virtual.serving.limits import LOOPBACK, Budget, Network, ServingLimits

log = logging.getLogger(__name__)

RECEIVED_AT_ONCE = 2**18
_BACKLOG = 16
_PAUSE = 0.1
_JOIN_SECONDS = 10.0
_LONG_REPLY = 2**16
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class BenchServer:
    """Serves the instruments of a rack until it is closed.

    Parameters
    ----------
    rack : Rack
        The bench; it is confined (see `Rack.confine`), and closed with the server.
    addresses : mapping of str to str
        The rack's address of each instrument, by its name on the bench.
    listen : str
        IPv4 address of this machine to listen on.
    port_base : int, optional
        Port of the first instrument, the others following; by default any that are free.
    allowed : sequence of IPv4Network
        Who may connect.
    limits : ServingLimits
        What clients may take.

    Raises
    ------
    ServingError
        If a port cannot be listened on.
    """

    def __init__(
        self,
        rack: Rack,
        addresses: Mapping[str, str],
        *,
        listen: str = "127.0.0.1",
        port_base: int | None = None,
        allowed: Sequence[Network] = (LOOPBACK,),
        limits: ServingLimits | None = None,
    ) -> None:
        self._rack = rack
        self._allowed = tuple(allowed)
        self._limits = limits or ServingLimits()
        self._budget = Budget(self._limits)
        self._closing = threading.Event()
        self._clients: set[socket.socket] = set()
        self._clients_lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._doors = _open_doors(addresses, listen, port_base)
        rack.confine()
        for name, door in self._doors.items():
            self._start(self._accept, name, addresses[name], door)

    @property
    def instruments(self) -> dict[str, str]:
        """VISA resource string of each instrument, by its name on the bench."""
        return {name: _resource(door) for name, door in self._doors.items()}

    def close(self) -> None:
        """Hang up on everybody, finish the messages at hand, and close the rack."""
        self._closing.set()
        self._rack.clock.hurry()
        for door in self._doors.values():
            _hang_up(door)
        with self._clients_lock:
            clients = list(self._clients)
        for client in clients:
            _hang_up(client)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._rack.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _accept(self, name: str, address: str, door: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                client, (peer, *_) = door.accept()
            except OSError:  # closed, or out of descriptors for a while
                self._closing.wait(_PAUSE)
                continue
            try:
                self._check(peer)
                self._budget.enter(name)
            except ConnectionRefusal as refusal:
                self._tell(name, peer, refusal)
                client.close()
                continue
            with self._clients_lock:
                self._clients.add(client)
            self._start(self._serve, name, address, client)

    def _check(self, peer: str) -> None:
        if not any(ipaddress.IPv4Address(peer) in network for network in self._allowed):
            raise ConnectionRefusal("not in the allow-list")

    def _serve(self, name: str, address: str, client: socket.socket) -> None:
        framer = Framer(has_blocks=self._rack.persona(address).has_blocks)
        try:
            _prepare(client, self._limits.send_seconds)
            self._converse(address, client, framer)
        except ConnectionRefusal as refusal:
            self._tell(name, client, refusal)
        except (OSError, ConnectionLostError) as error:
            log.info("%s: a client was lost: %s", name, error)
        except Exception as error:  # the boundary of a served connection
            log.exception("%s: the connection is given up", name)
            self._tell(name, client, error)
        finally:
            with self._clients_lock:
                self._clients.discard(client)
            client.close()
            self._budget.leave(name)

    def _converse(self, address: str, client: socket.socket, framer: Framer) -> None:
        """Answer messages until the client is gone."""
        waiting = 0
        try:
            while received := _receive(client):
                for message in framer.feed(received):
                    if self._closing.is_set():
                        return
                    reply = self._rack.exchange(address, message)
                    if reply:
                        self._send(client, reply)
                if framer.waiting != waiting:
                    self._budget.hold(framer.waiting - waiting)
                    waiting = framer.waiting
        finally:
            self._budget.release(waiting)

    def _send(self, client: socket.socket, reply: bytes) -> None:
        if len(reply) < _LONG_REPLY:
            client.sendall(reply)
            return
        self._budget.hold(len(reply))
        try:
            client.sendall(reply)
        finally:
            self._budget.release(len(reply))

    def _tell(self, name: str, client: socket.socket | str, problem: Exception) -> None:
        peer = client if isinstance(client, str) else _peer(client)
        log.warning("%s: %s is refused: %s", name, peer, problem)
        self._rack.note(name, f"{peer} is refused: {problem}")


def _open_doors(
    addresses: Mapping[str, str], listen: str, port_base: int | None
) -> dict[str, socket.socket]:
    doors: dict[str, socket.socket] = {}
    for number, name in enumerate(addresses):
        port = 0 if port_base is None else port_base + number
        try:
            doors[name] = socket.create_server((listen, port), backlog=_BACKLOG)
        except (OSError, OverflowError) as error:
            for door in doors.values():
                door.close()
            raise ServingError(
                f"instrument '{name}': asked to listen on {listen} port {port}: {error}"
            ) from error
    return doors


def _resource(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    if ipaddress.IPv4Address(host).is_unspecified:
        host = socket.gethostname()
    return f"TCPIP0::{host}::{port}::SOCKET"


def _prepare(client: socket.socket, send_seconds: float) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform != "win32":
        # The system's own time-out: Python's would cost a poll before each receive.
        timeout = struct.pack("ll", int(send_seconds), 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


def _receive(client: socket.socket) -> bytes:
    received = client.recv(RECEIVED_AT_ONCE)
    if _QUICKACK is not None:  # it lasts for one receive only
        client.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
    return received


def _peer(client: socket.socket) -> str:
    try:
        return str(client.getpeername()[0])
    except OSError:
        return "a client"


def _hang_up(connection: socket.socket) -> None:
    """Wake whoever waits on it, then close it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
