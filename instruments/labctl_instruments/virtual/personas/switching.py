"""What Keithley's switching mainframes share: channels, relays, connect rules, forbidden channels.

The 707B and the 3706A differ in their cards, in how they name channels, and in their words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_instruments.bench.wiring import MatrixLayout
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import N_ROWS, Crosspoints
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.virtual.tsp import TspEngine, TspPersona
from labctl_instruments.virtual.tsp_table import TspTable, kept

Relays = npt.NDArray[np.bool_]
"""Relays of a mainframe, shape (columns, 8): columns through the slots, rows A to H."""

_FIRMWARE = [Path(__file__).with_name(f"{name}.lua") for name in ("switching", "tsp_strings")]
OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK = 0, 1, 2
LONGEST_DELAY = 60.0
"""Longest additional settling of a channel, in s."""
MOST_PATTERNS = 32
_SETTINGS_CONFLICT = -221


@dataclass(frozen=True)
class SwitchModel:
    """What one model of mainframe is."""

    model: str
    """As `localnode.model` says it."""
    version: str
    """Of its firmware."""
    card: str
    """What `slot[X].idn` says of each card; `{slot}` is its number."""
    layout: MatrixLayout
    """Its crosspoints."""
    settling: float
    """From a command to a settled relay, in s."""


class SwitchPersona(TspPersona):
    """One mainframe; its rows are bridged with those of its neighbours.

    Parameters
    ----------
    model : SwitchModel
        What it is.
    name : str
        Its name on the bench.
    crosspoints : Crosspoints
        The relays of all mainframes.
    chip : ProbedChip
        What is to act before a relay moves.
    clock : Clock
        Bench time.
    serial : str
        Its serial number.
    """

    message_time = GPIB_MESSAGE_TIME

    def __init__(
        self,
        model: SwitchModel,
        name: str,
        crosspoints: Crosspoints,
        chip: ProbedChip,
        clock: Clock,
        *,
        serial: str,
    ) -> None:
        self._model = model
        self._name = name
        self._crosspoints = crosspoints
        self._chip = chip
        self._clock = clock
        self.is_interlocked = True
        """Whether the interlock is engaged, without which no relay closes."""
        self._restore()
        self._engine = TspEngine(
            self._vocabulary(serial),
            identity=f"Keithley Instruments Inc., Model {model.model}, {serial}, {model.version}",
            reset=self._reset,
            firmware="\n".join(file.read_text(encoding="ascii") for file in _FIRMWARE),
        )

    def parse(self, text: str) -> Relays:
        """Return the relays that a channel list names; see `parse_channels`."""
        if not self._patterns:
            return parse_channels(str(text), self._model.layout)
        relays: Relays = np.zeros((self._model.layout.columns, N_ROWS), np.bool_)
        for part in str(text).split(","):
            pattern = self._patterns.get(part.strip())
            relays |= parse_channels(part, self._model.layout) if pattern is None else pattern
        return relays

    def _restore(self) -> None:
        """Set what a reset puts back, relays apart."""
        shape = (self._model.layout.columns, N_ROWS)
        self._connect_rule = BREAK_BEFORE_MAKE
        self._is_sequential = False
        self._forbidden: Relays = np.zeros(shape, np.bool_)
        self._delays = np.zeros(shape)
        self._patterns: dict[str, Relays] = {}

    def _vocabulary(self, serial: str) -> dict[str, TspTable]:
        node = TspTable(
            constants={
                "model": self._model.model,
                "serialno": serial,
                "version": self._model.version,
                "revision": self._model.version,
                "description": f"Keithley {self._model.model} {self._name}",
            },
            getters={"prompts": lambda: 0, "showerrors": lambda: 0, "linefreq": lambda: 50.0},
            setters={"prompts": lambda _: None, "showerrors": lambda _: None},
        )
        return {
            "channel": self._channel(),
            "channel.pattern": self._pattern(),
            "localnode": node,
            "memory": TspTable(functions={"available": lambda: "100.00,100.00,100.00,100.00"}),
            "comm": TspTable(),
            "comm.gpib": kept(enable=True),
            "comm.lan": kept(enable=True),
            "gpib": kept(address=16),
            "slot": TspTable(),
            **dict(self._slots()),
            "": TspTable(
                functions={
                    "delay": lambda seconds: self._clock.charge(float(seconds)),
                    "waitcomplete": lambda *_: None,
                    "_now": self._clock.now,
                }
            ),
        }

    def _channel(self) -> TspTable:
        return TspTable(
            functions={
                "close": lambda text: self._move(lambda relays: relays | self.parse(text)),
                "open": lambda text: self._move(lambda relays: relays & ~self.parse(text)),
                "exclusiveclose": lambda text: self._move(lambda _: self.parse(text)),
                "exclusiveslotclose": self._exclusive_slot_close,
                "getclose": self._closed,
                "getstate": lambda text: self._each(text, self._now()),
                "getcount": lambda text: self._each(text, self._crosspoints.counts(self._name)),
                "reset": self._reset_channels,
                "setforbidden": lambda text: self._forbid(text, is_forbidden=True),
                "clearforbidden": lambda text: self._forbid(text, is_forbidden=False),
                "getforbidden": lambda text: (
                    ",".join(self._names(self._forbidden & self.parse(text))) or None
                ),
                "setdelay": self._set_delay,
                "getdelay": lambda text: ",".join(
                    f"{self._delays[place]:.5e}" for place in self._places(text)
                ),
            },
            getters={
                "connectrule": lambda: self._connect_rule,
                "connectsequential": lambda: int(self._is_sequential),
            },
            setters={
                "connectrule": self._set_connect_rule,
                "connectsequential": self._set_connect_sequential,
            },
            constants={
                "OFF": OFF,
                "ON": 1,
                "BREAK_BEFORE_MAKE": BREAK_BEFORE_MAKE,
                "MAKE_BEFORE_BREAK": MAKE_BEFORE_BREAK,
            },
        )

    def _pattern(self) -> TspTable:
        return TspTable(
            functions={
                "setimage": lambda text, name: self._keep_pattern(name, self.parse(text)),
                "snapshot": lambda name: self._keep_pattern(name, self._now()),
                "getimage": self._image,
                "delete": self._delete_pattern,
            }
        )

    def _slots(self) -> Iterator[tuple[str, TspTable]]:
        """Yield the tables of the slots: `slot[1]` and what it holds."""
        layout = self._model.layout
        for slot in range(1, layout.slots + 1):
            yield f"slot.{slot}", TspTable(constants={"idn": self._model.card.format(slot=slot)})
            for of, count in (("rows", len(layout.rows)), ("columns", layout.columns_of_a_slot)):
                yield f"slot.{slot}.{of}", TspTable(constants={"matrix": count})
            interlock = TspTable(getters={"state": lambda: int(self.is_interlocked)})
            yield f"slot.{slot}.interlock", interlock

    def _now(self) -> Relays:
        return self._crosspoints.of(self._name)

    def _move(self, change: Callable[[Relays], Relays]) -> None:
        """Move relays: all that open first, or all that close, as the connect rule says."""
        now = self._now()
        wanted = change(now)
        opening, closing = now & ~wanted, wanted & ~now
        opens, closes = bool(opening.any()), bool(closing.any())
        if closes:
            self._check_closing(closing)
        if not (opens and closes):
            if opens or closes:
                self._settle(wanted, opening | closing)
        elif self._connect_rule == BREAK_BEFORE_MAKE:
            self._settle(now & wanted, opening)
            self._settle(wanted, closing)
        elif self._connect_rule == MAKE_BEFORE_BREAK:
            self._settle(now | wanted, closing)
            self._settle(wanted, opening)
        else:
            self._settle(wanted, opening | closing)

    def _check_closing(self, closing: Relays) -> None:
        """Refuse to close relays that are forbidden, or any while the interlock is open."""
        if (refused := closing & self._forbidden).any():
            name = self._names(refused)[0]
            raise ScpiError(_SETTINGS_CONFLICT, f"channel {name} is forbidden to close")
        if not self.is_interlocked:
            raise ScpiError(_SETTINGS_CONFLICT, "the interlock is not engaged")

    def _settle(self, wanted: Relays, moved: Relays) -> None:
        """Bring the relays to `wanted`, for which those flagged in `moved` move."""
        self._chip.before_change()
        self._chip.switched(self._crosspoints.set(self._name, wanted))
        one_by_one = np.count_nonzero(moved) if self._is_sequential else 1
        settling = self._model.settling * one_by_one
        if self._delays.any():
            settling += float(self._delays[moved & wanted].max(initial=0.0))
        self._clock.charge(settling)

    def _exclusive_slot_close(self, text: str) -> None:
        asked = self.parse(text)
        layout = self._model.layout
        slots = asked.reshape(layout.slots, -1).any(axis=1)
        in_slots = np.repeat(slots, layout.columns_of_a_slot)[:, np.newaxis]
        self._move(lambda relays: np.where(in_slots, asked, relays))

    def _reset_channels(self, text: str) -> None:
        asked = self.parse(text)
        self._move(lambda relays: relays & ~asked)
        self._forbidden &= ~asked
        self._delays[asked] = 0.0

    def _forbid(self, text: str, *, is_forbidden: bool) -> None:
        asked = self.parse(text)
        if is_forbidden and (asked & self._now()).any():
            raise ScpiError(_SETTINGS_CONFLICT, "a channel that is closed cannot be forbidden")
        self._forbidden = self._forbidden | asked if is_forbidden else self._forbidden & ~asked

    def _set_delay(self, text: str, seconds: float) -> None:
        if not 0.0 <= float(seconds) <= LONGEST_DELAY:
            raise ScpiError(-222, f"a delay of {seconds} s")
        self._delays[self.parse(text)] = float(seconds)

    def _keep_pattern(self, name: str, relays: Relays) -> None:
        if not re.fullmatch(r"[A-Za-z]\w{0,19}", str(name)) or str(name) in _OWN_NAMES:
            raise ScpiError(-224, f"pattern name '{str(name)[:20]}'")
        if name not in self._patterns and len(self._patterns) >= MOST_PATTERNS:
            raise ScpiError(-223, f"more than {MOST_PATTERNS} patterns")
        self._patterns[str(name)] = relays.copy()

    def _image(self, name: str) -> str:
        return ",".join(self._names(self._found_pattern(name)))

    def _delete_pattern(self, name: str) -> None:
        self._found_pattern(name)
        del self._patterns[name]

    def _found_pattern(self, name: str) -> Relays:
        if name not in self._patterns:
            raise ScpiError(-224, f"pattern name '{str(name)[:20]}'")
        return self._patterns[name]

    def _closed(self, text: str) -> str | None:
        return ";".join(self._names(self._now() & self.parse(text))) or None

    def _each(self, text: str, table: npt.NDArray[np.generic]) -> str:
        return ",".join(str(int(table[place])) for place in self._places(text))

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Return column and row of each channel of a list, slot by slot, row by row."""
        columns, rows = np.nonzero(self.parse(text))
        return sorted(
            zip(columns.tolist(), rows.tolist(), strict=True),
            key=lambda at: (at[0] // self._model.layout.columns_of_a_slot, at[1], at[0]),
        )

    def _names(self, relays: Relays) -> list[str]:
        columns, rows = np.nonzero(relays)
        places = zip(columns.tolist(), rows.tolist(), strict=True)
        return sorted(self._model.layout.channel(column, row) for column, row in places)

    def _set_connect_rule(self, rule: float) -> None:
        if rule not in (OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK):
            raise ScpiError(-224, f"connectrule {rule}")
        self._connect_rule = int(rule)

    def _set_connect_sequential(self, value: float) -> None:
        if value not in (0, 1):
            raise ScpiError(-224, f"connectsequential {value}")
        self._is_sequential = bool(value)

    def _reset(self) -> None:
        self._move(np.zeros_like)
        self._restore()


_OWN_NAMES = ("allslots", *(f"slot{number}" for number in range(1, 10)))


@functools.lru_cache(maxsize=1024)
def parse_channels(text: str, layout: MatrixLayout) -> Relays:
    """Return the relays that a channel list names, shape (columns, 8).

    A list has channels (`1A01`), ranges (`1A01:1C12`, a block of one slot), `slot1` and `allslots`,
    parted by commas.

    Raises
    ------
    ScpiError
        -224 if it names what is not there.
    """
    relays: Relays = np.zeros((layout.columns, N_ROWS), np.bool_)
    for part in str(text).split(","):
        relays[_region(part.strip(), layout)] = True
    relays.setflags(write=False)
    return relays


def _region(part: str, layout: MatrixLayout) -> tuple[slice, slice]:
    rows = slice(0, len(layout.rows))
    width = layout.columns_of_a_slot
    if part == "allslots":
        return slice(None), rows
    if re.fullmatch(rf"slot[1-{layout.slots}]", part):
        start = (int(part[4]) - 1) * width
        return slice(start, start + width), rows
    first, colon, last = part.partition(":")
    try:
        column, row = layout.place(first)
        last_column, last_row = layout.place(last if colon else first)
    except ValueError as error:
        raise ScpiError(-224, f"channel {error}") from error
    if column // width != last_column // width or last_column < column or last_row < row:
        raise ScpiError(-224, f"channel range '{part[:20]}'")
    return slice(column, last_column + 1), slice(row, last_row + 1)
