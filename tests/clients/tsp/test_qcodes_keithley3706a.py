"""QCoDeS's Keithley3706A, as it is, on a served 3706A."""

import pytest

from tests.clients.tsp.conftest import ROUTE, read_current

keithley = pytest.importorskip("qcodes.instrument_drivers.Keithley")


@pytest.fixture
def switch(bench_3706a):
    instrument = keithley.Keithley3706A(
        "switch", bench_3706a.instruments["matrix"], visalib="@py", terminator="\n"
    )
    yield instrument
    instrument.close()


def test_what_it_closes_is_joined(switch, bench_3706a) -> None:
    for channels in ROUTE:
        first, _, last = channels.partition(":")
        for number in range(int(first), int(last or first) + 1):
            switch.close_channel(str(number))

    assert len(switch.get_closed_channels("allslots")) == 20
    assert read_current(bench_3706a) == pytest.approx(float(bench_3706a.expected(0.2)[0]), rel=1e-3)
    assert float(switch.ask("errorqueue.count")) == 0


def test_its_words_are_understood(switch) -> None:
    switch.exclusive_close("1205")
    switch.set_forbidden_channels("1301")
    switch.set_delay("1101", 0.1)

    assert switch.get_closed_channels("allslots") == ["1205"]
    assert switch.get_forbidden_channels("allslots") == "1301"
    assert switch.get_delay("1101,1102") == [0.1, 0.0]
    assert [card["model"] for card in switch.get_switch_cards()] == ["3730"] * 6
    assert len(switch.get_channels()) == 6 * 96
    assert switch.channel_connect_rule() == "BREAK_BEFORE_MAKE"
    switch.snapshot(update=True)
    assert float(switch.ask("errorqueue.count")) == 0
