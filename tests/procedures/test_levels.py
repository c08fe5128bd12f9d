import numpy as np
import pytest

from labctl_procedures.closed_loop import assign_levels, level_conductances
from labctl_procedures.iv_sweep import ramp


def test_32_levels_between_2_and_20_microsiemens_are_116_nanoampere_apart_at_the_read_voltage() -> (
    None
):
    pitch = np.diff(level_conductances(32, 2e-6, 20e-6)) * 0.2

    assert pitch == pytest.approx(116e-9, abs=0.2e-9)  # Yao: 18/31 uS


def test_levels_are_shared_out_evenly_and_at_random() -> None:
    levels = assign_levels(2048, 32, np.random.default_rng(1))

    assert set(np.bincount(levels)) == {64}
    assert not np.array_equal(levels, np.sort(levels))


def test_levels_that_do_not_divide_the_cells_differ_by_at_most_one_cell() -> None:
    counts = np.bincount(assign_levels(100, 32, np.random.default_rng(1)))

    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("top", "step"), [(1.5, 0.05), (-1.2, 0.1), (0.3, 0.07), (0.01, 0.05)])
def test_a_ramp_meets_its_top_once_and_never_takes_a_larger_step(top: float, step: float) -> None:
    voltages = ramp(top, step)

    assert voltages[0] == voltages[-1] == 0.0
    assert np.sum(voltages == top) == 1
    assert np.abs(np.diff(voltages)).max() <= step * (1 + 1e-9)
    assert np.abs(voltages).max() == abs(top)
