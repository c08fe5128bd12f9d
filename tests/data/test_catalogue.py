"""The catalogue: found quickly, and never more than the files say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from labctl_data.catalogue import Catalogue
from labctl_data.errors import CatalogueError
from labctl_data.run_file import Column, RunWriter


def write_run(path: Path, **facts: object) -> Path:
    told = {"procedure": "IVSweep", "chip": "c1", "start": "2026-11-01T10:00:00", **facts}
    columns = (Column("conductance", "S", "Conductance"),)
    with RunWriter.create(path, columns=columns, attributes=told) as writer:
        writer.append({"time": np.arange(3.0), "conductance": np.full(3, 5e-6)})
        writer.finish("complete", {})
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "night").mkdir()
    write_run(tmp_path / "a.h5", parameters={"levels": 8})
    write_run(tmp_path / "night" / "b.h5", procedure="Retention", start="2026-11-02T10:00:00")
    return tmp_path


def test_runs_of_subfolders_are_found_newest_first_with_what_they_say(folder):
    catalogue = Catalogue(folder)
    assert catalogue.refresh() == 2

    newest, oldest = catalogue.entries()

    assert (newest.file, newest.procedure) == (folder / "night" / "b.h5", "Retention")
    assert (oldest.status, oldest.rows, oldest.chip) == ("complete", 3, "c1")
    assert oldest.parameters == {"levels": 8}


def test_a_file_that_has_not_changed_is_not_read_again(folder):
    catalogue = Catalogue(folder)
    catalogue.refresh()

    assert catalogue.refresh() == 0
    write_run(folder / "c.h5")
    assert catalogue.refresh() == 1


def test_a_run_that_is_gone_from_the_folder_is_gone_from_the_catalogue(folder):
    catalogue = Catalogue(folder)
    catalogue.refresh()

    (folder / "a.h5").unlink()
    catalogue.refresh()

    assert [entry.procedure for entry in catalogue.entries()] == ["Retention"]


def test_every_word_of_a_search_must_occur(folder):
    catalogue = Catalogue(folder)
    catalogue.refresh()

    assert len(catalogue.search("complete")) == 2
    assert [e.file.name for e in catalogue.search("levels=8 COMPLETE")] == ["a.h5"]
    assert catalogue.search("levels=8 retention") == ()


def test_tags_and_notes_are_searched_and_outlive_a_change_of_the_file(folder):
    catalogue = Catalogue(folder)
    catalogue.refresh()
    catalogue.tag(folder / "a.h5", ["golden", " golden", ""])
    catalogue.note(folder / "a.h5", "probe was tilted")

    os.utime(folder / "a.h5", ns=(1, 1))
    assert catalogue.refresh() == 1

    (found,) = catalogue.search("golden tilted")
    assert found.tags == ("golden",)
    assert found.note == "probe was tilted"


def test_a_file_that_cannot_be_read_is_listed_with_the_reason(folder):
    (folder / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"torn" * 100)
    catalogue = Catalogue(folder)
    catalogue.refresh()

    (torn,) = (entry for entry in catalogue.entries() if entry.file.name == "torn.h5")

    assert torn.problem
    assert torn.status == ""


def test_a_database_that_is_damaged_is_named_and_kept(folder):
    database = folder / "catalogue.sqlite"
    database.write_bytes(b"not a database, but somebody's" * 50)

    with pytest.raises(CatalogueError, match=r"catalogue\.sqlite"):
        Catalogue(folder).refresh()

    assert database.read_bytes().startswith(b"not a database")


def test_the_catalogue_is_moved_with_its_folder(folder, tmp_path_factory):
    catalogue = Catalogue(folder)
    catalogue.refresh()
    catalogue.tag(folder / "a.h5", ["kept"])
    moved = tmp_path_factory.mktemp("moved") / "data"

    folder.rename(moved)

    (found,) = Catalogue(moved).search("kept")
    assert found.file == moved / "a.h5"
