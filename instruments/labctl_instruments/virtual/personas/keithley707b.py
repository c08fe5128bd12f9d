"""Keithley 707B switching mainframe with six 7174A cards: TSP, channels such as `3A07`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from labctl_instruments.bench.wiring import COLUMNS_OF_A_SLOT, ROW_LETTERS, SLOTS
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Crosspoints
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.virtual.tsp import TspEngine, TspTable

Relays = npt.NDArray[np.bool_]
"""Relays of a mainframe, shape (72, 8): columns through the slots, rows A to H."""

SETTLING_TIME = 3e-3
"""From a command to a settled relay [chosen, of the order of a reed relay's], in s."""
MODEL = "707B"
VERSION = "01.40a"
OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK = 0, 1, 2


class Keithley707BPersona:
    """One mainframe; its rows are bridged with those of its neighbours.

    Parameters
    ----------
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
    has_blocks = False

    def __init__(
        self,
        name: str,
        crosspoints: Crosspoints,
        chip: ProbedChip,
        clock: Clock,
        *,
        serial: str = "1000001",
    ) -> None:
        self._name = name
        self._crosspoints = crosspoints
        self._chip = chip
        self._clock = clock
        self._connect_rule = BREAK_BEFORE_MAKE
        self._is_sequential = False
        self._engine = TspEngine(
            self._vocabulary(serial),
            identity=f"Keithley Instruments Inc., Model {MODEL}, {serial}, {VERSION}",
            reset=self._reset,
        )

    def exchange(self, message: bytes) -> bytes:
        """Run a message and return what it printed."""
        return self._engine.handle(message)

    def status_byte(self) -> int:
        """Return the status byte."""
        return self._engine.status.byte()

    def clear(self) -> None:
        """Nothing runs between messages."""

    def trigger(self) -> None:
        """Nothing waits for a trigger."""

    def confine(self) -> None:
        """Run messages in a child process, as those of strangers must be."""
        self._engine.confine()

    def release(self) -> None:
        """End the child process."""
        self._engine.release()

    def query_error(self, number: int) -> None:
        """Queue the error."""
        self._engine.status.raise_error(ScpiError(number))

    def _vocabulary(self, serial: str) -> dict[str, TspTable]:
        channel = TspTable(
            functions={
                "close": lambda text: self._move(lambda relays: relays | parse_channels(text)),
                "open": lambda text: self._move(lambda relays: relays & ~parse_channels(text)),
                "exclusiveclose": lambda text: self._move(lambda _: parse_channels(text)),
                "exclusiveslotclose": self._exclusive_slot_close,
                "getclose": self._closed,
                "getstate": self._states,
                "getcount": self._counts,
                "reset": lambda text: self._move(lambda relays: relays & ~parse_channels(text)),
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
        node = TspTable(
            constants={
                "model": MODEL,
                "serialno": serial,
                "version": VERSION,
                "description": f"Keithley {MODEL} {self._name}",
            },
            getters={"prompts": lambda: 0, "showerrors": lambda: 0},
            setters={"prompts": lambda _: None, "showerrors": lambda _: None},
        )
        return {
            "channel": channel,
            "localnode": node,
            "": TspTable(
                functions={
                    "delay": lambda seconds: self._clock.charge(float(seconds)),
                    "waitcomplete": lambda *_: None,
                    "opc": lambda: None,
                }
            ),
        }

    def _move(self, change: Callable[[Relays], Relays]) -> None:
        """Move relays: all that open first, or all that close, as the connect rule says."""
        now = self._crosspoints.of(self._name)
        wanted = change(now)
        if self._connect_rule == BREAK_BEFORE_MAKE:
            steps = [now & wanted, wanted]
        elif self._connect_rule == MAKE_BEFORE_BREAK:
            steps = [now | wanted, wanted]
        else:
            steps = [wanted]
        for step in steps:
            self._settle(step)

    def _settle(self, wanted: Relays) -> None:
        n_moved = int((self._crosspoints.of(self._name) != wanted).sum())
        if not n_moved:
            return
        self._chip.before_change()
        rows = self._crosspoints.set(self._name, wanted)
        self._chip.switched(rows)
        self._clock.charge(SETTLING_TIME * (n_moved if self._is_sequential else 1))

    def _exclusive_slot_close(self, text: str) -> None:
        asked = parse_channels(text)
        slots = asked.reshape(SLOTS, -1).any(axis=1)
        in_slots = np.repeat(slots, COLUMNS_OF_A_SLOT)[:, np.newaxis]
        self._move(lambda relays: np.where(in_slots, asked, relays))

    def _closed(self, text: str) -> str | None:
        closed = self._crosspoints.of(self._name) & parse_channels(text)
        return ";".join(_names(closed)) or None

    def _states(self, text: str) -> str:
        relays = self._crosspoints.of(self._name)
        return ",".join(str(int(relays[place])) for place in _places(text))

    def _counts(self, text: str) -> str:
        counts = self._crosspoints.counts(self._name)
        return ",".join(str(int(counts[place])) for place in _places(text))

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
        self._connect_rule = BREAK_BEFORE_MAKE
        self._is_sequential = False


_CHANNEL = re.compile(r"([1-6])([A-H])(\d\d)")


@functools.lru_cache(maxsize=1024)
def parse_channels(text: str) -> Relays:
    """Return the relays that a channel list names, shape (72, 8).

    A list has channels (`1A01`), ranges (`1A01:1C12`, a block of one slot), `slot1` and `allslots`,
    parted by commas.

    Raises
    ------
    ScpiError
        -224 if it names what is not there.
    """
    relays: Relays = np.zeros((SLOTS * COLUMNS_OF_A_SLOT, len(ROW_LETTERS)), np.bool_)
    for part in str(text).split(","):
        relays[_region(part.strip())] = True
    relays.setflags(write=False)
    return relays


def _region(part: str) -> tuple[slice, slice]:
    if part == "allslots":
        return slice(None), slice(None)
    if re.fullmatch(r"slot[1-6]", part):
        start = (int(part[4]) - 1) * COLUMNS_OF_A_SLOT
        return slice(start, start + COLUMNS_OF_A_SLOT), slice(None)
    first, colon, last = part.partition(":")
    (column, row), (last_column, last_row) = _place(first), _place(last if colon else first)
    same_slot = column // COLUMNS_OF_A_SLOT == last_column // COLUMNS_OF_A_SLOT
    if not same_slot or last_column < column or last_row < row:
        raise ScpiError(-224, f"channel range '{part[:20]}'")
    return slice(column, last_column + 1), slice(row, last_row + 1)


def _place(name: str) -> tuple[int, int]:
    match = _CHANNEL.fullmatch(name)
    if match is None or not 1 <= int(match[3]) <= COLUMNS_OF_A_SLOT:
        raise ScpiError(-224, f"channel '{name[:20]}'")
    column = (int(match[1]) - 1) * COLUMNS_OF_A_SLOT + int(match[3]) - 1
    return column, ROW_LETTERS.index(match[2])


def _places(text: str) -> list[tuple[int, int]]:
    """Return column and row of each channel of a list, slot by slot, row by row."""
    columns, rows = np.nonzero(parse_channels(text))
    return sorted(
        zip(columns.tolist(), rows.tolist(), strict=True),
        key=lambda at: (at[0] // COLUMNS_OF_A_SLOT, at[1], at[0]),
    )


def _names(relays: Relays) -> list[str]:
    columns, rows = np.nonzero(relays)
    names = []
    for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
        slot, place = divmod(column, COLUMNS_OF_A_SLOT)
        names.append(f"{slot + 1}{ROW_LETTERS[row]}{place + 1:02d}")
    return sorted(names)
