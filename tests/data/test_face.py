"""The public face of the data floor: light to import, and complete."""

import subprocess
import sys

import pytest

import labctl_data


@pytest.mark.parametrize("name", labctl_data.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(labctl_data, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        labctl_data.nothing  # noqa: B018


def test_importing_the_floor_and_its_columns_does_not_import_hdf5() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from labctl_data import Column; "
        "sys.exit('h5py' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
