"""The board behind a raw TCP socket, which has no END: blocks are read by their length."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from labctl_instruments.bench.opening import Access, adapter_of
from labctl_instruments.bench.schema import InstrumentTable
from labctl_instruments.drivers.array_test_board import ArrayTestBoard
from labctl_instruments.errors import DeadLinkError, DialogueError

LINE_ENDS = b"\n" * 4 * 3000
ANSWERS = {
    b":COUN:PULS?": b"#512000" + LINE_ENDS + b"\n",
    b":LIM:VOLT?": b"3.5\n",
    b"*IDN?": b"labctl,ARRAY-BOARD,1,1.0\n",
}


def serve(listener: socket.socket) -> None:
    """Answer the messages of one client, each by its first word."""
    client, _ = listener.accept()
    with client:
        while message := client.recv(2**20):
            for asked, answer in ANSWERS.items():
                if message.startswith(asked):
                    client.sendall(answer[:5000])
                    client.sendall(answer[5000:])


@pytest.fixture
def board() -> Iterator[ArrayTestBoard]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        address = f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
        table = InstrumentTable(driver="array-test-board", address=address, role="board")
        board = ArrayTestBoard(adapter_of(table, Access(library="@py")))
        yield board
        board.close()
        server.join()


def test_a_block_full_of_line_ends_arrives_whole(board):
    counts = board.count_pulses(np.arange(3000))

    assert (counts == 0x0A0A0A0A).all()


def test_after_a_block_the_dialogue_is_in_step(board):
    for _ in range(3):
        board.count_pulses(np.arange(3000))
        assert board.voltage_limit == 3.5
        assert "ARRAY-BOARD" in board.check_identity()


def test_small_messages_are_sent_at_once(board):
    session = board.adapter.connection.visalib.sessions[board.adapter.connection.session]

    assert session.interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def hang_up_at_the_second_message(listener: socket.socket) -> None:
    """Serve two clients: hang up on the first when it asks again, answer the second."""
    client, _ = listener.accept()
    with client:
        client.recv(2**10)
        client.sendall(b"3.5\n")
        client.recv(2**10)
    serve(listener)


def test_a_connection_that_is_hung_up_is_opened_anew_and_the_query_not_repeated():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=hang_up_at_the_second_message, args=(listener,))
        server.start()
        address = f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
        table = InstrumentTable(driver="array-test-board", address=address, role="board")
        adapter = adapter_of(table, Access(library="@py"))
        adapter.connection.timeout = 200  # ms
        board = ArrayTestBoard(adapter)
        assert board.ask_number(":LIM:VOLT?") == 3.5

        with pytest.raises(DialogueError, match="':LIM:VOLT\\?'"):
            board.ask_number(":LIM:VOLT?")

        assert board.ask_number(":LIM:VOLT?") == 3.5
        session = adapter.connection.visalib.sessions[adapter.connection.session]
        assert session.interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert adapter.connection.timeout == 200
        board.close()
        server.join()


def hear(listener: socket.socket, heard: list[bytes]) -> None:
    """Take what clients say, one after the other, and answer none of it; end with the listener."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while message := client.recv(2**10):
                heard.extend(message.splitlines())


def test_an_instrument_that_says_nothing_any_more_is_asked_for_its_name_and_then_given_up():
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    server = threading.Thread(target=hear, args=(listener, heard))
    server.start()
    address = f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET"
    table = InstrumentTable(driver="array-test-board", address=address, role="board")
    board = ArrayTestBoard(adapter_of(table, Access(library="@py")))
    board.adapter.connection.timeout = 100  # ms

    with pytest.raises(DeadLinkError, match="nor to "):
        board.inquire_number(":LIM:VOLT?")
    asked = list(heard)
    with pytest.raises(DeadLinkError):
        board.inquire_number(":LIM:VOLT?")

    assert asked.count(b":LIM:VOLT?") == 1  # to ask again would be in vain
    assert set(asked) == {b":LIM:VOLT?", b"*IDN?"}
    assert heard[len(asked) :] == [b"*IDN?"]
    board.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join()
