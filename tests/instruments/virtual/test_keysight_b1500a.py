"""The virtual B1500A: FLEX with its status letters, ranges, converters, sweeps and pulses."""

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyvisa.errors import VisaIOError

from labctl_data.model.vectors import current
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import MATRIX, bench_document
from tests.instruments.virtual.test_damaged_messages import damaged

FRAME = "GPIB0::17::INSTR"
ROUTE = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between slot 1 and ground, its word line on slot 3, the rest grounded."""
PULSED = b'channel.close("1E01,1A02:1A12,2D01,2A02:2A08")'
"""The same with the first pulse output instead of slot 1."""
MODULES = {
    "bit": ("hrsmu", "1"),
    "source": ("hrsmu", "2"),
    "gate": ("mpsmu", "3"),
    "pulser": ("spgu", "5"),
}
_DATUM = re.compile(r"([A-Z])([A-Z])([A-Z])([+-]\d+\.\d+E[+-]\d+)")


def document(**virtual):
    """Return a small bench of which all that drives is in one B1500A."""
    bench = bench_document("smu", **virtual)
    for name, (module, slot) in MODULES.items():
        bench["instruments"][name] |= {
            "driver": f"keysight-b1500a-{module}",
            "address": FRAME,
            "channel": slot,
        }
    return bench


def opened(tmp_path, route=ROUTE, **virtual) -> Rack:
    rack = open_rack(parse_bench(document(**virtual), path=tmp_path / "small.toml", text=""))
    rack.exchange(MATRIX, route)
    rack.exchange(FRAME, b"CN 1,3;DV 3,0,3,1E-3;DV 1,0,0,1E-3\r\n")
    return rack


@pytest.fixture
def rack(tmp_path) -> Rack:
    """A bench without noise: a cell at slot 1, its gate open."""
    return opened(tmp_path, noise=False)


def say(rack: Rack, message: str) -> str:
    return rack.exchange(FRAME, message.encode("latin-1") + b"\r\n").decode("latin-1").rstrip()


def error(rack: Rack) -> int:
    return int(say(rack, "ERRX?").partition(",")[0])


def data(answer: str) -> list[tuple[str, str, str, float]]:
    """Return status, channel, kind and value of each datum of formats 1 and 11."""
    found = [_DATUM.fullmatch(part) for part in answer.split(",")]
    return [(m[1], m[2], m[3], float(m[4])) for m in found if m is not None]


def expected(rack: Rack, voltage: float) -> float:
    """Return the current of cell (0, 0) by the model's equation, in A."""
    conductance = rack.chip.conductances([0], rack.clock.now())
    return float(current(rack.chip.model, conductance, voltage)[0])


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("*IDN?", "Agilent Technologies,B1500A,0,A.06.02.2023.0401"),
        ("UNT?", "B1517A,0;B1517A,0;B1511B,0;0,0;B1525A,0;0,0;0,0;0,0;0,0;0,0"),
        ("*OPC?", "1"),
        ("ERRX?", '+0,"No Error."'),
        ("ERRX? 1", "+0"),
        ("EMG? 200", "Channel output switch must be ON."),
        ("*LRN? 0", "CN1,3"),
        ("CN;*LRN? 0", "CN1,2,3,501,502"),
        ("CL;*LRN? 0", "CL"),
        ("*LRN? 1", "DV1,0,0,0.001,0,0"),
        ("*LRN? 2", "CL2"),
        ("cn2;di 2,0,1e-6,2;*lrn? 2", "DI2,0,1E-06,2,0,0"),
        ("*LRN? 31", "TM1;AV1,0;CM1;FMT1,0;MM1"),
        ("MM 2,1,3;AV -2;*LRN? 31", "TM1;AV-2;CM1;FMT1,0;MM2,1,3"),
        ("RI 1,-15;RV 2,12;*LRN? 32", "RI1,-15;RV1,0;RI2,0;RV2,12;RI3,0;RV3,0"),
        ("FL 1,2;*LRN? 30", "FL0,1,3;FL1,2"),
        ("AAD 2,1;*LRN? 55", "AAD1,0;AAD2,1;AAD3,0"),
        ("AIT 0,3,1E-4;AZ 1;*LRN? 56", "AIT0,3,0.0001;AIT1,0,6;AIT2,2,1;AZ1"),
        ("NUB?", "0"),
        ("TSR;PA 0.25;FMT 11;TSQ", "NZT+2.500000E-01"),
    ],
)
def test_a_question_is_answered_as_the_instrument_does(rack, message, answer) -> None:
    assert say(rack, message) == answer
    assert error(rack) == 0


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("*CLS", 100),
        ("CN 1,x", 102),
        ("DV 1,0", 120),
        ("CN 11", 121),
        ("DZ 1,1", 122),
        ("MM 2", 122),
        ("DV 1,0,1,0", 123),
        ("DV 1,0,1,0.2", 123),
        ("DV 1,0,21,0.06", 123),
        ("DV 1,8,1,1E-3", 124),
        ("CN 3;DI 3,10,1E-9", 124),
        ("CN 4", 153),
        ("TI 2,0", 200),
        ("DV 2,0,1", 200),
        ("SPUPD 501", 200),
        ("DV 1,0,50,1E-3", 202),
        ("RZ 1", 205),
        ("DV 1,0,101,1E-3", 120),
        ("FMT 6", 120),
        ("AIT 1,3,1E-3", 120),
        ("SSR 1,1", 120),
        ("SPPER 0.000000", 120),
        ("WV 1,2,0,0,1,5,1E-3", 120),
        ("MM 2,1;XE", 214),
    ],
)
def test_what_cannot_be_done_is_an_error_and_nothing_is_forced(rack, message, number) -> None:
    before = say(rack, "*LRN? 1")

    answer = say(rack, message)

    assert answer == ""
    assert error(rack) == number
    assert error(rack) == 0
    assert say(rack, "*LRN? 1") == before


def test_its_page_lists_what_it_understands_and_nothing_else(rack) -> None:
    text = (Path(__file__).parents[3] / "docs" / "commands-b1500a.md").read_text(encoding="utf-8")
    section = text.partition("## Commands")[2].partition("\nA datum")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    listed = {word for words in re.findall(r"`([^`]+)`", table) for word in words.split()}
    listed.remove("?")  # of the pulses, all of which are asked too
    (asked,) = re.findall(r"\| pulses \| `([^`]+)`, each with", table)
    listed |= {f"{header}?" for header in asked.split()}

    assert listed == set(rack.persona(FRAME).headers)


def test_an_error_ends_its_message(rack) -> None:
    assert say(rack, "DV 1,0,0.1;NONSENSE;DV 1,0,0.3;*OPC?") == ""
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.1,")
    assert say(rack, "ERR?") == "100,0,0,0"
    assert say(rack, "ERR?") == "0,0,0,0"


def test_a_switch_that_closes_starts_at_zero_with_the_least_compliance(rack) -> None:
    say(rack, "DV 1,0,0.2,1E-2;CL 1;CN 1")

    assert say(rack, "*LRN? 1") == "DV1,0,0,0.0001,0,0"


def test_zero_is_forced_at_once_and_what_was_is_restored(rack) -> None:
    say(rack, "DV 1,0,0.2,1E-3")

    zeroed = data(say(rack, "DZ 1;TI 1"))
    restored = data(say(rack, "RZ 1;TI 1"))

    assert zeroed[0][3] == 0.0
    assert restored[0][3] == pytest.approx(expected(rack, 0.2), rel=1e-3)


@pytest.mark.parametrize("voltage", [0.05, 0.2, 0.3])
@pytest.mark.parametrize(("adc", "counts"), [(0, 50_000), (1, 1_000_000)])
def test_a_reading_is_the_cells_current_to_what_the_converter_resolves(
    rack, voltage, adc, counts
) -> None:
    answer = say(rack, f"FMT 11;AAD 1,{adc};DV 1,0,{voltage},1E-3;TI 1,0")

    ((status, channel, kind, value),) = data(answer)
    assert (status, channel, kind) == ("N", "A", "I")
    half_a_count = 1e-5 / counts / 2  # on the range of 10 uA
    assert value == pytest.approx(expected(rack, voltage), rel=0, abs=1.01 * half_a_count)


@pytest.mark.parametrize(
    ("number", "pattern"),
    [
        (1, r"NAI\+\d\.\d{5}E-06\r\n"),
        (2, r"\+\d\.\d{5}E-06\r\n"),
        (5, r"NAI\+\d\.\d{5}E-06,"),
        (11, r"NAI\+\d\.\d{6}E-06\r\n"),
        (12, r"\+\d\.\d{6}E-06\r\n"),
        (21, r"000AI\+\d\.\d{6}E-06\r\n"),
        (25, r"000AI\+\d\.\d{6}E-06,"),
    ],
)
def test_a_text_format_has_its_digits_its_head_and_its_end(rack, number, pattern) -> None:
    say(rack, f"DV 1,0,0.2,1E-3;FMT {number}")

    assert re.fullmatch(pattern, rack.exchange(FRAME, b"TI 1\r\n").decode("ascii"))


def bits(word: bytes, high: int, low: int) -> int:
    """Return the bits from `high` down to `low` of a big-endian word."""
    return int.from_bytes(word, "big") >> low & (1 << high - low + 1) - 1


def test_four_bytes_say_what_the_programming_guide_says(rack) -> None:
    say(rack, "DV 1,0,-0.2,1E-3;FMT 4")

    word = rack.exchange(FRAME, b"TI 1,-15\r\n")

    # Guide, page 1-43: type, parameter, range 10^(C-20), count of range/50000, status, channel.
    assert (bits(word, 31, 31), bits(word, 30, 30), bits(word, 29, 25)) == (1, 1, 15)
    assert (bits(word, 7, 5), bits(word, 4, 0)) == (0, 1)
    count = bits(word, 23, 8) - 65536 * bits(word, 24, 24)
    assert count * 1e-5 / 50_000 == pytest.approx(expected(rack, -0.2), rel=1e-3)


def test_eight_bytes_say_what_the_programming_guide_says(rack) -> None:
    say(rack, "AAD 1,1;DV 1,0,0.2,1E-3;TSR;PA 0.1;FMT 14")

    words = rack.exchange(FRAME, b"TTI 1,0\r\n")

    # Guide, pages 1-48 to 1-53: a time counts microseconds; a reading range/1000000.
    time, reading = words[:8], words[8:]
    assert bits(time, 63, 56) == 3
    assert bits(time, 55, 8) * 1e-6 == pytest.approx(0.1, abs=5e-3)
    assert (bits(reading, 63, 56), bits(reading, 55, 48)) == (0x81, 15)
    assert (bits(reading, 7, 5), bits(reading, 4, 0)) == (1, 1)
    value = bits(reading, 47, 16) * 1e-5 / 1_000_000
    assert value == pytest.approx(expected(rack, 0.2), rel=2e-6)


def test_a_compliance_is_held_and_flagged_and_the_others_are_told(rack) -> None:
    say(rack, "CN 2;DV 1,0,0.3,1E-6;MM 1,1,2")

    assert data(say(rack, "XE"))[0][:3] == ("C", "A", "I")
    assert data(say(rack, "XE"))[1][:3] == ("T", "B", "I")
    assert data(say(rack, "TI 1"))[0][3] == pytest.approx(1e-6, rel=1e-3)
    assert say(rack, "FMT 21;TI 1").startswith("008AI")


def test_a_range_that_is_too_low_reads_no_number(rack) -> None:
    say(rack, "DV 1,0,0.3,1E-3")

    assert say(rack, "TI 1,-14") == "VAI+199.999E+99"
    assert say(rack, "FMT 21;TI 1,-14") == "001AI+199.9999E+99"


def test_a_range_sets_what_is_resolved(rack) -> None:
    say(rack, "FMT 11;AAD 1,1;DV 1,0,0.2,1E-3")

    def step(code: int) -> float:
        return data(say(rack, f"TI 1,{code}"))[0][3]

    true = expected(rack, 0.2)
    assert abs(step(19) - true) > abs(step(15) - true)
    assert step(19) == pytest.approx(round(true / 1e-7) * 1e-7, rel=1e-9)  # 100 mA / 1000000


@pytest.mark.parametrize(
    ("setting", "cycles"),
    [("AAD 1,1;AIT 1,2,10", 10), ("AAD 1,1;AIT 1,2,10;AZ 1", 20), ("AV -4", 4), ("AV 128,1", 1)],
)
def test_a_reading_takes_its_integration(rack, setting, cycles) -> None:
    say(rack, setting)
    before = rack.clock.now()

    say(rack, "TI 1")

    # 50 Hz; 1 ms of the message, 1 ms of the wait before a measurement.
    assert rack.clock.now() - before == pytest.approx(cycles / 50 + 2e-3, abs=1e-6)


def test_noise_falls_with_the_root_of_the_integration(tmp_path) -> None:
    rack = opened(tmp_path, route=b'channel.open("allslots")')
    say(rack, "FMT 11;AAD 1,1")

    def spread(cycles: int) -> float:
        say(rack, f"AIT 1,2,{cycles}")
        return float(np.std([data(say(rack, "TI 1,-9"))[0][3] for _ in range(300)]))

    # Each standard deviation of 300 readings is known to 4 %.
    assert spread(1) / spread(16) == pytest.approx(4.0, rel=0.25)


def test_a_staircase_measures_each_step_and_ends_where_it_shall(rack) -> None:
    say(rack, "FMT 11,1;AAD 1,1;WT 0,0.01;WM 1,2;WV 1,1,0,0,0.2,5,1E-3;MM 2,1")
    before = rack.clock.now()

    found = data(say(rack, "XE"))

    levels = [value for _, _, kind, value in found if kind == "V"]
    currents = [value for _, _, kind, value in found if kind == "I"]
    assert levels == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert [status for status, _, kind, _ in found if kind == "V"] == ["W"] * 4 + ["E"]
    for level, value in zip(levels, currents, strict=True):
        assert value == pytest.approx(expected(rack, level), rel=1e-4, abs=1e-12)
    assert rack.clock.now() - before > 5 * 0.01
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.2,")


def test_a_double_staircase_with_a_synchronous_source_steps_both(rack) -> None:
    say(rack, "CN 2;WV 1,3,0,0,0.2,3,1E-3;WSV 2,0,0.3,0.1,1E-3;MM 2,1;FMT 1,2")

    found = data(say(rack, "XE"))

    assert [value for _, channel, _, value in found if channel == "B"] == pytest.approx(
        [0.3, 0.2, 0.1, 0.1, 0.2, 0.3]
    )


def test_a_sweep_that_meets_its_compliance_stops_where_that_is_asked(rack) -> None:
    say(rack, "WM 2,2;WV 1,1,0,0.1,0.4,4,3E-6;MM 2,1")

    found = data(say(rack, "XE"))

    assert [status for status, *_ in found] == ["N", "C", "V", "V"]
    assert found[-1][3] == 199.999e99
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.1,")


def test_samples_are_taken_at_their_interval(rack) -> None:
    say(rack, "FMT 1,1;TSC 1;MV 1,0,0,0.2,1E-3;MT 0,0.01,4;MSC 1,1;MM 10,1;TSR")

    found = data(say(rack, "XE"))

    times = [value for _, _, kind, value in found if kind == "T"]
    assert [value for _, _, kind, value in found if kind == "X"] == [1, 2, 3, 4]
    assert np.diff(times) == pytest.approx(0.01, abs=2e-3)
    assert found[2][3] == pytest.approx(expected(rack, 0.2), rel=1e-3)
    assert say(rack, "*LRN? 1").startswith("DV1,0,0,")


SHAPE = (
    "CN 501;SER 501,1E6;SIM 0;SPM 501,1;SPT 501,1,0,5E-8,8E-9;SPV 501,1,0,{level};"
    "SPRM 1,{count};SPPER 1E-6;SPUPD 501"
)


def written(rack: Rack) -> float:
    return float(rack.chip.conductances([0], rack.clock.now())[0])


def test_pulses_write_the_cell_on_the_generators_row(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
    before = written(rack)

    say(rack, SHAPE.format(level=-2.0, count=30))
    assert written(rack) == pytest.approx(before, rel=1e-3)
    assert say(rack, "SRP;SPST?") == "0"

    assert rack.chip.pulse_counts(np.array([0])).tolist() == [30]
    assert written(rack) < 0.9 * before
    assert error(rack) == 0


def test_into_an_open_line_a_level_doubles_unless_the_load_is_told(tmp_path) -> None:
    def moved(load: str) -> float:
        rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
        before = written(rack)
        say(rack, SHAPE.format(level=-1.0, count=10).replace("1E6", load))
        say(rack, "SRP")
        return written(rack) / before

    assert moved("50") < moved("1E6")


def test_what_a_generator_is_told_takes_effect_with_the_update(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False, spread=False)
    say(rack, SHAPE.format(level=0.0, count=1))
    before = written(rack)

    say(rack, "SPV 501,1,0,-2.5;SRP")
    assert written(rack) == pytest.approx(before, rel=1e-3)

    say(rack, "SPUPD 501;SRP")
    assert written(rack) != pytest.approx(before, rel=1e-3)


def test_a_train_without_end_makes_the_pulses_of_its_time(tmp_path) -> None:
    rack = opened(tmp_path, route=PULSED, noise=False)
    say(rack, SHAPE.format(level=-2.0, count=1) + ";SPRM 0;SPPER 1E-3")
    before = int(rack.chip.pulse_counts(np.array([0]))[0])

    assert say(rack, "SRP;PA 0.02;SPST?") == "1"
    assert say(rack, "SPP;SPST?") == "0"

    # 20 ms at 1 kHz, and the time of one message.
    assert int(rack.chip.pulse_counts(np.array([0]))[0]) - before == 21


def test_two_sources_that_meet_are_an_event(rack) -> None:
    say(rack, "CN 501;SER 501,1E6;SPV 501,1,1,1;SPUPD 501;DV 1,0,0.2,1E-3")

    rack.exchange(MATRIX, b'channel.close("1E01")')

    assert any("two sources on one line" in str(event) for event in rack.log.events)


def test_a_reset_opens_every_switch_and_keeps_the_errors(rack) -> None:
    say(rack, "CN;FMT 21;NONSENSE")

    say(rack, "*RST")

    assert say(rack, "*LRN? 0") == "CL"
    assert say(rack, "*LRN? 31").endswith("FMT1,0;MM1")
    assert error(rack) == 100


def test_91_compliances_from_a_nanoampere_to_an_ampere_hold_or_are_refused(rack) -> None:
    refused = 0
    for limit in np.logspace(-9, 0, 91):
        say(rack, f"DV 1,0,0.1,{limit:.9G}")
        found = float(say(rack, "*LRN? 1").split(",")[3])
        if error(rack):
            refused += 1
            assert limit > 0.1
        else:
            assert found == pytest.approx(limit, rel=1e-3)

    assert refused == 10  # those beyond 100 mA, of 10 a decade


def test_1e4_readings_change_no_setting(rack) -> None:
    say(rack, "DV 1,0,0.1,3.3E-6")
    before = [say(rack, f"*LRN? {kind}") for kind in (0, 1, 31, 32, 55, 56)]

    for _ in range(10_000):
        rack.exchange(FRAME, b"TI 1,0\r\n")

    assert [say(rack, f"*LRN? {kind}") for kind in (0, 1, 31, 32, 55, 56)] == before
    assert error(rack) == 0


MESSAGES = (
    b"CN 1,2;DV 1,0,0.2,1E-3;TI 1,0;TV 1",
    b"MM 2,1;WV 1,1,0,0,0.2,5,1E-3;XE",
    b"MM 10,1;MT 0,0.01,4;MV 1,0,0,0.2,1E-3;XE",
    b"FMT 13,1;TSC 1;AAD 1,1;AIT 1,2,1;AZ 1;XE",
    b"SPT 501,1,0,5E-8,8E-9;SPV 501,1,0,2;SPRM 1,3;CN 501;SPUPD 501;SRP",
    b"*LRN? 33;*LRN? 1;DZ;RZ 1;ERRX?;UNT?",
)


def test_no_damaged_message_breaks_the_instrument(tmp_path) -> None:
    rack = opened(tmp_path)
    rng = random.Random(13)

    for number in range(1500):
        if number % 50 == 0:
            rack.exchange(FRAME, b"*RST\r\nMT 0,0.01,4\r\n")
        rack.exchange(FRAME, damaged(rng.choice(MESSAGES), rng))

    assert say(rack, "*RST;*IDN?").count(",") == 3


def test_in_process_data_wait_in_their_buffer_while_questions_are_answered(rack, visa) -> None:
    b1500 = visa(rack).open_resource(FRAME, read_termination="\r\n", write_termination="\r\n")
    say(rack, "DV 1,0,0.2,1E-3;MM 1,1")

    b1500.write("XE")
    answer = b1500.query("*OPC?")
    (datum,) = data(b1500.read())

    assert answer == "1"
    assert datum[3] == pytest.approx(expected(rack, 0.2), rel=1e-3)


@pytest.mark.parametrize("clears", ["BC", "FMT 1", "*RST"])
def test_in_process_a_cleared_buffer_holds_no_data(rack, visa, clears) -> None:
    b1500 = visa(rack).open_resource(FRAME, read_termination="\r\n", write_termination="\r\n")
    say(rack, "MM 1,1")

    b1500.write("XE")
    b1500.write(clears)

    assert b1500.query("*OPC?") == "1"
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        b1500.read()


@pytest.mark.filterwarnings("ignore")
def test_pymeasures_own_driver_sweeps_in_process_as_its_manual_says(rack) -> None:
    from pymeasure.instruments.agilent import AgilentB1500

    b1500: Any = AgilentB1500(FRAME, visa_library=f"{rack.token}@labctl")
    b1500.initialize_all_smus()
    b1500.data_format(21, mode=1)
    b1500.meas_mode("STAIRCASE_SWEEP", b1500.smu1)
    b1500.smu1.enable()
    b1500.smu1.adc_type = "HRADC"
    b1500.adc_setup("HRADC", "AUTO", 6)
    b1500.smu1.staircase_sweep_source(
        "VOLTAGE", "LINEAR_DOUBLE", "Auto Ranging", 0.05, 0.2, 4, 0.001
    )
    b1500.check_errors()

    b1500.send_trigger()
    assert b1500.check_idle()
    points = [b1500.read_channels(2) for _ in range(8)]

    levels = [point[1][3] for point in points]
    assert levels == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05])
    for point, level in zip(points, levels, strict=True):
        assert point[0][3] == pytest.approx(expected(rack, level), rel=1e-4)
    b1500.adapter.close()
