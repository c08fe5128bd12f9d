"""The sections on sums and networks: DifferentialMAC, Inference."""

from __future__ import annotations

import numpy as np

from labctl.inference_file import Stage, mapping_of, stage_predictions
from labctl.measured import sums
from labctl.report.draw_mapping import mapping_picture
from labctl.report.draw_networks import confusion_picture, mac_picture, wrong_picture
from labctl.report.draw_reproductions import times_picture
from labctl.report.page import Key, Listing, Picture, Section
from labctl.report.published import (
    ACCURACY_AFTER_TRAINING,
    ACCURACY_AFTER_TRANSFER,
    ACCURACY_SOFTWARE,
)
from labctl.report.words import count, percent
from labctl_data.run_file import Run
from labctl_procedures.network.images import load_images, mnist_at_hand

_SHOWN = 27
"""Most wrong images that are drawn."""
_PUBLISHED = {
    "accuracy_software": ACCURACY_SOFTWARE,
    "accuracy_programmed": ACCURACY_AFTER_TRANSFER,
    "accuracy_trained": ACCURACY_AFTER_TRAINING,
}
_NAMES = {
    "accuracy_software": "software, floating point",
    "accuracy_quantized": "quantised to 15 levels",
    "accuracy_programmed": "programmed on the array",
    "accuracy_trained": "after hybrid training on the array",
}


def mac_section(run: Run, place: str) -> Section:
    """Return how exactly the array of a run of DifferentialMAC multiplies and adds."""
    table = sums(run)
    error = table.measured - table.expected
    rounding = table.reference - table.expected
    span = float(np.ptp(table.expected))
    return Section(
        f"Multiply-accumulate on {place}" if place else "Multiply-accumulate",
        f"{count(len(error))} sums of differential pairs. Measured minus expected: mean "
        f"{error.mean():+.1f}, standard deviation {error.std():.1f} ADC codes, "
        f"{error.std() / span:.2%} of the span of the sums; the ADC's rounding alone makes "
        f"{rounding.std():.1f}.",
        [
            Picture(
                mac_picture(table.expected, table.measured),
                "Expected: from the conductances read before, without rounding. The difference "
                "holds read noise, the ADC's steps and what the cells drifted since.",
            )
        ],
    )


def inference_section(run: Run, place: str) -> Section:
    """Return how well the network of a run of Inference recognises images."""
    summary = run.summary
    images = str(run.parameters.get("images", ""))
    name = f"The network on {place}" if place else "The network"
    parts: list[Picture | Listing] = [
        _accuracies(run),
        *_mapping(run),
        *_over_time(run),
    ]
    for stage in (Stage.TRAINED, Stage.PROGRAMMED):
        if np.any(run.record("stage") == stage):
            parts += _stage_parts(run, stage, images)
            break
    rate = summary.get("images_per_second")
    told = f" Inference ran at {rate:,.0f} images a second, read noise on." if rate else ""
    return Section(
        name,
        f"{run.parameters.get('model', '')} mapped on the array, programmed by write-verify and "
        f"run bit-serially through the bench's own dialogue on "
        f"{count(int(summary.get('count', 0)))} test images of {images}.{told}",
        parts,
        [
            "Published figures are MNIST on hardware with 15-level weights (Yao et al.); compare "
            "them with runs on mnist only."
        ]
        if images != "mnist"
        else [],
    )


def _mapping(run: Run) -> list[Picture]:
    """Return where the layers lie, drawn, where the run tells."""
    mapping = mapping_of(run)
    if mapping is None:
        return []
    return [
        Picture(
            mapping_picture(*mapping),
            "Where the layers lie; the stronger the colour, the more a cell is to conduct.",
        )
    ]


def _over_time(run: Run) -> list[Picture]:
    """Return the accuracies asked again later, drawn, where there are any."""
    found = run.summary.get("accuracy_over_time") or []
    if not found:
        return []
    times = np.array([each["after"] for each in found])
    accuracies = np.array([[each["accuracy"] for each in found]])
    picture = times_picture(times, accuracies, "the last step")
    return [Picture(picture, "Asked again as bench time passed.")]


def _stage_parts(run: Run, stage: Stage, images: str) -> list[Picture | Listing]:
    """Return the confusion matrix of a stage, and images that were taken for another class."""
    numbers, labels, predictions = stage_predictions(run, stage)
    parts: list[Picture | Listing] = [
        Picture(
            confusion_picture(labels, predictions, int(labels.max()) + 1),
            f"{count(len(labels))} test images of {images}, {stage.words}.",
        )
    ]
    wrong = np.flatnonzero(labels != predictions)
    if len(wrong) and (images == "digits" or (images == "mnist" and mnist_at_hand())):
        shown = wrong[:_SHOWN]
        pixels = load_images(images).test_images[numbers[shown]]
        few = "" if len(shown) == len(wrong) else f" The first {len(shown)} are shown."
        parts.append(
            Picture(
                wrong_picture(pixels, labels[shown], predictions[shown]),
                f"{count(len(wrong))} of {count(len(labels))} images were taken for another "
                f"class.{few}",
            )
        )
    return parts


def inference_keys(run: Run, place: str) -> list[Key]:
    """Return the accuracies for the head of the page."""
    images = f" ({run.parameters.get('images')})" if not place else f" on {place}"
    mnist = run.parameters.get("images") == "mnist"
    return [
        Key(
            percent(float(value)),
            _NAMES[name] + images,
            f"Yao et al.: {percent(_PUBLISHED[name])}" if mnist and name in _PUBLISHED else "",
        )
        for name in _NAMES
        if (value := run.summary.get(name)) is not None
    ]


def _accuracies(run: Run) -> Listing:
    published = run.parameters.get("images") == "mnist"
    found = {name: run.summary[name] for name in _NAMES if run.summary.get(name) is not None}
    rows = [[_NAMES[name], percent(float(value))] for name, value in found.items()]
    if not published:
        return Listing(("accuracy", "here"), rows, "", (1,))
    beside = [percent(_PUBLISHED[name]) if name in _PUBLISHED else "" for name in found]
    rows = [[*row, text] for row, text in zip(rows, beside, strict=True)]
    return Listing(("accuracy", "here", "Yao et al."), rows, "", (1, 2))
