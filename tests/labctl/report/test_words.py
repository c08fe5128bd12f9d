"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from labctl.report.words import duration, percent, quantity, signed, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2e-6, "2 \u00b5s"),
        (0.256, "256 ms"),
        (1.0, "1 second"),
        (75.0, "75 seconds"),
        (600.0, "10 minutes"),
        (7200.0, "2 hours"),
        (2_592_000.0, "30 days"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.5, "50.0 %"), (0.9507, "95.1 %"), (0.9996, "99.96 %"), (1.0, "100 %")],
)
def test_a_share_near_one_keeps_the_digits_that_tell_it_from_all(share, text):
    assert percent(share) == text


def test_a_quantity_has_three_digits_a_prefix_and_a_true_minus():
    assert quantity(5.80645e-7, "S") == "581 nS"
    assert quantity(-3.44e-8, "S") == "\u221234.4 nS"
    assert quantity(2e-6, "S") == "2 \u00b5S"
    assert signed(3e-8, "S") == "+30 nS"


def test_a_file_size_is_told_in_decimal_units():
    assert size(13_768_670) == "13.8 MB"
