"""Draws are those of their counters, and of their distributions."""

import numpy as np
import pytest
from scipy import stats

from labctl_data.model.compiled import compiled
from labctl_instruments.chip import random as rnd


@compiled
def _philox(key, counter, out):
    words = rnd.philox(key, counter[0], counter[1], counter[2], counter[3])
    for i in range(4):
        out[i] = words[i]


@compiled
def _students(key, out):
    for i in range(out.shape[0]):
        out[i] = rnd.student(rnd.uniform(rnd.draw(key, i, 0, rnd.WALK, 0)[0]))


@compiled
def _normal_pairs(key, out):
    for i in range(out.shape[1]):
        words = rnd.draw(key, i, 0, rnd.READ, 0)
        out[0, i], out[1, i] = rnd.normal_pair(words[0], words[1])


@compiled
def _normals(first, second, out):
    for i in range(out.shape[0]):
        out[i] = rnd.normal_of(rnd.mixed(np.uint32(i), np.uint32(first), np.uint32(second)))


@compiled
def _mixed(start, first, second, out):
    for i in range(out.shape[0]):
        out[i] = rnd.mixed(np.uint32(start + i), np.uint32(first), np.uint32(second))


F = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([F, F, F, F], [F, F], [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(
    counter: list[int], key: list[int], expected: list[int]
) -> None:
    out = np.zeros(4, np.uint64)

    _philox(np.array(key, np.uint64), np.array(counter, np.uint64), out)

    assert out.tolist() == expected


def test_a_key_holds_all_64_bits_of_a_seed() -> None:
    assert rnd.key_of(0x0123456789ABCDEF).tolist() == [0x89ABCDEF, 0x01234567]


def test_student_numbers_follow_the_law_of_four_degrees_of_freedom() -> None:
    out = np.empty(200_000)

    _students(rnd.key_of(1), out)

    assert stats.kstest(out * np.sqrt(2.0), stats.t(4).cdf).pvalue > 0.01


def test_normal_pairs_are_normal_and_independent() -> None:
    out = np.empty((2, 200_000))

    _normal_pairs(rnd.key_of(2), out)

    assert stats.kstest(out[0], stats.norm.cdf).pvalue > 0.01
    assert stats.kstest(out[1], stats.norm.cdf).pvalue > 0.01
    assert abs(np.corrcoef(out)[0, 1]) < 4 / np.sqrt(out.shape[1])


def test_the_numbers_of_conversions_are_normal_to_their_stated_accuracy() -> None:
    out = np.empty(4_000_000, np.float32)

    _normals(17, 4711, out)

    n = len(out)
    numbers = out.astype(np.float64)
    edges = np.linspace(-4.0, 4.0, 161)
    found = (numbers[:, np.newaxis] < edges[np.newaxis, ::20]).mean(axis=0)
    assert np.abs(found - stats.norm.cdf(edges[::20])).max() < 1.9e-4 + 4 * 0.5 / np.sqrt(n)
    assert abs(numbers.mean()) < 4 / np.sqrt(n)
    assert abs(numbers.var() - 1.0) < 4 * np.sqrt(2.0 / n)
    assert abs(stats.kurtosis(numbers)) < 2.4e-4 + 4 * np.sqrt(24.0 / n)
    assert np.abs(numbers).max() <= rnd.LARGEST_NORMAL
    beyond = (np.abs(numbers) > 3.0).mean()
    assert beyond == pytest.approx(2 * stats.norm.cdf(-3.0), rel=0.05)


def test_mixed_words_are_uniform_and_unlike_their_neighbours_and_other_keys() -> None:
    n = 1 << 20
    here, there, next_to = (np.empty(n, np.uint32) for _ in range(3))

    _mixed(0, 1, 2, here)
    _mixed(0, 3, 2, there)
    _mixed(1, 1, 2, next_to)

    assert stats.chisquare(np.bincount(here >> 20, minlength=4096)).pvalue > 0.001
    assert stats.chisquare(np.bincount(here & 0xFFF, minlength=4096)).pvalue > 0.001
    for other in (there, next_to):
        joint = (here >> 26).astype(np.int64) * 64 + (other >> 26)
        assert stats.chisquare(np.bincount(joint, minlength=4096)).pvalue > 0.001
        assert abs(np.corrcoef(here, other)[0, 1]) < 4 / np.sqrt(n)
