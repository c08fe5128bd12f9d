"""The products of every station are those of the integer definition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_instruments.errors import StationError
from tests.conformance.behind import RESET, truth, whole


def small_plan(station: Any) -> tuple[MacPlan, Any]:
    """Two blocks of four inputs and two lines each, one output and one difference."""
    plan = MacPlan(
        columns=np.array([[0, 1, 2, 3], [4, 5, 6, -1]]),
        outputs=np.array([[0, 1], [1, 1]]),
        signs=np.array([[1, 1], [-1, 1]]),
        adc_full_scale=1.5e-5,
        input_bits=2,
    )
    return plan, np.array([[0, 9], [10, 11]])


def reference(plan: MacPlan, rows: Any, codes: list[int], g: Any) -> list[int]:
    """Return the outputs of one vector, in Python integers, from conductances g[row][column]."""
    outputs = [0] * plan.n_outputs
    for b in range(plan.n_blocks):
        for k in range(plan.input_bits):
            for line in range(plan.n_lines):
                current = sum(
                    0.2 * g[rows[b][line]][plan.columns[b][w]]
                    for w in range(plan.width)
                    if plan.columns[b][w] >= 0 and codes[b * plan.width + w] >> k & 1
                )
                code = min(255, int(current / (1.5e-5 / 255) + 0.5))
                outputs[plan.outputs[b][line]] += int(plan.signs[b][line]) * code * 2**k
    return outputs


def test_a_mac_is_the_integer_definition(quiet):
    plan, rows = small_plan(quiet)
    for _ in range(3):
        quiet.pulse(Cells.of([[0, 0, 1], [0, 9, 2], [0, 10, 5]]), **RESET)
    g = truth(quiet, whole(quiet)).reshape(16, 8)
    vectors = np.array([[3, 1, 2, 0, 0, 3, 1, 3], [0] * 8], np.uint8)

    sums = quiet.mac(vectors, rows, plan)

    assert sums.dtype == np.int32
    assert sums.tolist() == [reference(plan, rows, vector.tolist(), g) for vector in vectors]
    assert quiet.saturated == 0


def test_digits_of_several_bits_are_summed_where_there_is_a_dac_a_line_and_refused_elsewhere(
    quiet, kind
):
    plan, rows = small_plan(quiet)
    plan = replace(plan, dac_bits=2)
    vectors = np.full((1, 8), 3, np.uint8)

    if quiet.bench.kind != "board":
        with pytest.raises(StationError, match="digits of 2 bits need a DAC a bit line"):
            quiet.mac(vectors, rows, plan)
        return
    sums = quiet.mac(vectors, rows, plan)

    g = truth(quiet, whole(quiet)).reshape(16, 8)
    bits = replace(plan, dac_bits=1, input_bits=1)
    assert sums.tolist() == [reference(bits, rows, [1] * 8, g)]


def test_conversions_beyond_the_range_are_counted_and_held_at_the_top(quiet):
    plan, rows = small_plan(quiet)
    narrow = MacPlan(plan.columns, plan.outputs, plan.signs, 1e-6, input_bits=2)

    sums = quiet.mac(np.full((1, 8), 1, np.uint8), rows, narrow)

    assert sums.tolist() == [[255, 255]]
    assert quiet.saturated == 4
