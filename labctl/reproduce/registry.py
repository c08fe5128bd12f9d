"""Which published systems can be done again; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from labctl.errors import ReproduceError
from labctl.report.page import Listing, Picture
from labctl.reproduce.figures import Row
from labctl.reproduce.study import Study

Parts = list[Picture | Listing]

ENTRIES: dict[str, str] = {
    "mcnn": "Five-layer network: software, 15 levels, transferred, trained in place",
    "mcnn-parallel": "Three groups of convolvers side by side, each with its error",
    "mcnn-retention": "Weights and accuracy over 30 days, and 2 h after training",
    "mcnn-read-disturb": "1,000,000 reads of all convolution weights, then the accuracy",
    "mcnn-fraction": "Hybrid training with 1 to 100 % of the training images",
    "resnet56": "ResNet-56 on CIFAR-10: 746 arrays, stage by stage, 1,500 images to tune by",
    "mcnn-budget": "One non-ideality after another, until the published loss is met",
}
"""Each entry with its line; module `labctl.reproduce.<name>`, `-` as `_`, holds its `ENTRY`."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What came out of an entry."""

    rows: Sequence[Row]
    """Published beside obtained."""
    draw: Callable[[], Parts] = field(default=list)
    """Draws the figures of its page."""
    notes: Sequence[str] = ()
    """What to know before comparing."""


@dataclass(frozen=True)
class Entry:
    """One published system."""

    run: Callable[[Study], Findings]
    """Does it."""
    images: str
    """The image set of the published figures."""
    trials: int = 5
    """Chips, if nobody says how many."""
    bench: str = "sim-board"
    """Bench, if nobody says which."""


def entry(name: str) -> Entry:
    """Return an entry by name.

    Raises
    ------
    ReproduceError
        If there is none of that name.
    """
    if name not in ENTRIES:
        raise ReproduceError(f"reproduce '{name}': unknown; there are {', '.join(ENTRIES)}")
    module = importlib.import_module(f"labctl.reproduce.{name.replace('-', '_')}")
    found: Entry = module.ENTRY
    return found
