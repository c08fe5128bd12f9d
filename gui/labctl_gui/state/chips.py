"""The chips that are known: the one on the bench, and those of the runs in the data folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labctl_data.catalogue import Entry
from labctl_instruments.station import ChipIdentity


@dataclass(frozen=True)
class KnownChip:
    """One chip, and the runs that were made on it."""

    identity: ChipIdentity
    """Wafer, die and chip."""
    runs: tuple[Path, ...] = ()
    """Its run files that can be read, newest first."""


def chips_of(entries: Iterable[Entry]) -> tuple[KnownChip, ...]:
    """Return the chips that runs were made on, in the order of wafer, die and chip.

    Parameters
    ----------
    entries : iterable of Entry
        The runs, newest first.
    """
    found: dict[ChipIdentity, list[Path]] = {}
    for entry in entries:
        if entry.chip and not entry.problem:
            identity = ChipIdentity(wafer=entry.wafer, die=entry.die, chip=entry.chip)
            found.setdefault(identity, []).append(entry.file)
    return tuple(KnownChip(chip, tuple(found[chip])) for chip in sorted(found, key=_place))


def with_chip(chips: Iterable[KnownChip], here: ChipIdentity | None) -> tuple[KnownChip, ...]:
    """Return `chips` and the one on the bench, which may have no run yet, in the same order."""
    known = {chip.identity: chip for chip in chips}
    if here is not None:
        known.setdefault(here, KnownChip(here))
    return tuple(known[chip] for chip in sorted(known, key=_place))


def _place(chip: ChipIdentity) -> tuple[str, str, str]:
    return chip.wafer, chip.die, chip.chip
