"""The virtual 3706A, and what it shares with the 707B: rules, forbidden channels, settling."""

import pytest

from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.wiring import LAYOUT_707B, LAYOUT_3706A
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import BIT, MATRIX, bench_document


@pytest.fixture(params=["keithley-707b", "keithley-3706a"])
def switch(request, tmp_path) -> Rack:
    return opened(request.param, tmp_path)


def opened(driver: str, tmp_path) -> Rack:
    document = bench_document("smu", noise=False)
    document["instruments"]["matrix1"]["driver"] = driver
    return open_rack(parse_bench(document, path=tmp_path / "small.toml", text=""))


def run(rack: Rack, chunk: str) -> str:
    """Run a chunk in which channels are a 707B's; return what it printed."""
    if "3706A" in rack.exchange(MATRIX, b"*IDN?\n").decode():
        for letter, digit in zip("ABCDEF", "123456", strict=True):
            for slot in "123456":
                chunk = chunk.replace(f"{slot}{letter}", f"{slot}{digit}")
    return rack.exchange(MATRIX, chunk.encode() + b"\n").decode().removesuffix("\n")


def error(rack: Rack) -> int:
    return int(float(run(rack, "print(errorqueue.next())").split("\t")[0]))


def seconds(rack: Rack, chunk: str) -> float:
    """Return the bench time that a message took, but for its way on the bus."""
    before = rack.clock.now()
    run(rack, "")
    bus = rack.clock.now() - before
    before = rack.clock.now()
    run(rack, chunk)
    return rack.clock.now() - before - bus


@pytest.mark.parametrize(
    ("layout", "channel", "place"),
    [
        (LAYOUT_707B, "1A01", (0, 0)),
        (LAYOUT_707B, "6H12", (71, 7)),
        (LAYOUT_3706A, "1101", (0, 0)),
        (LAYOUT_3706A, "1616", (15, 5)),
        (LAYOUT_3706A, "6601", (80, 5)),
    ],
)
def test_a_channel_is_a_place_and_a_place_a_channel(layout, channel, place) -> None:
    assert layout.place(channel) == place
    assert layout.channel(*place) == channel


@pytest.mark.parametrize("channel", ["1701", "1117", "1100", "7101", "1A01", "0101", "11011", ""])
def test_what_is_no_channel_of_a_3706a_is_refused(tmp_path, channel: str) -> None:
    rack = opened("keithley-3706a", tmp_path)

    rack.exchange(MATRIX, f'channel.close("{channel}")'.encode())

    assert error(rack) == -224
    assert run(rack, 'print(channel.getclose("allslots"))') == "nil"


def test_a_3706a_says_what_is_in_its_slots(tmp_path) -> None:
    rack = opened("keithley-3706a", tmp_path)

    answer = run(rack, "print(slot[6].idn, slot[1].rows.matrix, slot[1].columns.matrix)")

    assert answer == "3730,6x16 High Density Matrix,01.40a,6000001\t6.00000e+00\t1.60000e+01"


def test_a_forbidden_channel_does_not_close_whatever_names_it(switch: Rack) -> None:
    run(switch, 'channel.setforbidden("1A02")')

    for chunk in ('channel.close("1A01:1A03")', 'channel.exclusiveclose("slot1")'):
        run(switch, chunk)
        assert error(switch) == -221

    assert run(switch, 'print(channel.getclose("allslots"))') == "nil"
    run(switch, 'channel.clearforbidden("allslots") channel.close("1A02")')
    assert error(switch) == 0


def test_a_closed_channel_cannot_be_forbidden(switch: Rack) -> None:
    run(switch, 'channel.close("1A02") channel.setforbidden("slot1")')

    assert error(switch) == -221
    assert run(switch, 'print(channel.getforbidden("allslots"))') == "nil"


def test_no_relay_closes_without_the_interlock_but_all_open(switch: Rack) -> None:
    run(switch, 'channel.close("1A01")')
    persona = switch.persona(MATRIX)
    persona.is_interlocked = False

    run(switch, 'channel.close("1A02")')

    assert error(switch) == -221
    assert run(switch, "print(slot[1].interlock.state)") == "0.00000e+00"
    run(switch, 'channel.open("allslots")')
    assert run(switch, 'print(channel.getclose("allslots"))') == "nil"


def test_a_channels_own_delay_adds_to_its_settling(switch: Rack) -> None:
    settling = seconds(switch, 'channel.close("1A01")')
    run(switch, 'channel.open("1A01") channel.setdelay("1A01,1A02", 0.25)')

    assert seconds(switch, 'channel.close("1A01:1A02")') == pytest.approx(settling + 0.25)
    assert seconds(switch, 'channel.open("1A01")') == pytest.approx(settling)
    assert run(switch, 'print(channel.getdelay("1A02:1A03"))') == "2.50000e-01,0.00000e+00"


def test_a_pattern_is_a_name_for_a_list(switch: Rack) -> None:
    run(switch, 'channel.pattern.setimage("1A01,1B02", "route")')

    run(switch, 'channel.close("route,1C03") channel.pattern.snapshot("all")')
    closed = run(switch, 'print(channel.getclose("allslots"))').split(";")

    assert len(closed) == 3
    assert run(switch, 'print(channel.pattern.getimage("all"))').split(",") == closed
    run(switch, 'channel.pattern.delete("route") channel.close("route")')
    assert error(switch) == -224


@pytest.mark.parametrize(
    ("rule", "n_steps"), [("OFF", 1), ("BREAK_BEFORE_MAKE", 2), ("MAKE_BEFORE_BREAK", 2)]
)
def test_a_connect_rule_parts_opening_from_closing(switch: Rack, rule: str, n_steps: int) -> None:
    settling = seconds(switch, 'channel.close("1A01")')

    run(switch, f"channel.connectrule = channel.{rule}")

    assert seconds(switch, 'channel.exclusiveclose("1B01")') == pytest.approx(n_steps * settling)


def test_every_closure_is_counted_for_life(switch: Rack) -> None:
    for _ in range(5):
        run(switch, 'channel.exclusiveclose("1A01") channel.exclusiveclose("1B01")')
    run(switch, "reset()")

    assert run(switch, 'print(channel.getcount("1A01,1A02,1B01"))') == "5,0,5"


def test_a_reset_forgets_what_is_forbidden(switch: Rack) -> None:
    run(switch, 'channel.setforbidden("1A01") reset() channel.close("1A01")')

    assert error(switch) == 0


def test_what_a_3706a_closes_reaches_the_chip(tmp_path) -> None:
    rack = opened("keithley-3706a", tmp_path)
    rack.exchange("GPIB0::20::INSTR", b":SOUR:VOLT 3;:OUTP ON\n")
    rack.exchange(BIT, b":SOUR:VOLT 0.2;:OUTP ON\n")

    run(rack, 'channel.close("1201,1102:1112,1413,1114:1116,2101:2104")')

    truth = rack.chip.conductances([0], rack.clock.now())[0] * 0.2
    assert float(rack.exchange(BIT, b":READ?\n")) == pytest.approx(truth, rel=1e-4)


def test_a_mainframe_has_a_timer_a_beeper_a_panel_and_strings(switch):
    switch.exchange(MATRIX, b'timer.reset() delay(2) display.settext("bias") beeper.enable = 0')
    switch.exchange(MATRIX, b'userstring.add("chip", "x3y7")')

    assert float(switch.exchange(MATRIX, b"print(timer.measure.t())")) == pytest.approx(
        2.0, abs=0.1
    )
    assert switch.exchange(MATRIX, b"print(display.gettext(), beeper.enable)").startswith(
        b"bias\t0"
    )
    assert switch.exchange(MATRIX, b'print(userstring.get("chip"))') == b"x3y7\n"
    assert switch.exchange(MATRIX, b"print(errorqueue.count)").startswith(b"0")


def test_what_is_wrong_with_a_call_is_told_without_words_of_python(switch):
    switch.exchange(MATRIX, b"channel.close()")

    assert b"channel.close: a parameter is missing" in switch.exchange(
        MATRIX, b"print(errorqueue.next())"
    )
