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
    """After its last layer was trained on the array."""

    @property
    def words(self) -> str:
        """The stage in words."""
        return ("as programmed", "after hybrid training")[self]


def stage_predictions(run: Run, stage: Stage) -> tuple[Classes, Classes]:
    """Return labels and predictions, each (n,), that a run of Inference stored for a stage."""
    at = run.record("stage") == stage
    labels, predicted = run.record("label")[at], run.record("predicted")[at]
    return labels.astype(np.int64), predicted.astype(np.int64)
