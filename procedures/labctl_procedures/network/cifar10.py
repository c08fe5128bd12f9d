"""CIFAR-10: from $LABCTL_DATASETS, or from the address of its authors.

Krizhevsky, "Learning multiple layers of features from tiny images" (2009). The binary version is
fetched, not the one for Python, which is pickled. A record is a label and 32 x 32 pixels, red, then
green, then blue, row by row.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import ImagesError
from labctl_procedures.network.fetching import fetched

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Labelled = tuple[Bytes, Labels]
"""Images (n, 32, 32, 3), and labels (n,)."""

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
_FILES = {"train": "cifar10_train_5k.npz", "test": "cifar10_test.npz"}
_BATCHES = {"train": [f"data_batch_{k}.bin" for k in range(1, 6)], "test": ["test_batch.bin"]}
_RECORD = 1 + 3 * 32 * 32
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, BadZipFile, tarfile.TarError, zlib.error)


def load_cifar10() -> tuple[Labelled, Labelled]:
    """Return training and test images.

    Returns
    -------
    tuple of (ndarray of shape (n, 32, 32, 3), uint8; ndarray of shape (n,), int64)
        5,000 training images, mixed, where they come from $LABCTL_DATASETS; else all 50,000. Then
        the 10,000 test images.

    Raises
    ------
    ImagesError
        If a file is damaged, or they are neither here nor to be fetched.
    """
    folder = os.environ.get("LABCTL_DATASETS")
    paths = {part: Path(folder or ".") / name for part, name in _FILES.items()}
    if not folder or not all(path.is_file() for path in paths.values()):
        put = " and ".join(_FILES.values())
        return unpacked(fetched("cifar10", ADDRESS, sha256=SHA256, put=put))
    (images, labels), test = (_stored(path, part) for part, path in paths.items())
    mixed = np.random.default_rng(0).permutation(len(labels))  # in the file, class follows class
    return (images[mixed], labels[mixed]), test


def unpacked(path: Path) -> tuple[Labelled, Labelled]:
    """Return training and test images of the authors' archive, binary version.

    Raises
    ------
    ImagesError
        If it is not that archive.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            train, test = (_records(archive, _BATCHES[part]) for part in ("train", "test"))
    except _UNREADABLE as error:
        raise ImagesError(f"images 'cifar10': {path} is not the file expected ({error})") from error
    return train, test


def _records(archive: tarfile.TarFile, batches: list[str]) -> Labelled:
    """Return the records of some batches."""
    parts = []
    for name in batches:
        file = archive.extractfile(f"cifar-10-batches-bin/{name}")
        if file is None:
            raise ValueError(f"{name} is no file")
        parts.append(np.frombuffer(file.read(), np.uint8).reshape(-1, _RECORD))
    records = np.concatenate(parts)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), records[:, 0].astype(np.int64)


def _stored(path: Path, part: str) -> Labelled:
    """Return the images of one .npz file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file[f"x_{part}"], file[f"y_{part}"]
    except _UNREADABLE as error:
        raise ImagesError(f"images 'cifar10': {path} is not the file expected ({error})") from error
    if images.dtype != np.uint8 or images.shape != (len(labels), 32, 32, 3):
        raise ImagesError(
            f"images 'cifar10': {path} holds {images.dtype} images of shape {images.shape} and "
            f"{len(labels)} labels, expected uint8 of shape (n, 32, 32, 3) and n labels"
        )
    return images, labels.astype(np.int64)
