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

from labctl_procedures.network.errors import ImagesError

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

MNIST_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_CIFAR10 = {"train": "cifar10_train_5k.npz", "test": "cifar10_test.npz"}
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
        `cifar10`, its test images and 5,000 of its training images, from $LABCTL_DATASETS.

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
    return _local_mnist() is not None or (_cache() / "mnist.npz").is_file()


def _local_mnist() -> Path | None:
    folder = os.environ.get("LABCTL_DATASETS")
    if folder is None:
        return None
    path = Path(folder) / "mnist.npz"
    return path if path.is_file() else None


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("labctl") / "images"


def _mnist() -> ImageSet:
    path = _local_mnist() or _fetched_mnist()
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
    folder = os.environ.get("LABCTL_DATASETS")
    (images, labels), test = (_cifar10_part(folder, part) for part in ("train", "test"))
    mixed = np.random.default_rng(0).permutation(len(labels))  # in the file, class follows class
    return ImageSet("cifar10", images[mixed], labels[mixed], *test)


def _cifar10_part(folder: str | None, part: str) -> tuple[Bytes, Labels]:
    """Return the training or the test images with their labels."""
    path = Path(folder or ".") / _CIFAR10[part]
    if folder is None or not path.is_file():
        raise ImagesError(
            f"images 'cifar10': {_CIFAR10[part]} is not in $LABCTL_DATASETS, "
            f"which is {folder or 'not set'}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file[f"x_{part}"], file[f"y_{part}"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ImagesError(f"images 'cifar10': {path} is not the file expected ({error})") from error
    if images.dtype != np.uint8 or images.shape != (len(labels), 32, 32, 3):
        raise ImagesError(
            f"images 'cifar10': {path} holds {images.dtype} images of shape {images.shape} and "
            f"{len(labels)} labels, expected uint8 of shape (n, 32, 32, 3) and n labels"
        )
    return images, labels.astype(np.int64)


def _fetched_mnist() -> Path:
    import pooch  # type: ignore[import-untyped]  # no stubs

    cache = _cache()
    try:
        path = pooch.retrieve(
            MNIST_ADDRESS,
            known_hash=f"sha256:{MNIST_SHA256}",
            fname="mnist.npz",
            path=cache,
            progressbar=False,
        )
    except (OSError, ValueError) as error:  # unreachable (requests' errors are OSError), or altered
        raise ImagesError(
            f"images 'mnist': not in $LABCTL_DATASETS, not in {cache}, and {MNIST_ADDRESS} "
            f"cannot be fetched ({type(error).__name__}); put mnist.npz into a folder and set "
            "LABCTL_DATASETS to it, or use the built-in set 'digits'"
        ) from error
    return Path(path)


_SETS: dict[str, Callable[[], ImageSet]] = {
    "cifar10": _cifar10,
    "digits": _digits,
    "mnist": _mnist,
}
