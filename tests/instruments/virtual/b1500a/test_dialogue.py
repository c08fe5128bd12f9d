"""The virtual B1500A's dialogue: questions, errors, switches, settings, its output buffer."""

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyvisa.errors import VisaIOError

from tests.instruments.virtual.b1500a.conftest import (
    FRAME,
    data,
    error,
    expected,
    opened,
    say,
)
from tests.instruments.virtual.test_damaged_messages import damaged


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("*IDN?", "Agilent Technologies,B1500A,0,A.06.02.2023.0401"),
        ("UNT?", "B1517A,0;B1517A,0;B1511B,0;0,0;B1525A,0;0,0;0,0;0,0;0,0;0,0"),
        ("*OPC?", "1"),
        ("ERRX?", '+0,"No Error."'),
        ("ERRX? 1", "+0"),
        ("EMG? 200", "Channel output switch must be ON."),
        ("*LRN? 0", "CN1,3"),
        ("CN;*LRN? 0", "CN1,2,3,501,502"),
        ("CL;*LRN? 0", "CL"),
        ("*LRN? 1", "DV1,0,0,0.001,0,0"),
        ("*LRN? 2", "CL2"),
        ("cn2;di 2,0,1e-6,2;*lrn? 2", "DI2,0,1E-06,2,0,0"),
        ("*LRN? 31", "TM1;AV1,0;CM1;FMT1,0;MM1"),
        ("MM 2,1,3;AV -2;*LRN? 31", "TM1;AV-2;CM1;FMT1,0;MM2,1,3"),
        ("RI 1,-15;RV 2,12;*LRN? 32", "RI1,-15;RV1,0;RI2,0;RV2,12;RI3,0;RV3,0"),
        ("FL 1,2;*LRN? 30", "FL0,1,3;FL1,2"),
        ("AAD 2,1;*LRN? 55", "AAD1,0;AAD2,1;AAD3,0"),
        ("AIT 0,3,1E-4;AZ 1;*LRN? 56", "AIT0,3,0.0001;AIT1,0,6;AIT2,2,1;AZ1"),
        ("NUB?", "0"),
        ("TSR;PA 0.25;FMT 11;TSQ", "NZT+2.500000E-01"),
    ],
)
def test_a_question_is_answered_as_the_instrument_does(rack, message, answer) -> None:
    assert say(rack, message) == answer
    assert error(rack) == 0


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("*CLS", 100),
        ("CN 1,x", 102),
        ("DV 1,0", 120),
        ("CN 11", 121),
        ("DZ 1,1", 122),
        ("MM 2", 122),
        ("DV 1,0,1,0", 123),
        ("DV 1,0,1,0.2", 123),
        ("DV 1,0,21,0.06", 123),
        ("DV 1,8,1,1E-3", 124),
        ("CN 3;DI 3,10,1E-9", 124),
        ("CN 4", 153),
        ("TI 2,0", 200),
        ("DV 2,0,1", 200),
        ("SPUPD 501", 200),
        ("DV 1,0,50,1E-3", 202),
        ("RZ 1", 205),
        ("DV 1,0,101,1E-3", 120),
        ("FMT 6", 120),
        ("AIT 1,3,1E-3", 120),
        ("SSR 1,1", 120),
        ("SPPER 0.000000", 120),
        ("WV 1,2,0,0,1,5,1E-3", 120),
        ("MM 2,1;XE", 214),
    ],
)
def test_what_cannot_be_done_is_an_error_and_nothing_is_forced(rack, message, number) -> None:
    before = say(rack, "*LRN? 1")

    answer = say(rack, message)

    assert answer == ""
    assert error(rack) == number
    assert error(rack) == 0
    assert say(rack, "*LRN? 1") == before


def test_its_page_lists_what_it_understands_and_nothing_else(rack) -> None:
    text = (Path(__file__).parents[4] / "docs" / "commands-b1500a.md").read_text(encoding="utf-8")
    section = text.partition("## Commands")[2].partition("\nA datum")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    listed = {word for words in re.findall(r"`([^`]+)`", table) for word in words.split()}
    listed.remove("?")  # of the pulses, all of which are asked too
    (asked,) = re.findall(r"\| pulses \| `([^`]+)`, each with", table)
    listed |= {f"{header}?" for header in asked.split()}

    assert listed == set(rack.persona(FRAME).headers)


def test_an_error_ends_its_message(rack) -> None:
    assert say(rack, "DV 1,0,0.1;NONSENSE;DV 1,0,0.3;*OPC?") == ""
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.1,")
    assert say(rack, "ERR?") == "100,0,0,0"
    assert say(rack, "ERR?") == "0,0,0,0"


def test_a_switch_that_closes_starts_at_zero_with_the_least_compliance(rack) -> None:
    say(rack, "DV 1,0,0.2,1E-2;CL 1;CN 1")

    assert say(rack, "*LRN? 1") == "DV1,0,0,0.0001,0,0"


def test_zero_is_forced_at_once_and_what_was_is_restored(rack) -> None:
    say(rack, "DV 1,0,0.2,1E-3")

    zeroed = data(say(rack, "DZ 1;TI 1"))
    restored = data(say(rack, "RZ 1;TI 1"))

    assert zeroed[0][3] == 0.0
    assert restored[0][3] == pytest.approx(expected(rack, 0.2), rel=1e-3)


def test_a_reset_opens_every_switch_and_keeps_the_errors(rack) -> None:
    say(rack, "CN;FMT 21;NONSENSE")

    say(rack, "*RST")

    assert say(rack, "*LRN? 0") == "CL"
    assert say(rack, "*LRN? 31").endswith("FMT1,0;MM1")
    assert error(rack) == 100


def test_91_compliances_from_a_nanoampere_to_an_ampere_hold_or_are_refused(rack) -> None:
    refused = 0
    for limit in np.logspace(-9, 0, 91):
        say(rack, f"DV 1,0,0.1,{limit:.9G}")
        found = float(say(rack, "*LRN? 1").split(",")[3])
        if error(rack):
            refused += 1
            assert limit > 0.1
        else:
            assert found == pytest.approx(limit, rel=1e-3)

    assert refused == 10  # those beyond 100 mA, of 10 a decade


def test_1e4_readings_change_no_setting(rack) -> None:
    say(rack, "DV 1,0,0.1,3.3E-6")
    before = [say(rack, f"*LRN? {kind}") for kind in (0, 1, 31, 32, 55, 56)]

    for _ in range(10_000):
        rack.exchange(FRAME, b"TI 1,0\r\n")

    assert [say(rack, f"*LRN? {kind}") for kind in (0, 1, 31, 32, 55, 56)] == before
    assert error(rack) == 0


MESSAGES = (
    b"CN 1,2;DV 1,0,0.2,1E-3;TI 1,0;TV 1",
    b"MM 2,1;WV 1,1,0,0,0.2,5,1E-3;XE",
    b"MM 10,1;MT 0,0.01,4;MV 1,0,0,0.2,1E-3;XE",
    b"FMT 13,1;TSC 1;AAD 1,1;AIT 1,2,1;AZ 1;XE",
    b"SPT 501,1,0,5E-8,8E-9;SPV 501,1,0,2;SPRM 1,3;CN 501;SPUPD 501;SRP",
    b"*LRN? 33;*LRN? 1;DZ;RZ 1;ERRX?;UNT?",
)


def test_no_damaged_message_breaks_the_instrument(tmp_path) -> None:
    rack = opened(tmp_path)
    rng = random.Random(13)

    for number in range(1500):
        if number % 50 == 0:
            rack.exchange(FRAME, b"*RST\r\nMT 0,0.01,4\r\n")
        rack.exchange(FRAME, damaged(rng.choice(MESSAGES), rng))

    assert say(rack, "*RST;*IDN?").count(",") == 3


def test_in_process_data_wait_in_their_buffer_while_questions_are_answered(rack, visa) -> None:
    b1500 = visa(rack).open_resource(FRAME, read_termination="\r\n", write_termination="\r\n")
    say(rack, "DV 1,0,0.2,1E-3;MM 1,1")

    b1500.write("XE")
    answer = b1500.query("*OPC?")
    (datum,) = data(b1500.read())

    assert answer == "1"
    assert datum[3] == pytest.approx(expected(rack, 0.2), rel=1e-3)


@pytest.mark.parametrize("clears", ["BC", "FMT 1", "*RST"])
def test_in_process_a_cleared_buffer_holds_no_data(rack, visa, clears) -> None:
    b1500 = visa(rack).open_resource(FRAME, read_termination="\r\n", write_termination="\r\n")
    say(rack, "MM 1,1")

    b1500.write("XE")
    b1500.write(clears)

    assert b1500.query("*OPC?") == "1"
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        b1500.read()


@pytest.mark.filterwarnings("ignore")
def test_pymeasures_own_driver_sweeps_in_process_as_its_manual_says(rack) -> None:
    from pymeasure.instruments.agilent import AgilentB1500

    b1500: Any = AgilentB1500(FRAME, visa_library=f"{rack.token}@labctl")
    b1500.initialize_all_smus()
    b1500.data_format(21, mode=1)
    b1500.meas_mode("STAIRCASE_SWEEP", b1500.smu1)
    b1500.smu1.enable()
    b1500.smu1.adc_type = "HRADC"
    b1500.adc_setup("HRADC", "AUTO", 6)
    b1500.smu1.staircase_sweep_source(
        "VOLTAGE", "LINEAR_DOUBLE", "Auto Ranging", 0.05, 0.2, 4, 0.001
    )
    b1500.check_errors()

    b1500.send_trigger()
    assert b1500.check_idle()
    points = [b1500.read_channels(2) for _ in range(8)]

    levels = [point[1][3] for point in points]
    assert levels == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05])
    for point, level in zip(points, levels, strict=True):
        assert point[0][3] == pytest.approx(expected(rack, level), rel=1e-4)
    b1500.adapter.close()


def test_zeroes_that_are_not_named_are_restored_where_they_were_forced(rack) -> None:
    say(rack, "CN 1,2;DV 1,0,0.2,1E-4;DZ 1")

    say(rack, "RZ")

    assert error(rack) == 0
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.2,")
    say(rack, "RZ")
    assert error(rack) == 205


def test_data_that_wait_request_service(rack, visa) -> None:
    with visa(rack).open_resource(FRAME) as frame:
        frame.write("*SRE 1")
        assert frame.query("*SRE?").strip() == "1"
        assert not frame.read_stb() & 64

        frame.write("CN 1;DV 1,0,0.2,1E-4;TI 1,0")

        assert frame.read_stb() & 65 == 65
        frame.read()
        assert not frame.read_stb() & 64
