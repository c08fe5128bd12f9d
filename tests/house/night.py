"""A simulated night of twelve hours in which ten things go wrong.

Run as `python tests/house/night.py` with the source roots on PYTHONPATH; twelve hours of
bench time take about a minute. It carries the shipped plan `simulated-night` out and plants a fault
into each of its hourly checks: spoilt, late and missing answers, broken connections, a relay that
sticks, a source that gives no current. A fault is detected when the campaign's journal tells of it;
the time is that of the bench's own clock between the two. It is unsafe if by the dialogue an
output is on, or a crosspoint closed, when the journal does.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dialogue import Entry, is_on

from labctl.campaign.carrying_out import carry_out
from labctl.campaign.home import CampaignHome, new_home
from labctl.campaign.journal import Entry as Happening
from labctl.campaign.loading import load_plan
from labctl.report.night import write_night
from labctl_instruments.virtual import rack as racks
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.rack import Rack

FAULTS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "check_01": ("timeout", "board", {"probability": 1.0}),
    "check_02": ("disconnect", "pulser", {"nth": 5}),
    "check_03": ("garbage", "board", {"probability": 1.0}),
    "check_04": ("garbage", "gate", {"probability": 1.0}),
    "check_05": ("truncated", "board", {"probability": 1.0}),
    "check_06": ("timeout", "source", {"probability": 1.0}),
    "check_07": ("late", "board", {"probability": 1.0}),
    "check_08": ("stuck-relay", "matrix4", {"nth": 2, "channel": "4B05"}),  # that of bit line 0
    "check_09": ("disconnect", "board", {"probability": 1.0}),
    "check_10": ("compliance", "bit", {"nth": 2}),
}
"""What goes wrong in which job: kind, instrument, and at which chance. One answer that is lost is
asked for again, and ends no run: so all are lost, until the campaign has told of it."""
PROMPTLY = 60.0
"""Bench time from a fault to its detection, in s, at most."""


class Witness(DialogueLog):
    """Keeps each exchange, and the bench time of each fault."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.entries: list[Entry] = []
        self.faults: list[float] = []

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        text = message[:400].decode("latin-1"), reply[:40].decode("latin-1")
        self.entries.append((time.time(), address, *text))

    def event(self, time: float, subject: str, text: str) -> None:
        self.faults.append(time)


@dataclass
class Struck:
    """One fault."""

    job: str
    kind: str
    at: float = float("nan")
    """Bench time at which it struck, in s."""
    seconds: float = float("nan")
    """Bench time until the journal told of it, in s."""
    was_on: bool = False
    """Whether an output was on, or a crosspoint closed, when it did."""


@dataclass
class Planter:
    """Puts a fault into each job that is to have one, and sees it told."""

    struck: dict[str, Struck] = field(default_factory=dict)
    watched: dict[str, tuple[Rack, Witness]] = field(default_factory=dict)

    def __call__(self, entry: Happening) -> None:
        job = entry.text.partition(":")[0]
        if entry.kind == "begun" and job in FAULTS:
            self._plant(job)
        elif entry.kind in ("failed", "suspended") and job in self.watched:
            self._judge(job)

    def _plant(self, job: str) -> None:
        kind, instrument, keys = FAULTS[job]
        # The newest: other tests of this process may have left theirs.
        rack = next(r for r in reversed(list(racks._racks.values())) if _has(r, instrument))
        witness = rack.log
        if not isinstance(witness, Witness):
            witness = rack.log = Witness()
            # A door hung earlier notes into the log that was there then.
            rack.faults._note = lambda _, text: witness.event(rack.clock.now(), "", text)
        rack.faults.inject(kind, instrument, **keys)
        self.watched[job] = (rack, witness)
        self.struck[job] = Struck(job, kind)

    def _judge(self, job: str) -> None:
        rack, witness = self.watched.pop(job)
        rack.faults.clear()
        found = self.struck[job]
        if witness.faults:
            found.at = witness.faults[-1]
            found.seconds = rack.clock.now() - found.at
        found.was_on = is_on(witness.entries)


def _has(rack: Rack, instrument: str) -> bool:
    return instrument in rack.faults._bench().instruments


def carried_out(folder: Path, *, plan: str = "simulated-night") -> tuple[CampaignHome, Planter]:
    """Carry the night out in `folder`."""
    home = new_home(load_plan(plan, seed=1), folder)
    logging.getLogger("labctl_instruments").setLevel(logging.CRITICAL)  # it tells of every fault
    planter = Planter()
    carry_out(home, on_entry=planter)
    return home, planter


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="labctl-night-"))
    began = time.monotonic()
    home, planter = carried_out(folder / "night")
    page = write_night(home, folder / "night.html").read_text(encoding="utf-8")
    bad = 0
    for job, (kind, instrument, _) in FAULTS.items():
        found = planter.struck.get(job, Struck(job, kind))
        fine = found.seconds <= PROMPTLY and not found.was_on and job in page
        bad += not fine
        say(
            f"{job}: {kind} of {instrument}: told after {found.seconds:.2f} s of bench time, "
            f"{'NOT at rest' if found.was_on else 'at rest'}"
        )
    states = [job.state.value for job in home.queue.jobs()]
    hours = max(entry.time for entry in home.entries()) / 3600
    say(f"{hours:.2f} h of bench time in {time.monotonic() - began:.0f} s: {home.status}")
    say(f"jobs: {', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))}")
    say(f"{len(FAULTS)} faults, {bad} not as they should be")
    shutil.rmtree(folder)
    return bad


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main() > 0)
