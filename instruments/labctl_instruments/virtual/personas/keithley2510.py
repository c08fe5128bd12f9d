"""Keithley 2510 TEC SourceMeter with a thermal chuck: the temperature of the chip.

The plate follows the set point, or the room while the output is off, with one time constant; the
chip follows the plate. However long bench time jumps, the chip ages along the whole ramp.
"""

from __future__ import annotations

import math

from labctl_instruments.chip import ROOM_TEMPERATURE, Chip
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME, ScpiPersona
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Number,
    ScpiEngine,
    ScpiError,
)

TIME_CONSTANT = 20.0
"""Of the plate on its way to the set point [chosen], in s."""
STEP = 1.0
"""Longest time for which the chip is held at one temperature while it changes, in s."""
STEADY = 1e-3
"""The plate has arrived where it is no farther than this from its goal, in K."""
ZERO_CELSIUS = 273.15
COLDEST, HOTTEST = -50.0, 225.0
"""Set points, in degrees Celsius."""
_RESISTANCE = 2.0
"""Of the Peltier element [chosen], in ohm."""
_AMPERES_A_KELVIN = 0.02
"""What it takes to hold a difference to the room [chosen], in A/K; 5 A at most."""
_NUMBER = "%+.6E"


class Plate:
    """The chuck: where its temperature goes, and the chip on it.

    Parameters
    ----------
    chip : Chip
        The chip.
    clock : Clock
        Bench time.
    """

    def __init__(self, chip: Chip, clock: Clock) -> None:
        self._chip = chip
        self._clock = clock
        self._time = clock.now()
        self._temperature = ROOM_TEMPERATURE
        self._goal = ROOM_TEMPERATURE
        clock.on_passing(self.follow)

    @property
    def temperature(self) -> float:
        """Temperature now, in K."""
        self.follow()
        return self._temperature

    def go_to(self, goal: float) -> None:
        """Change the goal to `goal` K."""
        self.follow()
        self._goal = goal

    def follow(self) -> None:
        """Let the plate, and the chip's ageing, follow what bench time has passed."""
        now = self._clock.now()
        while self._time < now and self._temperature != self._goal:
            self._step(min(STEP, now - self._time))
        self._time = now

    def _step(self, seconds: float) -> None:
        """Hold the chip at the mean temperature of a step, then take the step's end."""
        left = (self._temperature - self._goal) * math.exp(-seconds / TIME_CONSTANT)
        end = self._goal + left if abs(left) > STEADY else self._goal
        self._chip.set_temperature(0.5 * (self._temperature + end), self._time)
        self._time += seconds
        self._temperature = end
        self._chip.set_temperature(end, self._time)


class Keithley2510Persona(ScpiPersona):
    """A 2510 that controls a plate.

    Parameters
    ----------
    chip : Chip
        The chip on the plate.
    clock : Clock
        Bench time.
    """

    message_time = GPIB_MESSAGE_TIME

    def __init__(self, chip: Chip, clock: Clock) -> None:
        self._plate = Plate(chip, clock)
        self._set_point = ROOM_TEMPERATURE - ZERO_CELSIUS
        self._is_on = False
        table = CommandTable(number_format=_NUMBER)
        self._add_source(table)
        self._add_measuring(table)
        self.engine = ScpiEngine(
            table,
            identity="KEITHLEY INSTRUMENTS INC.,MODEL 2510,1000000,A04/A02",
            reset=self._reset,
        )

    def _add_source(self, table: CommandTable) -> None:
        degrees = Number("C", COLDEST, HOTTEST, style=_NUMBER)
        table.setting(
            ":SOURce[1]:TEMPerature[:SPOint][:LEVel][:IMMediate][:AMPLitude]",
            degrees,
            lambda: self._set_point,
            self._put_set_point,
        )
        table.setting(":OUTPut[1][:STATe]", Boolean(), lambda: self._is_on, self._put_output)
        table.stored(":SOURce[1]:FUNCtion[:MODE]", Choice(("TEMPerature",), default="TEMP"))
        limit = ":SOURce[1]:TEMPerature:PROTection"
        self._is_guarded, self._lowest, self._highest = True, COLDEST, HOTTEST
        table.setting(
            f"{limit}:STATe",
            Boolean(),
            lambda: self._is_guarded,
            lambda on: setattr(self, "_is_guarded", on),
        )
        bound = Number("C", -50.0, 250.0, style=_NUMBER)
        for word, key in (("LOW", "_lowest"), ("HIGH", "_highest")):
            table.setting(
                f"{limit}:{word}[:LEVel]",
                bound,
                lambda key=key: getattr(self, key),
                lambda value, key=key: setattr(self, key, value),
            )
        for word, default in (("GAIN", 10.0), ("INTegral", 1.0), ("DERivative", 0.0)):
            constant = Number("", 0.0, 1e5, default, style=_NUMBER)
            table.stored(f":SOURce[1]:TEMPerature:LCONstants:{word}", constant)

    def _add_measuring(self, table: CommandTable) -> None:
        table.query(":MEASure:TEMPerature", self._celsius)
        table.query(":MEASure:CURRent[:DC]", self._current)
        table.query(":MEASure:VOLTage[:DC]", lambda: _RESISTANCE * self._current())
        table.query(":READ", self._celsius)
        table.query(":FETCh", self._celsius)
        table.command(":INITiate[:IMMediate]", lambda: None)
        table.command(":ABORt", lambda: None)
        table.stored(":UNIT:TEMPerature", Choice(("CELSius",), default="CEL"))
        table.command(":SYSTem:CLEar", lambda: self.engine.status.clear())

    def _celsius(self) -> float:
        return self._plate.temperature - ZERO_CELSIUS

    def _current(self) -> float:
        if not self._is_on:
            return 0.0
        asked = _AMPERES_A_KELVIN * (self._plate.temperature - ROOM_TEMPERATURE)
        return max(-5.0, min(5.0, asked))

    def _put_set_point(self, degrees: float) -> None:
        if self._is_guarded and not self._lowest <= degrees <= self._highest:
            raise ScpiError(-222, f"{degrees:g} is not in {self._lowest:g}..{self._highest:g}")
        self._set_point = degrees
        self._aim()

    def _put_output(self, on: bool) -> None:
        self._is_on = on
        self._aim()

    def _aim(self) -> None:
        self._plate.go_to(self._set_point + ZERO_CELSIUS if self._is_on else ROOM_TEMPERATURE)

    def _reset(self) -> None:
        self._set_point = ROOM_TEMPERATURE - ZERO_CELSIUS
        self._is_guarded, self._lowest, self._highest = True, COLDEST, HOTTEST
        self._put_output(False)
