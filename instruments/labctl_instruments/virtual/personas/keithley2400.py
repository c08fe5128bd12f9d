"""Keithley 2400 SourceMeter (SCPI), with its traps.

`:MEASure?` (and `:CONFigure`) put the measurement back to its defaults before they measure, the
current limit too: 1 uA becomes 105 uA. `:READ?` with the output off is error 803. A reading answers
all of `:FORMat:ELEMents`, in the instrument's order, with 9.91E37 for what is not measured.
Integration time and filter are one for all functions.
"""

from __future__ import annotations

from labctl_instruments.virtual.personas.keithley2400_readings import Readings
from labctl_instruments.virtual.personas.scpi_source_meter import (
    NAMES,
    ScpiSourceMeterPersona,
)
from labctl_instruments.virtual.reading_format import Values
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
    ScpiError,
    Text,
)
from labctl_instruments.virtual.source_meter import (
    LINE_FREQUENCY,
    MeterModel,
    Settings,
    SourceSettings,
)

MODEL = MeterModel(
    ranges={
        "CURR": (1e-6, 10e-6, 100e-6, 1e-3, 10e-3, 100e-3, 1.0),
        "VOLT": (0.2, 2.0, 20.0, 200.0),
    },
    highest={"CURR": 1.05, "VOLT": 210.0},
    resolution=5e-6,
    source_steps=40_000,
    noise=5e-6,
    least_noise={"CURR": 5e-12, "VOLT": 1e-6},
)
"""5 1/2 digits; the source has 5 uV of 200 mV; noise is [chosen]."""
DEFAULT_LIMIT = {"CURR": 1.05e-4, "VOLT": 21.0}
"""Limits after `*RST`, and after `:MEASure?`, in A and V."""
_OTHER = {"CURR": "VOLT", "VOLT": "CURR"}


def _initial() -> Settings:
    """Return the settings after `*RST`."""
    return Settings({name: SourceSettings(limit=DEFAULT_LIMIT[_OTHER[name]]) for name in _OTHER})


class Keithley2400Persona(ScpiSourceMeterPersona):
    """A 2400; see `ScpiSourceMeterPersona`."""

    model = MODEL
    initial = staticmethod(_initial)
    number_format = "%+.6E"

    def _begin(self, table: CommandTable) -> None:
        self._add_source(table)
        self._add_sense(table)
        self._add_system(table)
        self.engine = ScpiEngine(
            table,
            identity=f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{self.serial},C34/A02 /K/J",
            reset=self._reset,
        )
        self.readings = Readings(self.meter, self._clock, self.engine.status, table)
        self._add_measuring(table)

    def trigger(self) -> None:
        """Take the readings that wait for the bus."""
        self.engine.handle(b"*TRG")

    def _add_source(self, table: CommandTable) -> None:
        self._add_function(table)
        for name in _OTHER:
            self._add_forced(table, name, f":SOURce[1]:{NAMES[name]}")
        delay = Number("S", 0.0, 999.9999, style="%+.6E")
        table.setting(":SOURce[1]:DELay", delay, lambda: self.meter.source.delay, self._put_delay)
        table.setting(
            ":SOURce[1]:DELay:AUTO",
            Boolean(),
            lambda: self.meter.source.is_auto_delay,
            lambda on: self._for_sources("is_auto_delay", on),
        )
        off = Choice(("HIMPedance", "NORMal", "ZERO", "GUARd"))
        table.setting(
            ":OUTPut[1]:SMODe",
            off,
            lambda: self.meter.source.off_state,
            lambda word: self._for_sources("off_state", word),
        )

    def _add_forced(self, table: CommandTable, name: str, head: str) -> None:
        """Register level and range of one quantity."""
        bound = self._bound(name)

        def put_level(value: float) -> None:
            self.meter.check_level(name, value)
            self._change(name, "level", value)

        def put_range(value: float) -> None:
            self._change(name, "range", value)
            self._change(name, "is_auto", False)

        table.setting(
            f"{head}[:LEVel][:IMMediate][:AMPLitude]",
            bound,
            lambda: self._set.sources[name].level,
            put_level,
        )
        table.setting(f"{head}:RANGe", bound, lambda: self.meter.source_range(name), put_range)
        table.setting(
            f"{head}:RANGe:AUTO",
            Boolean(),
            lambda: self._set.sources[name].is_auto,
            lambda on: self._change(name, "is_auto", on),
        )
        table.stored(f"{head}:PROTection[:LEVel]", Number("V", -210.0, 210.0, 210.0, style="%+.6E"))

    def _add_sense(self, table: CommandTable) -> None:
        for name in NAMES:
            head = f"[:SENSe[1]]:{NAMES[name]}[:DC]"
            self._add_sense_range(table, head, name)
            table.setting(
                f"{head}:RANGe:AUTO",
                Boolean(),
                lambda name=name: self._set.senses[name].is_auto,
                lambda on, name=name: self._put_auto_range(name, on),
            )
            nplc = Number("", 0.01, 10.0, style="%+.6E")
            self._for_all_senses(table, f"{head}:NPLCycles", nplc, "nplc")
        for name in _OTHER:
            self._add_limit(table, name)
        self._for_all_senses(table, "[:SENSe[1]]:AVERage[:STATe]", Boolean(), "is_averaged")
        self._for_all_senses(table, "[:SENSe[1]]:AVERage:COUNt", Integer(1, 100), "average_count")
        table.stored("[:SENSe[1]]:AVERage:TCONtrol", Choice(("REPeat", "MOVing"), default="REP"))
        table.stored("[:SENSe[1]]:RESistance:MODE", Choice(("MANual", "AUTO"), default="MAN"))
        table.stored("[:SENSe[1]]:RESistance:OCOMpensated", Boolean())

    def _add_limit(self, table: CommandTable, name: str) -> None:
        """Register the limit of what is measured while the other quantity is forced."""
        least = 1e-9 if name == "CURR" else 2e-4
        bound = self._bound(name)
        head = f"[:SENSe[1]]:{NAMES[name]}[:DC]:PROTection"

        def put(value: float) -> None:
            if abs(value) < least:
                raise ScpiError(-222, f"{value:g} is below {least:g}")
            self._change(_OTHER[name], "limit", abs(value))

        table.setting(f"{head}[:LEVel]", bound, lambda: self._set.sources[_OTHER[name]].limit, put)
        table.query(
            f"{head}:TRIPped",
            lambda: self._set.source == _OTHER[name] and self.meter.is_limited(),
        )

    def _add_measuring(self, table: CommandTable) -> None:
        for name in NAMES:
            what = f":{NAMES[name]}[:DC]"
            table.query(f":MEASure{what}", lambda name=name: self._measure(name))
            table.command(f":CONFigure{what}", lambda name=name: self._configure(name))
        table.query(":MEASure", lambda: self._measure(None))
        table.query(":CONFigure", lambda: f'"{self._set.sense}"')

    def _add_system(self, table: CommandTable) -> None:
        table.query(":SYSTem:LFRequency", lambda: int(LINE_FREQUENCY))
        table.command(":SYSTem:LFRequency", lambda _: None, Integer(50, 60))
        table.stored(":SYSTem:LFRequency:AUTO", Boolean(default=True))
        table.setting(
            ":SYSTem:RSENse",
            Boolean(),
            lambda: self._set.is_remote,
            lambda on: self.meter.change(lambda settings: setattr(settings, "is_remote", on)),
        )
        table.stored(":SYSTem:GUARd", Choice(("OHMS", "CABLe"), default="CABL"))
        table.setting(
            ":SYSTem:AZERo[:STATe]",
            Choice(("ON", "OFF", "ONCE", "1", "0")),
            lambda: self._auto_zero,
            self._put_auto_zero,
        )
        self._auto_zero = "1"
        for header in (":SYSTem:LOCal", ":SYSTem:REMote", ":SYSTem:RWLock"):
            table.command(header, lambda: None)
        table.command(":SYSTem:PRESet", self._reset)
        table.command(":SYSTem:CLEar", lambda: self.engine.status.clear())
        table.command(":SYSTem:TIME:RESet", lambda: self.readings.restart_time())
        table.query(":SYSTem:TIME", self._clock.now)
        table.command(
            ":SYSTem:BEEPer[:IMMediate]",
            lambda *_: None,
            Number("HZ", 65.0, 2e6),
            Number("S", 0.0, 7.9),
        )
        table.stored(":SYSTem:BEEPer:STATe", Boolean(default=True))
        table.stored(":DISPlay:ENABle", Boolean(default=True))
        table.stored(":DISPlay:DIGits", Integer(4, 7, 6))
        for header, parameter in (("TEXT[:DATA]", Text()), ("TEXT:STATe", Boolean())):
            _add_windows(table, header, parameter)
        table.stored(":ROUTe:TERMinals", Choice(("FRONt", "REAR"), default="FRON"))
        table.command(":STATus:QUEue:CLEar", lambda: self.engine.status.clear())
        table.query(":SYSTem:ERRor:ALL", self._all_errors)
        table.query(":STATus:QUEue[:NEXT]", lambda: _told(self.engine.status.next_error()))

    def _for_all_senses(
        self, table: CommandTable, header: str, parameter: Number | Boolean | Integer, key: str
    ) -> None:
        """Register a setting that all functions share."""

        def put(value: object) -> None:
            for sense in self._set.senses.values():
                setattr(sense, key, value)

        table.setting(header, parameter, lambda: getattr(self._set.senses["CURR"], key), put)

    def _for_sources(self, key: str, value: object) -> None:
        """Set what both sources share."""

        def change(settings: Settings) -> None:
            for source in settings.sources.values():
                setattr(source, key, value)

        self.meter.change(change)

    def _change(self, name: str, key: str, value: object) -> None:
        self.meter.change(lambda settings: setattr(settings.sources[name], key, value))

    def _put_delay(self, seconds: float) -> None:
        self._for_sources("delay", seconds)
        self._for_sources("is_auto_delay", False)

    def _put_auto_range(self, name: str, on: bool) -> None:
        sense = self._set.senses[name]
        sense.range, sense.is_auto = self.meter.sense_range(name), on

    def _all_errors(self) -> str:
        errors = [self.engine.status.next_error()]
        while self.engine.status.errors_waiting:
            errors.append(self.engine.status.next_error())
        return ",".join(map(_told, errors))

    def _put_auto_zero(self, word: str) -> None:
        self._auto_zero = {"ON": "1", "OFF": "0", "ONCE": "0"}.get(word, word)

    def _configure(self, name: str | None) -> None:
        """Put the measurement to its defaults: the limits too, which is the trap."""
        self.readings.configure(name)
        for forced in _OTHER:
            self._change(forced, "limit", DEFAULT_LIMIT[_OTHER[forced]])
        for sense in self._set.senses.values():
            sense.is_auto = True
        self._put_output(True)

    def _measure(self, name: str | None) -> Values | str:
        self._configure(name)
        return self.readings.form.tell(self.readings.read())

    def _reset(self) -> None:
        self.meter.reset()
        self._auto_zero = "1"
        self.readings.reset()


def _add_windows(table: CommandTable, header: str, parameter: Text | Boolean) -> None:
    """Register a setting of the two display windows; without a number it is the first's."""
    kept: dict[int, object] = {}

    def get(window: int = 1) -> object:
        return kept.get(window, parameter.default)

    table.setting(f":DISPlay:WINDow#:{header}", parameter, get, kept.__setitem__)
    table.setting(f":DISPlay:{header}", parameter, get, lambda value: kept.__setitem__(1, value))


def _told(error: tuple[int, str]) -> str:
    number, text = error
    return f'{number},"{text}"'
