"""Layouts of the board's messages, against the byte offsets of docs/board-dialogue.md."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from labctl_data.mac_plan import MacPlan
from labctl_instruments.errors import BoardMessageError
from labctl_instruments.wire import board_layout as layout


def make_plan() -> MacPlan:
    return MacPlan(
        columns=np.array([[0, 1, -1], [2, 3, 4]]),
        outputs=np.array([[0, 0], [1, 0]]),
        signs=np.array([[1, -1], [1, 0]]),
        adc_full_scale=2e-5,
    )


ROWS = np.array([[5, 6], [130, -1]])


def test_a_pulse_record_is_thirty_two_bytes_at_the_documented_offsets() -> None:
    record = layout.pack_pulses([7], 1, 1.8, 50e-9, 4.7).tobytes()

    assert record == struct.pack("<IIddd", 7, 1, 1.8, 50e-9, 4.7)


def test_a_sweep_point_is_sixteen_bytes() -> None:
    assert layout.SWEEP_POINT.itemsize == 16


def test_a_plan_is_laid_out_as_documented() -> None:
    packed = layout.pack_plan(make_plan(), ROWS)

    assert packed[:48] == struct.pack("<6I3d", 1, 2, 3, 2, 8, 8, 2e-5, 0.2, 50e-9)
    assert packed[48:] == struct.pack(
        "<18i", 0, 1, -1, 2, 3, 4, 5, 6, 130, -1, 0, 0, 1, 0, 1, -1, 1, 0
    )


def test_a_plan_with_digits_of_several_bits_is_of_version_two() -> None:
    plan = replace(make_plan(), dac_bits=4)

    packed = layout.pack_plan(plan, ROWS)

    one = layout.pack_plan(make_plan(), ROWS)
    assert packed == struct.pack("<I", 2) + one[4:48] + struct.pack("<II", 4, 0) + one[48:]
    back, rows = layout.unpack_plan(packed)
    assert (back.dac_bits, back.n_slots) == (4, 2)
    assert rows.tolist() == ROWS.tolist()
    with pytest.raises(BoardMessageError, match="the header is 56"):
        layout.unpack_plan(packed[:52])


def test_a_plan_returns_from_its_bytes() -> None:
    plan, rows = layout.unpack_plan(layout.pack_plan(make_plan(), ROWS))

    assert rows.tolist() == ROWS.tolist()
    assert plan.columns.tolist() == make_plan().columns.tolist()
    assert plan.signs.tolist() == make_plan().signs.tolist()
    assert (plan.n_outputs, plan.input_bits, plan.lsb) == (2, 8, 2e-5 / 255)


@pytest.mark.parametrize(
    ("offset", "value", "says"),
    [
        (0, 3, "version 3"),
        (0, 2, "dac_bits 0 is not in 1..8"),
        (4, 0, "blocks 0"),
        (4, 3, "expected 156 bytes, found 120"),
        (16, 17, "adc_bits 17"),
        (20, 9, "input_bits 9"),
        (104, 5, "sign is not"),
        (88, -3, "no output or no source line"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(offset: int, value: int, says: str) -> None:
    packed = bytearray(layout.pack_plan(make_plan(), ROWS))
    struct.pack_into("<i", packed, offset, value)

    with pytest.raises(BoardMessageError, match=says):
        layout.unpack_plan(bytes(packed))


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(BoardMessageError, match=r"source lines of shape \(2,\)"):
        layout.pack_plan(make_plan(), [1, 2])
