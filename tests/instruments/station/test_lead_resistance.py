"""What leads, leakage and offset do to reads on an SMU bench, and what takes it off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_instruments.errors import BenchError
from tests.conformance.behind import rack_of
from tests.conformance.benches import BOARD, SMU, SMU_2636B, SMU_B1500A, passive

ONE = Cells.of([0, 3, 4])
LEAD, CONTACT = 100.0, 5.0
SMU_2400 = SMU.replace("keithley-2450", "keithley-2400")
BENCHES = {"2450": SMU, "2400": SMU_2400, "2636b": SMU_2636B}
Open = Callable[..., Any]


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[Open]:
    """Open a quiet bench with keys of its tables [virtual] and [measurement]."""
    opened = []

    def open_one(text: str, virtual: str = "", measurement: str = "") -> Any:
        path = tmp_path / f"bench-{len(opened)}.toml"
        quiet = "preset = 'yao'\nseed = 7\nnoise = false\n"
        path.write_text(f"{text}\n[measurement]\n{measurement}\n[virtual]\n{quiet}{virtual}\n")
        opened.append(li.open_bench(path))
        return opened[-1]

    yield open_one
    for station in opened:
        station.rest()
        station.close()


def truth(station: Any) -> np.ndarray:
    return rack_of(station).chip.conductances(np.arange(16 * 8), station.now()).reshape(16, 8)


def through_leads(g: np.ndarray, ohms: float) -> float:
    """Return what a read of cell (3, 4) gives when every line has a lead, by linear algebra.

    Only the cells of row 3 conduct: one source line meets eight bit lines, each behind its lead.
    """
    own = g[3] / (1.0 + g[3] * ohms)  # a cell and its bit line's lead in series
    return float(own[4] / (1.0 + ohms * own.sum()))


@pytest.mark.parametrize("bench", BENCHES.values(), ids=BENCHES.keys())
def test_two_wires_read_a_cell_with_its_leads_and_its_neighbours_and_four_the_contact(
    open_with: Open, bench: str
) -> None:
    leads = f"lead_resistance = {LEAD}\ncontact_resistance = {CONTACT}"
    two, four = open_with(bench, leads), open_with(bench, leads, "sense = 'four-wire'")

    # The grounded bit lines hang on their own leads, which no instrument senses. Cells are straight
    # here; curved as they are they conduct .03 % less where 2 % of their voltage is lost.
    g = truth(four)
    grounded = np.delete(g[3] / (1.0 + g[3] * (LEAD + CONTACT)), 4).sum()
    own = g[3, 4] / (1.0 + g[3, 4] * CONTACT)
    assert two.read(ONE)[0] == pytest.approx(through_leads(g, LEAD + CONTACT), rel=5e-4)
    assert four.read(ONE)[0] == pytest.approx(own / (1.0 + CONTACT * (own + grounded)), rel=5e-4)
    assert two.read(ONE)[0] < 0.985 * g[3, 4] < four.read(ONE)[0]


def test_wires_of_an_array_take_their_part_of_a_read(open_with: Open) -> None:
    """Cell (3, 4) lies behind four segments of its bit line and five of its source line."""
    station = open_with(SMU, "wire_resistance = 50.0")
    g = truth(station)
    alone = g[3, 4] / (1.0 + 9 * 50.0 * g[3, 4])

    found = station.read(ONE)[0]

    # Below the value of the cell alone: neighbours on the source line carry a part of it away.
    assert 0.9 * alone < found < alone


@pytest.mark.parametrize("bench", [SMU, passive(SMU)], ids=["transistors", "passive"])
def test_a_zero_reading_takes_the_offset_off(open_with: Open, bench: str) -> None:
    offset = "offset = 2e-8"
    plain, zeroed = open_with(bench, offset), open_with(bench, offset, "zero = true")
    g = truth(plain)[3, 4]

    # What is measured flows into the source-meter: an offset out of it makes it less.
    assert plain.read(ONE)[0] == pytest.approx(g - 2e-8 / 0.2, rel=2e-5)
    assert zeroed.read(ONE)[0] == pytest.approx(g, rel=2e-5)


def test_a_zero_reading_behind_closed_gates_takes_the_leakage_off_too(open_with: Open) -> None:
    leaks = "leakage = 5e-8\noffset = 2e-8"
    plain, zeroed = open_with(SMU, leaks), open_with(SMU, leaks, "zero = true")
    g = truth(plain)[3, 4]

    assert plain.read(ONE)[0] == pytest.approx(g + 5e-8 - 2e-8 / 0.2, rel=2e-5)
    assert zeroed.read(ONE)[0] == pytest.approx(g, rel=2e-5)


def test_a_zero_reading_takes_off_the_offset_of_a_boards_converters(open_with: Open) -> None:
    crooked = "converters = {offset = 1e-7}"
    plain, zeroed = open_with(BOARD, crooked), open_with(BOARD, crooked, "zero = true")

    assert abs(plain.read(ONE)[0] - truth(plain)[3, 4]) > 1e-8
    assert zeroed.read(ONE)[0] == pytest.approx(truth(zeroed)[3, 4], rel=1e-9)


@pytest.mark.parametrize(
    ("bench", "named"),
    [
        (SMU_B1500A, r"\[instruments.bit\]: driver 'keysight-b1500a-hrsmu' cannot be told sense"),
        (BOARD, r"\[measurement\]: sense = 'four-wire' is for source-meters"),
    ],
    ids=["B1500A", "board"],
)
def test_four_wires_are_refused_where_nothing_can_be_told_of_them(
    open_with: Open, bench: str, named: str
) -> None:
    with pytest.raises(BenchError, match=named):
        open_with(bench, "", "sense = 'four-wire'")
