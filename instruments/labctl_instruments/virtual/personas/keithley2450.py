"""Keithley 2450 SourceMeter, in its own SCPI command set, with the 2400 words PyMeasure sends.

`*LANG TSP` makes it speak TSP; the real one wants to be switched off and on for that.
What it forces and what its meter says is `SourceMeter`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from labctl_instruments.virtual.lua.confined import Meanwhile
from labctl_instruments.virtual.personas.keithley2450_buffers import BufferedReadings
from labctl_instruments.virtual.personas.keithley2450_readings import ReadingCommands
from labctl_instruments.virtual.personas.keithley2450_tsp import Keithley2450Tsp
from labctl_instruments.virtual.personas.scpi_source_meter import (
    NAMES,
    UNITS,
    ScpiSourceMeterPersona,
)
from labctl_instruments.virtual.reading_format import ReadingFormat
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
)
from labctl_instruments.virtual.source_meter import (
    LINE_FREQUENCY,
    MeterModel,
    Settings,
    SourceSettings,
)

MODEL = MeterModel(
    ranges={
        "CURR": (10e-9, 100e-9, 1e-6, 10e-6, 100e-6, 1e-3, 10e-3, 100e-3, 1.0),
        "VOLT": (20e-3, 200e-3, 2.0, 20.0, 200.0),
    },
    highest={"CURR": 1.05, "VOLT": 210.0},
    resolution=1e-6,
    source_steps=40_000,
    noise=1e-6,
    least_noise={"CURR": 50e-15, "VOLT": 100e-9},
)
"""6 1/2 digits; the source has 50 uV of 2 V; noise is [chosen]."""
HIGHEST = MODEL.highest


def _initial() -> Settings:
    """Return the settings after `*RST`."""
    return Settings({"VOLT": SourceSettings(limit=1.05e-4), "CURR": SourceSettings(limit=2.1)})


class Keithley2450Persona(ScpiSourceMeterPersona):
    """A 2450; see `ScpiSourceMeterPersona`."""

    model = MODEL
    initial = staticmethod(_initial)
    number_format = "%.6E"

    def _begin(self, table: CommandTable) -> None:
        self._add_source(table)
        self._add_sense(table)
        self._add_system(table)
        self.readings = BufferedReadings(self.meter)
        widths = {"REAL": 8, "SREal": 4}
        self._format = ReadingFormat(table, widths, is_swapped=True).with_precision(table)
        ReadingCommands(self.readings, self._format, table)
        self.engine = ScpiEngine(table, identity=self._identity, reset=self._reset)
        self._tsp: Keithley2450Tsp | None = None
        self._confinement: Meanwhile | None = None

    def exchange(self, message: bytes) -> bytes:
        """Execute a message in the command set that is chosen."""
        if self._tsp is None or message.lstrip()[:5].upper() == b"*LANG":  # no Lua begins so
            return self.engine.handle(message)
        return self._tsp.exchange(message)

    @property
    def _identity(self) -> str:
        return f"KEITHLEY INSTRUMENTS,MODEL 2450,{self.serial:08d},1.7.12b"

    @property
    def tsp(self) -> Keithley2450Tsp | None:
        """Its face that executes Lua; None while it speaks SCPI."""
        return self._tsp

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte."""
        if self._tsp is not None:
            return self._tsp.status_byte(message_available=message_available)
        return super().status_byte(message_available=message_available)

    def clear(self) -> None:
        """Forget a script that is half sent."""
        if self._tsp is not None:
            self._tsp.clear()

    def confine(self, meanwhile: Meanwhile = nullcontext) -> None:
        """Execute Lua in a child process from now on; see `Confinable`."""
        self._confinement = meanwhile
        if self._tsp is not None:
            self._tsp.confine(meanwhile)

    def be_ready(self) -> None:
        """Return once Lua can be executed, where it is spoken."""
        if self._tsp is not None:
            self._tsp.be_ready()

    def release(self) -> None:
        """End the child process."""
        if self._tsp is not None:
            self._tsp.release()

    def query_error(self, number: int) -> None:
        """Queue the error."""
        if self._tsp is not None:
            self._tsp.query_error(number)
        else:
            super().query_error(number)

    def _choose_language(self, language: str) -> None:
        """Choose a command set. The real one takes it after it is switched on again."""
        self.release()
        self._reset()
        self._tsp = self._speak_tsp() if language == "TSP" else None

    def _speak_tsp(self) -> Keithley2450Tsp:
        tsp = Keithley2450Tsp(
            self.meter, self.readings, self._clock, identity=self._identity, reset=self._reset
        )
        if self._confinement is not None:
            tsp.confine(self._confinement)
        return tsp

    def _add_source(self, table: CommandTable) -> None:
        self._add_function(table)
        for name, other in (("VOLT", "CURR"), ("CURR", "VOLT")):
            head = f":SOURce[1]:{NAMES[name]}"
            self._source_value(table, f"{head}[:LEVel][:IMMediate][:AMPLitude]", name, "level")
            self._source_value(table, f"{head}:RANGe", name, "range")
            limit = "ILIMit" if name == "VOLT" else "VLIMit"
            least = 1e-9 if name == "VOLT" else 0.02
            bound = Number(UNITS[other], least, HIGHEST[other], style="%.6E")
            self._put(table, f"{head}:{limit}[:LEVel]", bound, name, "limit")
            table.query(f"{head}:{limit}[:LEVel]:TRIPped", self.meter.is_limited)
            self._put(table, f"{head}:RANGe:AUTO", Boolean(), name, "is_auto")
            delay = Number("S", 0.0, 10_000.0, style="%.6E")
            self._put(table, f"{head}:DELay", delay, name, "delay")
            self._put(table, f"{head}:DELay:AUTO", Boolean(), name, "is_auto_delay")
            off = Choice(("NORMal", "HIMPedance", "ZERO", "GUARd"))
            self._put(table, f":OUTPut[1]:{NAMES[name]}:SMODe", off, name, "off_state")
            table.stored(f"{head}:READ:BACK", Boolean(default=True))
            table.stored(f"{head}:DELay:USER#", Number("S", 0.0, 10_000.0, style="%.6E"))
            table.stored(f"{head}:HIGH:CAPacitance", Boolean())
            table.stored(f"{head}:PROTection[:LEVel]", Choice(("PROT2", "PROT5", "PROT10", "NONE")))

    def _source_value(self, table: CommandTable, header: str, name: str, key: str) -> None:
        bound = self._bound(name)

        def put(value: float) -> None:
            if key == "level":
                self.meter.check_level(name, value)
            self._change(lambda s: _put_source(s.sources[name], key, value))

        table.setting(header, bound, lambda: self._shown_source(name, key), put)

    def _put(
        self,
        table: CommandTable,
        header: str,
        parameter: Number | Boolean | Choice,
        name: str,
        key: str,
    ) -> None:
        """Register one setting of a source."""

        def put(value: object) -> None:
            self._change(lambda s: setattr(s.sources[name], key, value))
            if key == "delay":
                self._set.sources[name].is_auto_delay = False

        table.setting(header, parameter, lambda: getattr(self._set.sources[name], key), put)

    def _add_sense(self, table: CommandTable) -> None:
        functions = Choice(
            ("VOLTage", "CURRent", "RESistance", "VOLTage:DC", "CURRent:DC"), is_quoted=True
        )
        table.setting(
            "[:SENSe[1]]:FUNCtion[:ON]",
            functions,
            lambda: f"{self._set.sense}:DC" if self._set.sense != "RES" else "RES",
            lambda word: setattr(self._set, "sense", word.partition(":")[0]),
        )
        for name in NAMES:
            head = f"[:SENSe[1]]:{NAMES[name]}"
            nplc = Number("", 0.01, 10.0, style="%.6E")
            self._sense(table, f"{head}:NPLCycles", nplc, name, "nplc")
            self._add_sense_range(table, head, name)
            self._sense(table, f"{head}:RANGe:AUTO", Boolean(), name, "is_auto")
            self._sense(table, f"{head}:AVERage[:STATe]", Boolean(), name, "is_averaged")
            self._sense(table, f"{head}:AVERage:COUNt", Integer(1, 100), name, "average_count")
            table.stored(f"{head}:AVERage:TCONtrol", Choice(("REPeat", "MOVing"), default="REP"))
            table.setting(
                f"{head}:RSENse",
                Boolean(),
                lambda: self._set.is_remote,
                lambda on: self.meter.change(lambda settings: setattr(settings, "is_remote", on)),
            )
            table.stored(f"{head}:DELay:USER#", Number("S", 0.0, 10_000.0, style="%.6E"))
            table.stored(f"{head}:AZERo[:STATe]", Boolean(default=True))
        table.command("[:SENSe[1]]:AZERo:ONCE", lambda: self._clock.charge(3 / LINE_FREQUENCY))

    def _sense(
        self,
        table: CommandTable,
        header: str,
        parameter: Number | Boolean | Integer,
        name: str,
        key: str,
    ) -> None:
        table.setting(
            header,
            parameter,
            lambda: getattr(self._set.senses[name], key),
            lambda value: setattr(self._set.senses[name], key, value),
        )

    def _add_system(self, table: CommandTable) -> None:
        table.query(":SYSTem:LFRequency", lambda: LINE_FREQUENCY)
        table.command("*LANG", self._choose_language, Choice(("SCPI", "TSP")))
        table.query("*LANG", lambda: "SCPI" if self._tsp is None else "TSP")
        table.command(":SYSTem:CLEar", lambda: self.engine.status.clear())
        table.ignored(":SYSTem:LOCal", ":SYSTem:REMote")
        table.command(":SYSTem:BEEPer[:IMMediate]", lambda *_: None, Number("HZ"), Number("S"))
        table.stored(":ROUTe:TERMinals", Choice(("FRONt", "REAR"), default="FRON"))

    def _change(self, change: Callable[[Settings], None]) -> None:
        self.meter.change(change)

    def _reset(self) -> None:
        self.meter.reset()
        self.readings.reset()
        self._format.reset()

    def _shown_source(self, name: str, key: str) -> float:
        return self._set.sources[name].level if key == "level" else self.meter.source_range(name)


def _put_source(source: SourceSettings, key: str, value: float) -> None:
    if key == "level":
        source.level = value
    else:
        source.range, source.is_auto = value, False
