"""Wires and leads take of every instant what an independent sparse solution says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.sparse.linalg import spsolve

from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments.chip import Chip, ChipError, LineCurrents

ROWS, COLUMNS = 6, 5
SMALL = Geometry(1, ROWS, COLUMNS)
QUIET = preset("yao").without_noise()
few = settings(max_examples=25, deadline=None)
volts = st.integers(-150, 150).map(lambda n: n / 100)
bit_lines = hnp.arrays(np.float64, COLUMNS, elements=volts)
source_lines = hnp.arrays(np.float64, ROWS, elements=volts)
ohms = st.floats(0.1, 1e3)
ON = np.full(ROWS, 4.7)


def made(wire: float = 0.0, lead: float = 0.0, *, passive: bool = False, seed: int = 1) -> Chip:
    chip = Chip(QUIET, SMALL, seed=1, wire_resistance=wire, lead_resistance=lead, passive=passive)
    levels = np.random.default_rng(seed).uniform(1e-6, 25e-6, SMALL.n_cells)
    chip.imprint(np.arange(SMALL.n_cells), levels)
    return chip


def look(chip: Chip, bit: np.ndarray, source: np.ndarray, **options: object) -> LineCurrents:
    return chip.wiring.drive(0, bit, source, ON, 0.0, 0.0, averages=0, **options)  # type: ignore[arg-type]


def carried(g: np.ndarray, top: np.ndarray, bottom: np.ndarray, gate: float) -> np.ndarray:
    """Return cell currents by the model page: sinh, a source follower in RESET, saturation."""
    v, over = top - bottom, gate - np.minimum(top, bottom) - QUIET.gate_threshold
    size = np.where(v > 0, v, np.minimum(-v, over))
    shape = np.sinh(QUIET.curvature * size) / np.sinh(0.2 * QUIET.curvature)
    most = QUIET.gate_slope * over * QUIET.saturation_voltage
    return np.sign(v) * np.minimum(0.2 * g * shape, most)


def by_chords(
    g: np.ndarray, lines: tuple[np.ndarray, np.ndarray], wire: float, lead: float, gate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the currents out of bit and source lines: all nodes in one sparse matrix, cells as
    chords that are drawn anew until they stand still. NaN floats."""
    bit, source = lines
    rows, columns = g.shape
    tops = np.arange(g.size).reshape(rows, columns)
    bottoms = tops + g.size
    pairs = [(tops[:-1], tops[1:]), (bottoms[:, :-1], bottoms[:, 1:])]
    one = np.concatenate([tops.ravel(), *(a.ravel() for a, _ in pairs)])
    other = np.concatenate([bottoms.ravel(), *(b.ravel() for _, b in pairs)])
    strings = np.full(len(one) - g.size, 1.0 / wire)
    ends = np.concatenate([tops[0], bottoms[:, 0]])
    asked = np.concatenate([bit, source])
    joined = np.where(np.isnan(asked), 0.0, 1.0 / (wire + lead))
    ground, fed = np.zeros(2 * g.size), np.zeros(2 * g.size)
    ground[ends] = joined
    fed[ends] = joined * np.nan_to_num(asked)
    chords, nodes = g.copy(), np.zeros(2 * g.size)
    for _ in range(400):
        links = np.concatenate([chords.ravel(), strings])
        half = sparse.coo_matrix((links, (one, other)), (2 * g.size, 2 * g.size))
        both = half + half.T
        diagonal = ground + np.asarray(both.sum(axis=1)).ravel()
        nodes = spsolve((sparse.diags(diagonal) - both).tocsc(), fed)
        across = nodes[tops] - nodes[bottoms]
        current = carried(g, nodes[tops], nodes[bottoms], gate)
        new = np.divide(current, across, out=g.copy(), where=np.abs(across) > 1e-12)
        if np.abs(new - chords).max() < 1e-13 * chords.max():
            break
        chords = 0.5 * (chords + new)
    out = joined * (np.nan_to_num(asked) - nodes[ends])
    return out[:columns], out[columns:]


@pytest.mark.parametrize("passive", [False, True], ids=["transistors", "passive"])
@pytest.mark.parametrize(("wire", "lead"), [(2.0, 0.0), (2.0, 30.0), (300.0, 1000.0)])
@pytest.mark.parametrize("floating", [0.0, 0.5])
def test_an_instant_is_that_of_a_sparse_solution(
    passive: bool, wire: float, lead: float, floating: float
) -> None:
    chip, rng = made(wire, lead, passive=passive), np.random.default_rng(3)
    g = chip.conductances(np.arange(SMALL.n_cells), 0.0).reshape(ROWS, COLUMNS)
    bit, source = rng.uniform(-1.2, 1.2, COLUMNS), rng.uniform(-1.2, 1.2, ROWS)
    bit[1:][rng.random(COLUMNS - 1) < floating] = np.nan
    source[1:][rng.random(ROWS - 1) < floating] = np.nan

    found = look(chip, bit, source)

    bits, sources = by_chords(g, (bit, source), wire, lead, 1e6 if passive else 4.7)
    largest = np.abs(bits).max()
    np.testing.assert_allclose(found.bit_lines, bits, rtol=0, atol=1e-7 * largest)
    np.testing.assert_allclose(found.source_lines, sources, rtol=0, atol=1e-7 * largest)


@pytest.mark.parametrize("pulled", ["bit", "source"])
def test_near_its_threshold_a_transistor_takes_its_gate_voltage_from_its_lower_end(
    pulled: str,
) -> None:
    """RESET comes from the source side: the follower leaves 0.5 V of what is asked to its cell."""
    chip, gate = made(2.0, 30.0), QUIET.gate_threshold + 0.5
    g = chip.conductances(np.arange(SMALL.n_cells), 0.0).reshape(ROWS, COLUMNS)
    bit, source = np.zeros(COLUMNS), np.zeros(ROWS)
    (bit if pulled == "bit" else source)[:] = 1.2

    found = chip.wiring.drive(0, bit, source, np.full(ROWS, gate), 0.0, 0.0, averages=0)

    bits, _ = by_chords(g, (bit, source), 2.0, 30.0, gate)
    np.testing.assert_allclose(found.bit_lines, bits, rtol=1e-6)


def test_leads_alone_are_the_limit_of_ever_better_wires() -> None:
    bit, source = np.array([0.2, -0.1, 1.0, 0.0, 0.3]), np.array([0, 0.1, -0.2, 0, np.nan, 0.4])

    leads, wired = (look(made(wire, 50.0), bit, source) for wire in (0.0, 1e-4))

    np.testing.assert_allclose(leads.bit_lines, wired.bit_lines, rtol=1e-5)
    np.testing.assert_allclose(leads.source_lines, wired.source_lines, rtol=1e-5, atol=1e-11)


@few
@given(bit_lines, source_lines, ohms, ohms, st.booleans())
def test_no_current_is_lost_and_only_power_taken(
    bit: np.ndarray, source: np.ndarray, wire: float, lead: float, passive: bool
) -> None:
    found = look(made(wire, lead, passive=passive), bit, source)

    largest = np.abs(found.bit_lines).max() + 1e-15
    assert abs(found.bit_lines.sum() + found.source_lines.sum()) <= 1e-9 * largest
    power = found.bit_lines @ found.bit_voltages + found.source_lines @ found.source_voltages
    assert power >= -1e-15


@few
@given(bit_lines, source_lines, ohms, st.floats(0.1, 10.0))
def test_more_resistance_and_less_conductance_in_one_measure_scale_the_currents(
    bit: np.ndarray, source: np.ndarray, wire: float, factor: float
) -> None:
    """Kirchhoff's equations hold for g, 1 / R and I multiplied by one factor."""
    one, other = (
        made(wire, 10 * wire, passive=True),
        made(wire / factor, 10 * wire / factor, passive=True),
    )
    cells = np.arange(SMALL.n_cells)
    other.imprint(cells, factor * one.conductances(cells, 0.0))

    there, scaled = look(one, bit, source), look(other, bit, source)

    largest = np.abs(there.bit_lines).max() + 1e-15
    np.testing.assert_allclose(
        scaled.bit_lines / factor, there.bit_lines, rtol=0, atol=1e-7 * largest
    )


@few
@given(bit_lines, source_lines, ohms, st.floats(1e-8, 1e-5))
def test_a_limited_driver_behind_leads_and_wires_gives_no_more_than_its_limit(
    bit: np.ndarray, source: np.ndarray, wire: float, limit: float
) -> None:
    found = look(made(wire, wire, passive=True), bit, source, limits=(limit, np.inf))

    assert np.abs(found.bit_lines).max() <= limit * (1 + 1e-6) + 1e-12 * 2.0  # lines leak a little


@pytest.mark.parametrize("wire", [0.0, 20.0])
def test_a_driver_of_a_given_current_stands_a_voltage_drop_above_the_end_of_its_lead(
    wire: float,
) -> None:
    """What its lead resists does not change what a source of current does to the array."""
    bit, limit = np.full(COLUMNS, np.nan), np.full(COLUMNS, np.inf)
    bit[0], bit[1], limit[0] = 0.8, 0.0, 2e-6
    chip = made(wire, passive=True)

    bare, led = (
        look(
            chip,
            bit,
            np.zeros(ROWS),
            limits=(limit, np.inf),
            leads=(np.array([ohms, 0, 0, 0, 0]), 0.0),
        )
        for ohms in (0.0, 50e3)
    )

    assert led.bit_limited.tolist() == [True, False, False, False, False]
    assert led.bit_voltages[0] - bare.bit_voltages[0] == pytest.approx(2e-6 * 50e3, rel=1e-4)
    np.testing.assert_allclose(led.source_lines, bare.source_lines, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("wire", [0.0, 20.0])
def test_of_two_limits_in_series_the_lower_one_holds_alone(wire: float) -> None:
    bit, source = np.full(COLUMNS, np.nan), np.full(ROWS, np.nan)
    bit[0], source[0] = 0.8, 0.0

    found = look(made(wire, passive=True), bit, source, limits=(1e-6, 2e-6))

    assert found.bit_limited.tolist() == [True] + [False] * (COLUMNS - 1)
    assert not found.source_limited.any()
    assert found.source_lines[0] == pytest.approx(-1e-6, rel=1e-4)


def test_a_write_through_wires_moves_the_far_cell_less_than_the_near_one() -> None:
    chip = Chip(QUIET.without_variation(), SMALL, seed=1, wire_resistance=200.0, passive=True)
    cells = np.arange(SMALL.n_cells)
    chip.imprint(cells, 20e-6)
    bit, source = np.zeros(COLUMNS), np.full(ROWS, 1.6)

    for turn in range(30):
        chip.wiring.drive(0, bit, source, ON, 50e-9, 1e-6 * turn, averages=0)

    after = chip.conductances(cells, 1.0).reshape(ROWS, COLUMNS)
    assert after[0, 0] < after[-1, -1] - 1e-7


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
@pytest.mark.parametrize("name", ["wire_resistance", "lead_resistance"])
def test_resistances_that_are_none_are_refused(name: str, bad: float) -> None:
    with pytest.raises(ChipError, match="must have a resistance of 0 ohm or more"):
        Chip(QUIET, SMALL, seed=1, **{name: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, -1e-6, np.inf])
def test_a_cell_that_is_no_conductance_is_refused_by_its_address(bad: float) -> None:
    chip = made()
    state = chip.state()
    state["conductance"][0, 2, 3] = bad

    with pytest.raises(ChipError, match=r"the cell 0/1/4 cannot conduct"):
        chip.imprint([COLUMNS + 4], bad)
    with pytest.raises(ChipError, match=r"the cell 0/2/3 cannot have \S+ S"):
        chip.restore(state)
    factors = np.ones(SMALL.shape)
    factors[0, 5, 0] = np.nan
    with pytest.raises(ChipError, match=r"the cell 0/5/0 cannot have nan as its rate_factor"):
        Chip(QUIET, SMALL, seed=1, cell_parameters={"rate_factor": factors})
