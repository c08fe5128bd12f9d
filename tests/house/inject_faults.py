"""Let things go wrong within runs, at random instants; see in the dialogue that all comes to rest.

Run as `python tests/house/inject_faults.py [FAULTS] [SEED]` with the source roots on PYTHONPATH;
1,000 faults take some 10 minutes. All is in one process; deaths of the process are the matter
of `kill_and_rest.py`.

Each fault is one of the eight kinds, at one instrument, at a random chance of a write-verify run.
Some a run outlives: an answer that was spoilt is asked for again, a relay that sticks is noticed by
nobody at once. All end with every output off and every crosspoint open; after an answer or a
connection that ends the run, soon.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dialogue import Entry, rest_of, states

from labctl.engine import run
from labctl_data.errors import LabctlError
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_instruments.bench.equipment import FAULT_KINDS, ROLES_OF_A_FAULT
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.station import Station
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.faults import ANSWER_KINDS
from labctl_instruments.virtual.rack import Rack
from labctl_procedures import WriteVerify

BENCHES = ("sim-smu", "sim-board", "sim-2636b-707b", "sim-2450-3706a")
CELLS = {"sim-board": "0/0/0:8"}
SOME = "0/0/0:2"
HIDDEN = ("stuck-relay", "compliance")
"""Faults that no answer tells of."""
NOT_BEGUN = "not begun"
"""Status of a run that was refused before it had a file: an instrument did not answer."""
PROMPTLY = 0.2
"""Seconds from a fault that ends a run to outputs off and crosspoints open, at most."""


@dataclass(frozen=True)
class Struck:
    """One run within which something went wrong."""

    bench: str
    kind: str
    instrument: str
    keys: Mapping[str, object]
    status: str
    """Of the run file; `NOT_BEGUN` where there is none."""
    began: float | None
    """Wall time of the fault, in s; None if its chance never came."""
    still_on: frozenset[tuple[str, str]]
    """Outputs and matrices that were on in the end; none, as it should be."""
    at_rest: float
    """Wall time from which on all was off and open, in s."""
    seen: bool
    """Whether every instrument was asked afterwards, and said that nothing is on."""
    pulses_after: int
    """Messages that pulse, after the outputs went off."""

    @property
    def seconds(self) -> float | None:
        """Wall time from the fault to rest, in s; None where the run went on.

        None, too, for relays and sources that break: when that is noticed is not known here.
        """
        if self.began is None or self.status == "complete" or self.kind in HIDDEN:
            return None
        return self.at_rest - self.began

    @property
    def is_well(self) -> bool:
        """Whether the bench came to rest as it should."""
        prompt = self.seconds is None or self.seconds <= PROMPTLY
        return not self.still_on and self.seen and not self.pulses_after and prompt


class Witness(DialogueLog):
    """Keeps each exchange with its wall time."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self.entries: list[Entry] = []

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        text = message[:400].decode("latin-1"), reply[:40].decode("latin-1")
        self.entries.append((time.time(), address, *text))


def rack_of(station: Station) -> Rack:
    instruments = station._instruments  # type: ignore[attr-defined]
    rack: Rack = instruments[0].adapter.connection.visalib.rack
    return rack


def procedure(bench: str) -> WriteVerify:
    return WriteVerify(cells=CELLS.get(bench, SOME), levels=2, limit=12, after="")


def chances(bench: str, folder: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return how many messages each instrument gets in a run, and how many of them it answers."""
    asked, answered = Counter[str](), Counter[str]()
    names = {table.address: name for name, table in load_bench(bench).instruments.items()}
    with open_bench(bench, seed=1) as station:
        witness = rack_of(station).log = Witness()
        run(procedure(bench), station, folder / f"{bench}-undisturbed.h5")
    for _, address, _, reply in witness.entries:
        asked[names[address]] += 1
        answered[names[address]] += bool(reply)
    return asked, answered


def strike(bench: str, kind: str, instrument: str, path: Path, **keys: object) -> Struck:
    """Run a procedure within which something goes wrong."""
    struck: list[float] = []
    with open_bench(bench, seed=1) as station:
        rack = rack_of(station)
        journal, witness = rack.log, Witness()
        rack.log = witness
        journal.event = lambda *_: struck.append(time.time())  # type: ignore[method-assign]
        rack.faults.inject(kind, instrument, **keys)
        with contextlib.suppress(LabctlError):  # what it leaves behind is what matters here
            run(procedure(bench), station, path)
        still_on = {what for what, (on, _) in states(witness.entries).items() if on}
        rest = rest_of(witness.entries)
        rack.faults.clear()
    began = struck[0] if struck else None
    status = str(open_run(path).status) if path.exists() else NOT_BEGUN
    ended = status, began, frozenset(still_on), rest.at, rest.seen, rest.pulses_after
    return Struck(bench, kind, instrument, keys, *ended)


class Plan:
    """Draws faults: a bench, a kind, an instrument that it can befall, and a chance.

    Parameters
    ----------
    rng : Generator
        Of the draws.
    folder : Path
        Where the runs that nothing disturbs are stored.
    """

    def __init__(self, rng: np.random.Generator, folder: Path) -> None:
        self._rng = rng
        self._chances = {bench: chances(bench, folder) for bench in BENCHES}
        self._tables = {bench: load_bench(bench).instruments for bench in BENCHES}

    def draw(self, kind: str) -> tuple[str, str, dict[str, object]]:
        """Return a bench, the name of an instrument on it, and the keys of its fault."""
        able = [bench for bench in BENCHES if self._victims(bench, kind)]
        bench = str(self._rng.choice(able))
        victims = self._victims(bench, kind)
        name = str(self._rng.choice(sorted(victims)))
        keys: dict[str, object] = {"nth": int(self._rng.integers(1, victims[name] + 1))}
        if kind == "stuck-relay":
            channel = f"1{self._rng.choice(list('ABCDE'))}{self._rng.integers(1, 13):02d}"
            keys |= {"channel": channel, "stuck_closed": bool(self._rng.random() < 0.5)}
            if "3706" in bench:
                keys["channel"] = f"1{self._rng.integers(1, 5)}{self._rng.integers(1, 13):02d}"
        return bench, name, keys

    def _victims(self, bench: str, kind: str) -> dict[str, int]:
        """Return the chances of each instrument that a fault can befall."""
        asked, answered = self._chances[bench]
        counts = answered if kind in ANSWER_KINDS else asked
        roles = ROLES_OF_A_FAULT.get(kind)
        return {
            name: counts[name]
            for name, table in self._tables[bench].items()
            if counts[name] and (roles is None or table.role in roles)
        }


def strike_each(faults: int, rng: np.random.Generator, folder: Path) -> Iterator[Struck]:
    """Yield so many faults that were met, the kinds by turns.

    One whose chance does not come is drawn again: an answer that is no reading cannot be over
    range.
    """
    plan = Plan(rng, folder)
    for number in range(faults):
        kind = FAULT_KINDS[number % len(FAULT_KINDS)]
        while True:
            bench, name, keys = plan.draw(kind)
            path = folder / "run.h5"
            struck = strike(bench, kind, name, path, **keys)
            path.unlink(missing_ok=True)
            if struck.began is not None:
                break
        yield struck


def main(faults: int, seed: int) -> int:
    logging.disable(logging.CRITICAL)
    bad, seconds, ends = 0, [], Counter[str]()
    with tempfile.TemporaryDirectory() as home:
        for number, struck in enumerate(
            strike_each(faults, np.random.default_rng(seed), Path(home))
        ):
            ends[f"{struck.kind}: {struck.status}"] += 1
            if struck.seconds is not None:
                seconds.append(struck.seconds)
            if number % 100 == 99:
                say(f"{number + 1} faults, {bad} not as they should be so far")
            if not struck.is_well:
                bad += 1
                say(f"{number}: {struck}")
    say(f"{faults} faults, {bad} not as they should be")
    say("; ".join(f"{what} {count}" for what, count in sorted(ends.items())))
    if seconds:
        median, p99, worst = np.quantile(seconds, [0.5, 0.99, 1.0]) * 1e3
        say(
            f"{len(seconds)} ended their run; from the fault to outputs off and crosspoints open: "
            f"median {median:.1f} ms, 99 % {p99:.1f} ms, worst {worst:.1f} ms"
        )
    return bad


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [16, 1][len(numbers) :])) > 0)
