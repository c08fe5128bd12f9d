import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.experiment import FloatParameter

from labctl_data.cells import Cells, Geometry
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import (
    CellsParameter,
    ChoiceParameter,
    CountParameter,
    QuantitiesParameter,
    QuantityParameter,
    SwitchParameter,
    cells_text,
)
from labctl_procedures.procedure import ADDRESS, TIME, ChipProcedure

GEOMETRY = Geometry(2, 8, 4)


class Sample(ChipProcedure[int]):
    COLUMNS = (TIME, *ADDRESS)

    cells = CellsParameter("Cells", default="0/:/:")
    voltage = QuantityParameter("Voltage", units="V", default=0.2, minimum=0.05, maximum=0.5)
    reads = CountParameter("Reads", default=10, minimum=1, maximum=10**9)
    order = ChoiceParameter("Order", choices=("up", "down"), default="up")
    fast = SwitchParameter("Fast", default=False)
    after = QuantitiesParameter(
        "After", units="s", default=(600.0,), limits=(0.0, 1e8), description="Waits"
    )
    plain = FloatParameter("Plain", units="V", default=1.0, maximum=2.0)


def test_texts_and_numbers_give_the_same_values() -> None:
    typed = Sample(voltage="300mV", reads="1e6", fast="true", after="10min, 1h", order="down")
    passed = Sample(voltage=0.3, reads=1_000_000, fast=True, after=(600, 3600), order="down")

    assert typed.parameter_values() == passed.parameter_values()
    assert typed.voltage == 0.3
    assert typed.reads == 1_000_000
    assert typed.after == (600.0, 3600.0)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("voltage", "3V", "3 V is outside 50 mV to 500 mV"),
        ("voltage", "3A", "found 'A'"),
        ("voltage", float("nan"), "finite"),
        ("voltage", True, "not a quantity"),
        ("reads", "1.5", "not a whole number"),
        ("reads", 0, "outside 1 to"),
        ("order", "sideways", "none of up, down"),
        ("fast", "maybe", "neither true nor false"),
        ("after", "-1s", "outside"),
        ("cells", "", "names no cells"),
        ("plain", "3", "above the maximum"),
        ("hue", "red", "there is none; there are cells, voltage"),
    ],
)
def test_a_wrong_value_is_refused_by_procedure_and_parameter(
    key: str, value: object, told: str
) -> None:
    with pytest.raises(ParameterError, match=f"Sample: .*'{key}'.*{told}"):
        Sample(**{key: value})


def test_a_value_set_later_is_checked_as_well() -> None:
    sample = Sample()

    sample.voltage = 0.4
    with pytest.raises(ParameterError, match="'voltage'"):
        sample.voltage = 4.0

    assert sample.voltage == 0.4


def test_two_procedures_of_a_class_do_not_share_values() -> None:
    first, second = Sample(voltage=0.1), Sample()

    assert first.voltage == 0.1
    assert second.voltage == 0.2


def test_cells_are_unknown_without_a_chip_but_their_text_is_not() -> None:
    sample = Sample(cells="1/0/0:2")

    assert sample.parameter_values()["cells"] == "1/0/0:2"
    with pytest.raises(ParameterError, match="station"):
        len(sample.cells)


def test_pymeasure_sees_its_parameters_with_our_values() -> None:
    sample = Sample(voltage="300mV")

    assert sample.parameter_objects()["voltage"].value == 0.3
    assert sample.DATA_COLUMNS == ["Time (s)", "PE", "Row", "Column"]


@given(st.sets(st.integers(0, GEOMETRY.n_cells - 1), min_size=1), st.randoms())
def test_cells_written_as_text_come_back_in_their_order(index: set[int], random: object) -> None:
    order = sorted(index)
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis's Random
    cells = Cells.from_index(np.array(order), GEOMETRY)

    assert Cells.from_text(cells_text(cells), GEOMETRY) == cells


def test_a_whole_pe_is_one_short_term() -> None:
    assert cells_text(Cells.from_text("1/:/:", GEOMETRY)) == "1/0:8/0:4"
