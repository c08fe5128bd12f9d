"""Readings of SCPI source-meters as text and as IEEE 754 numbers."""

import numpy as np
import pytest

from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import BIT, MATRIX, bench_document

ROUTE = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between the bit SMU and ground."""


@pytest.fixture(params=["keithley-2400", "keithley-2450"])
def meter(request, tmp_path) -> tuple[str, Rack]:
    from labctl_instruments.bench.loading import parse_bench
    from labctl_instruments.virtual.opening import open_rack

    document = bench_document("smu", smu=request.param, noise=False)
    rack = open_rack(parse_bench(document, path=tmp_path / "small.toml", text=""))
    rack.exchange(MATRIX, ROUTE)
    rack.exchange(BIT, b":SOUR:VOLT 0.2;:OUTP ON\n")
    return request.param, rack


def ask(rack: Rack, message: str) -> bytes:
    return rack.exchange(BIT, message.encode() + b"\n")


@pytest.mark.parametrize(("order", "sign"), [("NORM", ">"), ("SWAP", "<")])
@pytest.mark.parametrize("form", ["SRE", "REAL"])
def test_a_binary_reading_is_the_number_that_the_text_is(meter, form, order, sign):
    model, rack = meter
    text = [float(part) for part in ask(rack, ":READ?").split(b",")]
    width = "f8" if form == "REAL" and model == "keithley-2450" else "f4"

    answer = ask(rack, f":FORM {form};:FORM:BORD {order};:READ?")

    assert answer.startswith(b"#0")
    assert answer.endswith(b"\n")
    numbers = np.frombuffer(answer[2:-1], sign + width)
    of_meter = [value for k, value in enumerate(text) if k != 3 or model != "keithley-2400"]
    told = [value for k, value in enumerate(numbers) if k != 3 or model != "keithley-2400"]
    assert told == pytest.approx(of_meter, rel=1e-5)


def test_a_buffer_comes_as_numbers_too(meter):
    model, rack = meter
    if model == "keithley-2400":
        ask(rack, ":FORM:ELEM CURR;:TRAC:POIN 3;:TRAC:FEED:CONT NEXT;:TRIG:COUN 3;:INIT")
        asked = ":TRAC:DATA?"
    else:
        ask(rack, ":SENS:COUN 3;:TRAC:TRIG")
        asked = ":TRAC:DATA? 1,3"
    text = [float(part) for part in ask(rack, asked).split(b",")]

    answer = ask(rack, f":FORM REAL,32;:FORM:BORD SWAP;{asked}")

    width = "<f4" if model == "keithley-2400" else "<f8"
    assert np.frombuffer(answer[2:-1], width).tolist() == pytest.approx(text, rel=1e-5)
    assert len(text) == 3


def test_a_reset_brings_text_back(meter):
    _, rack = meter
    ask(rack, ":FORM REAL")

    assert ask(rack, "*RST;:FORM?") == b"ASC\n"
    assert ask(rack, ":FORM HEX;:SYST:ERR:CODE?") == b"-224\n"


@pytest.mark.parametrize(("digits", "length"), [(3, len("1.23E-06")), (10, len("1.234567890E-06"))])
def test_a_2450_writes_as_many_digits_as_it_is_told(meter, digits, length):
    model, rack = meter
    if model == "keithley-2450":
        text = ask(rack, f":FORM:ASC:PREC {digits};:READ?").decode().strip()

        assert len(text.lstrip("-")) == length


def test_all_errors_come_in_one_answer(meter):
    model, rack = meter
    if model == "keithley-2400":
        ask(rack, ":NO:SUCH;:SOUR:VOLT 1e6")
        ask(rack, ":SOUR:VOLT 1e6")

        first, second = ask(rack, ":SYST:ERR:ALL?").decode().strip().split('",')
        assert first.startswith("-113,")
        assert second.startswith("-222,")
        assert ask(rack, ":SYST:ERR:ALL?") == b'0,"No error"\n'
