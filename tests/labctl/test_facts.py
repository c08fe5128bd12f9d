"""Facts as people read them."""

from __future__ import annotations

import pytest

from labctl.facts import readable, readable_facts


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("current", 1.36e-4, "136 uA"),
        ("time", 600.0, "10 min"),
        ("energy", 1.875e-11, "18.75 pJ"),
        ("file_size", 1_250_000, "1.25 MB"),
        ("converged", 1.0, "100 %"),
        ("within_half_pitch_fresh", 0.9976, "99.76 %"),
        ("accuracy_trained", 0.9619, "96.19 %"),
        ("accuracy", 1.0, "100 %"),
        ("pitch", 0.58e-6, "580 nS"),
        ("pulses", 209329, "209329"),
        ("two_state_error", None, "not told"),
        ("accuracy_trained", None, "not measured"),
        ("status", "complete", "complete"),
        ("failed", [], "none"),
    ],
)
def test_a_fact_reads_with_its_unit_and_prefix(name, value, read):
    assert readable(value, name) == read


def test_facts_within_facts_keep_their_units():
    maps = [{"after": 600.0, "fraction": 0.5}]

    assert readable(maps, "within_half_pitch_map") == "after 10 min, fraction 50 %"


def test_the_errors_of_sums_are_codes_and_those_of_writes_siemens():
    assert readable_facts({"error_mean": 0.1, "error_std": 5.0})["error_std"] == "5 codes"
    assert readable_facts({"cells": 3, "error_std": 5e-8})["error_std"] == "50 nS"
