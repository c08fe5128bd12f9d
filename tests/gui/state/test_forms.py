"""Forms: what may be typed, and what is refused with which reason."""

from __future__ import annotations

import pytest

from labctl_gui.state.forms import ProcedureForm
from labctl_instruments import open_bench
from labctl_procedures import catalogue


@pytest.fixture(scope="module")
def station():
    with open_bench("sim-board") as station:
        yield station


@pytest.mark.parametrize("name", catalogue.names())
def test_every_procedure_can_be_started_with_its_defaults(name, station):
    form = ProcedureForm(name, station=station)

    assert form.problems == ()


@pytest.mark.parametrize("name", catalogue.names())
def test_defaults_as_written_in_the_form_are_the_defaults(name):
    typed = catalogue.make(name, ProcedureForm(name).values)

    assert typed.parameter_values() == catalogue.make(name).parameter_values()


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("levels", "1", "outside"),
        ("levels", "2.5", "whole number"),
        ("window", "0.1 V", "in S"),
        ("window", "wide", "not a quantity"),
        ("assignment", "sorted", "none of"),
        ("cells", "9/0/0", "leaves 0:8"),
        ("cells", "nonsense", "PE/ROW/COL"),
    ],
)
def test_a_wrong_field_says_why(field, text, reason, station):
    form = ProcedureForm("WriteVerify", station=station)

    judged = form.set_text(field, text)

    assert reason in judged.problem
    assert len(form.problems) == 1


def test_a_wrong_field_that_is_mended_can_be_started(station):
    form = ProcedureForm("WriteVerify", station=station)
    form.set_text("levels", "1")

    form.set_text("levels", "8")

    assert form.problems == ()


def test_a_pulse_beyond_the_envelope_of_the_bench_cannot_be_started(station):
    form = ProcedureForm("WriteVerify", station=station)

    judged = form.set_text("set_amplitude", "4 V")

    assert judged.problem == ""  # the procedure itself would take it
    assert len(form.problems) == 1
    assert "3.5" in form.problems[0]


def test_cells_are_judged_again_when_a_bench_is_opened(station):
    form = ProcedureForm("WriteVerify")
    assert form.set_text("cells", "9/0/0").problem == ""

    form.set_station(station)

    assert form.problems != ()


def test_an_empty_field_takes_its_default(station):
    form = ProcedureForm("WriteVerify", station=station)

    form.set_text("levels", "")

    assert form.problems == ()
    assert "levels" not in form.values


def test_limits_read_with_their_units():
    (voltage,) = [f for f in ProcedureForm("Retention").fields if f.info.name == "voltage"]

    assert voltage.limits == "10 mV to 500 mV"
