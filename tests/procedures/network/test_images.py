from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from labctl_procedures.network import ImagesError, images, load_images
from labctl_procedures.network.images import enlarge_digits


def test_digits_are_split_into_1200_training_and_597_test_images_of_all_classes() -> None:
    digits = load_images("digits")

    assert digits.train_images.shape == (1200, 28, 28)
    assert digits.test_images.shape == (597, 28, 28)
    shares = np.bincount(digits.test_labels) / np.bincount(
        np.concatenate([digits.train_labels, digits.test_labels])
    )
    assert shares == pytest.approx(np.full(10, 597 / 1797), abs=0.01)


def test_no_test_image_of_digits_is_also_for_training_unless_the_source_holds_it_twice() -> None:
    digits = load_images("digits")
    source = {image.tobytes() for image in load_digits().images}

    train = {image.tobytes() for image in digits.train_images}
    test = {image.tobytes() for image in digits.test_images}

    assert len(train | test) == len(source)


def test_an_enlarged_pixel_grid_keeps_what_is_linear_and_never_leaves_its_range() -> None:
    ramp = np.broadcast_to(2 * np.arange(8), (1, 8, 8)).astype(np.int64)

    large = enlarge_digits(ramp)[0].astype(float)

    # Pixel i of 28 lies at (i + 1/2) * 8/28 - 1/2 of the eight; the ramp is 2 of 16 a pixel.
    places = np.clip((np.arange(28) + 0.5) * 8 / 28 - 0.5, 0, 7)
    assert large == pytest.approx(np.broadcast_to(places * 2 / 16 * 255, (28, 28)), abs=0.501)
    assert enlarge_digits(np.full((1, 8, 8), 16)).min() == 255


def test_a_share_of_the_training_images_is_the_same_for_the_same_seed_and_keeps_its_labels() -> (
    None
):
    digits = load_images("digits")

    pixels, labels = digits.shuffled_training(0.1, seed=5)
    again, _ = digits.shuffled_training(0.1, seed=5)

    assert len(pixels) == 120
    assert np.array_equal(pixels, again)
    known = {i.tobytes(): k for i, k in zip(digits.train_images, digits.train_labels, strict=True)}
    assert [known[image.tobytes()] for image in pixels] == list(labels)


def test_an_unknown_image_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ImagesError, match=r"'faces'.*digits.*mnist"):
        load_images("faces")


def test_mnist_out_of_reach_says_where_it_was_sought_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABCTL_DATASETS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(images, "MNIST_ADDRESS", "http://127.0.0.1:9/mnist.npz")

    with pytest.raises(ImagesError, match=r"LABCTL_DATASETS.*127\.0\.0\.1:9.*digits"):
        load_images("mnist")


@pytest.mark.parametrize("content", [b"not a zip file", b""])
def test_a_damaged_mnist_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    monkeypatch.setenv("LABCTL_DATASETS", str(tmp_path))

    with pytest.raises(ImagesError, match=r"mnist\.npz is not the file expected"):
        load_images("mnist")


def test_an_mnist_file_of_other_images_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "mnist.npz", **{key: np.zeros((3, 28, 28), np.uint8) for key in keys})
    monkeypatch.setenv("LABCTL_DATASETS", str(tmp_path))

    with pytest.raises(ImagesError, match=r"\(3, 28, 28\).*expected \(60000, 28, 28\)"):
        load_images("mnist")
