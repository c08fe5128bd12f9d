"""The virtual 707B: TSP on a real Lua, and relays."""

import pytest

from labctl_instruments.bench.wiring import LAYOUT_707B
from labctl_instruments.virtual.personas.switching import parse_channels
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.scpi import ScpiError

MATRIX, BIT = "GPIB0::1::INSTR", "GPIB0::18::INSTR"


def run(rack: Rack, chunk: str) -> str:
    return rack.exchange(MATRIX, chunk.encode() + b"\n").decode().removesuffix("\n")


def closed(rack: Rack) -> str:
    return run(rack, 'print(channel.getclose("allslots"))')


def next_error(rack: Rack) -> tuple[int, str]:
    number, text, *_ = run(rack, "print(errorqueue.next())").split("\t")
    return int(float(number)), text


@pytest.mark.parametrize(
    ("chunk", "answer"),
    [
        ("*IDN?", "Keithley Instruments Inc., Model 707B, 1000001, 01.40a"),
        ("print(localnode.model, localnode.serialno)", "707B\t1000001"),
        ("print(1, 0.25, true, nil, 'x')", "1.00000e+00\t2.50000e-01\ttrue\tnil\tx"),
        ("print(channel.connectrule, channel.connectsequential)", "1.00000e+00\t0.00000e+00"),
        ("channel.connectrule = channel.OFF print(channel.connectrule)", "0.00000e+00"),
        ("print(errorqueue.count)", "0.00000e+00"),
        ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"),
        ("for i = 1, 2 do print(i) end", "1.00000e+00\n2.00000e+00"),
        ('print(channel.getclose("allslots"))', "nil"),
        ("*OPC?", "1"),
        ("channel.close('1A01')", ""),
    ],
)
def test_a_message_is_a_lua_chunk_that_prints_as_tsp_does(
    smu_rack: Rack, chunk: str, answer: str
) -> None:
    assert run(smu_rack, chunk) == answer
    assert next_error(smu_rack)[0] == 0


@pytest.mark.parametrize(
    ("chunks", "left"),
    [
        (['channel.close("1A01,1B02")'], "1A01;1B02"),
        (['channel.close("1A01:1A03")'], "1A01;1A02;1A03"),
        (['channel.close("1A12:1B12")', 'channel.close("6H12")'], "1A12;1B12;6H12"),
        (['channel.close("1A01:1A03")', 'channel.open("1A02")'], "1A01;1A03"),
        (['channel.close("1A01,2A01")', 'channel.open("slot1")'], "2A01"),
        (['channel.close("1A01,2A01")', 'channel.open("allslots")'], "nil"),
        (['channel.close("1A01,2A01")', 'channel.exclusiveclose("3C04")'], "3C04"),
        (['channel.close("1A01,2A01")', 'channel.exclusiveslotclose("2B02")'], "1A01;2B02"),
        (['channel.close("1A01")', "reset()"], "nil"),
        (['channel.close("1A01")', "*RST"], "nil"),
    ],
)
def test_relays_do_as_they_are_told(smu_rack: Rack, chunks: list[str], left: str) -> None:
    for chunk in chunks:
        run(smu_rack, chunk)

    assert closed(smu_rack) == left
    assert next_error(smu_rack)[0] == 0


@pytest.mark.parametrize(
    "text", ["9A01", "1I01", "1A13", "1A00", "1A1", "", "1A01,", "1A03:1A01", "1A01:2A01", "slot7"]
)
def test_a_channel_that_is_not_there_moves_no_relay(smu_rack: Rack, text: str) -> None:
    run(smu_rack, 'channel.close("1A01")')

    run(smu_rack, f'channel.exclusiveclose("{text}")')

    assert closed(smu_rack) == "1A01"
    assert next_error(smu_rack)[0] == -224
    with pytest.raises(ScpiError):
        parse_channels(text, LAYOUT_707B)


def test_states_and_counts_come_in_the_order_of_the_list(smu_rack: Rack) -> None:
    for _ in range(3):
        run(smu_rack, 'channel.close("1A02") channel.open("1A02")')
    run(smu_rack, 'channel.close("1A01")')

    assert run(smu_rack, 'print(channel.getstate("1A01:1A03"))') == "1,0,0"
    assert run(smu_rack, 'print(channel.getcount("1A01:1A03"))') == "1,3,0"


def seconds(rack: Rack, chunk: str) -> float:
    """Return the bench time that a message took, but for its way on the bus."""
    start = rack.clock.now()
    run(rack, chunk)
    return rack.clock.now() - start - 1e-3


def test_a_message_that_is_said_again_does_what_it_did_before(smu_rack: Rack) -> None:
    """A known message is compiled once; that must not show, however many others came between."""
    counting = "n = (n or 0) + 1 local mine = (mine or 0) + 1 print(n, mine)"
    told = [run(smu_rack, counting)]
    for number in range(300):
        run(smu_rack, f"local other = {number}")
    told += [run(smu_rack, counting), run(smu_rack, counting)]

    assert told == [f"{n}.00000e+00\t1.00000e+00" for n in (1, 2, 3)]


def test_a_message_that_is_no_lua_is_an_error_each_time(smu_rack: Rack) -> None:
    for _ in range(2):
        run(smu_rack, "print(")
        assert next_error(smu_rack)[0] == -285


def test_break_before_make_takes_two_settling_times(smu_rack: Rack) -> None:
    once = seconds(smu_rack, 'channel.close("1A01")')

    assert seconds(smu_rack, 'channel.exclusiveclose("1B01")') == pytest.approx(2 * once)
    assert seconds(smu_rack, 'channel.close("1B01")') == pytest.approx(0.0)  # nothing moved


def test_switching_one_after_another_takes_longer(smu_rack: Rack) -> None:
    together = seconds(smu_rack, 'channel.close("1A01:1A04")')

    one_by_one = seconds(
        smu_rack, 'channel.connectsequential = channel.ON channel.open("1A01:1A04")'
    )

    assert one_by_one == pytest.approx(4 * together)


@pytest.mark.parametrize(
    ("chunk", "number", "says"),
    [
        ("foo bar", -285, "'=' expected near 'bar'"),
        ("print(x.y)", -286, "attempt to index global 'x'"),
        ("channel.connectrule = 7", -224, "connectrule 7"),
        ("channel.nosuch()", -286, "nosuch"),
        ("channel.colour = 1", -286, "colour"),
        ("channel.close({})", -224, "channel"),
        ("channel.close()", -286, "parameter"),
        ("*FOO?", -285, "*FOO?"),
    ],
)
def test_a_mistake_is_in_the_error_queue(
    smu_rack: Rack, chunk: str, number: int, says: str
) -> None:
    assert run(smu_rack, chunk) == ""

    found, text = next_error(smu_rack)
    assert found == number
    assert says in text
    assert run(smu_rack, "print(errorqueue.count)") == "0.00000e+00"


def test_the_status_byte_tells_of_errors(smu_rack: Rack) -> None:
    run(smu_rack, "foo bar")

    assert smu_rack.status_byte(MATRIX) == 4
    run(smu_rack, "errorqueue.clear()")
    assert smu_rack.status_byte(MATRIX) == 0


@pytest.mark.parametrize(
    "name",
    ["python", "os", "io", "debug", "package", "require", "load", "loadstring", "loadfile",
     "dofile", "getfenv", "setfenv", "newproxy", "collectgarbage", "string.dump"],
)  # fmt: skip
def test_lua_has_no_door_to_the_outside(smu_rack: Rack, name: str) -> None:
    assert run(smu_rack, f"print({name})") == "nil"


@pytest.mark.parametrize(
    "chunk",
    [
        "print(channel.close.__class__)",
        "print(channel.close.__globals__)",
        "print(('').format.__class__)",
        "print(getmetatable(channel).__index)",
        "setmetatable(channel, {})",
        "local ok, e = pcall(channel.close, '9Z99') print(e.__class__)",
        "local ok, e = pcall(channel.close, nil, nil, nil) print(e.__traceback__)",
        "\033LuaQ",
    ],
)
def test_lua_meets_no_python_object(smu_rack: Rack, chunk: str) -> None:
    answer = run(smu_rack, chunk)

    assert answer == "nil" or next_error(smu_rack)[0] in (-285, -286)


def test_every_value_lua_can_reach_is_plain(smu_rack: Rack) -> None:
    walk = """
    local seen, kinds = {}, {}
    local function walk(value)
      if seen[value] then return end
      seen[value] = true
      kinds[type(value)] = true
      if type(value) == 'table' then for k, v in next, value do walk(k) walk(v) end end
    end
    walk(_G)
    walk(select(2, pcall(channel.close, '9Z99')))
    print(kinds.userdata, kinds.thread)
    """

    assert run(smu_rack, " ".join(walk.split())) == "nil\tnil"


def test_what_a_chunk_prints_before_it_fails_is_answered(smu_rack: Rack) -> None:
    assert run(smu_rack, "print('a') error('b')") == "a"
    assert next_error(smu_rack) == (-286, "Program runtime error;TSP:1: b")


def test_lua_memory_is_bounded(smu_rack: Rack) -> None:
    run(smu_rack, "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end")

    assert next_error(smu_rack)[0] == -286
    assert run(smu_rack, "print(1)") == "1.00000e+00"


def test_switching_under_voltage_is_told_in_the_log(smu_rack: Rack) -> None:
    run(smu_rack, 'channel.close("1B01")')
    smu_rack.exchange(BIT, b":OUTP ON;:SOUR:VOLT 2\n")

    run(smu_rack, 'channel.open("1B01")')

    assert b"relay switched hot, at 2 V" in [event.message for event in smu_rack.log.events]
