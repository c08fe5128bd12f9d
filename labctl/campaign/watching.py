"""Suspenders: what is watched while a run goes on, and how the run is made to wait or to end."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.campaign.schema import SuspenderTable
from labctl_data.errors import LabctlError

if TYPE_CHECKING:
    from labctl.engine import Control
    from labctl_instruments.station import Station

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
"""How often slow things are looked at, in s of wall time."""
_PAUSE_SECONDS = 120.0
"""How long a run may take to its next pulse boundary, in s of wall time."""
UNITS: Mapping[str, str] = {"temperature": "K", "disk": "B", "compliance": "", "yield": ""}

Wait = Callable[[float], None]
Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Place:
    """Where a run goes on, as far as it is watched."""

    station: Station
    """The bench."""
    folder: Path
    """Where its file goes."""
    control: Control
    """What makes it wait or end."""
    wait: Wait
    """Lets bench time pass, in s."""
    tell: Tell
    """Takes a kind and a text for the journal."""


class Watch:
    """Watches one run by the rules of the plan.

    Parameters
    ----------
    rules : sequence of SuspenderTable
        Those that concern the job.
    place : Place
        Where the run goes on.
    """

    def __init__(self, rules: Sequence[SuspenderTable], place: Place) -> None:
        self._rules = [rule for rule in rules if rule.watch in _LOOKS]
        self._place = place
        self._hits = {id(rule): deque[bool](maxlen=rule.of) for rule in self._rules}
        self._times: dict[int, int] = {}
        self._last = time.monotonic()
        self._suspended = False
        self.verdict = ""
        """`skip` or `stop` once the run is to end; empty while it may go on."""
        self.reason = ""
        """Why."""

    def see(self, rows: Mapping[str, Any]) -> None:
        """Take note of rows that were stored, and act where they are not as they should be."""
        held = rows.get("In compliance")
        if held is None:
            return
        for rule in self._rules:
            if rule.watch == "compliance":
                hits = self._hits[id(rule)]
                hits.extend(np.atleast_1d(held).astype(bool).tolist())
                if len(hits) == rule.of:
                    self._judge(rule, sum(hits) / len(hits))

    def must_end(self) -> bool:
        """Look at slow things, not too often; return whether the run is to end."""
        if self._rules and not self._suspended and time.monotonic() - self._last > _LOOK_SECONDS:
            self.look()
        return bool(self.verdict)

    def look(self) -> None:
        """Look at temperature and disk now."""
        self._last = time.monotonic()
        for rule in self._rules:
            value = _LOOKS[rule.watch](self._place)
            if value is not None and not self._suspended:
                self._judge(rule, value)

    def _judge(self, rule: SuspenderTable, value: float) -> None:
        problem = wrong(rule, value)
        if not problem or self._suspended or self.verdict:
            return
        self._hits[id(rule)].clear()
        self._times[id(rule)] = times = self._times.get(id(rule), 0) + 1
        if rule.do in ("skip", "stop") or times > rule.at_most:
            self.verdict = "skip" if rule.do == "skip" else "stop"
            again = f" for the {times}th time" if times > rule.at_most else ""
            self.reason = problem + again
            return
        self._suspended = True
        self._place.tell("suspended", f"{problem}: {_MEANS[rule.do]} {rule.wait:g} s")
        self._place.control.pause()
        threading.Thread(target=self._hold, args=(rule,), daemon=True).start()

    def _hold(self, rule: SuspenderTable) -> None:
        """Let the run wait as the rule says, then go on; it waits at a pulse boundary."""
        place = self._place
        try:
            if not place.control.await_waiting(_PAUSE_SECONDS):
                return
            for _ in range(rule.at_most):
                place.wait(rule.wait)
                value = _LOOKS[rule.watch](place)
                if rule.do == "wait" or value is None or not wrong(rule, value):
                    place.tell("went-on", f"{rule.watch}: the run goes on")
                    return
            self.verdict, self.reason = "stop", f"{rule.watch}: still wrong after {rule.at_most}"
        except (LabctlError, OSError) as error:
            self.verdict, self.reason = "stop", f"{rule.watch}: {error}"
        finally:
            self._suspended = False
            place.control.resume()


def wrong(rule: SuspenderTable, value: float) -> str:
    """Return what is wrong with a value by a rule; empty where nothing is."""
    unit = UNITS.get(rule.watch, "")
    for side, limit, is_beyond in (
        ("above", rule.above, rule.above is not None and value > rule.above),
        ("below", rule.below, rule.below is not None and value < rule.below),
    ):
        if is_beyond:
            return f"{rule.watch} {_told(value, unit)} is {side} {_told(limit or 0.0, unit)}"
    return ""


def _told(value: float, unit: str) -> str:
    from labctl_procedures.quantities import format_quantity

    if unit == "K":
        return f"{value:.2f} K"
    return format_quantity(value, unit, digits=3) if unit else f"{value:.3g}"


def _temperature(place: Place) -> float | None:
    return place.station.temperature()


def _disk(place: Place) -> float | None:
    return float(shutil.disk_usage(place.folder).free)


_LOOKS: Mapping[str, Callable[[Place], float | None]] = {
    "temperature": _temperature,
    "disk": _disk,
    "compliance": lambda place: None,  # by rows
}
_MEANS = {"wait": "waiting", "pause": "paused, looking every"}
