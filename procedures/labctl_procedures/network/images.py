"""Image sets: where they come from, and what a network is trained and judged on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.cifar10 import load_cifar10
from labctl_procedures.network.errors import ImagesError
from labctl_procedures.network.fetching import cache, fetched

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

MNIST_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
DIGITS_TEST = 597
"""Test images of `digits`; the other 1,200 are for training."""
DIGITS_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images, grey or of three colours, split once and for all into training and test.

    Scales, ADC ranges and in-situ training see the training images only.
    """

    name: str
    """Name of the set, as typed."""
    train_images: Bytes
    """Shape (n_train, height, width) or (n_train, height, width, 3), uint8."""
    train_labels: Labels
    """Shape (n_train,), classes 0, 1, ..."""
    test_images: Bytes
    """Shape (n_test, height, width) or (n_test, height, width, 3), uint8."""
    test_labels: Labels
    """Shape (n_test,)."""

    def shuffled_training(self, fraction: float, *, seed: int) -> tuple[Bytes, Labels]:
        """Return a random `fraction` (0-1) of the training images with their labels."""
        count = max(1, round(fraction * len(self.train_images)))
        chosen = np.random.default_rng(seed).permutation(len(self.train_images))[:count]
        return self.train_images[chosen], self.train_labels[chosen]


def load_images(name: str) -> ImageSet:
    """Return an image set by name.

    Parameters
    ----------
    name : str
        `digits`, the 1,797 handwritten digits of scikit-learn, or `mnist`, taken from
        ``$LABCTL_DATASETS/mnist.npz`` where it exists, else fetched once into the user's cache; or
        `cifar10`, likewise (of its training images, 5,000 from $LABCTL_DATASETS, else all).

    Returns
    -------
    ImageSet
        Images of 28 x 28 pixels, or of 32 x 32 in three colours.

    Raises
    ------
    ImagesError
        If the name is unknown, the file is damaged, or it is neither here nor to be fetched.
    """
    if name not in _SETS:
        raise ImagesError(f"images '{name}': unknown; there are {', '.join(sorted(_SETS))}")
    return _SETS[name]()


def _digits() -> ImageSet:
    """Load scikit-learn's digits, scaled to 28 x 28, with a fixed stratified split."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # no stubs
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # no stubs

    digits: Any = load_digits()
    images = enlarge_digits(np.asarray(digits["images"], np.int64))
    labels = np.asarray(digits["target"], np.int64)
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=DIGITS_TEST,
        random_state=DIGITS_SPLIT_SEED,
        stratify=labels,
    )
    return ImageSet("digits", images[train], labels[train], images[test], labels[test])


def enlarge_digits(images: npt.NDArray[np.int64]) -> Bytes:
    """Scale 8 x 8 images of values 0-16 to 28 x 28 images of values 0-255, bilinearly.

    Pixel i of 28 lies at (4 i - 5) / 14 of the eight, so all weights are fourteenths and the
    result is computed in integers: the same bytes on every machine.

    Parameters
    ----------
    images : ndarray of shape (n, 8, 8), int64
        Values 0 to 16.

    Returns
    -------
    ndarray of shape (n, 28, 28), uint8
        Values 0 to 255, rounded half up.
    """
    weights = np.zeros((28, 8), np.int64)
    for i in range(28):
        left, part = divmod(4 * i - 5, 14)
        weights[i, min(max(left, 0), 7)] += 14 - part
        weights[i, min(max(left + 1, 0), 7)] += part
    sums = weights @ images @ weights.T
    full = 16 * 14 * 14
    return ((2 * 255 * sums + full) // (2 * full)).astype(np.uint8)


def mnist_at_hand() -> bool:
    """Tell whether MNIST can be loaded without fetching it."""
    return _local_mnist() is not None or (cache() / "mnist.npz").is_file()


def _local_mnist() -> Path | None:
    folder = os.environ.get("LABCTL_DATASETS")
    if folder is None:
        return None
    path = Path(folder) / "mnist.npz"
    return path if path.is_file() else None


def _mnist() -> ImageSet:
    path = _local_mnist() or fetched("mnist", MNIST_ADDRESS, sha256=MNIST_SHA256, put="mnist.npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ImagesError(f"images 'mnist': {path} is not the file expected ({error})") from error
    x_train, y_train, x_test, y_test = arrays
    if x_train.shape != (60000, 28, 28) or x_test.shape != (10000, 28, 28):
        raise ImagesError(
            f"images 'mnist': {path} holds images of shapes {x_train.shape} and {x_test.shape}, "
            "expected (60000, 28, 28) and (10000, 28, 28)"
        )
    return ImageSet("mnist", x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def _cifar10() -> ImageSet:
    train, test = load_cifar10()
    return ImageSet("cifar10", *train, *test)


_SETS: dict[str, Callable[[], ImageSet]] = {
    "cifar10": _cifar10,
    "digits": _digits,
    "mnist": _mnist,
}
