"""Do an entry: load what it needs, run its trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from labctl.engine import ProgressSink
from labctl.inference import chosen_tests
from labctl.reproduce.registry import Findings, entry
from labctl.reproduce.study import Study
from labctl_procedures.network import load_images


@dataclass(frozen=True)
class Asked:
    """What a person asked for."""

    name: str
    """The entry."""
    bench: str | None = None
    """Name or path of the bench; None for the entry's own."""
    trials: int | None = None
    """Chips; None for the entry's own number."""
    images: str | None = None
    """Image set; None for that of the published figures."""
    count: int | None = None
    """Test images; None for all."""


def perform(asked: Asked, progress: ProgressSink) -> tuple[Findings, dict[str, Any]]:
    """Do an entry and return what came out, and how it was done.

    Raises
    ------
    LabctlError
        If there is no such entry, or bench or images cannot be had.
    """
    found = entry(asked.name)
    images = load_images(asked.images or found.images)
    chosen = chosen_tests(images, asked.count)
    images = replace(
        images, test_images=images.test_images[chosen], test_labels=images.test_labels[chosen]
    )
    bench = asked.bench or found.bench
    study = Study(bench, asked.trials or found.trials, images, progress)
    facts = {
        "bench": bench,
        "images": images.name,
        "count": len(chosen),
        "trials": study.trials,
    }
    return found.run(study), facts
