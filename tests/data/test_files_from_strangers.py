"""Files that are damaged, foreign or hostile are refused with one clear line."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from labctl_data.errors import NotARunFileError, RunFileError
from labctl_data.run_file import Column, RunWriter, open_run, validate


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, columns=(Column("current", "A", "Current"),)) as writer:
        writer.append({"time": np.arange(5000.0), "current": np.linspace(0, 1e-6, 5000)})
    return path


def test_a_whole_file_is_valid(good: Path) -> None:
    report = validate(good)

    assert report.ok
    assert (report.rows, report.status, report.problems) == (5000, "complete", ())


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(good: Path, share: float) -> None:
    data = good.read_bytes()
    good.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(RunFileError, match=r"^\S*run\.h5: [^\n]+$"):
        open_run(good)


def test_a_truncated_file_is_said_to_be_cut_short(good: Path) -> None:
    whole = good.read_bytes()
    good.write_bytes(whole[:3000])

    with pytest.raises(RunFileError, match=f"cut short: asked for {len(whole)} bytes, found 3000"):
        open_run(good)


@pytest.mark.parametrize("content", [b"", b"Current (A),Voltage (V)\n1,2\n", bytes(4096)])
def test_a_file_that_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(content)

    with pytest.raises(RunFileError, match="not an HDF5 file"):
        open_run(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"nowhere\.h5: no such file"):
        open_run(tmp_path / "nowhere.h5")


def test_a_foreign_hdf5_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1, 2]

    with pytest.raises(NotARunFileError, match="not a labctl run file"):
        open_run(tmp_path / "a.h5")


def test_another_schema_version_is_refused(good: Path) -> None:
    with h5py.File(good, "r+") as file:
        file.attrs["schema_version"] = 99

    with pytest.raises(RunFileError, match="asked for schema version 1, found 99"):
        open_run(good)


def external_link(file: h5py.File) -> None:
    file["records/secret"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["records/again"] = h5py.SoftLink("/records/time")


def external_storage(file: h5py.File) -> None:
    file.create_dataset("records/raw", (8,), "u1", external=[("/etc/passwd", 0, 8)])


def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("records/virtual", layout)


def unknown_filter(file: h5py.File) -> None:
    file.create_dataset("records/packed", (64,), "f8", chunks=(64,), compression="lzf")


def absurd_shape(file: h5py.File) -> None:
    file.create_dataset("records/huge", (2**45,), "f8", chunks=(1024,))


def absurd_chunk(file: h5py.File) -> None:
    file.create_dataset("records/block", (1,), "u1", maxshape=(None,), chunks=(2**32 - 1,))


def endless_group(file: h5py.File) -> None:
    file["records/self"] = file["records"]


def two_dimensions(file: h5py.File) -> None:
    file["records/picture"] = np.zeros((4, 4))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (external_link, "an external link is refused"),
        (soft_link, "a soft link is refused"),
        (external_storage, "external storage is refused"),
        (virtual_dataset, "a virtual dataset is refused"),
        (unknown_filter, "filter 32000 is unknown"),
        (absurd_shape, "absurd shape"),
        (absurd_chunk, "absurd shape"),
        (endless_group, "linked twice"),
        (two_dimensions, "not one-dimensional"),
    ],
)
def test_what_could_do_harm_is_refused(
    good: Path, spoil: Callable[[h5py.File], None], complaint: str
) -> None:
    with h5py.File(good, "r+") as file:
        spoil(file)

    with pytest.raises(RunFileError, match=complaint):
        open_run(good)
    assert not validate(good).ok


def test_damage_within_the_data_is_found_by_validation(good: Path) -> None:
    data = bytearray(good.read_bytes())
    rng = np.random.default_rng(1)
    for position in rng.integers(48, len(data), 200):
        data[position] ^= 0xFF
    good.write_bytes(bytes(data))

    report = validate(good)

    assert not report.ok
    assert len(report.problems) >= 1
