"""Inference through the board's dialogue, judged by whole numbers computed apart from it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_instruments.station import Station
from labctl_procedures.network import ImageSet, NetworkError, infer
from labctl_procedures.network.graph import accuracy_software
from labctl_procedures.network.inference import Rate
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.plan import LayerPlan, NetworkPlan
from labctl_procedures.network.signal_chain import run

OpenBoard = Callable[..., Station]


def scores_in_python_integers(plan: NetworkPlan, image: np.ndarray) -> list[int]:
    """Compute one image's scores from level numbers; no code is shared.

    Feature maps are dictionaries (channel, y, x) -> code. A pooled network layer is 2x2 after C1
    and 3x3 with stride 3, ceiling mode, after C3 (Yao et al.).
    """
    codes = {(0, y, x): int(image[y, x]) for y in range(28) for x in range(28)}
    for number, (pool, size) in enumerate([(2, 26), (3, 11), (None, 1)]):
        layer = plan.layers[number]
        stride = 1
        sums = {
            (o, y, x): total
            for y in range(size)
            for x in range(size)
            for o, total in enumerate(sums_at(plan, layer, codes, y * stride, x * stride))
        }
        if pool is None:
            return [sums[o, 0, 0] for o in range(10)]
        codes = pooled(plan.layers[number + 1], sums, size, pool)
    raise AssertionError("the last layer returns")


def sums_at(
    plan: NetworkPlan, layer: LayerPlan, codes: dict[tuple[int, int, int], int], y: int, x: int
) -> list[int]:
    outputs, height, width, channels = layer.levels.shape
    totals = [0] * outputs
    runs = [[(c, dy, dx) for dy in range(height) for dx in range(width)] for c in range(channels)]
    for block in runs:  # one input channel a block, for all three layers of this network
        inputs = [codes[c, y + dy, x + dx] for c, dy, dx in block]
        for bit in range(8):
            driven = [place for place, code in zip(block, inputs, strict=True) if code >> bit & 1]
            if not driven:
                continue
            for o in range(outputs):
                weights = [int(layer.levels[o, dy, dx, c]) for c, dy, dx in driven]
                plus = sum(7 + 9 * max(w, 0) for w in weights)  # in 2/7 uS: (7 + 9 k) 2/7
                minus = sum(7 + 9 * max(-w, 0) for w in weights)
                totals[o] += (code_of(plus, layer) - code_of(minus, layer)) << bit
    return totals


def code_of(current: int, layer: LayerPlan) -> int:
    step = Fraction(*layer.lsb)
    return min(255, int((current / step + Fraction(1, 2)) // 1))


def pooled(
    after: LayerPlan, sums: dict[tuple[int, int, int], int], size: int, pool: int
) -> dict[tuple[int, int, int], int]:
    if after.coding is None:
        raise AssertionError("only the first layer reads the image")
    factor = Fraction(after.coding.ratio.multiplier, 2**after.coding.ratio.shift)
    steps = -(-size // pool)
    out = {}
    for o in range(after.layer.in_shape[2]):
        for row in range(steps):
            for column in range(steps):
                window = [
                    sums[o, y, x]
                    for y in range(row * pool, min(row * pool + pool, size))
                    for x in range(column * pool, min(column * pool + pool, size))
                ]
                value = max(0, *window) * factor + Fraction(1, 2)
                out[o, row, column] = min(255, int(value // 1))
    return out


def test_the_reference_is_what_python_integers_say(plan: NetworkPlan, digits: ImageSet) -> None:
    images = digits.test_images[:2]

    scores = run(plan, images, exact_mac(plan)).values

    for image, found in zip(images, scores, strict=True):
        assert scores_in_python_integers(plan, image) == found.tolist()


def test_the_converter_of_the_plan_is_that_of_the_reference(plan: NetworkPlan) -> None:
    for layer in plan.layers:
        unit = 2e-6 / 7 * 0.2  # A: two sevenths of a microsiemens at the read voltage

        assert layer.mac.lsb == pytest.approx(float(Fraction(*layer.lsb)) * unit, rel=1e-12)
        assert layer.lsb[0] % 2 == 1  # so that no whole current lies on an edge


def test_inference_through_the_dialogue_equals_the_reference_bit_for_bit(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    station = open_board(plan.geometry, exact_conductances, noise=False)
    images, labels = digits.test_images, digits.test_labels

    result = infer(station, plan, images, labels)

    assert np.array_equal(result.scores, run(plan, images, exact_mac(plan)).values)


def test_read_noise_moves_the_scores_but_hardly_the_accuracy(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    station = open_board(plan.geometry, exact_conductances)
    images, labels = digits.test_images, digits.test_labels

    result = infer(station, plan, images, labels)

    exact = run(plan, images, exact_mac(plan)).values
    assert not np.array_equal(result.scores, exact)
    assert result.accuracy >= accuracy_software(plan.network, images, labels) - 0.015


def test_the_same_seed_answers_the_same_scores(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    images, labels = digits.test_images[:200], digits.test_labels[:200]

    first, second = (
        infer(open_board(plan.geometry, exact_conductances), plan, images, labels).scores
        for _ in range(2)
    )

    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # The first two batches wait 20 s for the compiler; then 100 images come in 2 s.
        ([0, 19, 20, 21, 22], 50.0),
        # Two batches and no more: all of their time counts.
        ([0, 19, 20], 5.0),
    ],
)
def test_the_rate_leaves_out_the_batches_that_wait_for_the_compiler(times, expected) -> None:
    clock, told = iter(times), []
    rate = Rate(told.append, lambda: next(clock))

    for _ in times[1:]:
        rate(50)

    assert rate.images_per_second == expected
    assert sum(told) == 50 * (len(times) - 1)


def test_a_narrow_converter_saturates_and_says_how_often(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    station = open_board(plan.geometry, exact_conductances * 1.5, noise=False)

    result = infer(station, plan, digits.test_images[:50], digits.test_labels[:50])

    assert result.saturated > 0


def test_the_confusion_counts_each_image_once_by_label_and_prediction(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    station = open_board(plan.geometry, exact_conductances)
    labels = digits.test_labels[:100]

    result = infer(station, plan, digits.test_images[:100], labels)

    assert np.array_equal(result.confusion.sum(axis=1), np.bincount(labels, minlength=10))
    assert np.trace(result.confusion) == round(result.accuracy * 100)


class Steps:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.total, self.done, self.finished = 0, 0, False

    def start(self, label: str, total: int) -> None:
        self.total = total

    def advance(self, n: int) -> None:
        self.done += n

    def finish(self) -> None:
        self.finished = True


def test_progress_reaches_its_total(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    steps = Steps()
    station = open_board(plan.geometry, exact_conductances)

    infer(station, plan, digits.test_images[:7], digits.test_labels[:7], progress=steps)

    assert (steps.total, steps.done, steps.finished) == (7, 7, True)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (slice(0, 0), slice(0, 0), "0 images"),
        (slice(0, 3), slice(0, 2), "3 images with 2 labels"),
    ],
)
def test_images_without_as_many_labels_are_refused(
    open_board: OpenBoard,
    plan: NetworkPlan,
    digits: ImageSet,
    images: slice,
    labels: slice,
    message: str,
) -> None:
    station = open_board(plan.geometry)

    with pytest.raises(NetworkError, match=message):
        infer(station, plan, digits.test_images[images], digits.test_labels[labels])


def test_labels_the_network_does_not_know_are_refused(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    station = open_board(plan.geometry)

    with pytest.raises(NetworkError, match="10 classes, the labels go from 0 to 10"):
        infer(station, plan, digits.test_images[:2], np.array([0, 10]))


def test_a_plan_for_another_chip_is_refused(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    station = open_board(Geometry(1, 16, 8))

    with pytest.raises(
        NetworkError, match=r"mapped for a chip of \(8, 128, 16\).*has \(1, 16, 8\)"
    ):
        infer(station, plan, digits.test_images[:2], digits.test_labels[:2])
