"""What a bench's own dialogue says of its outputs and crosspoints, with wall times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PULSING = (":PULS:CELL", ":STR:CELL", ":SWE:CELL", ":TRIG")
"""Messages that can pulse a cell begin so."""

Entry = tuple[float, str, str, str]
"""Wall time in s, address, message and answer."""


@dataclass(frozen=True)
class Rest:
    """How a bench came to rest by its own dialogue."""

    off: float
    """Wall time at which the last output that drives went off, in s."""
    opened: float
    """Wall time at which the last crosspoint opened, in s; that of `off` where there are none."""
    seen: bool
    """Whether each instrument was asked afterwards, and answered that nothing is on."""
    pulses_after: int
    """Messages that pulse, after `off`."""

    @property
    def at(self) -> float:
        """Wall time from which on all is off and open, in s."""
        return max(self.off, self.opened)


def read_log(log: Path) -> list[Entry]:
    return [
        (wall, address, message, reply)
        for wall, address, message, reply in map(
            json.loads, log.read_text(encoding="latin-1").splitlines()
        )
    ]


def changes(entry: Entry) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield what a message switches, and whether on."""
    _, address, message, _ = entry
    for channel, value in re.findall(r":OUTP(\d?) ([01])", message):
        yield (address, f"output {channel}"), value == "1"
    for channel, value in re.findall(r"smu([ab])\.source\.output = ([01])", message):
        yield (address, f"output {channel}"), value == "1"
    if ":ABOR" in message:
        yield (address, "output "), False
    if 'channel.open("allslots")' in message:
        yield (address, "crosspoints"), False
    elif "channel.close" in message or "exclusiveclose" in message:
        yield (address, "crosspoints"), True


def states(entries: Sequence[Entry]) -> dict[tuple[str, str], tuple[bool, float]]:
    """Return of each output and matrix whether it is on, and since when."""
    found: dict[tuple[str, str], tuple[bool, float]] = {}
    for entry in entries:
        for what, on in changes(entry):
            if what not in found or found[what][0] != on:
                found[what] = (on, entry[0])
    return found


def is_on(entries: Sequence[Entry]) -> bool:
    return any(on for on, _ in states(entries).values())


def rest_of(entries: Sequence[Entry]) -> Rest:
    """Return when all that is off went off; what is still on is the matter of `states`."""
    found = states(entries)
    off = max(since for (_, what), (_, since) in found.items() if what != "crosspoints")
    opened = max((since for _, (_, since) in found.items()), default=off)
    later = [entry for entry in entries if entry[0] > off]
    return Rest(
        off=off,
        opened=max(off, opened),
        seen={address for address, _ in found} <= {e[1] for e in later if says_nothing_is_on(e)},
        pulses_after=sum(any(word in entry[2] for word in PULSING) for entry in later),
    )


def says_nothing_is_on(entry: Entry) -> bool:
    _, _, message, reply = entry
    if re.search(r":OUTP\d?\?", message):
        return reply.strip() in ("0", "OFF")
    if re.search(r"print\(.*smu[ab]\.source\.output", message):
        return re.fullmatch(r"0(\.0+e\+00)?", reply.strip()) is not None
    return "getclose" in message and reply.strip() in ("nil", "")
