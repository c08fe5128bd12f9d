"""Conditions on results: what they mean, and what they cannot do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.campaign.conditions import UnknownFact, parse_condition

FACTS = {
    "write": [{"converged": 0.96, "state": "done", "failed": 2}],
    "sweep": [{"current": 1e-6}, {"current": 5e-6}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write.converged > 0.95", True),
        ("write.converged > 0.95 and write.failed == 0", False),
        ("write.failed == 0 or not write.converged < 0.5", True),
        ("write.state == 'done'", True),
        ("0.9 < write.converged <= 0.96", True),
        ("max(sweep.current) > 4e-6", True),
        ("min(sweep.current) > 4e-6", False),
        ("mean(sweep.current) == 3e-6", True),
        ("write.failed > -1", True),
    ],
)
def test_a_condition_means_what_it_says(text, expected):
    assert parse_condition(text).holds(FACTS) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("write.yield_ > 0.5", "write.yield_ is not known"),
        ("other.rows > 1", "other.rows is not known"),
        ("sweep.current > 1e-6", "take min, max or mean"),
        ("write.state > 3", "cannot be compared"),
        ("write", "is no fact"),
    ],
)
def test_what_cannot_be_known_is_said(text, why):
    with pytest.raises(UnknownFact, match=why):
        parse_condition(text).holds(FACTS)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "write.converged.__class__",
        "[x for x in (1,)]",
        "open('/etc/passwd')",
        "max(write.converged, write.failed)",
        "write.converged >",
        "lambda: 1",
        "write['converged']",
        "9 ** 9 ** 9",
        "(" * 500 + ")" * 500,
    ],
)
def test_nothing_but_a_condition_is_read(text):
    with pytest.raises(ValueError, match=r"condition"):
        parse_condition(text)


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text):
    try:
        condition = parse_condition(text)
    except ValueError:
        return
    try:
        condition.holds(FACTS)
    except UnknownFact:
        return


def test_a_condition_names_the_jobs_it_needs():
    asked = parse_condition("write.converged > 0.5 and max(sweep.current) < 1")

    assert asked.jobs == {"write", "sweep"}
