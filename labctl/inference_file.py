"""How the predictions of a network are kept: a run file of the procedure `Inference`."""

from __future__ import annotations

import json
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from labctl_data.run_file import Column, Run

PROCEDURE = "Inference"
COLUMNS = (
    Column("stage", "", "Stage", "u1"),
    Column("image", "", "Image", "u4"),
    Column("label", "", "Label", "u2"),
    Column("predicted", "", "Predicted", "u2"),
)
LAYER, TARGET = "layer", "target"
"""Maps of the plan: which layer holds each cell, and the conductance wanted of it."""
LAYER_NAMES = "layers"
"""Kind of the event whose text is a JSON list of the layers' names."""
Classes = npt.NDArray[np.int64]


class Stage(IntEnum):
    """When the network on the array was asked."""

    PROGRAMMED = 0
    """After its weights were written."""
    TRAINED = 1
    """After layers were trained on the array."""
    AGAIN = 2
    """Later, as time had passed; the column `time` tells when."""

    @property
    def words(self) -> str:
        """The stage in words."""
        return ("as programmed", "after hybrid training", "asked again later")[self]


def stage_predictions(run: Run, stage: Stage) -> tuple[Classes, Classes, Classes]:
    """Return what a run of Inference stored for a stage.

    Of an image that was asked more than once, by a run that was cut short and resumed or at
    several times, the last answer counts.

    Returns
    -------
    images, labels, predictions : ndarray of shape (n,)
        Number of each test image, its class, and what it was taken for.
    """
    at = np.flatnonzero(run.record("stage") == stage)[::-1]
    images = run.record("image")[at].astype(np.int64)
    images, latest = np.unique(images, return_index=True)
    at = at[latest]
    labels, predicted = run.record("label")[at], run.record("predicted")[at]
    return images, labels.astype(np.int64), predicted.astype(np.int64)


def mapping_of(run: Run) -> tuple[Classes, npt.NDArray[np.float64], list[str]] | None:
    """Return what a run of Inference stored of its plan; None where it stored nothing.

    Returns
    -------
    ndarray of shape (pe, row, col)
        Number of the layer that holds each cell; -1 for none.
    ndarray of shape (pe, row, col)
        Conductance wanted of each cell, in S; NaN for none.
    list of str
        Names of the layers.
    """
    names = [event.text for event in run.events if event.kind == LAYER_NAMES]
    if not names or not {LAYER, TARGET} <= set(run.maps):
        return None
    layers, targets = run.map(LAYER)[1], run.map(TARGET)[1]
    return layers[0].astype(np.int64), targets[0], list(json.loads(names[0]))
