"""Wide blocks: adding the inputs that are on, judged by a product of matrices in whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import preset
from labctl_instruments.chip import Chip

GEOMETRY = Geometry(4, 16, 144)
LSB_UNITS = 13.015625
"""ADC step in 2/7 uS times 0.2 V: no whole current lies on an edge."""


def chip_and_plan(*, noise: bool, width: int = 144) -> tuple[Chip, MacPlan, np.ndarray, np.ndarray]:
    """Return two blocks of 16 outputs, whose lines lie in two arrays each, and their levels."""
    levels = np.random.default_rng(1).integers(0, 8, GEOMETRY.shape)
    chip = Chip(preset("yao"), GEOMETRY, seed=2, noise=noise)
    chip.imprint(np.arange(GEOMETRY.n_cells), ((7 + 9 * levels) * 2e-6 / 7).reshape(-1))
    plan = MacPlan(
        columns=np.tile(np.arange(width), (2, 1)),
        outputs=np.tile(np.repeat(np.arange(16), 2), (2, 1)),
        signs=np.tile([1, -1], (2, 16)),
        adc_full_scale=255 * LSB_UNITS * 2e-6 / 7 * 0.2,
    )
    return chip, plan, np.arange(64).reshape(2, 32), levels


def whole_sums(levels: np.ndarray, vectors: np.ndarray, plan: MacPlan) -> tuple[np.ndarray, int]:
    """Compute sums and saturated codes from level numbers, bit by bit, by products."""
    units = 7 + 9 * levels.reshape(2, 32, 144)[:, :, : plan.width]
    sums = np.zeros((len(vectors), 16), np.int64)
    saturated = 0
    for block in range(2):
        inputs = vectors[:, block * plan.width : (block + 1) * plan.width].astype(np.int64)
        for k in range(8):
            currents = (inputs >> k & 1) @ units[block].T
            codes = np.floor(currents / LSB_UNITS + 0.5).astype(np.int64)
            saturated += int(np.count_nonzero(codes > 255))
            codes = np.minimum(codes, 255) << k
            sums += codes[:, ::2] - codes[:, 1::2]
    return sums, saturated


@pytest.mark.parametrize("width", [144, 141, 40])
def test_wide_blocks_answer_what_whole_numbers_say(width: int) -> None:
    chip, plan, rows, levels = chip_and_plan(noise=False, width=width)
    rng = np.random.default_rng(3)
    vectors = rng.integers(0, 256, (50, 2 * width)) * (rng.random((50, 2 * width)) < 0.6)
    vectors = vectors.astype(np.uint8)

    sums, saturated = chip.mac(vectors, rows, plan, 1.0)

    expected, beyond = whole_sums(levels, vectors, plan)
    assert np.array_equal(sums, expected)
    assert saturated == beyond


def test_the_noise_of_wide_blocks_has_the_variance_of_all_cells_that_are_on() -> None:
    chip, plan, rows, levels = chip_and_plan(noise=True)
    vector = np.zeros((1, 288), np.uint8)
    vector[0, 5:85] = 1  # one bit of the first block: 80 cells a line
    fine = replace(plan, adc_bits=12, adc_full_scale=4095 * 2e-6 / 7 * 0.2)  # a step is a unit

    sums, _ = chip.mac(np.repeat(vector, 20_000, axis=0), rows, fine, 1.0)

    units = 7 + 9 * levels.reshape(2, 32, 144)[0, :, 5:85]
    of_lines = chip.model.read_noise**2 * np.square(units).sum(axis=1) + 1 / 12  # and rounding
    expected = of_lines[::2] + of_lines[1::2]
    assert sums.var(axis=0) == pytest.approx(expected, rel=0.05)  # 5 standard errors of each
