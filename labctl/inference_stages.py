"""The stages of a network on the array: programmed, trained, and asked again as time passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.engine.boundary import Boundary
from labctl.engine.runner import pulse_counts
from labctl.inference_file import Stage
from labctl_data.run_file import RunWriter
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    InferenceResult,
    NetworkPlan,
    ProgramSettings,
    Progress,
    TrainSettings,
    accuracy_quantized,
    accuracy_software,
    infer,
    program,
    train_in_situ,
)
from labctl_procedures.network.training_checkpoint import checkpoint_path
from labctl_procedures.waiting import wait

Counts = npt.NDArray[np.int64]
FACTS = "facts"
"""Kind of the event that keeps what a finished stage found, as JSON."""


@dataclass(frozen=True, eq=False)
class Task:
    """A network on a chip, with what is asked of it."""

    images: ImageSet
    """The image set."""
    plan: NetworkPlan
    """The network on the chip."""
    chosen: Counts
    """Numbers of the test images that are classified."""
    settle: float
    """Bench time between programming and inference, in s."""
    training: TrainSettings | None
    """How layers are trained; None for not at all."""
    again: tuple[float, ...]
    """Bench times after the last step at which the network is asked again, in s."""


class Stages:
    """The stages of one run, and what they found.

    Parameters
    ----------
    task : Task
        The network and what is asked of it.
    station : Station
        The bench.
    run : RunWriter
        The run file.
    progress : Progress
        Is told how far each step has come.
    began : ndarray of shape (pe, row, col), int, or None
        The bench's pulse counters when the run began; None where it has none.
    """

    def __init__(
        self,
        task: Task,
        station: Station,
        run: RunWriter,
        progress: Progress,
        began: Counts | None,
    ) -> None:
        self.task, self.station, self.run = task, station, run
        self.facts: dict[str, Any] = {}
        self._progress, self._began = progress, began
        self._done: Container[int] = ()
        images = task.images
        self._test = images.test_images[task.chosen], images.test_labels[task.chosen]

    def take_up(self, facts: dict[str, Any], done: Container[int]) -> None:
        """Go on from what finished stages found, and their numbers."""
        self.facts, self._done = facts, done

    def carry_out(self, boundary: Boundary) -> None:
        """Carry out the stages that are not done, until told to end; keep what each found."""
        with suppress(_Ended):
            self._carry_out(_Boundaries(boundary, self._progress))

    def _carry_out(self, at: _Boundaries) -> None:
        plan = self.task.plan
        software = {
            "count": len(self.task.chosen),
            "accuracy_software": accuracy_software(plan.network, *self._test),
            "accuracy_quantized": accuracy_quantized(plan, *self._test),
        }
        self.facts = software | self.facts
        for number, stage in self._stages(at):
            if number not in self._done:
                found = stage()
                self.facts |= found
                self.run.event(self.station.now(), FACTS, json.dumps(found))
                self.run.point_done(number)
                self.run.flush()

    def _stages(self, at: _Boundaries) -> Iterator[tuple[int, Callable[[], dict[str, Any]]]]:
        """Yield the number of each stage, and what carries it out."""
        yield Stage.PROGRAMMED, partial(self._programmed, at)
        if self.task.training is not None:
            yield Stage.TRAINED, partial(self._trained, at, self.task.training)
        for number, after in enumerate(self.task.again):
            yield Stage.AGAIN + number, partial(self._again, at, after)

    def _programmed(self, at: _Boundaries) -> dict[str, Any]:
        settings = ProgramSettings(settle=self.task.settle)
        written = program(
            self.station,
            self.task.plan,
            settings,
            progress=at,
            should_stop=at.should_stop,
        )
        for failure in written.failures():
            self.run.event(self.station.now(), "write-failed", failure)
        found = self._ask(at, Stage.PROGRAMMED)
        return {
            "cells": len(written.cells),
            "cells_failed": int(written.failed.sum()),
            "cells_known_stuck": written.known_stuck,
            "programming_error": written.error,
            "programming_pulses": self._pulses(written.pulses),
            "accuracy_programmed": found.accuracy,
            "accuracy_trained": None,
            "images_per_second": found.images_per_second,
            "saturated": found.saturated,
            "clipped": found.clipped,
            "asked_at": self.station.now(),
        }

    def _pulses(self, given: int) -> int:
        """Return the pulses since the run began, by the counters where there are any."""
        counts = pulse_counts(self.station)
        if counts is None or self._began is None:
            return given
        return int((counts - self._began).sum())

    def _trained(self, at: _Boundaries, settings: TrainSettings) -> dict[str, Any]:
        trained = train_in_situ(
            self.station,
            self.task.plan,
            self.task.images,
            settings,
            progress=at,
            should_stop=at.should_stop,
            checkpoint=checkpoint_path(self.run.path),
        )
        found = self._ask(at, Stage.TRAINED)
        return {
            "accuracy_trained": found.accuracy,
            "training_layers": list(trained.layers),
            "training_images": trained.images,
            "training_writes": trained.writes,
            "training_pulses": trained.pulses,
            "training_dead": trained.dead,
            "clipped_requests": trained.clipped_requests,
            "asked_at": self.station.now(),
        }

    def _again(self, at: _Boundaries, after: float) -> dict[str, Any]:
        """Ask the network at a bench time after the last step."""
        left = self.facts["asked_at"] + after - self.station.now()
        wait(self.station, max(0.0, left), at.should_stop)
        found = self._ask(at, Stage.AGAIN)
        earlier = self.facts.get("accuracy_over_time", [])
        return {"accuracy_over_time": [*earlier, {"after": after, "accuracy": found.accuracy}]}

    def _ask(self, at: _Boundaries, stage: Stage) -> InferenceResult:
        pixels, labels = self._test
        found = infer(self.station, self.task.plan, pixels, labels, progress=at)
        self.run.append(
            {
                "time": self.station.now(),
                "stage": int(stage),
                "image": self.task.chosen,
                "label": labels,
                "predicted": found.predictions,
            }
        )
        return found


class _Ended(Exception):  # noqa: N818  (no error: what was asked)
    """The work ends here, at a pulse boundary."""


class _Boundaries:
    """The pulse boundaries of a network: between the rounds of a write, and between images.

    It is what is told how far a step has come, for between two steps nothing is under way: the
    station is asked by one thread.

    Parameters
    ----------
    boundary : Boundary
        Asked whether to go on.
    progress : Progress
        Is told how far each step has come.
    """

    def __init__(self, boundary: Boundary, progress: Progress) -> None:
        self._boundary, self._progress = boundary, progress

    def should_stop(self) -> bool:
        """Return False, after a pause if there is one; end the work by an exception otherwise."""
        if self._boundary.must_end():
            raise _Ended
        return False

    def start(self, label: str, total: int) -> None:
        """Begin a piece of work of `total` steps."""
        self._progress.start(label, total)
        self.should_stop()

    def advance(self, n: int) -> None:
        """Count `n` more steps as done."""
        self._progress.advance(n)
        self.should_stop()

    def finish(self) -> None:
        """End the piece of work."""
        self._progress.finish()
