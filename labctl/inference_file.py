"""How the predictions of a network are kept: a run file of the procedure `Inference`."""

from __future__ import annotations

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
