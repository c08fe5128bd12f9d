"""A network on the array, from its file to its accuracies, kept as a run file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.engine import guarded
from labctl.engine.provenance import station_attributes
from labctl.inference_file import COLUMNS, PROCEDURE, Stage
from labctl_data.run_file import RunWriter
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    InferenceResult,
    Network,
    NetworkPlan,
    Progress,
    TrainSettings,
    accuracy_quantized,
    accuracy_software,
    infer,
    load_images,
    load_network,
    map_network,
    program,
    train_in_situ,
)

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InferenceRequest:
    """What to run on the array."""

    model: str
    """Name of a shipped network, or path of an .onnx file."""
    images: str
    """Name of an image set."""
    count: int | None = None
    """Test images to use, a fixed random choice; None for all."""
    train: bool = False
    """Whether to train the last layer on the array afterwards."""
    seed: int = 0
    """Seed of the choice and order of training images."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A request with what it names, loaded."""

    asked: InferenceRequest
    images: ImageSet
    network: Network
    test_images: Bytes
    test_labels: Labels
    chosen: Labels


def run_inference(
    asked: InferenceRequest,
    station: Station,
    path: Path,
    *,
    progress: Progress,
    operator: str,
) -> dict[str, Any]:
    """Map a network on the station's chip, program it, run it, and train it where asked.

    Parameters
    ----------
    asked : InferenceRequest
        Network, images, how many, whether to train.
    station : Station
        The bench; it is at rest afterwards, and stays open.
    path : Path
        The run file of the predictions; must not exist.
    progress : Progress
        Is told how far each step has come.
    operator : str
        Name to keep in the file.

    Returns
    -------
    dict
        The facts of `labctl infer`: accuracies (0-1), images a second, faults, the file.

    Raises
    ------
    LabctlError
        If the network or the images cannot be had, or the network does not fit the chip.
    """
    task = _load(asked)
    plan = map_network(task.network, station.geometry, task.images.train_images)
    facts: dict[str, Any] = {
        "count": len(task.test_labels),
        "accuracy_software": accuracy_software(task.network, task.test_images, task.test_labels),
        "accuracy_quantized": accuracy_quantized(plan, task.test_images, task.test_labels),
    }
    parameters = {"model": asked.model, "images": asked.images, "train": asked.train}
    attributes = {
        "procedure": PROCEDURE,
        "parameters": parameters | {"count": len(task.test_labels)},
        **station_attributes(station, operator),
    }
    with (
        guarded(station, beside=path),
        RunWriter.create(path, columns=COLUMNS, attributes=attributes) as run,
    ):
        station.ledger = run.ledger
        try:
            facts |= _on_the_array(task, plan, station, run, progress)
        except KeyboardInterrupt:
            run.finish("aborted", facts)
            raise
        run.finish("complete", facts)
    return {"file": path, **facts}


def chosen_tests(images: ImageSet, count: int | None) -> Labels:
    """Return the numbers of `count` test images, a fixed random choice; of all for None."""
    n = len(images.test_labels)
    return np.sort(np.random.default_rng(0).permutation(n)[:count])


def _load(asked: InferenceRequest) -> _Task:
    images = load_images(asked.images)
    network = load_network(asked.model, asked.images)
    chosen = chosen_tests(images, asked.count)
    return _Task(
        asked, images, network, images.test_images[chosen], images.test_labels[chosen], chosen
    )


def _on_the_array(
    task: _Task, plan: NetworkPlan, station: Station, run: RunWriter, progress: Progress
) -> dict[str, Any]:
    written = program(station, plan, progress=progress)
    facts: dict[str, Any] = {
        "cells": len(written.cells),
        "cells_failed": int(written.failed.sum()),
        "cells_known_stuck": written.known_stuck,
        "programming_error": written.error,
        "programming_pulses": written.pulses,
    }
    for failure in written.failures():
        run.event(station.now(), "write-failed", failure)
    found = _ask(task, plan, station, run, Stage.PROGRAMMED, progress)
    facts |= {
        "accuracy_programmed": found.accuracy,
        "accuracy_trained": None,
        "images_per_second": found.images_per_second,
        "saturated": found.saturated,
        "clipped": found.clipped,
    }
    if task.asked.train:
        trained = train_in_situ(
            station, plan, task.images, TrainSettings(seed=task.asked.seed), progress=progress
        )
        found = _ask(task, plan, station, run, Stage.TRAINED, progress)
        facts |= {
            "accuracy_trained": found.accuracy,
            "training_images": trained.images,
            "training_writes": trained.writes,
            "training_pulses": trained.pulses,
            "clipped_requests": trained.clipped_requests,
        }
    return facts


def _ask(
    task: _Task,
    plan: NetworkPlan,
    station: Station,
    run: RunWriter,
    stage: Stage,
    progress: Progress,
) -> InferenceResult:
    found = infer(station, plan, task.test_images, task.test_labels, progress=progress)
    run.append(
        {
            "time": station.now(),
            "stage": int(stage),
            "image": task.chosen,
            "label": task.test_labels,
            "predicted": found.predictions,
        }
    )
    return found
