"""The dialogue of the B1500A's drivers, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keysight_b1500a import KeysightB1500ASmu, KeysightB1500ASpgu
from labctl_instruments.errors import (
    DialogueError,
    InstrumentError,
    ReadBackError,
    RefusalError,
)

FINE = b'+0,"No Error."'
IDENTITY = (b"*IDN?", b"Agilent Technologies,B1500A,0,A.06.02.2023.0401")
UNITS = b"B1517A,0;B1511B,0;0,0;0,0;B1525A,0"


def test_preparing_opens_the_switch_first_and_never_closes_it():
    dialogue = [
        (b"CL 2", None),
        (b"FMT 21,0;TSC 0;AZ 0;FL 0,2;AAD 2,1;ERRX?", FINE),
        (b"*LRN? 2", b"CL2"),
        (b"*LRN? 2", b"CL2"),
        (b"ERRX?", FINE),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue, channel="2") as smu:
        smu.prepare(nplc=1.0, current_limit=1e-3)


def test_the_closing_switch_brings_the_compliance_and_sees_it():
    dialogue = [
        (b"*LRN? 1", b"CL1"),
        (b"CN 1", None),
        (b"DV 1,0,0,4.5E-05;*LRN? 1", b"DV1,0,0,4.5E-05,0,0"),
        (b"*LRN? 0", b"CN1"),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu:
        smu.current_limit = 4.5e-5
        smu.output = True
        assert smu.outputs_on() == ("output",)


def test_a_compliance_is_set_on_what_is_forced_and_read_back():
    dialogue = [
        (b"*LRN? 1", b"DV1,0,0.2,0.0001,0,0"),
        (b"DV 1,0,0.2,1E-06;ERRX?", FINE),
        (b"*LRN? 1", b"DV1,0,0.2,1E-06,0,0"),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu:
        smu.secure("current_limit", 1e-6)


@pytest.mark.parametrize("limit", [0.0, -1e-3, 0.11, float("nan")])
def test_a_compliance_that_the_module_cannot_hold_sends_nothing(limit):
    with (
        expected_protocol(KeysightB1500ASmu, []) as smu,
        pytest.raises(InstrumentError, match="a compliance of"),
    ):
        smu.current_limit = limit


def test_a_refused_compliance_is_not_remembered():
    dialogue = [
        (b"*LRN? 1", b"DV1,0,30,0.0001,0,0"),
        (b"DV 1,0,30,0.1;ERRX?", b'+123,"Compliance must be set correctly."'),
        (b"ERRX?", FINE),
        (b"DV 1,0,0,0.0001;*LRN? 1", b"DV1,0,0,0.0001,0,0"),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu:
        with pytest.raises(RefusalError, match="123"):
            smu.current_limit = 0.1
        smu.force(0.0)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"DV1,0,0.1,0.0001,0,0", "source voltage was set to 0.2"),
        (b"DV1,0,0.2,0.001,0,0", "current_limit was set to 0.0001"),
        (b"CL1", "source voltage was set to 0.2"),
    ],
)
def test_a_level_that_reads_back_otherwise_raises(answer, problem):
    dialogue = [(b"DV 1,0,0.2,0.0001;*LRN? 1", answer)]
    with (
        expected_protocol(KeysightB1500ASmu, dialogue) as smu,
        pytest.raises(ReadBackError, match=problem),
    ):
        smu.force(0.2)


def test_a_reading_brings_its_integration_and_its_compliance():
    dialogue = [
        (b"AIT 1,2,1;TI 1,0", b"000AI-1.234567E-06"),
        (b"AIT 1,2,1;TI 1,0", b"008AI+1.000000E-06"),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu:
        assert smu.read_current() == -1.234567e-6
        assert not smu.limited
        assert smu.read_current() == 1e-6
        assert smu.limited


def test_averages_are_cycles_of_one_conversion_or_of_the_fewest_equal_ones():
    dialogue = [
        (b"AIT 1,2,48;TI 1,0", b"000AI+1.000000E-06"),
        (b"AIT 1,2,90;TI 1,0", b"000AI+1.000000E-06"),
        (b"AIT 1,2,90;TI 1,0", b"000AI+3.000000E-06"),
    ]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu:
        smu.nplc, smu.averages = 3, 16
        assert smu.read_current() == 1e-6
        smu.averages = 60
        assert smu.read_current() == pytest.approx(2e-6)


def test_an_overflow_is_never_taken_for_a_current():
    dialogue = [(b"AIT 1,2,1;TI 1,0", b"001AI+199.9999E+99")]
    with expected_protocol(KeysightB1500ASmu, dialogue) as smu, pytest.raises(DialogueError):
        smu.read_current()


@pytest.mark.parametrize("cycles", [0.5, 0, 101, 2.5])
def test_an_integration_that_there_is_not_is_refused(cycles):
    with expected_protocol(KeysightB1500ASmu, []) as smu, pytest.raises(InstrumentError):
        smu.nplc = cycles


@pytest.mark.parametrize(
    ("kind", "slot", "is_there"),
    [
        (KeysightB1500ASmu, "1", True),
        (KeysightB1500ASmu, "2", True),
        (KeysightB1500ASmu, "3", False),
        (KeysightB1500ASmu, "5", False),
        (KeysightB1500ASpgu, "5", True),
        (KeysightB1500ASpgu, "9", False),
    ],
)
def test_a_slot_must_hold_what_the_bench_file_says(kind, slot, is_there):
    with expected_protocol(kind, [IDENTITY, (b"UNT?", UNITS)], channel=slot) as module:
        if is_there:
            assert "B1500A" in module.check_identity()
        else:
            with pytest.raises(DialogueError, match=f"in slot {slot}"):
                module.check_identity()


PREPARED = [
    (b"CL 501", None),
    (b"SIM 0;SPRM 1,1;SER 501,1000000;SPM 501,1;SPV 501,1,0,0;ERRX?", FINE),
    (b"SER? 501", b"1000000"),
]


def test_a_burst_is_shaped_in_one_message_and_fired_in_another():
    dialogue = [
        *PREPARED,
        (
            b"SPRM 1,3;SPPER 1E-06;SPT 501,1,0,5E-08,8E-09;SPV 501,1,0,2;SPUPD 501;ERRX?",
            FINE,
        ),
        (b"SRP;SPST?", b"1"),
        (b"SPST?", b"0"),
    ]
    with expected_protocol(KeysightB1500ASpgu, dialogue) as pulser:
        pulser.prepare(1, voltage_limit=3.5)
        pulser.shape(1, high=2.0, width=5e-8, period=1e-6, count=3)
        pulser.trigger(1)


@pytest.mark.parametrize("level", [3.6, -3.6, float("nan")])
def test_a_level_beyond_the_limit_is_never_sent(level):
    with expected_protocol(KeysightB1500ASpgu, PREPARED) as pulser:
        pulser.prepare(1, voltage_limit=3.5)
        with pytest.raises(InstrumentError, match=r"the limit is 3\.5 V"):
            pulser.shape(1, high=level, width=5e-8, period=1e-6, count=1)


def test_both_channels_go_off_before_anything_else():
    dialogue = [(b"CL 501,502", None), (b"SPP", None), (b"*LRN? 0", b"CN1,502")]
    with expected_protocol(KeysightB1500ASpgu, dialogue) as pulser:
        pulser.output_off()
        assert pulser.outputs_on() == ("output 2",)
