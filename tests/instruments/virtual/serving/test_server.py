"""A bench on sockets, and the strangers who come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2450

from labctl_instruments.bench.loading import load_bench
from labctl_instruments.errors import ServingError
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.serving.limits import ServingLimits
from labctl_instruments.virtual.serving.opening import Door, serve_bench
from labctl_instruments.virtual.serving.server import BenchServer
from labctl_instruments.wire.blocks import encode_block

FEW = ServingLimits(clients=3, clients_an_instrument=2, waiting_bytes=2**20)


def bench_server(name: str) -> BenchServer:
    file = load_bench(name)
    addresses = {each: table.address for each, table in file.instruments.items()}
    return BenchServer(open_rack(file, seed=3), addresses, limits=FEW)


@pytest.fixture
def board() -> Iterator[BenchServer]:
    server = bench_server("sim-board")
    yield server
    server.close()


@pytest.fixture(scope="module")
def smu() -> Iterator[BenchServer]:
    server = bench_server("sim-smu")
    yield server
    server.close()


def connect(server: BenchServer, name: str) -> socket.socket:
    _, host, port, _ = server.instruments[name].split("::")
    client = socket.create_connection((host, int(port)), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ask(client: socket.socket, message: bytes) -> bytes:
    client.sendall(message)
    answer = b""
    while not answer.endswith(b"\n"):
        received = client.recv(2**16)
        assert received, "hung up"
        answer += received
    return answer


def is_hung_up(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_an_instrument_answers_on_its_port(board):
    with connect(board, "board") as client:
        assert ask(client, b"*IDN?\n").split(b",")[1] == b"ARRAY-BOARD"
        assert ask(client, b":ARR:GEOM?\n") == b"8,128,16\n"


def test_messages_in_one_packet_are_answered_in_order(board):
    with connect(board, "clock") as client:
        client.sendall(b":CLOC:ADV 2\n:CLOC:TIME?\n:CLOC:ADV 3\n:CLOC:TIME?\n")
        heard = b""
        while heard.count(b"\n") < 2:
            heard += client.recv(100)

    assert [float(part) for part in heard.split()] == [2.0, 5.0]


def test_a_block_whose_bytes_are_line_ends_is_one_message(board):
    cells = np.full(2, 0x0A0A & 0x3FFF, "<u4")
    with connect(board, "board") as client:
        answer = ask(client, b":COUN:PULS? " + encode_block(cells) + b"\n")
        errors = ask(client, b":SYST:ERR:COUN?\n")

    assert cells.tobytes().count(b"\n") == 4
    assert (answer, errors) == (b"#18" + bytes(8) + b"\n", b"0\n")


def test_the_instruments_of_a_bench_share_its_clock_and_its_state_outlives_clients(board):
    with connect(board, "clock") as client:
        client.sendall(b":CLOC:ADV 100\n")
        ask(client, b"*OPC?\n")
    with connect(board, "clock") as client:
        assert float(ask(client, b":CLOC:TIME?\n")) == 100.0


@pytest.mark.parametrize("name", ["board", "clock"])
def test_a_web_page_that_posts_to_a_port_is_hung_up_on_and_not_obeyed(board, name):
    with connect(board, name) as page:
        page.sendall(b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\n:OUTP ON\n:CLOC:ADV 100\n")
        assert is_hung_up(page)

    with connect(board, "board") as client:
        assert ask(client, b":OUTP?\n") == b"0\n"
    with connect(board, "clock") as client:
        assert float(ask(client, b":CLOC:TIME?\n")) == 0.0
    assert any(b"HTTP" in event.message for event in board._rack.log.events)


def flood(client: socket.socket, piece: bytes) -> None:
    for _ in range(200):
        client.sendall(piece)


def test_a_line_that_never_ends_is_hung_up_on(board):
    with connect(board, "board") as client:
        with pytest.raises((ConnectionError, TimeoutError)):
            flood(client, b"A" * 2**16)
        assert is_hung_up(client)


def test_unfinished_blocks_may_not_fill_the_memory(board):
    with connect(board, "board") as client:
        client.sendall(b":COUN:PULS? #8" + b"%08d" % (16 * 2**20))
        with pytest.raises((ConnectionError, TimeoutError)):
            flood(client, bytes(2**16))


def test_clients_beyond_the_limit_are_turned_away_and_room_is_made_again(board):
    first, second = connect(board, "board"), connect(board, "board")
    ask(first, b"*OPC?\n")
    ask(second, b"*OPC?\n")
    with connect(board, "board") as third:
        assert is_hung_up(third)

    first.close()
    second.sendall(b"*IDN?\n")

    assert ask(second, b"*OPC?\n")
    for _ in range(100):
        with connect(board, "board") as again:
            again.sendall(b"*OPC?\n")
            if again.recv(10):
                break
    else:
        pytest.fail("no room after a client has left")
    second.close()


def test_a_server_that_is_closed_does_not_wait_for_a_slow_bench():
    server = bench_server("sim-board")
    with connect(server, "clock") as client:
        assert ask(client, b":CLOC:MODE REAL;:CLOC:MODE?\n") == b"REAL\n"
        client.sendall(b":CLOC:ADV 1000\n")
        closing = threading.Thread(target=server.close)
        closing.start()
        closing.join(8)

        assert not closing.is_alive()


def test_clients_at_once_never_read_each_others_answers(smu):
    wrong: list[bytes] = []

    def talk(name: str, model: bytes) -> None:
        with connect(smu, name) as client:
            for _ in range(300):
                answer = ask(client, b"*IDN?\n")
                if model not in answer:
                    wrong.append(answer)

    talkers = [("bit", b"2450"), ("pulser", b"81160A"), ("clock", b"BENCH-CLOCK")]
    threads = [threading.Thread(target=talk, args=talker) for talker in talkers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_pymeasures_own_driver_sweeps_a_served_smu(smu):
    adapter = VISAAdapter(
        smu.instruments["bit"],
        visa_library="@py",
        read_termination="\n",
        write_termination="\n",
    )
    instrument = Keithley2450(adapter)
    instrument.apply_voltage()
    instrument.compliance_current = 1e-6
    instrument.enable_source()
    currents = []
    for voltage in (0.0, 0.1):
        instrument.source_voltage = voltage
        currents.append(float(instrument.ask(":READ?").split(",")[0]))
    errors = instrument.ask(":SYST:ERR?")
    adapter.close()

    assert currents == pytest.approx([0.0, 0.0], abs=1e-8)  # nothing is routed to it
    assert errors.startswith("0,")


def test_lua_of_a_served_matrix_runs_in_another_process(smu):
    with connect(smu, "matrix1") as client:
        client.sendall(b'channel.close("1A01")\n')
        assert ask(client, b'print(channel.getclose("allslots"))\n') == b"1A01\n"
        assert (
            ask(client, b"print(python, os, io, debug, string.dump)\n") == b"nil\t" * 4 + b"nil\n"
        )
        client.sendall(b'channel.open("allslots")\n')


def test_another_address_than_loopback_needs_an_allow_list():
    with pytest.raises(ServingError, match=r"0\.0\.0\.0.*--allow"):
        serve_bench("sim-board", Door(listen="0.0.0.0"))
    with pytest.raises(ServingError, match="allow 'everybody'"):
        Door(allowed=("everybody",)).networks()


def test_a_port_that_is_taken_is_named(board):
    port = int(board.instruments["board"].split("::")[2])

    with pytest.raises(ServingError, match=f"'board'.*port {port}"):
        serve_bench("sim-board", Door(port_base=port))


def test_a_program_that_does_not_end_keeps_its_own_instrument_busy_and_no_other():
    server = bench_server("sim-smu")
    try:
        with connect(server, "matrix1") as hog, connect(server, "bit") as other:
            assert ask(hog, b"print(1)\n") == b"1.00000e+00\n"
            hog.sendall(b"while true do end print(2)\n")

            answers = [ask(other, b"*OPC?\n") for _ in range(200)]

            hog.setblocking(False)
            with pytest.raises(BlockingIOError):
                hog.recv(100)
        assert answers == [b"1\n"] * 200
    finally:
        server.close()
