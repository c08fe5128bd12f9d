"""Which cells see a pulse that was meant for another: counted from the voltages of all lines."""

import numpy as np
import pytest

from labctl_data.array_bias import PassiveBias, Scheme, WriteScheme
from labctl_data.cells import Geometry
from labctl_instruments.chip.crossbar import bias
from labctl_instruments.station.half_select import beside_pulses, beside_sweep

GEOMETRY = Geometry(2, 4, 5)
HARMLESS = 0.5


def over_all_cells(cell: int, voltage: float, scheme: Scheme) -> np.ndarray:
    """Return what each cell of the chip sees while one is biased, shape (pe, row, column), in V."""
    pe, row, column = np.unravel_index(cell, GEOMETRY.shape)
    seen = np.zeros(GEOMETRY.shape)
    bit, source = bias(GEOMETRY.shape[1:], (int(row), int(column)), voltage, scheme)
    seen[pe] = bit - source[:, np.newaxis]
    return seen


@pytest.mark.parametrize("write", ["half", "third"])
def test_pulses_beside_are_those_that_the_lines_voltages_give(write: WriteScheme) -> None:
    rng = np.random.default_rng(1)
    cells = rng.permutation(GEOMETRY.n_cells)[:17]
    amplitudes = rng.uniform(0.6, 2.4, cells.size)
    expected = np.zeros(GEOMETRY.n_cells, np.int64)
    for cell, amplitude in zip(cells.tolist(), amplitudes.tolist(), strict=True):
        harmed = (np.abs(over_all_cells(cell, amplitude, write)) > HARMLESS).reshape(-1)
        harmed[cell] = False
        expected += harmed

    found = beside_pulses(PassiveBias(write), GEOMETRY, cells, amplitudes, HARMLESS)

    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cell", [0, 13, 39])
def test_points_of_a_sweep_beside_are_those_that_the_lines_voltages_give(cell: int) -> None:
    voltages = np.array([0.3, 0.9, 1.2, -0.8, -1.6, -2.0])
    seen = np.stack([over_all_cells(cell, voltage, "sensed") for voltage in voltages.tolist()])
    expected = (np.abs(seen) > HARMLESS).sum(axis=0).reshape(-1)
    expected[cell] = 0

    found = beside_sweep(GEOMETRY, cell, voltages, HARMLESS)

    np.testing.assert_array_equal(found, expected)
