"""Run images through a network on the array, by the station's MACs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_instruments.station import Station
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import Labels
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.progress import Progress, Silent
from labctl_procedures.network.signal_chain import Mac, run

Bytes = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]


FIRST = 2
"""Batches that go side by side, and with which the kernels are compiled."""


class Rate:
    """Count images, and how fast they come once everything is compiled.

    A call of its own to warm up would draw on the chip's noise, and thereby change the answers.

    Parameters
    ----------
    advance : callable
        Told how many more images are through.
    clock : callable
        Returns the time, in s.
    """

    def __init__(self, advance: Callable[[int], None], clock: Callable[[], float]) -> None:
        self._advance = advance
        self._clock = clock
        self._batches = [(clock(), 0)]

    def __call__(self, n: int) -> None:
        """Count `n` more images."""
        self._batches.append((self._clock(), n))
        self._advance(n)

    @property
    def images_per_second(self) -> float:
        """Images over time, without the first batches where there are more."""
        skipped = FIRST if len(self._batches) > FIRST + 1 else 0
        began, ended = self._batches[skipped][0], self._batches[-1][0]
        return sum(n for _, n in self._batches[skipped + 1 :]) / (ended - began)


@dataclass(frozen=True, eq=False)
class InferenceResult:
    """What a network on the array said about n images."""

    predictions: IntArray
    """Class of the highest score, shape (n,); of equal scores the first."""
    scores: IntArray
    """Scores in counts of the last layer, shape (n, classes)."""
    accuracy: float
    """Share of images classified rightly, 0-1."""
    images_per_second: float
    """Images over wall time, all stages included, from when the first `FIRST` batches are through:
    those wait for kernels to be compiled. Over the whole call where there are no more batches."""
    saturated: int
    """ADC conversions that met the top of their range."""
    clipped: int
    """Codes between layers that met the top of their range."""
    confusion: IntArray
    """Images by label (row) and prediction (column), shape (classes, classes)."""


def infer(
    station: Station,
    plan: NetworkPlan,
    images: Bytes,
    labels: Labels,
    *,
    progress: Progress | None = None,
) -> InferenceResult:
    """Classify images on the array.

    Parameters
    ----------
    station : Station
        The bench; its chip holds the network (see `program`).
    plan : NetworkPlan
        The network on that chip.
    images : ndarray of shape (n, height, width), uint8
        The images; image i meets copy ``i % plan.copies`` of the convolutions.
    labels : ndarray of shape (n,), int
        Their classes.
    progress : Progress, optional
        Told how many images are done.

    Returns
    -------
    InferenceResult

    Raises
    ------
    NetworkError
        If there is no image, or images, labels and chip do not fit the plan.
    """
    _check(station, plan, images, labels)
    sink = progress or Silent()
    sink.start(f"{plan.network.name}: images", len(images))
    saturated = station.saturated
    rate = Rate(sink.advance, time.perf_counter)
    sums = run(plan, images, station_mac(station, plan), advance=rate)
    sink.finish()
    predictions = sums.values.argmax(axis=1)
    confusion = np.zeros((plan.network.classes, plan.network.classes), np.int64)
    np.add.at(confusion, (labels, predictions), 1)
    return InferenceResult(
        predictions,
        sums.values,
        float(np.mean(predictions == labels)),
        rate.images_per_second,
        station.saturated - saturated,
        sums.clipped,
        confusion,
    )


def station_mac(station: Station, plan: NetworkPlan) -> Mac:
    """Return the MACs of a station's chip."""
    return lambda number, copy, vectors: station.mac(
        vectors, plan.layers[number].lines[copy], plan.layers[number].mac
    )


def check_chip(station: Station, plan: NetworkPlan) -> None:
    """Refuse a station whose chip is not the plan's.

    Raises
    ------
    NetworkError
        If the sizes differ.
    """
    if station.geometry != plan.geometry:
        raise NetworkError(
            f"network '{plan.network.name}': mapped for a chip of {plan.geometry.shape} "
            f"(pe, row, col), bench '{station.bench.name}' has {station.geometry.shape}"
        )


def _check(station: Station, plan: NetworkPlan, images: Bytes, labels: Labels) -> None:
    check_chip(station, plan)
    if len(images) == 0 or len(images) != len(labels):
        raise NetworkError(
            f"network '{plan.network.name}': asked to classify {len(images)} images "
            f"with {len(labels)} labels"
        )
    if not 0 <= int(labels.min()) <= int(labels.max()) < plan.network.classes:
        raise NetworkError(
            f"network '{plan.network.name}': has {plan.network.classes} classes, "
            f"the labels go from {int(labels.min())} to {int(labels.max())}"
        )
