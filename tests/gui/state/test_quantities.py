"""What the array view shows of a cell: by hand for a few cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labctl_gui.state.quantities import CLASSES, Known, Quantity, Scale, Window, window_of

G = np.array([[2e-6, 11e-6, 20e-6, np.nan]])
TARGETS = np.array([[2e-6, 8e-6, np.nan, 5e-6]])
KEPT = np.array([[1e-6, 11e-6, 25e-6, 5e-6]])


def shown(scale: Scale, stuck: list[bool] | None = None) -> list[float]:
    mask = np.array([stuck or [False] * 4])
    return scale.values(Known(G, TARGETS, KEPT, mask))[0].tolist()


def test_the_current_is_ohms_law_at_the_read_voltage():
    assert shown(Scale(Quantity.CURRENT))[:3] == pytest.approx([0.4e-6, 2.2e-6, 4.0e-6])


def test_the_error_is_known_where_a_target_is():
    error = shown(Scale(Quantity.ERROR))

    assert error[:2] == pytest.approx([0.0, 3e-6])
    assert np.isnan(error[2:]).all()


def test_of_eight_levels_the_window_holds_the_first_to_the_last():
    # 11 uS lies 3.5 pitches of 18/7 uS above 2 uS: numpy rounds half to even
    assert shown(Scale(Quantity.LEVEL, levels=8))[:3] == [0.0, 4.0, 7.0]


def test_a_cell_is_on_target_within_half_a_pitch_and_stuck_cells_are_their_own_class():
    classes = shown(Scale(Quantity.YIELD, levels=8), stuck=[False, False, True, False])

    assert [CLASSES[int(c)] for c in classes[:3]] == ["on target", "too high", "stuck"]
    assert np.isnan(classes[3])


def test_a_change_is_what_is_there_less_what_was_kept():
    assert shown(Scale(Quantity.DIFFERENCE))[:3] == pytest.approx([1e-6, 0.0, -5e-6])


@pytest.mark.parametrize("quantity", [Quantity.ERROR, Quantity.DIFFERENCE])
def test_zero_lies_in_the_middle_of_the_colours_of_what_has_a_sign(quantity):
    scale = Scale(quantity)

    low, high = scale.span(np.array(shown(scale)))

    assert low == -high < 0


def test_a_fixed_scale_does_not_depend_on_what_is_shown():
    scale = Scale(Quantity.CONDUCTANCE, fixed=True)

    assert scale.span(G) == scale.span(10 * G) == (2e-6, 20e-6)


def test_logarithms_are_for_what_is_above_zero():
    scale = Scale(Quantity.CONDUCTANCE, logarithmic=True)

    logs = scale.coloured(np.array([1e-6, 0.0, -1e-6]))

    assert logs[0] == pytest.approx(-6.0)
    assert np.isnan(logs[1:]).all()
    assert not Scale(Quantity.ERROR, logarithmic=True).is_logarithmic


@pytest.mark.parametrize(
    ("typed", "ends"),
    [("2 uS to 20 uS", (2e-6, 20e-6)), ("0 to 40uS", (0.0, 40e-6)), ("1nSto50nS", (1e-9, 50e-9))],
)
def test_a_window_is_typed_as_it_is_read(typed, ends):
    window = window_of(typed)

    assert (window.low, window.high) == pytest.approx(ends)
    assert window_of(window.text) == window


@pytest.mark.parametrize("typed", ["", "2 uS", "20 uS to 2 uS", "2 V to 3 V", "-1uS to 1uS", "to"])
def test_what_is_no_window_is_refused(typed):
    assert window_of(typed) is None


def test_levels_and_a_fixed_scale_lie_in_the_window_that_was_typed():
    scale = Scale(Quantity.LEVEL, fixed=True, levels=2, window=Window(0.0, 22e-6))

    assert shown(scale)[:3] == [0.0, 0.0, 1.0]
    assert replace(scale, quantity=Quantity.CONDUCTANCE).span(G) == (0.0, 22e-6)
