"""The virtual 2400: its dialogue, its traps, and PyMeasure's own drivers on it."""

import warnings

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2400
from pymeasure.instruments.keithley.keithley2400_legacy import Keithley2400Legacy

from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import (
    BIT,
    GATE,
    SOURCE,
    ask,
    close,
    conductance,
)


@pytest.fixture
def rack(make_rack) -> Rack:
    return make_rack("smu", smu="keithley-2400", noise=False)


@pytest.fixture
def wired(rack: Rack) -> Rack:
    """Cell (0, 5, 2) between the SMUs, all on, at 0 V; its gate at 3 V."""
    close(rack, BL2="B", SL5="C", WL5="D")
    for address in (BIT, SOURCE, GATE):
        ask(rack, address, ":SENS:CURR:PROT 1e-3;:OUTP ON")
    ask(rack, GATE, ":SOUR:VOLT 3")
    return rack


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (':DISP:TEXT "HELLO";:DISP:WIND1:TEXT?', '"HELLO"'),
        ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,4181655,C34/A02 /K/J"),
        (":SOUR:FUNC?", "VOLT"),
        (":SENS:CURR:PROT?;:SENS:VOLT:PROT?", "+1.050000E-04;+2.100000E+01"),
        (":FORM:ELEM?", "VOLT,CURR,RES,TIME,STAT"),
        (":FORM:ELEM CURR, VOLT;:FORM:ELEM?", "VOLT,CURR"),
        (":SENS:FUNC?", '"CURR:DC"'),
        (":SENS:FUNC 'VOLT';:SENS:FUNC?", '"VOLT:DC","CURR:DC"'),
        (":SENS:FUNC:CONC 0;:SENS:FUNC 'VOLT';:SENS:FUNC?", '"VOLT:DC"'),
        (":SENS:FUNC:OFF:ALL;:SENS:FUNC?", ""),
        (":SENS:FUNC:ALL;:SENS:FUNC?", '"VOLT:DC","CURR:DC","RES"'),
        (":SENS:CURR:NPLC 0.1;:SENS:VOLT:NPLC?", "+1.000000E-01"),
        (":SENS:CURR:RANG 3e-6;RANG?;RANG:AUTO?", "+1.000000E-05;0"),
        (":SOUR:VOLT:RANG 1.5;RANG?;RANG:AUTO?", "+2.000000E+00;0"),
        (":SOUR:DEL 0.5;DEL?;DEL:AUTO?", "+5.000000E-01;0"),
        (":OUTP:SMOD?;:OUTP:SMOD HIMP;SMOD?", "NORM;HIMP"),
        (":SYST:AZER:STAT?;:SYST:AZER:STAT ONCE;STAT?", "1;0"),
        (":TRIG:COUN 50;:ARM:COUN 50;:TRIG:COUN?;:ARM:COUN?", "50;50"),
        (":DISP:TEXT:DATA 'forming';DATA?;:DISP:ENAB?", '"forming";1'),
        (":SYST:LFR?;:SYST:RSEN?;:ROUT:TERM?", "50;0;FRON"),
        (":SOUR:VOLT 1;:OUTP ON;*RST;:OUTP?;:SOUR:VOLT?", "0;+0.000000E+00"),
    ],
)
def test_settings_read_back_in_the_instruments_own_words(rack, message, answer) -> None:
    assert ask(rack, BIT, message) == answer
    assert ask(rack, BIT, ":SYST:ERR?") == '0,"No error"'


def test_measure_puts_the_current_limit_back_to_its_default(wired: Rack) -> None:
    ask(wired, BIT, ":SENS:CURR:PROT 1e-6;:SOUR:VOLT 0.1")

    ask(wired, BIT, ":READ?")
    assert float(ask(wired, BIT, ":SENS:CURR:PROT?")) == 1e-6
    ask(wired, BIT, ":MEAS:CURR?")

    assert float(ask(wired, BIT, ":SENS:CURR:PROT?")) == 1.05e-4


def test_a_reading_with_the_output_off_is_error_803_and_no_answer(rack: Rack) -> None:
    assert ask(rack, BIT, ":READ?") == ""
    assert ask(rack, BIT, ":SYST:ERR?") == '803,"Not permitted with OUTPUT off"'


def test_with_automatic_output_off_a_reading_puts_the_output_on_and_off(wired: Rack) -> None:
    ask(wired, BIT, ":OUTP OFF;:SOUR:CLE:AUTO ON;:SOUR:VOLT 0.1")

    current = float(ask(wired, BIT, ":READ?").split(",")[1])

    assert current == pytest.approx(0.1 * conductance(wired), rel=0.02)
    assert ask(wired, BIT, ":OUTP?") == "0"


def test_a_reading_has_the_elements_in_order_and_marks_what_is_not_measured(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.1;:SYST:TIME:RES")

    voltage, current, resistance, time, status = map(float, ask(wired, BIT, ":READ?").split(","))

    assert voltage == 0.1
    assert current == pytest.approx(0.1 * conductance(wired), rel=0.02)
    assert resistance == 9.91e37
    assert time == pytest.approx(1e-3 + 1e-3 + 1 / 50, rel=0.01)  # message, delay, integration
    assert int(status) & 8 == 0


def test_the_limit_holds_the_current_and_the_status_word_says_so(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.2;:SENS:CURR:PROT 1e-6;:SENS:FUNC 'VOLT'")

    voltage, current, _, _, status = map(float, ask(wired, BIT, ":READ?").split(","))

    assert current == pytest.approx(1e-6, rel=1e-4)
    assert voltage == pytest.approx(1e-6 / conductance(wired), rel=0.03)
    assert int(status) & 8 == 8
    assert ask(wired, BIT, ":SENS:CURR:PROT:TRIP?") == "1"


def test_limits_are_kept_as_they_were_set_from_a_nanoampere_to_an_ampere(rack: Rack) -> None:
    for limit in np.logspace(-9, 0, 91):
        found = float(ask(rack, BIT, f":SENS:CURR:PROT {limit:.9g};:SENS:CURR:PROT?"))
        assert found == pytest.approx(limit, rel=1e-3)


def test_a_reading_has_the_resolution_of_its_range(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.02;:SENS:CURR:RANG 1e-4;:FORM:ELEM CURR")

    reading = float(ask(wired, BIT, ":READ?"))

    assert reading / 5e-10 == pytest.approx(round(reading / 5e-10), abs=1e-3)


def test_a_staircase_forces_each_level_and_answers_all_readings(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT:MODE SWE;STAR 0.05;STOP 0.2;STEP 0.05;:TRIG:COUN 4")
    ask(wired, BIT, ":FORM:ELEM VOLT,CURR")

    found = np.array([float(part) for part in ask(wired, BIT, ":READ?").split(",")]).reshape(4, 2)

    assert found[:, 0] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert found[:, 1] == pytest.approx(found[:, 0] * conductance(wired), rel=0.02)
    assert ask(wired, BIT, ":SOUR:SWE:DIR DOWN;:READ?").startswith("+2.000000E-01,")


def test_a_list_is_forced_in_its_order(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:LIST:VOLT 0.1,0.02,0.2;:SOUR:VOLT:MODE LIST;:TRIG:COUN 3")
    ask(wired, BIT, ":FORM:ELEM VOLT")

    assert [float(part) for part in ask(wired, BIT, ":READ?").split(",")] == [0.1, 0.02, 0.2]


def test_a_full_buffer_sets_its_bit_and_requests_service(wired: Rack) -> None:
    ask(wired, BIT, "*SRE 1;:STAT:MEAS:ENAB 512;:TRAC:CLE;:TRAC:POIN 3;:TRIG:COUN 3")
    ask(wired, BIT, ":TRAC:FEED:CONT NEXT;:FORM:ELEM CURR;:SOUR:VOLT 0.1")
    assert int(ask(wired, BIT, "*STB?")) & 65 == 0

    ask(wired, BIT, ":INIT")

    assert int(ask(wired, BIT, "*STB?")) & 65 == 65
    data = [float(part) for part in ask(wired, BIT, ":TRAC:DATA?").split(",")]
    assert data == pytest.approx([0.1 * conductance(wired)] * 3, rel=0.02)
    mean = ask(wired, BIT, ":CALC3:FORM MEAN;:CALC3:DATA?")
    assert float(mean) == pytest.approx(np.mean(data), rel=1e-6)


def test_readings_that_wait_for_the_bus_come_with_the_trigger(wired: Rack) -> None:
    ask(wired, BIT, ":ARM:SOUR BUS;:FORM:ELEM CURR;:SOUR:VOLT 0.1")
    assert ask(wired, BIT, ":READ?") == ""
    assert ask(wired, BIT, ":SYST:ERR?").startswith("-214,")

    ask(wired, BIT, ":INIT")
    wired.trigger(BIT)

    assert float(ask(wired, BIT, ":FETC?")) == pytest.approx(0.1 * conductance(wired), rel=0.02)


@pytest.mark.parametrize(
    "message", [":SOUR:VOLT 211", ":SENS:CURR:PROT 1e-10", ":SENS:CURR:NPLC 11", ":ARM:COUN 2501"]
)
def test_a_value_out_of_range_is_refused_and_nothing_changes(rack: Rack, message: str) -> None:
    keys = ":SOUR:VOLT?;:SENS:CURR:PROT?;:SENS:CURR:NPLC?;:ARM:COUN?"
    before = ask(rack, BIT, keys)

    ask(rack, BIT, message)

    assert ask(rack, BIT, ":SYST:ERR?").startswith("-222,")
    assert ask(rack, BIT, keys) == before


@pytest.fixture(params=[Keithley2400, Keithley2400Legacy], ids=["present", "legacy"])
def driver(request, wired: Rack):
    """PyMeasure's own drivers on the virtual instrument."""
    adapter = VISAAdapter(
        BIT, visa_library=f"{wired.token}@labctl", write_termination="\n", read_termination="\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield request.param(adapter)
    adapter.close()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pymeasures_drivers_sweep_a_voltage_and_measure_the_cells_current(driver, wired) -> None:
    driver.reset()
    if isinstance(driver, Keithley2400):
        driver.reset_data_format()
    driver.apply_voltage(compliance_current=1e-3)
    driver.measure_current(nplc=0.1)
    driver.enable_source()

    for voltage in (0.05, 0.1, 0.2):
        driver.source_voltage = voltage
        # The model: conductance at 0.2 V, the transistor in series, a current of sinh(3.8 V).
        assert driver.current == pytest.approx(voltage * conductance(wired), rel=0.08)
    assert driver.check_errors() == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pymeasures_drivers_fill_their_buffer(driver, wired: Rack) -> None:
    driver.config_buffer(5)
    driver.source_voltage = 0.1
    driver.start_buffer()
    driver.wait_for_buffer(timeout=1)

    means = driver.means

    assert means[1] == pytest.approx(0.1 * conductance(wired), rel=0.02)
    assert driver.check_errors() == []
