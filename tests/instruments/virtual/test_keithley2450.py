"""The virtual 2450: its dialogue, its readings, and PyMeasure's own driver on it."""

import math

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2450

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
def wired(smu_rack: Rack) -> Rack:
    """Cell (0, 5, 2) between the SMUs: bit at BL2, source at SL5, gate at WL5, all on, at 0 V."""
    close(smu_rack, BL2="B", SL5="C", WL5="D")
    for address in (BIT, SOURCE, GATE):
        ask(smu_rack, address, ":SOUR:VOLT:ILIM 1e-3;:OUTP ON")
    ask(smu_rack, GATE, ":SOUR:VOLT 3")
    return smu_rack


def test_a_reading_is_the_current_of_the_cell_between_the_terminals(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.2")

    bit, source = (float(ask(wired, address, ":READ?")) for address in (BIT, SOURCE))

    # The 1T1R has its transistor in series, so a little less than G * V; resolution 10 pA.
    assert bit == pytest.approx(0.2 * conductance(wired), rel=0.01)
    assert source == pytest.approx(-bit, abs=2e-11)
    assert ask(wired, BIT, ":SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04181655,1.7.12b"),
        (":SOUR:FUNC CURR;:SOUR:FUNC?", "CURR"),
        (":SENS:FUNC 'VOLT';:SENS:FUNC?", '"VOLT:DC"'),
        (':SENSE:FUNCTION "current:dc";FUNCTION?', '"CURR:DC"'),
        (":SOUR:VOLT 0.25;:SOUR:VOLT:LEV:IMM:AMPL?", "2.500000E-01"),
        (":SOUR:VOLT 3;:SOUR:VOLT:RANG?", "2.000000E+01"),
        (":SOUR:VOLT:RANG 2;RANG?;RANG:AUTO?", "2.000000E+00;0"),
        (":SOUR:VOLT:ILIM 91e-9;ILIM?;:SOUR:CURR:VLIM 5;VLIM?", "9.100000E-08;5.000000E+00"),
        (":SENS:CURR:NPLC 0.1;NPLC?;:SENS:VOLT:NPLC?", "1.000000E-01;1.000000E+00"),
        (":SENS:CURR:RANG 3e-6;RANG?;RANG:AUTO?", "1.000000E-05;0"),
        (":SENS:CURR:AVER:COUN 7;COUN?;TCON?;:SENS:CURR:AVER?", "7;REP;0"),
        (":OUTP?;:OUTP ON;:OUTP?;:OUTP OFF;:OUTP:STAT?", "0;1;0"),
        (":OUTP:VOLT:SMOD HIMP;:OUTP:VOLT:SMOD?", "HIMP"),
        (":SOUR:VOLT 1;:OUTP ON;*RST;:OUTP?;:SOUR:VOLT?", "0;0.000000E+00"),
        (":ROUT:TERM REAR;TERM?;*LANG?", "REAR;SCPI"),
    ],
)
def test_settings_read_back_in_the_instruments_own_words(
    smu_rack: Rack, message: str, answer: str
) -> None:
    assert ask(smu_rack, BIT, message) == answer
    assert ask(smu_rack, BIT, ":SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize(
    "message",
    [
        ":SOUR:VOLT 211",
        ":SOUR:VOLT:ILIM 1e-10",
        ":SOUR:VOLT:ILIM 2",
        ":SENS:CURR:NPLC 11",
        ":SOUR:VOLT:RANG 2;:SOUR:VOLT 3",
        ":SENS:CURR:AVER:COUN 101",
    ],
)
def test_a_value_out_of_range_is_refused_and_nothing_changes(smu_rack: Rack, message: str) -> None:
    keys = ":SOUR:VOLT?;:SOUR:VOLT:ILIM?;:SENS:CURR:NPLC?;AVER:COUN?"
    before = ask(smu_rack, BIT, keys)

    ask(smu_rack, BIT, message)

    assert ask(smu_rack, BIT, ":SYST:ERR?").startswith("-222,")
    assert ask(smu_rack, BIT, keys) == before


def test_limits_are_kept_as_they_were_set_from_a_nanoampere_to_an_ampere(smu_rack: Rack) -> None:
    for limit in np.logspace(-9, 0, 91):
        found = float(ask(smu_rack, BIT, f":SOUR:VOLT:ILIM {limit:.9g};:SOUR:VOLT:ILIM?"))
        assert found == pytest.approx(limit, rel=1e-3)


def test_the_limit_holds_the_current_and_says_so(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.2")
    assert ask(wired, BIT, ":SOUR:VOLT:ILIM:TRIP?") == "0"

    ask(wired, BIT, ":SOUR:VOLT:ILIM 1e-6")

    assert float(ask(wired, BIT, ":READ?")) == pytest.approx(1e-6, rel=1e-5)
    assert ask(wired, BIT, ":SOUR:VOLT:ILIM:TRIP?") == "1"
    assert float(ask(wired, BIT, ":SENS:FUNC 'VOLT';:READ?")) == pytest.approx(
        1e-6 / conductance(wired), rel=0.03
    )


def test_a_current_source_finds_the_voltage_of_the_cell(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:FUNC CURR;:SOUR:CURR:VLIM 0.4;:SOUR:CURR 2e-6;:SENS:FUNC 'VOLT'")

    voltage = float(ask(wired, BIT, ":READ?"))

    assert voltage == pytest.approx(2e-6 / conductance(wired), rel=0.03)


def test_a_reading_takes_its_integration_time_its_averages_and_the_delay(smu_rack: Rack) -> None:
    ask(
        smu_rack, BIT, ":OUTP ON;:SOUR:VOLT:DEL 0.5;:SENS:CURR:NPLC 2;AVER:COUN 3;:SENS:CURR:AVER 1"
    )
    start = smu_rack.clock.now()

    ask(smu_rack, BIT, ":READ?")

    message = 1e-3
    assert smu_rack.clock.now() - start == pytest.approx(message + 0.5 + 3 * 2 / 50)


def test_noise_falls_with_the_root_of_the_integration_time(make_rack) -> None:
    rack = make_rack("smu")
    ask(rack, BIT, ":OUTP ON;:SENS:CURR:RANG 1e-6")

    def spread(nplc: float) -> float:
        ask(rack, BIT, f":SENS:CURR:NPLC {nplc}")
        return float(np.std([float(ask(rack, BIT, ":READ?")) for _ in range(400)]))

    # Two standard deviations of 400 readings: their ratio is known to 5 % (1 sigma), 4 sigma here.
    assert spread(0.01) / spread(1.0) == pytest.approx(10.0, rel=0.2)


@pytest.mark.parametrize(("span", "step"), [("1e-6", 1e-12), ("1e-4", 1e-10), ("1e-2", 1e-8)])
def test_a_reading_has_the_resolution_of_its_range(wired: Rack, span: str, step: float) -> None:
    ask(wired, BIT, f":SOUR:VOLT 0.02;:SENS:CURR:RANG {span}")

    reading = float(ask(wired, BIT, ":READ?"))

    assert math.isclose(reading / step, round(reading / step), abs_tol=1e-3)


def test_a_reading_beyond_its_range_overflows(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.2;:SENS:CURR:RANG 1e-7")

    assert float(ask(wired, BIT, ":READ?")) == pytest.approx(9.9e37)


def test_an_output_that_is_off_drives_nothing(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.2;:OUTP OFF")

    assert float(ask(wired, SOURCE, ":READ?")) == pytest.approx(0.0, abs=1e-12)


def test_a_voltage_that_nobody_measures_acts_when_it_ends(wired: Rack) -> None:
    close(wired, BL2="A", SL5="B", WL5="D", BL0="B", BL1="B", BL3="B")
    before = conductance(wired)

    ask(wired, GATE, ":SOUR:VOLT 4.7")
    ask(wired, BIT, ":SOUR:VOLT 1.6")
    ask(wired, BIT, ":OUTP OFF")

    assert conductance(wired) < 0.8 * before


def test_a_fast_read_reads_back_its_source_and_time(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.1")

    reading, source, time = ask(wired, BIT, ':READ? "defbuffer1", READ, SOUR, REL').split(",")

    assert float(reading) > 0.0
    assert float(source) == 0.1
    assert float(time) == pytest.approx(wired.clock.now())


def test_a_linear_sweep_fills_its_buffer_and_puts_the_output_off(wired: Rack) -> None:
    ask(
        wired,
        BIT,
        ":TRAC:MAKE 'iv', 1000;:SOUR:SWE:VOLT:LIN 0, 0.2, 5, 0.1, 1, AUTO, ON, OFF, 'iv'",
    )
    start = wired.clock.now()

    ask(wired, BIT, ":INIT")

    assert ask(wired, BIT, ":TRAC:ACT? 'iv'") == "5"
    assert ask(wired, BIT, ":TRAC:ACT?") == "0"
    data = [float(part) for part in ask(wired, BIT, ":TRAC:DATA? 1,5,'iv',SOUR,READ").split(",")]
    assert data[::2] == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])
    assert data[3::2] == pytest.approx(np.array(data[2::2]) * conductance(wired), rel=0.02)
    assert ask(wired, BIT, ":OUTP?") == "0"
    # Five points, each with the delay told, the instrument's own and one power-line cycle.
    assert wired.clock.now() - start > 5 * (0.1 + 1 / 50)


@pytest.mark.parametrize(
    ("command", "levels"),
    [
        (":SOUR:SWE:VOLT:LIN 0,0.1,3,-1,2", [0, 0.05, 0.1] * 2),
        (":SOUR:SWE:VOLT:LIN 0,0.1,3,-1,1,AUTO,ON,ON", [0, 0.05, 0.1, 0.05, 0]),
        (":SOUR:SWE:VOLT:LIN:STEP 0.1,-0.1,0.05", [0.1, 0.05, 0, -0.05, -0.1]),
        (":SOUR:SWE:VOLT:LOG 0.01,0.1,3", [0.01, 0.01 * 10**0.5, 0.1]),
        (
            ":SOUR:LIST:VOLT 0.1,0.02;:SOUR:LIST:VOLT:APP 0.15;:SOUR:SWE:VOLT:LIST",
            [0.1, 0.02, 0.15],
        ),
    ],
)
def test_a_sweep_forces_its_levels_in_order(wired: Rack, command: str, levels) -> None:
    ask(wired, BIT, f"{command};:INIT")

    assert ask(wired, BIT, ":SYST:ERR?") == '0,"No error"'
    told = ask(wired, BIT, f":TRAC:DATA? 1,{len(levels)},'defbuffer1',SOUR").split(",")
    assert [float(part) for part in told] == pytest.approx(levels, rel=1e-6)


def test_a_sweep_that_meets_its_limit_ends_there_unless_it_is_told_not_to(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT:ILIM 2e-6;:SOUR:SWE:VOLT:LIN 0,0.3,7;:INIT")
    assert int(ask(wired, BIT, ":TRAC:ACT?")) < 7

    ask(wired, BIT, ":TRAC:CLE;:SOUR:SWE:VOLT:LIN 0,0.3,7,-1,1,AUTO,OFF;:INIT")
    assert ask(wired, BIT, ":TRAC:ACT?") == "7"


def test_a_count_of_readings_goes_into_the_buffer_and_its_statistics(wired: Rack) -> None:
    ask(wired, BIT, ":SOUR:VOLT 0.1;:SENS:COUN 4")

    last = float(ask(wired, BIT, ":READ?"))

    assert ask(wired, BIT, ":TRAC:ACT?;:TRAC:ACT:STAR?;:TRAC:ACT:END?") == "4;1;4"
    assert float(ask(wired, BIT, ":TRAC:STAT:AVER?")) == pytest.approx(last, rel=1e-3)
    assert float(ask(wired, BIT, ":FETC?")) == last


def test_a_simple_loop_that_is_loaded_runs_with_each_initiate(wired: Rack) -> None:
    ask(wired, BIT, ':TRIG:LOAD "SimpleLoop", 3;:INIT;:INIT')

    assert ask(wired, BIT, ":TRAC:ACT?;:TRIG:STAT?") == "6;IDLE;IDLE;0"


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (":TRAC:CLE 'none'", -224),
        (":TRAC:MAKE 'defbuffer1', 100", -221),
        (":TRAC:DEL 'defbuffer1'", -221),
        (":TRAC:DATA? 1,2,'defbuffer1'", -222),
        (":SOUR:SWE:VOLT:LIN 0,1,100000,0,2", -223),
        (":SOUR:SWE:VOLT:LOG -1,1,10", -222),
        (":SOUR:SWE:VOLT:LIST", -221),
        (":FETC? 'defbuffer2'", -230),
        (':TRIG:LOAD "LogicTrigger"', -224),
    ],
)
def test_what_a_buffer_or_a_sweep_cannot_do_is_refused(wired: Rack, message, number) -> None:
    assert ask(wired, BIT, message) == ""
    assert ask(wired, BIT, ":SYST:ERR?").startswith(f"{number},")


@pytest.fixture
def driver(wired: Rack):
    """PyMeasure's own driver on the virtual instrument."""
    adapter = VISAAdapter(
        BIT, visa_library=f"{wired.token}@labctl", write_termination="\n", read_termination="\n"
    )
    yield Keithley2450(adapter)
    adapter.close()


def test_pymeasures_driver_sources_voltage_and_measures_current(driver, wired: Rack) -> None:
    driver.reset()
    driver.use_front_terminals()
    driver.apply_voltage(compliance_current=1e-3)
    driver.measure_current(nplc=0.1)
    driver.source_voltage = 0.1
    driver.enable_source()

    found = [(driver.source_voltage, driver.current)]
    driver.source_voltage = 0.2
    found.append((driver.source_voltage, driver.current))

    for voltage, current in found:
        assert current == pytest.approx(voltage * conductance(wired), rel=0.02)
    assert driver.check_errors() == []


def test_pymeasures_driver_reads_back_what_it_sets(driver) -> None:
    driver.current_nplc = 0.5
    driver.compliance_current = 2e-4
    driver.source_voltage_range = 2
    driver.current_range = 1e-5
    driver.source_voltage_delay = 0.01
    driver.current_filter_count = 5
    driver.current_filter_state = "ON"
    driver.voltage_output_off_state = "HIMP"
    driver.buffer_points = 50
    driver.wires = 4

    assert driver.current_nplc == 0.5
    assert driver.compliance_current == 2e-4
    assert driver.source_voltage_range == 2
    assert driver.current_range == 1e-5
    assert driver.source_voltage_delay == 0.01
    assert driver.source_voltage_delay_auto is False
    assert driver.current_filter_count == 5
    assert driver.voltage_output_off_state == "HIMP"
    assert driver.buffer_points == 50
    assert driver.wires == 4
    assert driver.source_mode == "voltage"
    assert driver.check_errors() == []


def test_pymeasures_driver_sources_current_and_measures_voltage(driver, wired: Rack) -> None:
    driver.apply_current(compliance_voltage=0.4)
    driver.measure_voltage()
    driver.source_current = 1e-6
    driver.enable_source()

    assert driver.voltage == pytest.approx(1e-6 / conductance(wired), rel=0.02)
    assert driver.check_errors() == []
