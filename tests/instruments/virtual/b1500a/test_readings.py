"""What the virtual B1500A's SMUs read: formats, compliance, ranges, integration, noise."""

import re

import numpy as np
import pytest

from tests.instruments.virtual.b1500a.conftest import (
    FRAME,
    data,
    expected,
    opened,
    say,
)


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
