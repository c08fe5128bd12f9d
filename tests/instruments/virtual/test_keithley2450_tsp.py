"""The virtual 2450 in its command set TSP: the same meter as in SCPI, its own words."""

import numpy as np
import pytest

from labctl_data.model.vectors import current
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import BIT, GATE, MATRIX, MakeRack

ROUTE = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between the SMU and ground, its word line on the gate, the rest grounded."""


@pytest.fixture
def rack(make_rack: MakeRack) -> Rack:
    """A bench without noise whose SMU of the bit lines speaks TSP: a cell at it, its gate open."""
    found = make_rack("smu", noise=False)
    found.exchange(MATRIX, ROUTE)
    found.exchange(GATE, b":SOUR:VOLT 3;:OUTP ON\n")
    found.exchange(BIT, b"*LANG TSP\n")
    return found


def run(rack: Rack, chunk: str) -> str:
    return rack.exchange(BIT, chunk.encode("latin-1") + b"\n").decode("latin-1").rstrip("\n")


def errors(rack: Rack) -> int:
    return int(float(run(rack, "print(eventlog.getcount(eventlog.SEV_ERROR))")))


def expected(rack: Rack, voltage: float) -> float:
    """Return the current of cell (0, 0) by the model's equation, in A."""
    conductance = rack.chip.conductances([0], rack.clock.now())
    return float(current(rack.chip.model, conductance, voltage)[0])


@pytest.mark.parametrize(
    ("chunk", "answer"),
    [
        ("*LANG?", "TSP"),
        ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04181655,1.7.12b"),
        ("print(localnode.model, localnode.linefreq)", "2450\t50"),
        ("print(smu.source.func, smu.source.output)", "smu.FUNC_DC_VOLTAGE\tsmu.OFF"),
        ("smu.measure.func = smu.FUNC_DC_VOLTAGE print(smu.measure.func)", "smu.FUNC_DC_VOLTAGE"),
        ("smu.source.ilimit.level = 3e-6 print(smu.source.ilimit.level)", "3e-06"),
        ("smu.source.level = -0.5 print(smu.source.level, smu.source.range)", "-0.5\t2"),
        ("smu.source.range = 15 print(smu.source.range, smu.source.autorange)", "20\tsmu.OFF"),
        ("smu.measure.range = 5e-7 print(smu.measure.autorange)", "smu.OFF"),
        ("smu.measure.nplc = 0.1 print(smu.measure.nplc)", "0.1"),
        ("smu.measure.filter.enable = 1 print(smu.measure.filter.enable)", "smu.ON"),
        ("smu.source.delay = 0.02 print(smu.source.delay, smu.source.autodelay)", "0.02\tsmu.OFF"),
        ("smu.source.offmode = smu.OFFMODE_HIGHZ print(smu.source.offmode)", "smu.OFFMODE_HIGHZ"),
        ("print(smu.source.ilimit.tripped)", "smu.OFF"),
        ("format.asciiprecision = 4 print(1 / 3, format.data)", "3.333e-01\t1.000e+00"),
        ("print(defbuffer1.n, defbuffer1.capacity)", "0\t100000"),
        ("print(smu.measure._read, _element, os, io, python)", "nil\tnil\tnil\tnil\tnil"),
        ("timer.cleartime() delay(0.25) print(timer.gettime())", "0.25"),
        ("smu.source.level = 1 reset() print(smu.source.level)", "0"),
    ],
)
def test_a_question_is_answered_in_the_instruments_words(rack, chunk, answer) -> None:
    assert run(rack, chunk) == answer
    assert errors(rack) == 0


@pytest.mark.parametrize(
    ("chunk", "number"),
    [
        ("smu.source.level = 211", -222),
        ("smu.source.ilimit.level = 2", -222),
        ("smu.source.ilimit.level = 1e-10", -222),
        ("smu.source.func = smu.FUNC_RESISTANCE", -224),
        ("smu.source.output = 2", -224),
        ("smu.source.level = '1'", -224),
        ("smu.measure.nplc = 11", -222),
        ("smu.measure.read({})", -224),
        ("format.data = format.REAL", -224),
        ("format.asciiprecision = 17", -224),
        ("printbuffer(1, 2, defbuffer1)", -222),
        ("buffer.make(3)", -222),
        ("smu.source.sweeplinear('s', 0, 1, 1)", -222),
        ("smu.nonsense()", -286),
        ("smu.source.level = = 1", -285),
    ],
)
def test_what_cannot_be_done_is_an_error_and_changes_nothing(rack, chunk, number) -> None:
    before = run(rack, "print(smu.source.level, smu.source.ilimit.level, smu.source.func)")

    assert run(rack, chunk) == ""

    assert int(run(rack, "print(eventlog.next())").split("\t")[0]) == number
    assert run(rack, "print(smu.source.level, smu.source.ilimit.level, smu.source.func)") == before


@pytest.mark.parametrize("voltage", [0.05, 0.2, 0.3])
def test_a_reading_is_the_cells_current(rack, voltage) -> None:
    run(rack, "smu.source.ilimit.level = 1e-3 smu.source.output = smu.ON")

    answer = run(rack, f"smu.source.level = {voltage} print(smu.measure.read())")

    assert float(answer) == pytest.approx(expected(rack, voltage), rel=1e-5)


def test_a_sweep_fills_its_buffer_and_puts_the_output_off(rack) -> None:
    run(rack, "smu.source.ilimit.level = 1e-3 mine = buffer.make(50)")
    run(
        rack,
        "smu.source.sweeplinear('s', 0.05, 0.3, 11, 0.001, 1, smu.RANGE_AUTO, smu.OFF, "
        "smu.OFF, mine)",
    )
    run(rack, "trigger.model.initiate() waitcomplete()")

    told = run(rack, "printbuffer(1, mine.n, mine.readings, mine.sourcevalues)").split(", ")

    found = np.array(told, dtype=float).reshape(-1, 2)
    assert found[:, 1] == pytest.approx(np.linspace(0.05, 0.3, 11))
    assert found[:, 0] == pytest.approx([expected(rack, level) for level in found[:, 1]], rel=1e-5)
    assert run(rack, "print(smu.source.output, mine.n, mine[11] == mine.readings[11])") == (
        "smu.OFF\t11\ttrue"
    )


def test_a_limit_is_held_and_told(rack) -> None:
    run(rack, "smu.source.ilimit.level = 1e-6 smu.source.level = 0.3 smu.source.output = 1")

    assert float(run(rack, "print(smu.measure.read())")) == pytest.approx(1e-6, rel=1e-3)
    assert run(rack, "print(smu.source.ilimit.tripped)") == "smu.ON"


def test_a_script_runs_whole(rack) -> None:
    for line in ("loadscript mine", "for k = 1, 3 do", "smu.measure.read()", "end", "endscript"):
        run(rack, line)

    run(rack, "smu.source.output = smu.ON mine()")

    assert run(rack, "print(defbuffer1.n)") == "3"
    assert errors(rack) == 0


def test_the_other_language_finds_everything_put_back(rack) -> None:
    run(rack, "smu.source.level = 0.2 smu.source.output = smu.ON")

    rack.exchange(BIT, b"*LANG SCPI\n")

    assert rack.exchange(BIT, b"*LANG?;:SOUR:VOLT?;:OUTP?\n") == b"SCPI;0.000000E+00;0\n"


def test_a_language_is_chosen_among_other_commands(make_rack: MakeRack) -> None:
    rack = make_rack("smu")

    rack.exchange(BIT, b"*CLS;*LANG TSP\n")

    assert rack.exchange(BIT, b"print(smu.source.level)\n") == b"0\n"


def test_a_language_that_there_is_not_is_refused(make_rack: MakeRack) -> None:
    rack = make_rack("smu")

    rack.exchange(BIT, b"*LANG LOGO\n")

    assert rack.exchange(BIT, b"*LANG?\n") == b"SCPI\n"
    assert rack.exchange(BIT, b":SYST:ERR?\n").startswith(b"-224,")


def test_behind_a_socket_its_programs_run_in_another_lua(rack) -> None:
    run(rack, "mine = 1")

    rack.confine()

    assert run(rack, "print(mine, smu.source.level)") == "nil\t0"
    assert errors(rack) == 0
    rack.close()
