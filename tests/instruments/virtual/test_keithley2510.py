"""The virtual 2510: a plate that takes its time, and a chip that ages on it."""

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2510

from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments.chip import ROOM_TEMPERATURE, Chip
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.personas.keithley2510 import Keithley2510Persona, Plate

BOLTZMANN = 8.617333262e-5  # eV/K (CODATA)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chip() -> Chip:
    return Chip(preset("yao"), Geometry(1, 8, 4), seed=1)


@pytest.fixture
def persona(chip: Chip, clock: Clock) -> Keithley2510Persona:
    return Keithley2510Persona(chip, clock)


def ask(persona: Keithley2510Persona, message: str) -> str:
    return persona.exchange(message.encode() + b"\n").decode().strip()


def test_the_plate_approaches_its_set_point_with_one_time_constant(persona, clock) -> None:
    ask(persona, ":SOUR:TEMP 125;:OUTP ON")

    clock.charge(20.0)

    # One time constant: all but 1/e of the way from 25 to 125 degrees.
    assert float(ask(persona, ":MEAS:TEMP?")) == pytest.approx(125 - 100 / np.e, abs=0.01)
    clock.charge(400.0)
    assert float(ask(persona, ":MEAS:TEMP?")) == pytest.approx(125.0, abs=1e-3)


def test_with_the_output_off_the_plate_goes_back_to_the_room(persona, clock) -> None:
    ask(persona, ":SOUR:TEMP 100;:OUTP ON")
    clock.charge(1000.0)
    assert float(ask(persona, ":MEAS:CURR?")) > 0.0

    ask(persona, ":OUTP OFF")
    clock.charge(1000.0)

    assert float(ask(persona, ":MEAS:TEMP?")) == pytest.approx(25.0, abs=1e-3)
    assert float(ask(persona, ":MEAS:CURR?")) == 0.0


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (":SOUR:TEMP?;:OUTP?", "+2.500000E+01;0"),
        (":SOUR:TEMP:PROT:LOW?;HIGH?;STAT?", "-5.000000E+01;+2.250000E+02;1"),
        (":SOUR:TEMP:LCON:GAIN 3;GAIN?", "+3.000000E+00"),
        ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2510,1000000,A04/A02"),
    ],
)
def test_settings_read_back(persona, message: str, answer: str) -> None:
    assert ask(persona, message) == answer


@pytest.mark.parametrize("message", [":SOUR:TEMP 226", ":SOUR:TEMP:PROT:HIGH 80;:SOUR:TEMP 90"])
def test_a_set_point_beyond_the_limits_is_refused(persona, message: str) -> None:
    ask(persona, message)

    assert ask(persona, ":SYST:ERR?").startswith("-222,")
    assert ask(persona, ":SOUR:TEMP?") == "+2.500000E+01"


def test_the_chip_ages_as_arrhenius_says_along_the_whole_ramp(chip, clock) -> None:
    plate = Plate(chip, clock)
    energy = chip.model.activation_energy

    plate.go_to(398.15)
    clock.charge(60.0)

    # The same integral by the trapezoidal rule, from the law of the plate and Arrhenius' alone.
    times = np.linspace(0.0, 60.0, 200_001)
    kelvin = 398.15 - 100.0 * np.exp(-times / 20.0)
    pace = np.exp(energy / BOLTZMANN * (1 / ROOM_TEMPERATURE - 1 / kelvin))
    expected = np.trapezoid(pace, times)
    assert float(chip._population.effective(60.0)) == pytest.approx(expected, rel=2e-3)


def test_ageing_does_not_depend_on_how_bench_time_is_cut_into_messages() -> None:
    aged = []
    for parts in (1, 7, 600):
        clock = Clock()
        chip = Chip(preset("yao"), Geometry(1, 8, 4), seed=1)
        Plate(chip, clock).go_to(358.15)
        for _ in range(parts):
            clock.charge(600.0 / parts)
        aged.append(float(chip._population.effective(600.0)))

    assert aged == pytest.approx([aged[0]] * 3, rel=1e-4)


def test_pymeasures_driver_holds_a_temperature(make_rack, visa) -> None:
    rack = make_rack("smu", chuck=True)
    adapter = VISAAdapter(
        "GPIB0::15::INSTR",
        visa_library=f"{rack.token}@labctl",
        write_termination="\n",
        read_termination="\n",
    )
    chuck = Keithley2510(adapter)

    chuck.temperature_protection_range = (-20, 150)
    chuck.temperature_setpoint = 85
    chuck.enable_source()
    rack.clock.charge(600.0)

    assert chuck.temperature == pytest.approx(85.0, abs=1e-3)
    assert chuck.temperature_protection_range == (-20, 150)
    assert chuck.temperature_pid == (10, 1, 0)
    assert chuck.source_enabled is True
    assert chuck.current > 0.0
    assert chuck.check_errors() == []
    adapter.close()
