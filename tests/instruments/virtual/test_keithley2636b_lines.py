"""What a 2636B has beside its channels: digital lines, TSP-Link, what is kept by name."""

import pytest

from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.test_keithley2636b import SMU, opened


@pytest.fixture
def rack(tmp_path) -> Rack:
    return opened(tmp_path, noise=False)


def run(rack: Rack, source: str) -> str:
    return rack.exchange(SMU, source.encode() + b"\n").decode().strip()


def errors(rack: Rack) -> float:
    return float(run(rack, "print(errorqueue.count)"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("print(digio.readport())", 16383),
        ("digio.writebit(3, 0) print(digio.readbit(3))", 0),
        ("digio.writebit(3, 0) print(digio.readport())", 16383 - 4),
        ("digio.writeprotect = 4 digio.writeport(0) print(digio.readport())", 4),
        ("digio.writeport(5) reset() print(digio.readport())", 16383),
        ("tsplink.writebit(1, 0) print(tsplink.readport())", 6),
        ("print(tsplink.reset())", 1),
        ("print(gpib.address)", 26),
    ],
)
def test_a_line_reads_as_it_was_written(rack, source, expected):
    assert float(run(rack, source)) == expected
    assert errors(rack) == 0


@pytest.mark.parametrize(
    "source",
    [
        "digio.writebit(0, 1)",
        "digio.writebit(15, 1)",
        "digio.writebit(1, 2)",
        "digio.writeport(16384)",
        "print(digio.readbit(1.5))",
        "tsplink.writebit(4, 1)",
        "tsplink.reset(2)",
        "print(userstring.get('none'))",
    ],
)
def test_what_is_not_there_is_refused(rack, source):
    assert run(rack, source) == ""
    assert errors(rack) == 1


def test_an_edge_that_is_waited_for_does_not_come_and_takes_its_time(rack):
    before = rack.clock.now()

    assert run(rack, "digio.trigger[2].clear() print(digio.trigger[2].wait(3))") == "false"

    assert rack.clock.now() - before == pytest.approx(3.0, abs=0.01)


def test_a_program_that_marks_its_pulses_on_a_line_runs(rack):
    run(rack, "digio.trigger[1].mode = digio.TRIG_RISINGM digio.trigger[1].pulsewidth = 1e-5")
    run(rack, "digio.trigger[1].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID")

    assert run(rack, "for k = 1, 3 do digio.trigger[1].assert() end print('done')") == "done"
    assert errors(rack) == 0


def test_a_node_alone_is_offline(rack):
    assert run(rack, "print(tsplink.state, tsplink.node)") == "offline\t1.00000e+00"


def test_strings_are_kept_by_their_names(rack):
    run(rack, "userstring.add('chip', 'x3y7')")

    assert run(rack, "print(userstring.get('chip'))") == "x3y7"
    assert run(rack, "for name in userstring.catalog() do print(name) end") == "chip"


def test_the_clock_that_is_set_goes_on_with_bench_time(rack):
    run(rack, "localnode.settime(1000)")
    rack.clock.charge(60.0)

    assert float(run(rack, "print(localnode.gettime())")) == pytest.approx(1060, abs=1)


def test_nobody_is_at_the_panel(rack):
    assert run(rack, "print(display.prompt('0.00', 'V', 'level', 0))") == ""
    assert run(rack, "print(display.waitkey() == display.KEY_EXIT)") == "true"
    assert errors(rack) == 0


def test_these_are_there_behind_a_socket_too(rack):
    rack.confine()
    try:
        assert float(run(rack, "digio.writebit(1, 0) print(digio.readport())")) == 16382
    finally:
        rack.close()
