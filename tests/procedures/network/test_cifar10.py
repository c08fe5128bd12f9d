"""CIFAR-10 as its authors' archive, as two .npz files, and out of reach."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from labctl_procedures.network import ImagesError, cifar10, load_images
from labctl_procedures.network.cifar10 import unpacked

NAMES = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]


def archive_of(folder: Path, batches: dict[str, bytes]) -> Path:
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_authors_records_become_images_of_three_colours_with_their_labels(
    tmp_path: Path,
) -> None:
    records = np.zeros((6, 2, 3073), np.uint8)
    records[:, :, 0] = np.arange(12).reshape(6, 2) % 10
    records[5, 1, 1 + 2 * 1024 + 3 * 32 + 7] = 200  # blue, fourth row, eighth column

    path = archive_of(tmp_path, {n: r.tobytes() for n, r in zip(NAMES, records, strict=True)})
    (images, labels), (test_images, test_labels) = unpacked(path)

    assert images.shape == (10, 32, 32, 3)
    assert labels.tolist() == list(range(10))
    assert test_labels.tolist() == [0, 1]
    assert np.argwhere(test_images).tolist() == [[1, 3, 7, 2]]
    assert test_images[1, 3, 7, 2] == 200


@pytest.mark.parametrize(
    "batches",
    [{}, dict.fromkeys(NAMES, bytes(3072)), dict.fromkeys(NAMES[:-1], bytes(3073))],
)
def test_an_archive_of_something_else_is_refused(tmp_path: Path, batches: dict[str, bytes]) -> None:
    path = archive_of(tmp_path, batches)

    with pytest.raises(ImagesError, match=r"cifar-10-binary\.tar\.gz is not the file expected"):
        unpacked(path)


def test_cifar10_out_of_reach_says_where_it_was_sought_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABCTL_DATASETS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cifar10, "ADDRESS", "http://127.0.0.1:9/cifar-10-binary.tar.gz")

    with pytest.raises(ImagesError, match=r"127\.0\.0\.1:9.*cifar10_train_5k\.npz.*digits"):
        load_images("cifar10")


def test_cifar10_files_of_other_images_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for part, name in (("train", "cifar10_train_5k.npz"), ("test", "cifar10_test.npz")):
        arrays = {f"x_{part}": np.zeros((3, 28, 28), np.uint8), f"y_{part}": np.zeros(3)}
        np.savez(tmp_path / name, **arrays)  # type: ignore[arg-type]  # names of arrays
    monkeypatch.setenv("LABCTL_DATASETS", str(tmp_path))

    with pytest.raises(ImagesError, match=r"\(3, 28, 28\).*expected uint8 of shape"):
        load_images("cifar10")
