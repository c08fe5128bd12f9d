"""The virtual 2636B: two channels, TSP with scripts, reading buffers and binary answers."""

import random
import struct

import numpy as np
import pytest

from labctl_data.model.vectors import current
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import MATRIX, bench_document
from tests.instruments.virtual.test_confined_lua import WALK
from tests.instruments.virtual.test_damaged_messages import damaged

SMU, GATE = "GPIB0::26::INSTR", "GPIB0::27::INSTR"
ROUTE = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between smua and ground, its word line on the gate, the rest grounded."""


def document(**virtual):
    """Return a small bench of which two 2636B are the source-meters."""
    bench = bench_document("smu", **virtual)
    for name, address, channel in (("bit", SMU, "a"), ("source", SMU, "b"), ("gate", GATE, "a")):
        bench["instruments"][name] |= {
            "driver": "keithley-2636b",
            "address": address,
            "channel": channel,
        }
    return bench


def opened(tmp_path, **virtual) -> Rack:
    return open_rack(parse_bench(document(**virtual), path=tmp_path / "small.toml", text=""))


@pytest.fixture
def rack(tmp_path) -> Rack:
    """A bench without noise: a cell at smua, its gate open."""
    found = opened(tmp_path, noise=False)
    found.exchange(MATRIX, ROUTE)
    found.exchange(GATE, b"smua.source.levelv = 3 smua.source.output = 1")
    return found


def run(rack: Rack, chunk: str, address: str = SMU) -> str:
    return rack.exchange(address, chunk.encode("latin-1") + b"\n").decode("latin-1").rstrip("\n")


def next_error(rack: Rack) -> int:
    return int(float(run(rack, "print(errorqueue.next())").split("\t")[0]))


def expected(rack: Rack, voltage: float) -> float:
    """Return the current of cell (0, 0) by the model's equation, in A."""
    conductance = rack.chip.conductances([0], rack.clock.now())
    return float(current(rack.chip.model, conductance, voltage)[0])


@pytest.mark.parametrize(
    ("chunk", "answer"),
    [
        ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4000001, 3.4.2"),
        ("print(localnode.model, localnode.linefreq)", "2636B\t5.00000e+01"),
        ("print(node[1].model)", "2636B"),
        ("print(smua.source.func == smua.OUTPUT_DCVOLTS)", "true"),
        ("smub.source.limiti = 3e-6 print(smub.source.limiti, smua.source.limiti)",
         "3.00000e-06\t1.00000e-01"),
        ("smua.source.rangev = 1.5 print(smua.source.rangev, smua.source.autorangev)",
         "2.00000e+00\t0.00000e+00"),
        ("smua.source.levelv = -3 print(smua.source.rangev)", "2.00000e+01"),
        ("format.asciiprecision = 3 print(1/3)", "3.33e-01"),
        ("printnumber(1, 2^9)", "1.00000e+00, 5.12000e+02"),
        ("timer.reset() delay(0.25) print(timer.measure.t())", "2.50000e-01"),
        ("display.settext('hello') print(display.gettext())", "hello"),
        ("beeper.beep(0.1, 440) print(errorqueue.count)", "0.00000e+00"),
        ("print(status.measurement.instrument.smua.condition)", "0.00000e+00"),
        ("print(type(smua.measure.iv), smua.measure._read, _pack)", "function\tnil\tnil"),
        ("smua.source.levelv = 1 reset() print(smua.source.levelv)", "0.00000e+00"),
        ("smua.source.levelv = 1 smua.reset() print(smua.source.levelv)", "0.00000e+00"),
        ("waitcomplete() opc() print(smua.makebuffer(7).capacity)", "7.00000e+00"),
    ],
)  # fmt: skip
def test_a_message_is_a_lua_chunk_on_two_channels(rack: Rack, chunk: str, answer: str) -> None:
    assert run(rack, chunk) == answer
    assert next_error(rack) == 0


@pytest.mark.parametrize(
    ("chunk", "number"),
    [
        ("smua.source.limiti = 0", 1102),
        ("smua.source.limiti = 2", 1101),
        ("smua.source.levelv = 0/0", 1101),
        ("smua.source.func = 2", -224),
        ("smua.source.output = 'on'", -224),
        ("smua.source.limiti = 0.5 smua.source.levelv = 100", -221),
        ("smua.source.rangev = 200 smua.source.limiti = 0.5", -221),
        ("smua.source.rangev = 2 smua.source.levelv = 3", 1101),
        ("smua.measure.nplc = 30", 1101),
        ("smua.source.nonsense = 1", -286),
        ("smua.measure.i(7)", -224),
        ("printbuffer(1, 2, smua.nvbuffer1)", -222),
        ("format.data = 4", -224),
        ("local b = smua.makebuffer(1) b.appendmode = 1 smua.measure.i(b) smua.measure.i(b)", -225),
        ("for", -285),
    ],
)
def test_what_it_cannot_do_is_refused_and_queued(rack: Rack, chunk: str, number: int) -> None:
    run(rack, chunk)

    assert next_error(rack) == number


@pytest.mark.parametrize("voltage", [-0.2, 0.05, 0.2, 0.3])
def test_a_reading_is_the_current_of_the_cell(rack: Rack, voltage: float) -> None:
    answer = run(
        rack, f"smua.source.levelv = {voltage} smua.source.output = 1 print(smua.measure.iv())"
    )

    found, forced = (float(value) for value in answer.split("\t"))
    assert found == pytest.approx(expected(rack, voltage), rel=1e-5)
    assert forced == voltage


def test_resistance_and_power_follow_from_both(rack: Rack) -> None:
    run(rack, "smua.source.levelv = 0.2 smua.source.output = 1")

    resistance, power = run(rack, "print(smua.measure.r(), smua.measure.p())").split("\t")

    assert float(resistance) == pytest.approx(0.2 / expected(rack, 0.2), rel=1e-5)
    assert float(power) == pytest.approx(0.2 * expected(rack, 0.2), rel=1e-5)


def test_a_limit_that_holds_is_told_everywhere(rack: Rack) -> None:
    run(rack, "smua.source.limiti = 1e-7 smua.source.levelv = 0.2 smua.source.output = 1")

    reading = run(rack, "print(smua.measure.i(smua.nvbuffer1), smua.source.compliance)")
    condition = run(rack, "print(status.measurement.instrument.smua.condition)")
    status = run(rack, "print(smua.nvbuffer1.statuses[1])")

    assert reading == "1.00000e-07\ttrue"
    assert (float(condition), float(status)) == (2, 64)


@pytest.mark.parametrize(
    ("off", "is_joined"),
    [
        ("smua.source.output = 0", True),
        ("smua.source.offmode = 2 smua.source.output = 0", False),
        ("smua.source.output = smua.OUTPUT_HIGH_Z", False),
    ],
)
def test_an_output_that_is_off_holds_0_v_or_is_apart(rack: Rack, off: str, is_joined) -> None:
    run(rack, f"smua.source.levelv = 0.2 smua.source.output = 1 {off}")
    # smub drives the source line: through the cell it meets smua, at 0 V, or nothing.
    rack.exchange(MATRIX, b'channel.open("1A05") channel.close("1C05")')
    run(rack, "smub.source.levelv = 0.1 smub.source.output = 1")

    others_open = 'channel.open("1A02:1A04")'
    rack.exchange(MATRIX, others_open.encode())

    found = float(run(rack, "print(smub.measure.i())"))
    assert found == pytest.approx(expected(rack, 0.1) if is_joined else 0.0, rel=1e-4)


def test_a_range_that_is_too_low_overflows(rack: Rack) -> None:
    run(rack, "smua.measure.rangei = 1e-9 smua.source.levelv = 0.2 smua.source.output = 1")

    assert float(run(rack, "print(smua.measure.i())")) == 9.91e37


@pytest.mark.parametrize(
    ("settings", "cycles"), [("nplc = 10", 10), ("count = 5", 5), ("filter.count = 4", 4)]
)
def test_integration_takes_bench_time(rack: Rack, settings: str, cycles: float) -> None:
    run(rack, f"smua.measure.delay = 0 smua.measure.filter.enable = 1 smua.measure.{settings}")
    if "filter" not in settings:
        run(rack, "smua.measure.filter.enable = 0")

    took = run(rack, "timer.reset() smua.measure.i() print(timer.measure.t())")

    assert float(took) == pytest.approx(cycles / 50, rel=1e-5)


def test_noise_falls_with_the_root_of_the_integration_time(tmp_path) -> None:
    rack = opened(tmp_path)
    script = (
        "smua.source.output = 1 smua.measure.rangei = 1e-6 smua.measure.count = 2000 "
        "smua.measure.nplc = {} smua.measure.i(smua.nvbuffer1) "
        "format.asciiprecision = 10 printbuffer(1, 2000, smua.nvbuffer1)"
    )

    short, long = (
        np.std([float(value) for value in run(rack, script.format(nplc)).split(",")])
        for nplc in (0.01, 0.25)
    )

    # The ratio of two deviations of 2,000 readings scatters by 2.2 %: four sigma are 9 %.
    assert short / long == pytest.approx(5.0, rel=0.09)


@pytest.mark.parametrize(("order", "sign"), [("LITTLEENDIAN", "<"), ("BIGENDIAN", ">")])
@pytest.mark.parametrize(("data", "letter"), [("REAL32", "f"), ("REAL64", "d")])
def test_binary_answers_hold_the_readings(rack: Rack, order, sign, data, letter) -> None:
    lines = [
        "loadandrunscript",
        "smua.source.output = 1 smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1",
        "for k = 1, 25 do smua.source.levelv = k / 100 smua.measure.i(smua.nvbuffer1) end",
        f"format.data = format.{data} format.byteorder = format.{order}",
        "printbuffer(1, 25, smua.nvbuffer1.readings)",
        "endscript",
    ]

    answer = rack.exchange(SMU, "\r\n".join(lines).encode() + b"\n")

    values = struct.unpack(f"{sign}25{letter}", answer[2:-1])
    assert (answer[:2], answer[-1:]) == (b"#0", b"\n")
    wanted = [expected(rack, k / 100) for k in range(1, 26)]
    assert values == pytest.approx(wanted, rel=1e-4)


def test_buffers_keep_sources_and_times_and_append_only_when_told(rack: Rack) -> None:
    run(rack, "b = smua.nvbuffer1 b.collectsourcevalues = 1 b.collecttimestamps = 1")
    run(rack, "smua.source.output = 1 smua.source.levelv = 0.1 smua.measure.i(b)")
    run(rack, "b.appendmode = 1 smua.source.levelv = 0.2 smua.measure.i(b)")

    count, sources, times = run(
        rack, "print(b.n) printbuffer(1, 2, b.sourcevalues) printbuffer(1, 2, b.timestamps)"
    ).split("\n")

    first, second = (float(value) for value in times.split(","))
    assert (float(count), sources) == (2, "1.00000e-01, 2.00000e-01")
    assert second > first
    run(rack, "b.appendmode = 0 smua.measure.i(b)")
    assert run(rack, "print(b.n, b[2])") == "1.00000e+00\tnil"


def test_its_own_sweep_steps_measures_and_ends_off(rack: Rack) -> None:
    run(rack, "SweepVLinMeasureI(smua, 0.1, 0.3, 0, 3)")

    answer = run(rack, "printbuffer(1, 3, smua.nvbuffer1)")

    found = [float(value) for value in answer.split(",")]
    assert found == pytest.approx([expected(rack, v) for v in (0.1, 0.2, 0.3)], rel=1e-4)
    assert run(rack, "print(smua.source.output)") == "0.00000e+00"


def test_a_script_is_kept_under_its_name_and_runs_when_called(rack: Rack) -> None:
    for line in ("loadscript twice", "local x = ...", "print(2 * (x or 4))", "endscript"):
        assert run(rack, line) == ""

    assert run(rack, "twice() twice.run() twice(1)") == "8.00000e+00\n8.00000e+00\n2.00000e+00"
    assert run(rack, "script.delete('twice') print(twice)") == "nil"
    assert next_error(rack) == 0


def test_a_device_clear_forgets_a_script_that_is_half_sent(rack: Rack) -> None:
    run(rack, "loadscript")
    assert run(rack, "*IDN?") == ""

    rack.persona(SMU).clear()

    assert "2636B" in run(rack, "*IDN?")


def test_a_script_that_is_too_long_is_dropped(rack: Rack) -> None:
    run(rack, "loadandrunscript")
    for _ in range(3):
        run(rack, "-- " + "x" * 500_000)

    assert run(rack, "endscript") == ""
    assert next_error(rack) == -363
    assert run(rack, "print(1)") == "1.00000e+00"


def test_every_value_lua_can_reach_is_plain(rack: Rack) -> None:
    walk = """
    local seen, kinds = {}, {}
    local function walk(value)
      if value == nil or seen[value] then return end
      seen[value] = true
      kinds[type(value)] = true
      if type(value) == 'table' then
        for k, v in next, value do walk(k) walk(v) end
        walk(getmetatable(value))
      end
    end
    walk(_G)
    print(kinds.userdata, kinds.thread)
    """

    assert run(rack, " ".join(walk.split())) == "nil\tnil"


@pytest.mark.parametrize(
    "name", ["os", "io", "debug", "package", "loadstring", "getfenv", "setfenv", "string.dump"]
)
def test_its_firmware_opens_no_door_to_the_outside(rack: Rack, name: str) -> None:
    assert run(rack, f"print({name})") == "nil"


def test_a_confined_2636b_answers_as_one_in_process(tmp_path) -> None:
    chunks = [
        "smua.source.output = 1 smua.source.levelv = 0.2 print(smua.measure.iv())",
        "smua.measure.i(smua.nvbuffer1) format.data = 2 printbuffer(1, 1, smua.nvbuffer1)",
        "smua.source.limiti = 0",
        "print(errorqueue.next())",
        "loadandrunscript\nprint(smua.source.limiti)\nendscript",
        "reset() print(smua.source.levelv)",
    ]
    free, confined = opened(tmp_path, noise=False), opened(tmp_path, noise=False)

    confined.confine()

    for chunk in chunks:
        assert run(confined, chunk) == run(free, chunk)
    confined.close()


def test_1e4_readings_change_no_setting(rack: Rack) -> None:
    names = ["limiti", "limitv", "rangev", "levelv", "autorangev", "func", "output"]
    told = f"print({', '.join(f'smua.source.{name}' for name in names)})"
    run(rack, "smua.source.limiti = 3.3e-7 smua.source.levelv = 0.01 smua.source.output = 1")
    before = run(rack, told)

    for _ in range(100):
        run(rack, "for k = 1, 100 do smua.measure.i() end")

    assert run(rack, told) == before


def test_two_channels_that_meet_are_told_in_the_log(rack: Rack) -> None:
    run(rack, "smua.source.levelv = 0.2 smub.source.levelv = -0.1")
    run(rack, "smua.source.output = 1 smub.source.output = 1")

    rack.exchange(MATRIX, b'channel.close("1C01")')

    assert b"two sources on one line: bit at 0.2 V meets source at -0.1 V" in [
        event.message for event in rack.log.events
    ]


def test_no_damaged_message_breaks_it(rack: Rack) -> None:
    messages = (
        b"smua.source.levelv = 0.2 smua.source.output = 1 print(smua.measure.iv())",
        b"smua.measure.count = 3 smua.measure.i(smua.nvbuffer1) printbuffer(1, 3, smua.nvbuffer1)",
        b"smua.source.limiti = 1e-6 smua.source.rangev = 2 print(smua.source.compliance)",
        b"format.data = format.REAL32 format.byteorder = 1 printnumber(1, 2, 3)",
        b"b = smua.makebuffer(10) b.appendmode = 1 smua.measure.v(b) print(b.n, b[1])",
        b"SweepVLinMeasureI(smua, 0, 0.2, 0.01, 3) print(timer.measure.t())",
    )
    rng = random.Random(5)

    for _ in range(1500):
        message = damaged(rng.choice(messages), rng).replace(b"loadscript", b"")
        rack.exchange(SMU, message + b"\n")
        for channel in rack.persona(SMU).channels.values():
            drive = channel.drive()
            assert drive is None or (abs(drive.voltage) <= 202 and drive.limit <= 1.515)

    run(rack, "reset() errorqueue.clear()")
    assert run(rack, "print(smua.source.output, errorqueue.count)") == "0.00000e+00\t0.00000e+00"


def test_from_no_value_of_its_vocabulary_does_a_walk_come_to_python(rack):
    found = run(rack, f"loadandrunscript{WALK}endscript")

    assert found.split("\t")[0] == "0.00000e+00"
    assert next_error(rack) == 0


def test_a_source_of_current_is_limited_where_its_current_finds_no_way(rack):
    forcing = "smua.source.func = 0 smua.source.limitv = 1 smua.source.output = 1"
    rack.exchange(SMU, f"{forcing} smua.source.leveli = 1e-6".encode())

    assert rack.exchange(SMU, b"print(smua.source.compliance)") == b"false\n"

    rack.exchange(SMU, b"smua.source.leveli = 1e-4")

    assert rack.exchange(SMU, b"print(smua.source.compliance)") == b"true\n"
    condition = b"print(status.measurement.instrument.smua.condition)"
    assert float(rack.exchange(SMU, condition)) == 1  # the limit of voltage
