"""What every station does, whatever its instruments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_data.pulse import PulseKind
from labctl_instruments.errors import DeadLinkError, EnvelopeError, StationError

SET = {"kind": PulseKind.SET, "amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET = {"kind": PulseKind.RESET, "amplitude": 1.8, "width": 50e-9, "gate": 4.7}
ONE = Cells.of([0, 3, 4])
SOME = Cells.of([[0, 3, 4], [0, 3, 5], [0, 12, 0], [0, 0, 7]])


def whole(station: Any) -> Cells:
    return Cells.from_text("0/:/:", station.geometry)


def rack_of(station: Any) -> Any:
    return station._instruments[0].adapter.connection.visalib.rack


def sent(station: Any) -> list[bytes]:
    return rack_of(station).log.messages()


def truth(station: Any, cells: Cells) -> Any:
    rack = rack_of(station)
    return rack.chip.conductances(cells.index(station.geometry), rack.clock.now())


class Witness:
    """A ledger that notes how many messages had been sent when each entry was made."""

    def __init__(self, station: Any) -> None:
        self.station = station
        self.entries: list[tuple[int, Cells, Any]] = []

    def before_pulses(self, cells, kinds, amplitudes, widths, gates, count) -> None:
        told = len(sent(self.station))
        fields = {"kinds": kinds, "amplitudes": amplitudes, "widths": widths, "count": count}
        self.entries.append((told, cells, fields))


def pulsing_messages(station: Any) -> list[int]:
    """Return the places, among the messages sent, of those that can pulse."""
    marks = (b":PULS:CELL", b":STR:CELL", b":SWE:CELL", b":TRIG1", b"*TRG", b"SRP")
    return [k for k, message in enumerate(sent(station)) if message.startswith(marks)]


def test_a_read_is_the_cells_own_conductance_in_the_order_asked(quiet):
    asked = Cells.of([[0, 9, 1], [0, 2, 7], [0, 9, 1]])

    measured = quiet.read(asked, 0.2)

    assert measured == pytest.approx(truth(quiet, asked), rel=1e-6)


def test_averaging_sixteen_reads_quarters_the_noise(station):
    cells = whole(station)
    few = np.array([station.read(cells[:32], averages=1) for _ in range(12)])
    many = np.array([station.read(cells[:32], averages=16) for _ in range(12)])

    # 32 cells x 11 degrees of freedom: each standard deviation is known to about 4 %; two-state
    # noise is slower than an average, so that it may not average out.
    ratio = np.median(few.std(axis=0)) / np.median(many.std(axis=0))
    assert 2.0 < ratio < 6.0


def test_set_pulses_raise_the_conductance_and_reset_pulses_lower_it(quiet):
    before = quiet.read(ONE)[0]
    for _ in range(20):
        quiet.pulse(ONE, **RESET)
    low = quiet.read(ONE)[0]
    for _ in range(20):
        quiet.pulse(ONE, **SET)
    high = quiet.read(ONE)[0]

    # Steps near 20 uS are about -.5 uS a RESET; near 16 uS about +.03 uS a SET (FACTS A).
    assert low < before - 4e-6
    assert low + 0.3e-6 < high < before


@pytest.mark.parametrize("pulse", [SET, RESET], ids=["SET", "RESET"])
def test_a_pulse_leaves_every_other_cell_as_it_was(quiet, kind, pulse):
    """Half-selected cells of a passive array move, but by no more than e^(-V/2v) of a pulse."""
    hardly = 1e-4 if kind.startswith("passive") else 1e-9
    cells = whole(quiet)
    others = np.flatnonzero((cells.addresses != ONE.addresses).any(axis=1))
    for _ in range(10):
        quiet.pulse(ONE, **RESET)
    before = truth(quiet, cells)

    for _ in range(5):
        quiet.pulse(ONE, **pulse)

    after = truth(quiet, cells)
    mine = int(ONE.index(quiet.geometry)[0])
    assert after[mine] != before[mine]
    assert after[others] == pytest.approx(before[others], rel=hardly)


def test_each_cell_gets_the_pulse_that_was_meant_for_it(quiet):
    quiet.pulse(SOME, **RESET)
    before = truth(quiet, SOME)

    quiet.pulse(
        SOME,
        np.array([0, 1, 0, 1]),
        np.array([2.0, 1.8, 2.0, 1.8]),
        50e-9,
        np.array([1.8, 4.7, 1.8, 4.7]),
    )

    assert (np.sign(truth(quiet, SOME) - before) == [1, -1, 1, -1]).all()


@pytest.mark.parametrize("cells", ["", "passive_"], ids=["transistors", "passive"])
def test_the_same_chip_lies_behind_both_benches(open_small, cells):
    settings = {"noise": False}
    board, smu = (open_small(f"{cells}{kind}", **settings) for kind in ("board", "smu"))

    # The 2450 shows steps of 10 pA on its 10 uA range.
    assert board.read(whole(board)) == pytest.approx(smu.read(whole(smu)), rel=3e-6)


@pytest.mark.parametrize("kind", ["board", "passive_board", "smu", "passive_smu"])
def test_noise_does_not_depend_on_the_order_in_which_cells_are_visited(open_small, kind):
    forth, back = open_small(kind), open_small(kind)
    cells = whole(forth)[:24]

    there = [forth.read(cells) for _ in range(2)][-1]
    again = [back.read(cells[::-1]) for _ in range(2)][-1]

    # A cell with two-state noise may be in its other state at another time; 10 pA of an SMU.
    assert np.isclose(again[::-1], there, rtol=2e-5).mean() > 0.9


def test_half_selected_cells_of_both_passive_benches_see_the_same(open_small):
    settings = {"noise": False, "spread": False}
    board, smu = (open_small(f"passive_{kind}", **settings) for kind in ("board", "smu"))
    strong = RESET | {"amplitude": 3.2}
    before = truth(board, whole(board)).reshape(16, 8)

    for station in (board, smu):
        for _ in range(20):
            station.pulse(ONE, **strong)

    after = truth(board, whole(board)).reshape(16, 8)
    moved = np.argwhere(np.abs(after - before) > 1e-9)
    assert all(row == 3 or column == 4 for row, column in moved.tolist())
    assert len(moved) > 15
    # A generator of 50 ohm told of a load of 1 Mohm gives 50 ppm more: 0.1 % of a step.
    assert truth(smu, whole(smu)).reshape(16, 8) == pytest.approx(after, rel=1e-3)


@pytest.mark.parametrize("kind", ["passive_board", "passive_third", "passive_smu"])
def test_half_selected_cells_count_towards_the_envelope_where_half_of_a_pulse_programs(
    open_small, kind
):
    station = open_small(kind)
    neighbour = Cells.of([0, 3, 5])
    half = RESET | {"amplitude": 1.8}  # a third of it is 0.6 V
    for _ in range(500):
        station.pulse(ONE, **half)

    with pytest.raises(EnvelopeError, match="pulses on one cell 501 exceeds pulses = 500"):
        station.pulse(neighbour, **half)


def test_half_selects_too_weak_to_program_are_not_counted(open_small):
    station = open_small("passive_board")
    for _ in range(100):
        station.pulse(ONE, **RESET | {"amplitude": 0.9})

    assert not station._admission._beside.any()


def test_a_sweep_has_the_sign_of_its_voltage_and_the_slope_of_the_cell(quiet):
    conductance = quiet.read(ONE, 0.2)[0]

    sweep = quiet.sweep(ONE, [0.0, 0.2, -0.2], gate=3.0, compliance=1e-4)

    assert sweep.currents[0] == pytest.approx(0.0, abs=1e-12)
    assert sweep.currents[1] == pytest.approx(0.2 * conductance, rel=1e-3)
    assert sweep.currents[2] == pytest.approx(-0.2 * conductance, rel=1e-3)
    assert not sweep.in_compliance.any()


def test_a_sweep_is_held_at_its_compliance_and_says_so(quiet):
    sweep = quiet.sweep(ONE, [0.1, 1.0], gate=3.0, compliance=5e-6)

    assert sweep.in_compliance.tolist() == [False, True]
    assert sweep.currents[1] == pytest.approx(5e-6, rel=0.01)


def test_a_million_read_pulses_are_few_messages_and_hardly_move_a_cell(station):
    station.read(SOME)
    before, told = truth(station, SOME), len(sent(station))

    station.stress(SOME, 0.2, 50e-9, 1_000_000)

    assert len(sent(station)) - told < 15 * len(SOME)
    assert truth(station, SOME) == pytest.approx(before, rel=0.05)


def small_plan(station: Any) -> tuple[MacPlan, Any]:
    """Two blocks of four inputs and two lines each, one output and one difference."""
    plan = MacPlan(
        columns=np.array([[0, 1, 2, 3], [4, 5, 6, -1]]),
        outputs=np.array([[0, 1], [1, 1]]),
        signs=np.array([[1, 1], [-1, 1]]),
        adc_full_scale=1.5e-5,
        input_bits=2,
    )
    return plan, np.array([[0, 9], [10, 11]])


def reference(plan: MacPlan, rows: Any, codes: list[int], g: Any) -> list[int]:
    """Return the outputs of one vector, in Python integers, from conductances g[row][column]."""
    outputs = [0] * plan.n_outputs
    for b in range(plan.n_blocks):
        for k in range(plan.input_bits):
            for line in range(plan.n_lines):
                current = sum(
                    0.2 * g[rows[b][line]][plan.columns[b][w]]
                    for w in range(plan.width)
                    if plan.columns[b][w] >= 0 and codes[b * plan.width + w] >> k & 1
                )
                code = min(255, int(current / (1.5e-5 / 255) + 0.5))
                outputs[plan.outputs[b][line]] += int(plan.signs[b][line]) * code * 2**k
    return outputs


def test_a_mac_is_the_integer_definition(quiet):
    plan, rows = small_plan(quiet)
    for _ in range(3):
        quiet.pulse(Cells.of([[0, 0, 1], [0, 9, 2], [0, 10, 5]]), **RESET)
    g = truth(quiet, whole(quiet)).reshape(16, 8)
    vectors = np.array([[3, 1, 2, 0, 0, 3, 1, 3], [0] * 8], np.uint8)

    sums = quiet.mac(vectors, rows, plan)

    assert sums.dtype == np.int32
    assert sums.tolist() == [reference(plan, rows, vector.tolist(), g) for vector in vectors]
    assert quiet.saturated == 0


def test_digits_of_several_bits_are_summed_where_there_is_a_dac_a_line_and_refused_elsewhere(
    quiet, kind
):
    plan, rows = small_plan(quiet)
    plan = replace(plan, dac_bits=2)
    vectors = np.full((1, 8), 3, np.uint8)

    if quiet.bench.kind != "board":
        with pytest.raises(StationError, match="digits of 2 bits need a DAC a bit line"):
            quiet.mac(vectors, rows, plan)
        return
    sums = quiet.mac(vectors, rows, plan)

    g = truth(quiet, whole(quiet)).reshape(16, 8)
    bits = replace(plan, dac_bits=1, input_bits=1)
    assert sums.tolist() == [reference(bits, rows, [1] * 8, g)]


def test_conversions_beyond_the_range_are_counted_and_held_at_the_top(quiet):
    plan, rows = small_plan(quiet)
    narrow = MacPlan(plan.columns, plan.outputs, plan.signs, 1e-6, input_bits=2)

    sums = quiet.mac(np.full((1, 8), 1, np.uint8), rows, narrow)

    assert sums.tolist() == [[255, 255]]
    assert quiet.saturated == 4


def test_at_rest_nothing_drives_and_nothing_is_joined(station):
    station.read(ONE)
    station.pulse(ONE, **SET)

    station.rest()

    assert [one.outputs_on() for one in station._instruments] == [()] * len(station._instruments)


def test_no_verb_switches_hot_shorts_a_source_or_damages_a_cell(station):
    station.read(SOME)
    station.pulse(SOME, **RESET)
    station.sweep(ONE, [0.3, 1.0, -1.0], gate=1.8, compliance=1e-5)
    station.stress(SOME, 0.2, 50e-9, 1000)
    station.rest()

    assert rack_of(station).log.events == []


def test_a_station_at_rest_can_be_used_again(quiet):
    first = quiet.read(SOME)
    quiet.rest()

    assert quiet.read(SOME) == pytest.approx(first, rel=1e-6)


def test_leaving_the_with_block_in_an_error_rests_the_bench_and_closes_it(station):
    other = li.open_bench(station.bench.path)
    drivers, rack = other._instruments, rack_of(other)

    with pytest.raises(KeyError), other:
        read_and_fail(other)

    questions = {"outputs": b":OUTP?", "crosspoints": b'print(channel.getclose("allslots"))'}
    for driver in drivers:
        question = questions["crosspoints" if "matrix" in driver.name else "outputs"]
        question = question.replace(b"P?", b"P1?") if driver.name == "pulser" else question
        address = driver.adapter.resource_name
        if b"2636B" in rack.exchange(address, b"*IDN?"):
            question = b"print(smua.source.output + smub.source.output)"
        if b"B1500A" in rack.exchange(address, b"*IDN?"):
            question = b"*LRN? 0"
        assert rack.exchange(address, question).strip() in (b"0", b"nil", b"0.00000e+00", b"CL")
    with pytest.raises(DeadLinkError):
        other.read(ONE)


def read_and_fail(station: Any) -> None:
    station.read(ONE)
    raise KeyError("not the bench's fault")


@pytest.mark.parametrize(
    "excess",
    [
        {"amplitude": 3.6},
        {"gate": 5.1},
        {"width": 1e-3},
        {"amplitude": np.nan},
        {"amplitude": np.inf},
    ],
    ids=str,
)
def test_a_pulse_beyond_the_envelope_sends_nothing_and_writes_nothing(station, excess):
    station.ledger = witness = Witness(station)
    told = len(sent(station))

    with pytest.raises(EnvelopeError, match=r"small-\w+-0.toml \[envelope\]: "):
        station.pulse(SOME, **SET | excess)

    assert len(sent(station)) == told
    assert witness.entries == []


def test_one_pulse_too_many_of_a_set_refuses_them_all(station):
    told = len(sent(station))

    with pytest.raises(EnvelopeError):
        station.pulse(SOME, PulseKind.SET, np.array([1.0, 1.0, 1.0, 3.6]), 50e-9, 1.8)

    assert len(sent(station)) == told


@pytest.mark.parametrize(
    "request_",
    [
        {"voltages": [0.0, 3.6], "gate": 1.8, "compliance": 1e-4},
        {"voltages": [-3.6], "gate": 1.8, "compliance": 1e-4},
        {"voltages": [0.1], "gate": 5.1, "compliance": 1e-4},
        {"voltages": [0.1], "gate": 1.8, "compliance": 2e-3},
    ],
    ids=str,
)
def test_a_sweep_beyond_the_envelope_sends_nothing(station, request_):
    told = len(sent(station))

    with pytest.raises(EnvelopeError):
        station.sweep(ONE, **request_)

    assert len(sent(station)) == told


def test_a_cell_gets_no_more_pulses_than_the_envelope_grants(station):
    for _ in range(10):
        station.sweep(ONE, np.full(50, 0.6), gate=1.8, compliance=1e-4)
    told = len(sent(station))

    with pytest.raises(EnvelopeError, match="pulses on one cell 501 exceeds pulses = 500"):
        station.pulse(ONE, **SET)

    assert len(sent(station)) == told


@pytest.mark.parametrize(
    "wrong",
    [{"amplitude": 0.0}, {"amplitude": -1.0}, {"width": 0.0}, {"gate": -0.1}, {"kind": 2}],
    ids=str,
)
def test_a_pulse_that_is_none_is_refused(station, wrong):
    with pytest.raises(StationError, match="pulse 0 is none"):
        station.pulse(ONE, **SET | wrong)


def test_a_cell_that_stands_twice_in_a_block_of_pulses_is_named(station):
    with pytest.raises(StationError, match=r"cell 0/3/4 stands twice"):
        station.pulse(Cells.of([[0, 1, 1], [0, 3, 4], [0, 3, 4]]), **SET)


@pytest.mark.parametrize("voltage", [0.0, 0.6, np.nan])
def test_a_read_that_would_program_or_measure_nothing_is_refused(station, voltage):
    with pytest.raises((StationError, EnvelopeError)):
        station.read(ONE, voltage)


def test_every_message_that_can_pulse_is_in_the_ledger_before_it_is_sent(station):
    station.read(SOME)
    station.ledger = witness = Witness(station)
    told = len(sent(station))

    station.pulse(SOME, **SET)
    station.stress(ONE, 0.2, 50e-9, 3)

    able = [place for place in pulsing_messages(station) if place >= told]
    assert [place for place, _, _ in witness.entries] == able
    assert sum(len(cells) for _, cells, _ in witness.entries) == len(SOME) + 1


def test_a_sweep_is_in_the_ledger_with_its_highest_voltages(station):
    station.ledger = witness = Witness(station)

    station.sweep(ONE, [0.0, 0.5, 1.0, -0.7], gate=1.8, compliance=1e-4)

    told = [(int(e["kinds"]), float(e["amplitudes"]), e["count"]) for _, _, e in witness.entries]
    assert told == [(0, 1.0, 2), (1, 0.7, 1)]


def test_a_full_disk_under_the_ledger_stops_the_pulse(station):
    class Full:
        def before_pulses(self, *_: Any) -> None:
            raise OSError(28, "No space left on device")

    station.read(ONE)
    before = truth(station, ONE)
    station.ledger = Full()

    with pytest.raises(OSError, match="No space"):
        station.pulse(ONE, **RESET)

    assert rack_of(station).chip.pulse_counts(ONE.index(station.geometry)).tolist() == [0]
    assert truth(station, ONE) == pytest.approx(before, rel=0.05)


def test_the_chip_received_exactly_the_pulses_asked_for(station):
    for cells in (SOME, SOME[:2], SOME[:1]):
        station.pulse(cells, **SET)

    index = whole(station).index(station.geometry)
    received = rack_of(station).chip.pulse_counts(index)
    expected = np.zeros(len(index), np.int64)
    expected[SOME.index(station.geometry)] = [3, 2, 1, 1]
    assert received.tolist() == expected.tolist()


def test_pulse_counts_are_the_chips_where_the_bench_has_counters(station):
    station.pulse(SOME, **SET)

    counts = station.pulse_counts(SOME)

    assert counts is None if station.bench.kind == "smu" else counts.tolist() == [1, 1, 1, 1]


def test_waiting_lets_bench_time_pass(station):
    before = station.now()

    station.wait(600.0)

    assert station.now() - before == pytest.approx(600.0)


def test_measuring_takes_bench_time(station):
    before = station.now()

    station.read(SOME)

    assert station.now() > before


def test_a_bench_without_a_chuck_says_so(station):
    with pytest.raises(StationError, match="the bench has no chuck"):
        station.set_temperature(400.0)


def test_the_bench_tells_what_a_run_must_remember(station):
    bench = station.bench

    assert bench.seed == 7
    assert bench.identity.chip == "small"
    assert bench.text.startswith(f'kind = "{bench.kind}"')
    assert station.known_stuck.shape == (1, 16, 8)
