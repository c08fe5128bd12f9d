"""FLEX alone: whatever comes is executed or refused, and numbers survive being told."""

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_NUMBER,
    BAD_VALUE,
    ERROR_TEXTS,
    UNDEFINED_COMMAND,
    ErrorQueue,
    FlexTable,
    told,
)

HEADERS = ("DV", "*IDN?", "CN")
SIGNS = "DVCNXdv*?;,. +-019eE\r\n\0 é"


def told_numbers() -> tuple[FlexTable, list[tuple[float, ...]]]:
    """Return a table of commands that take up to three numbers, and what they were called with."""
    table, calls = FlexTable(), []
    for header in HEADERS:
        table.add(header, lambda numbers: calls.append(numbers), (0, 3))
    return table, calls


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(SIGNS, max_size=60).map(lambda text: text.encode("latin-1")), st.binary()))
def test_whatever_comes_is_executed_or_refused_by_a_number(message) -> None:
    table, _ = told_numbers()
    errors = ErrorQueue()

    assert isinstance(table.execute(message, errors), bytes)

    while number := errors.next():
        assert number in (UNDEFINED_COMMAND, BAD_NUMBER, BAD_VALUE)
        assert number in ERROR_TEXTS


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(HEADERS),
    st.lists(st.floats(-1e9, 1e9), max_size=3),
    st.sampled_from(["", " ", "  "]),
    st.sampled_from([",", ", ", " , "]),
)
def test_numbers_arrive_as_they_were_told(header, numbers, space, comma) -> None:
    table, calls = told_numbers()
    errors = ErrorQueue()

    table.execute(f"{header.lower()}{space}{comma.join(map(told, numbers))}".encode(), errors)

    assert len(errors) == 0
    ((*found,),) = calls
    for one, asked in zip(found, numbers, strict=True):
        assert abs(one - asked) <= 1e-8 * abs(asked)


@given(st.integers(1, 100))
def test_a_queue_holds_thirty_errors_the_oldest(count) -> None:
    table, _ = told_numbers()
    errors = ErrorQueue()

    for _ in range(count):
        table.execute(b"NONSENSE", errors)

    assert len(errors) == min(count, 30)
    assert errors.take_numbers() == [100] * min(count, 4) + [0] * max(4 - count, 0)
    assert len(errors) == 0
