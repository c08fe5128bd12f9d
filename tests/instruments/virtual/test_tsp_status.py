"""The status model of TSP instruments, and how it requests service."""

import pytest
from pyvisa.constants import EventMechanism, EventType

from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import BIT, MATRIX, MakeRack


@pytest.fixture(params=["707B", "2450"])
def address(request) -> str:
    return MATRIX if request.param == "707B" else BIT


@pytest.fixture
def rack(make_rack: MakeRack, address: str) -> Rack:
    found = make_rack("smu")
    if address == BIT:
        found.exchange(BIT, b"*LANG TSP\n")
    return found


def ask(rack: Rack, address: str, message: str) -> str:
    return rack.exchange(address, message.encode() + b"\n").decode().strip()


@pytest.mark.parametrize(
    ("setting", "question"),
    [
        ("*SRE 4", "*SRE?"),
        ("status.request_enable = status.EAV", "print(status.request_enable)"),
        ("status.request_enable = 4", "*SRE?"),
        ("*ESE 4", "print(status.standard.enable)"),
        ("status.standard.enable = status.standard.QYE", "*ESE?"),
    ],
)
def test_an_enable_is_the_same_in_lua_and_as_a_common_command(rack, address, setting, question):
    ask(rack, address, setting)

    assert float(ask(rack, address, question)) == 4
    assert ask(rack, address, "print(errorqueue.count)").startswith("0")


@pytest.mark.parametrize(
    "setting", ["*SRE 256", "*SRE", "*ESE -1", "status.request_enable = 1.5", "*ESE x"]
)
def test_what_is_no_byte_is_refused(rack, address, setting):
    ask(rack, address, setting)

    assert float(ask(rack, address, "print(errorqueue.count)")) == 1
    assert ask(rack, address, "*SRE?") == ask(rack, address, "*ESE?") == "0"


def test_a_status_that_is_reset_requests_nothing(rack, address):
    ask(rack, address, "*SRE 4")
    ask(rack, address, "status.reset()")

    assert ask(rack, address, "*SRE?") == "0"


@pytest.mark.parametrize("done", ["*OPC", "opc()"])
def test_what_is_done_is_an_event(rack, address, done):
    ask(rack, address, "*CLS")
    ask(rack, address, done)

    assert ask(rack, address, "*ESR?") == "1"


def test_the_end_of_what_was_told_requests_service(rack, address, visa):
    with visa(rack).open_resource(address, read_termination="\n") as session:
        session.write("*CLS")
        session.write("*ESE 1")
        session.write("*SRE 32")
        session.enable_event(EventType.service_request, EventMechanism.queue)

        session.write("opc()")

        session.wait_on_event(EventType.service_request, 1000)
        assert session.read_stb() & 0x60 == 0x60
