"""Chips for the tests of the chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.model import SoftBoundModel, preset
from labctl_instruments.chip import Chip

GEOMETRY = Geometry(2, 32, 16)
EVERY = np.arange(GEOMETRY.n_cells)
SET = {"kind": 0, "amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET = {"kind": 1, "amplitude": 1.8, "width": 50e-9, "gate": 4.7}


@pytest.fixture
def yao() -> SoftBoundModel:
    return preset("yao")


@pytest.fixture
def make(yao: SoftBoundModel) -> Callable[..., Chip]:
    """Make a chip of two small arrays."""

    def made(model: SoftBoundModel = yao, **options: object) -> Chip:
        return Chip(model, GEOMETRY, **{"seed": 1, **options})  # type: ignore[arg-type]

    return made
