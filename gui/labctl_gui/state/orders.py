"""Orders: what may be typed at the bench, in the words of the station's verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import LabctlError
from labctl_gui.state.progress import duration_text
from labctl_instruments.station import FloatArray, Station

Act = Callable[[Station], str]
"""Does an order and returns its answer in words."""

_FEW = 4
"""Cells whose values an answer tells one by one."""
_MINUTE = 60.0
READ_VOLTAGE = 0.2
"""Voltage of a read whose order names none, in V."""


class OrderError(LabctlError):
    """What was typed is no order."""


@dataclass(frozen=True)
class Verb:
    """One kind of order."""

    usage: str
    """How it is typed."""
    does: str
    """What it does."""
    make: Callable[[list[str], Geometry], Act]
    """Turns what follows the verb into what is to be done."""
    most: int
    """Words that may follow it."""
    least: int = 0
    """Words that must."""


def parse_order(text: str, geometry: Geometry) -> Act:
    """Return what a typed line asks of a bench with a chip of `geometry`.

    Parameters
    ----------
    text : str
        A verb of `VERBS` and its words, parted by blanks.
    geometry : Geometry
        Size of the chip.

    Raises
    ------
    OrderError
        If there is no such verb, or it takes more or fewer words.
    LabctlError
        If its cells or its quantity cannot be read.
    """
    word, *rest = text.split() or [""]
    verb = VERBS.get(word)
    if verb is None:
        raise OrderError(f"'{word}' is no order; there are {', '.join(VERBS)}")
    if not verb.least <= len(rest) <= verb.most:
        raise OrderError(f"'{text}': expected '{verb.usage}'")
    return verb.make(rest, geometry)


def read_in_blocks(station: Station, cells: Cells, voltage: float = READ_VOLTAGE) -> FloatArray:
    """Return the conductances of cells, (n,) in S, read a message's worth at a time."""
    return np.concatenate(
        [station.read(block, voltage) for block in cells.blocks(station.parallel_cells)]
    )


def _read(words: list[str], geometry: Geometry) -> Act:
    cells = Cells.from_text(words[0], geometry)
    voltage = _quantity(words[1], "V") if len(words) > 1 else READ_VOLTAGE
    return lambda station: _told(read_in_blocks(station, cells, voltage))


def _counts(words: list[str], geometry: Geometry) -> Act:
    cells = Cells.from_text(words[0], geometry)

    def ask(station: Station) -> str:
        counts = station.pulse_counts(cells)
        if counts is None:
            return "this bench counts no pulses"
        if len(counts) <= _FEW:
            return ", ".join(f"{count} pulses" for count in counts)
        return f"{counts.sum()} pulses in {len(counts)} cells, at most {counts.max()} in one"

    return ask


def _time(words: list[str], geometry: Geometry) -> Act:
    return lambda station: _time_text(station.now())


def _temperature(words: list[str], geometry: Geometry) -> Act:
    def ask(station: Station) -> str:
        kelvin = station.temperature()
        return "this bench has no chuck" if kelvin is None else _text(kelvin, "K")

    return ask


def _wait(words: list[str], geometry: Geometry) -> Act:
    seconds = _quantity(words[0], "s")

    def let_pass(station: Station) -> str:
        station.wait(seconds)
        return f"bench time {_time_text(station.now())}"

    return let_pass


def _rest(words: list[str], geometry: Geometry) -> Act:
    def bring(station: Station) -> str:
        station.rest()
        return "at rest"

    return bring


def _who(words: list[str], geometry: Geometry) -> Act:
    def tell(station: Station) -> str:
        bench = station.bench
        chip = bench.identity
        size = " x ".join(map(str, bench.geometry.shape))
        return f"{bench.name}: wafer {chip.wafer}, die {chip.die}, chip {chip.chip}, {size} cells"

    return tell


def _help(words: list[str], geometry: Geometry) -> Act:
    told = "; ".join(f"{verb.usage}: {verb.does}" for verb in VERBS.values())
    return lambda station: told


VERBS: dict[str, Verb] = {
    "read": Verb("read CELLS [VOLTAGE]", "conductances, e.g. read 0/0:4/: 0.2V", _read, 2, 1),
    "counts": Verb("counts CELLS", "pulses that cells ever received", _counts, 1, 1),
    "time": Verb("time", "bench time", _time, 0),
    "wait": Verb("wait TIME", "let bench time pass, e.g. wait 10min", _wait, 1, 1),
    "temperature": Verb("temperature", "of the chuck", _temperature, 0),
    "who": Verb("who", "which bench and which chip", _who, 0),
    "rest": Verb("rest", "bring the bench to rest", _rest, 0),
    "help": Verb("help", "these orders", _help, 0),
}
"""The orders, by their first words. None of them gives a pulse: that is for a procedure."""


def _told(conductances: FloatArray) -> str:
    if len(conductances) <= _FEW:
        return ", ".join(_text(value, "S") for value in conductances)
    low, middle, high = np.percentile(conductances, [0, 50, 100])
    ends = f"{_text(low, 'S')} to {_text(high, 'S')}, median {_text(middle, 'S')}"
    return f"{len(conductances)} cells, {ends}"


def _time_text(seconds: float) -> str:
    return _text(seconds, "s") if seconds < _MINUTE else duration_text(seconds)


def _text(value: float, unit: str) -> str:
    from labctl_procedures.quantities import format_quantity

    return format_quantity(float(value), unit, digits=4)


def _quantity(text: str, unit: str) -> float:
    from labctl_procedures.quantities import parse_quantity

    return parse_quantity(text, unit)
