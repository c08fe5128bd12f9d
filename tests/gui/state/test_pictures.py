"""Pictures: what a live plot makes of rows."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.run_file import Column
from labctl_gui.state.pictures import (
    EMPTY,
    MOST_BINS,
    Style,
    draw,
    draw_distribution,
    envelope,
    tone_of,
)


def rows(**columns):
    arrays = np.broadcast_arrays(*(np.atleast_1d(values) for values in columns.values()))
    return dict(zip(columns, arrays, strict=True))


def columns_of(table):
    return {name: Column(name, "S" if name == "conductance" else "", name) for name in table}


def picture_of(procedure, table):
    return draw(procedure, table, columns_of(table))


def test_no_rows_give_an_empty_picture():
    assert picture_of("WriteVerify", {}) is EMPTY
    assert picture_of("WriteVerify", rows(time=np.empty(0))) is EMPTY


def test_a_write_is_one_trace_a_cell_without_the_maps_after_it():
    table = rows(
        time=np.arange(6.0),
        pe=0,
        row=[0, 1, 0, 1, 0, 1],
        column=0,
        target=[2e-6, 20e-6] * 3,
        stage=[0, 0, 1, 1, 3, 3],
        pulses=[0, 0, 1, 1, 0, 0],
        conductance=[24e-6, 25e-6, 20e-6, 21e-6, 19e-6, 22e-6],
    )

    picture = picture_of("WriteVerify", table)

    low, high = picture.curves
    assert low.y[:-1].tolist() == [24e-6, 20e-6]
    assert high.y[:-1].tolist() == [25e-6, 21e-6]
    assert np.isnan(low.y[-1])  # the pen is lifted after each cell
    assert (low.tone, high.tone) == (0.0, 1.0)


def test_many_cells_are_thinned_out_and_the_note_says_so():
    cells = np.arange(500)
    table = rows(
        time=0.0, pe=0, row=cells, column=0, target=5e-6, stage=1, pulses=1, conductance=5e-6
    )

    picture = picture_of("WriteVerify", table)

    assert picture.note.startswith("96 of 500 cells")


def test_drift_is_the_mean_of_each_state_at_each_look():
    table = rows(
        time=[1.0] * 4 + [2.0] * 4,
        pe=0,
        row=[0, 1, 2, 3] * 2,
        column=0,
        target=[2e-6, 2e-6, 8e-6, 8e-6] * 2,
        elapsed=[0.5, 1.5, 1.0, 1.0, 9.0, 11.0, 10.0, 10.0],
        conductance=np.array([2.0, 2.2, 8.0, 8.4, 1.8, 2.0, 7.0, 9.0]) * 1e-6,
    )

    low, high = picture_of("Retention", table).curves

    assert low.x == pytest.approx([1.0, 10.0])
    assert low.y == pytest.approx([2.1e-6, 1.9e-6])
    assert high.y == pytest.approx([8.2e-6, 8.0e-6])


def test_cells_left_as_found_are_grouped_by_their_first_reading():
    table = rows(
        time=np.repeat([1.0, 2.0], 3),
        pe=0,
        row=[0, 1, 2] * 2,
        column=0,
        target=np.nan,
        reads=np.repeat([1, 10], 3),
        conductance=np.array([9.0, 3.0, 6.0, 9.1, 3.1, 6.1]) * 1e-6,
    )

    curves = picture_of("ReadDisturb", table).curves

    assert [curve.y[0] for curve in curves] == pytest.approx([3e-6, 6e-6, 9e-6])


def test_the_look_before_the_first_read_is_not_on_a_logarithmic_axis():
    table = rows(
        time=[1.0, 2.0],
        pe=0,
        row=0,
        column=0,
        target=5e-6,
        reads=[0, 10],
        conductance=[5e-6, 5.1e-6],
    )

    (curve,) = picture_of("ReadDisturb", table).curves

    assert curve.x.tolist() == [10]


def test_sums_are_dots_around_the_line_of_equality():
    table = rows(expected=[0.0, 10.0, 20.0], measured=[1, 10, 19])

    line, dots = picture_of("DifferentialMAC", table).curves

    assert line.x.tolist() == line.y.tolist() == [0.0, 20.0]
    assert dots.style is Style.DOTS


def test_a_sweep_is_one_curve_a_cell():
    table = rows(
        pe=0,
        row=[0, 0, 1, 1],
        column=0,
        voltage=[0.1, 0.2] * 2,
        current=[1e-6, 2e-6, 3e-6, 6e-6],
    )

    first, second = picture_of("IVSweep", table).curves

    assert (second.y / first.y).tolist() == [3.0, 3.0]


def test_a_procedure_of_somebody_else_shows_its_last_number_over_time():
    table = rows(time=[1.0, 2.0], count=[3, 4], leakage=[1e-9, 2e-9])

    picture = picture_of("Strange", table)

    assert picture.y.label == "leakage"
    assert picture.curves[0].x.tolist() == [1.0, 2.0]


def test_half_of_the_cells_lie_below_the_median():
    conductances = np.array([4.0, 1.0, np.nan, 3.0, 2.0]) * 1e-6

    (curve,) = draw_distribution(conductances, "PE 0").curves

    assert np.interp(2e-6, curve.x, curve.y) == 0.5
    assert len(curve.x) == 4


@pytest.mark.parametrize(
    ("conductance", "tone"), [(2e-6, 0.0), (11e-6, 0.5), (20e-6, 1.0), (25e-6, 1.0)]
)
def test_tones_span_the_window(conductance, tone):
    assert tone_of(conductance) == pytest.approx(tone)


def test_a_single_peak_among_a_million_points_is_drawn():
    y = np.zeros(1_000_003)
    y[654_321] = 7.0

    curve = envelope(np.arange(len(y), dtype=float), y)

    assert len(curve.x) == len(curve.y) <= 2 * MOST_BINS
    assert curve.y.max() == 7.0
    assert abs(curve.x[curve.y.argmax()] - 654_321) < 300
