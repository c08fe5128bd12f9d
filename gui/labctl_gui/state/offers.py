"""What the window has on offer: benches, device models, procedures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labctl_data.errors import LabctlError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offers:
    """What there is to choose from, as far as it is known yet."""

    benches: tuple[str, ...] = ()
    """Names of the shipped benches."""
    presets: tuple[str, ...] = ()
    """Names of the device models for simulated chips."""
    procedures: tuple[str, ...] = ()
    """Names of the procedures that can be made."""


def look_around() -> Iterator[Offers]:
    """Find out what there is; yield it as soon as more is known, what takes long last."""
    from labctl_data.model import preset_names
    from labctl_instruments import shipped_benches

    offers = Offers(shipped_benches(), tuple(preset_names()))
    yield offers
    yield replace(offers, procedures=tuple(_procedures()))


def _procedures() -> Iterator[str]:
    from labctl_procedures import catalogue  # with PyMeasure: 1.5 s that nobody waits for

    for name in catalogue.names():
        try:
            # Made once here, before anybody else may: the first procedures of two threads at
            # a time find PyMeasure's registry of units half built.
            catalogue.make(name)
        except LabctlError as error:
            log.error("procedure %s is left out: %s", name, error)  # noqa: TRY400  (one line)
        else:
            yield name
