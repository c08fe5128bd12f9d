"""Messages that went wrong on the way: no persona breaks, and limits hold."""

import random

import numpy as np
import pytest

from labctl_instruments.virtual.rack import Rack
from labctl_instruments.wire.blocks import encode_block
from labctl_instruments.wire.board_layout import pack_pulses

BOARD = "TCPIP0::board.sim::hislip0::INSTR"
MESSAGES = 1500
CELLS = encode_block(np.arange(20, dtype="<u4"))

BOARD_MESSAGES = (
    b"READ:CELL? 0.2,1," + CELLS,
    b"PULS:CELL " + encode_block(pack_pulses([1, 2, 3], [0, 1, 0], 2.0, 50e-9, 1.8)),
    b"STR:CELL 0.2,5e-8,10," + CELLS,
    b"SWE:CELL? 3,2,1e-4,1e-3," + encode_block(np.array([0.1, 0.2])),
    b"MAC:DEF 1," + encode_block(bytes(range(48)) + bytes(100)),
    b"MAC:EXEC? 1," + encode_block(bytes(64)),
    b"COUN:PULS? " + CELLS,
    b"OUTP ON;*IDN?;:SYST:ERR?",
)
SMU_MESSAGES = (
    b":SOUR:VOLT 0.2;:OUTP ON;:READ?",
    b":SENS:FUNC 'CURR';:SENS:CURR:NPLC 1;RANG 1e-6;RANG:AUTO 1",
    b":SOUR:VOLT:ILIM 1e-3;ILIM:TRIP?;:SOUR:FUNC CURR;:SOUR:CURR 1e-6",
    b':READ? "defbuffer1",READ,SOUR,REL',
    b":PULS:WIDT1 50e-9;:PULS:PER1 1e-6;:VOLT1:HIGH 2;:BURS1:NCYC 3;:TRIG1;*TRG",
    b":APPL1:PULS 1e6,1,0.5;:OUTP1:LOAD 50",
    b'channel.close("1A01:1B12,2C03") print(channel.getclose("allslots"))',
    b'channel.exclusiveclose("1B01,1D13") print(errorqueue.next())',
)


def damaged(message: bytes, rng: random.Random) -> bytes:
    """Return a message with some bytes changed, lost or added."""
    bytes_ = bytearray(message)
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(bytes_))
        match rng.randrange(3):
            case 0:
                bytes_[at] = rng.randrange(256)
            case 1:
                del bytes_[at : at + rng.randint(1, 6)]
            case _:
                bytes_[at:at] = bytes(rng.choices(b";,:?#'\"\n 019eE.-()", k=3))
    return bytes(bytes_)


@pytest.mark.parametrize(("kind", "messages"), [("board", BOARD_MESSAGES), ("smu", SMU_MESSAGES)])
def test_no_damaged_message_breaks_an_instrument(make_rack, kind, messages) -> None:
    rack: Rack = make_rack(kind)
    rng = random.Random(11)

    for number in range(MESSAGES):
        if number % 100 == 0:
            for address in rack.addresses:
                rack.exchange(address, b"\n*RST\n")
        rack.exchange(rng.choice(rack.addresses), damaged(rng.choice(messages), rng))

    for address in rack.addresses:
        assert rack.exchange(address, b"*IDN?\n").count(b",") == 3


def test_no_damaged_message_passes_a_limit(board_rack: Rack) -> None:
    rng = random.Random(12)
    board_rack.exchange(BOARD, b"OUTP ON;:LIM:PULS 5\n")
    pulses = b"PULS:CELL " + encode_block(pack_pulses(np.arange(8), 1, 1.8, 50e-9, 4.7))

    for _ in range(MESSAGES):
        board_rack.exchange(BOARD, damaged(pulses, rng))

    assert 0 < board_rack.chip.pulse_counts(np.arange(64)).max() <= 5
