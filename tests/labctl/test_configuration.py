"""The user's settings, and where files go when nobody says."""

from __future__ import annotations

from datetime import datetime

import pytest

from labctl.configuration import Configuration, dated_path, load_configuration, output_path
from labctl.errors import ConfigurationError, OutputExistsError


def test_without_a_file_the_settings_are_the_defaults(tmp_path):
    assert load_configuration(tmp_path / "absent.toml") == Configuration()


def test_a_key_that_is_left_out_keeps_its_default(tmp_path):
    file = tmp_path / "labctl.toml"
    file.write_text('bench = "sim-smu"\n')

    settings = load_configuration(file)

    assert settings.bench == "sim-smu"
    assert settings.operator == Configuration().operator


@pytest.mark.parametrize("text", ["bench = 3", "bench = ", 'colour = "red"'])
def test_a_file_that_says_what_cannot_be_is_refused_by_name(tmp_path, text):
    file = tmp_path / "labctl.toml"
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=r"labctl\.toml"):
        load_configuration(file)


def test_two_files_of_one_second_get_two_names(tmp_path):
    now = datetime(2026, 11, 22, 10, 30, 5)

    first = dated_path(tmp_path, "IVSweep", ".h5", now)
    first.touch()
    second = dated_path(tmp_path, "IVSweep", ".h5", now)

    assert first.name == "2026-11-22_103005_IVSweep.h5"
    assert second.name == "2026-11-22_103005_IVSweep_2.h5"


def test_an_output_that_exists_or_has_no_folder_is_refused(tmp_path):
    there = tmp_path / "there.h5"
    there.touch()

    with pytest.raises(OutputExistsError, match="there"):
        output_path(there, "x")
    with pytest.raises(ConfigurationError, match="nowhere"):
        output_path(tmp_path / "nowhere" / "x.h5", "x")
