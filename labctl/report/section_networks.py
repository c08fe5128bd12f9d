"""The sections on sums and networks: DifferentialMAC, Inference."""

from __future__ import annotations

import numpy as np

from labctl.inference_file import Stage, stage_predictions
from labctl.measured import sums
from labctl.report.draw_networks import confusion_picture, mac_picture
from labctl.report.page import Key, Listing, Picture, Section
from labctl.report.published import (
    ACCURACY_AFTER_TRAINING,
    ACCURACY_AFTER_TRANSFER,
    ACCURACY_SOFTWARE,
)
from labctl.report.words import count, percent
from labctl_data.run_file import Run

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
    parts: list[Picture | Listing] = [_accuracies(run)]
    for stage in (Stage.TRAINED, Stage.PROGRAMMED):
        _, labels, predictions = stage_predictions(run, stage)
        if len(labels):
            parts.append(
                Picture(
                    confusion_picture(labels, predictions, int(labels.max()) + 1),
                    f"{count(len(labels))} test images of {images}, {stage.words}.",
                )
            )
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
