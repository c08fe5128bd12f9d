"""The bias of an array on an SMU bench, line by line, against the table of the design."""

import numpy as np
import pytest

from labctl_data.array_bias import PassiveBias
from labctl_data.cells import Geometry
from labctl_data.pulse import PulseKind
from labctl_instruments.station.bias import Address, Biases, PassiveBiases, Terminals

G, B, S, W, P = range(5)  # ground, bit SMU, source SMU, gate SMU, pulser
TERMINALS = Terminals(ground=G, bit=B, source=S, gate=W, pulser=P)
BIASES = Biases(Geometry(1, 3, 4), TERMINALS)  # 4 BL, then 3 SL, then 3 WL
CELL = Address(0, 1, 2)


@pytest.mark.parametrize(
    ("bias", "bit_lines", "source_lines", "word_lines"),
    [
        (BIASES.reading(CELL), [G, G, B, G], [G, S, G], [G, W, G]),
        (BIASES.pulsing(CELL, PulseKind.SET), [G, G, P, G], [G, G, G], [G, W, G]),
        (BIASES.pulsing(CELL, PulseKind.RESET), [P, P, G, P], [G, P, G], [G, W, G]),
        (BIASES.sweeping(CELL, PulseKind.SET), [G, G, B, G], [G, G, G], [G, W, G]),
        (BIASES.sweeping(CELL, PulseKind.RESET), [B, B, G, B], [G, B, G], [G, W, G]),
        (BIASES.multiplying(2, np.array([0, 3])), [B, G, G, B], [G, G, S], [W, W, W]),
    ],
    ids=["READ", "SET", "RESET", "sweep up", "sweep down", "MAC"],
)
def test_every_line_is_where_the_design_puts_it(bias, bit_lines, source_lines, word_lines):
    assert bias.tolist() == bit_lines + source_lines + word_lines


def test_the_lines_of_a_second_array_are_its_own():
    two = Biases(Geometry(2, 3, 4), TERMINALS)

    bias = two.multiplying(4, np.array([1]))

    assert np.flatnonzero(bias == B).tolist() == [5]  # bit line 1 of array 1
    assert np.flatnonzero(bias == S).tolist() == [8 + 4]
    assert np.flatnonzero(bias == W).tolist() == [8 + 6 + 3, 8 + 6 + 4, 8 + 6 + 5]


L, X = 5, -1  # the pulser's channel below 0 V, and no row at all
PAIR = Terminals(ground=G, bit=B, source=S, gate=W, pulser=P, pulser_below=L)
HALF = PassiveBiases(Geometry(1, 3, 4), PAIR, PassiveBias())
FLOATING = PassiveBiases(Geometry(1, 3, 4), PAIR, PassiveBias(read="floating"))


@pytest.mark.parametrize(
    ("bias", "bit_lines", "source_lines"),
    [
        (HALF.reading(CELL), [G, G, B, G], [G, S, G]),
        (FLOATING.reading(CELL), [X, X, B, X], [X, S, X]),
        (HALF.pulsing(CELL, PulseKind.SET), [G, G, P, G], [G, L, G]),
        (HALF.pulsing(CELL, PulseKind.RESET), [G, G, L, G], [G, P, G]),
        (HALF.sweeping(CELL, PulseKind.SET), [G, G, B, G], [W, S, W]),
        (HALF.sweeping(CELL, PulseKind.RESET), [G, G, B, G], [W, S, W]),
        (HALF.multiplying(2, np.array([0, 3])), [B, G, G, B], [G, G, S]),
    ],
    ids=["READ", "READ floating", "SET", "RESET", "sweep up", "sweep down", "MAC"],
)
def test_lines_without_transistors_are_where_half_of_the_voltage_puts_them(
    bias, bit_lines, source_lines
):
    assert bias.tolist() == bit_lines + source_lines


def test_the_lines_of_a_second_array_without_transistors_are_its_own():
    two = PassiveBiases(Geometry(2, 3, 4), PAIR, PassiveBias())  # 8 BL, then 6 SL

    sums, one = two.multiplying(4, np.array([1])), two.reading(Address(1, 2, 0))

    assert np.flatnonzero(sums == B).tolist() == [4 + 1]
    assert np.flatnonzero(sums == S).tolist() == [8 + 4]
    assert np.flatnonzero(one == B).tolist() == [4]
    assert np.flatnonzero(one == S).tolist() == [8 + 3 + 2]
