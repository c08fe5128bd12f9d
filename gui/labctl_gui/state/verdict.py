"""What came of a network on the array: accuracies, confusions, and the images it got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.facts import readable
from labctl.inference_file import Stage, stage_predictions
from labctl_data.run_file import open_run

MOST_WRONG = 60
"""Wrong images that are kept to be looked at."""
ACCURACIES = {
    "software": "accuracy_software",
    "quantised": "accuracy_quantized",
    "programmed": "accuracy_programmed",
    "trained on the array": "accuracy_trained",
}
"""What accuracies are called, and the facts they stand in."""


@dataclass(frozen=True, eq=False)
class Wrong:
    """One image that the network got wrong."""

    pixels: npt.NDArray[np.uint8]
    """The image, shape (rows, columns)."""
    label: int
    """What it is."""
    predicted: int
    """What the network took it for."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What came of a network on the array."""

    file: Path
    """The run file of the predictions."""
    accuracies: Mapping[str, float]
    """Shares of images that were right, 0 to 1, in the order they were found."""
    over_time: tuple[tuple[float, float], ...]
    """Time after the last step, in s, and accuracy when asked again then."""
    facts: Mapping[str, str]
    """What else is told, as text."""
    confusion: npt.NDArray[np.int64]
    """Images of class i taken for class j, shape (classes, classes), at the last stage."""
    wrong: tuple[Wrong, ...]
    """Some of the images it got wrong, at the last stage."""


def judge(facts: Mapping[str, Any], images: str) -> Verdict:
    """Return the verdict on a run of Inference.

    Parameters
    ----------
    facts : mapping
        As `labctl.inference.run_inference` returns them.
    images : str
        Name of the image set.
    """
    run = open_run(facts["file"])
    stages = run.record("stage")
    stage = Stage(int(stages.max()))
    numbers, labels, predicted = stage_predictions(run, stage)
    missed = np.flatnonzero(labels != predicted)[:MOST_WRONG]
    told = {name: facts.get(key) for name, key in ACCURACIES.items()}
    others = facts.keys() - {"file", "accuracy_over_time", *ACCURACIES.values()}
    later = facts.get("accuracy_over_time") or ()
    return Verdict(
        Path(facts["file"]),
        {name: float(value) for name, value in told.items() if value is not None},
        tuple((float(look["after"]), float(look["accuracy"])) for look in later),
        {
            name.replace("_", " "): readable(facts[name], name)
            for name in sorted(others)
            if facts[name] is not None
        },
        confusion_of(labels, predicted),
        _wrong(images, numbers[missed], labels[missed], predicted[missed]),
    )


def confusion_of(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return how often class i was taken for class j, shape (classes, classes).

    Parameters
    ----------
    labels, predicted : ndarray of shape (n,)
        What each image is, and what it was taken for.
    """
    classes = int(max(labels.max(initial=0), predicted.max(initial=0))) + 1
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def _wrong(
    images: str,
    numbers: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
) -> tuple[Wrong, ...]:
    from labctl_procedures.network import load_images

    pictures = load_images(images).test_images
    return tuple(
        Wrong(_grey(pictures[number]), int(label), int(taken))
        for number, label, taken in zip(numbers, labels, predicted, strict=True)
    )


def _grey(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an image as (rows, columns), colours averaged."""
    squeezed = np.squeeze(picture)
    if squeezed.ndim == 2:
        return squeezed
    axis = int(np.argmin(squeezed.shape))
    return np.asarray(squeezed.mean(axis=axis), np.uint8)
