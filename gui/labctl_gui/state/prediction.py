"""What a run would take, found out beside the bench, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labctl_data.errors import LabctlError
from labctl_gui.state.progress import duration_text
from labctl_procedures.quantities import format_quantity

if TYPE_CHECKING:
    from labctl.bench_choice import BenchChoice
    from labctl.rehearsal import Estimate


@dataclass(frozen=True)
class Asked:
    """A run as the form has it, and the bench it is meant for."""

    procedure: str
    """Name in the catalogue."""
    values: Mapping[str, str]
    """Parameters as typed."""
    bench: str
    """Name or path of the bench."""
    seed: int | None = None
    """Seed of the simulated chip; None takes the bench file's."""
    chip: Path | None = None
    """Chip file behind the bench; None takes the bench file's preset."""


@dataclass(frozen=True)
class Prediction:
    """What is known of a run before it is started."""

    asked: Asked | None = None
    """The run; None before anything was asked."""
    text: str = ""
    """What it would take, or why nobody can say."""
    is_done: bool = True
    """Whether the rehearsal has ended."""


class _Superseded(KeyboardInterrupt):
    """Another run is asked for: the rehearsal ends, as a run ends at Ctrl+C."""


class Predictor:
    """Rehearses the run that was asked for last; one that is overtaken ends early."""

    def __init__(self) -> None:
        self._now = Prediction()
        self._turn = threading.Lock()

    @property
    def now(self) -> Prediction:
        """What is known by now."""
        return self._now

    def ask(self, asked: Asked) -> None:
        """Find out what a run would take."""
        self._now = Prediction(asked, "rehearsing …", is_done=False)
        threading.Thread(
            target=self._rehearse, args=(asked,), name="rehearsal", daemon=True
        ).start()

    def forget(self) -> None:
        """End the rehearsal that goes on, if one does."""
        self._now = Prediction()

    def _rehearse(self, asked: Asked) -> None:
        with self._turn:
            if self._now.asked is not asked:
                return
            try:
                text = estimate_text(self._estimate(asked))
            except _Superseded:
                return
            except LabctlError as error:
                text = f"cannot be rehearsed: {error}"
            if self._now.asked is asked:
                self._now = Prediction(asked, text)

    def _estimate(self, asked: Asked) -> Estimate:
        from labctl.bench_choice import BenchChoice
        from labctl.rehearsal import rehearse
        from labctl_procedures import catalogue

        where: BenchChoice = BenchChoice(asked.bench, asked.seed, asked.chip)
        made = catalogue.make(asked.procedure, asked.values)
        return rehearse(made, where, progress=_Look(self, asked))


class _Look:
    """A progress sink that ends the rehearsal once another was asked for."""

    def __init__(self, predictor: Predictor, asked: Asked) -> None:
        self._predictor = predictor
        self._asked = asked

    def start(self, label: str, total: int | None) -> None:
        """Begin a step."""
        self.advance()

    def advance(self, n: int = 1) -> None:
        """Count parts as done, or end."""
        if self._predictor.now.asked is not self._asked:
            raise _Superseded

    def finish(self) -> None:
        """End a step."""


def estimate_text(estimate: Estimate) -> str:
    """Return an estimate as an operator reads it, in two lines."""
    time = (
        duration_text(estimate.time) if estimate.time >= 1 else format_quantity(estimate.time, "s")
    )
    pulses = f"{estimate.pulses:,}".replace(",", "\u202f")
    each = f"{estimate.pulses_per_cell:,}".replace(",", "\u202f")
    return (
        f"takes {time} of bench time, {pulses} pulses, {estimate.rows} rows, "
        f"{estimate.file_size / 1e6:.1f} MB\n"
        f"worst: {format_quantity(estimate.voltage, 'V')}, "
        f"{format_quantity(float(f'{estimate.current:.3g}'), 'A')}, {each} pulses a cell"
    )
