import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_procedures.errors import QuantityError
from labctl_procedures.quantities import format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("58nA", "A", 5.8e-8),
        ("58 nA", "A", 5.8e-8),
        ("5.8e-8", "A", 5.8e-8),
        ("0.2V", "V", 0.2),
        ("-1.2 V", "V", -1.2),
        ("10min", "s", 600.0),
        ("2 h", "s", 7200.0),
        ("30d", "s", 2_592_000.0),
        ("50ns", "s", 5e-8),
        ("1ms", "s", 1e-3),
        (".1uS", "S", 1e-7),
        ("0.1µS", "S", 1e-7),
        ("0.1μS", "S", 1e-7),
        ("1_000", "", 1000.0),
        ("1e6", "", 1e6),
        ("2 Mohm", "ohm", 2e6),
    ],
)
def test_a_quantity_reads_as_its_si_value(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "A"),
        ("nA", "A"),
        ("58nV", "A"),
        ("58n", "A"),
        ("58 na", "A"),
        ("1k", ""),
        ("1e999", "V"),
        ("10min", "V"),
        ("1 2", "V"),
        ("0x10", "V"),
    ],
)
def test_what_is_no_quantity_of_the_unit_is_refused_by_name(text: str, unit: str) -> None:
    with pytest.raises(QuantityError, match="'"):
        parse_quantity(text, unit)


@pytest.mark.parametrize("text", ["nan", "NaN V", "inf", "-Infinity", "1e999"])
def test_a_number_without_a_finite_value_is_refused_as_that(text: str) -> None:
    with pytest.raises(QuantityError, match=f"'{text}' is not a finite number"):
        parse_quantity(text, "V")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5.8e-8, "A", "58 nA"),
        (0.2, "V", "200 mV"),
        (600.0, "s", "10 min"),
        (86400.0, "s", "1 d"),
        (90.0, "s", "1.5 min"),
        (61.0, "s", "61 s"),
        (5e-8, "s", "50 ns"),
        (0.0, "V", "0 V"),
        (999.9999999e-9, "A", "1 uA"),
        (1000.0, "", "1000"),
    ],
)
def test_a_quantity_is_written_as_a_person_would(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@given(
    st.floats(min_value=1e-15, max_value=1e14),
    st.sampled_from(["A", "V", "S", "s", "ohm", "K", ""]),
    st.sampled_from([1, -1]),
)
def test_what_is_written_reads_back_within_its_digits(size: float, unit: str, sign: int) -> None:
    text = format_quantity(sign * size, unit)

    assert parse_quantity(text, unit) == pytest.approx(sign * size, rel=1e-5)


@given(st.text(max_size=20), st.sampled_from(["A", "s", ""]))
def test_any_text_is_a_finite_quantity_or_refused(text: str, unit: str) -> None:
    try:
        value = parse_quantity(text, unit)
    except QuantityError:
        return

    assert math.isfinite(value)
