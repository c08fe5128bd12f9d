"""Tables of other programs become run files, and what is wrong with one is named by its place."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from labctl_data.errors import RunFileError, TableError
from labctl_data.importing import import_table
from labctl_data.run_file import open_run

MAPPING = """
measurement = "retention"
table = "table.csv"
header = true
separator = "comma"
{more}
[chip]
chip = "A1"
rows = 4
columns = 8

[columns]
cell = {{ column = "addr" }}
time = {{ column = "t", unit = "{time}" }}
conductance = {{ column = "g", unit = "{unit}" }}
"""
TABLE = "addr,t,g\n0,0,10\n0,100,12.5\n9,0,20\n9,100,40\n"


def given(folder: Path, table: str = TABLE, **words: str) -> Path:
    (folder / "table.csv").write_text(table)
    mapping = folder / "mapping.toml"
    mapping.write_text(MAPPING.format(**{"more": "", "time": "ms", "unit": "uS", **words}))
    return mapping


def test_a_table_becomes_a_run_in_si_units(tmp_path: Path) -> None:
    report = import_table(given(tmp_path), tmp_path / "run.h5")

    run = open_run(tmp_path / "run.h5")
    assert (report.rows, report.cells, report.skipped) == (4, 2, 0)
    assert run.status == "complete"
    np.testing.assert_allclose(run.record("time"), [0, 0.1, 0, 0.1])
    np.testing.assert_allclose(run.record("conductance"), [10e-6, 12.5e-6, 20e-6, 40e-6])
    np.testing.assert_array_equal(run.record("row"), [0, 0, 1, 1])
    np.testing.assert_array_equal(run.record("column"), [0, 0, 1, 1])
    assert run.parameters["measurement"] == "retention"


def test_a_resistance_is_turned_over(tmp_path: Path) -> None:
    import_table(given(tmp_path, unit="kohm"), tmp_path / "run.h5")

    found = open_run(tmp_path / "run.h5").record("conductance")
    np.testing.assert_allclose(found, [1 / 10e3, 1 / 12.5e3, 1 / 20e3, 1 / 40e3])


def test_a_packed_table_is_read(tmp_path: Path) -> None:
    mapping = given(tmp_path)
    with gzip.open(tmp_path / "table.csv.gz", "wt") as stream:
        stream.write(TABLE)
    mapping.write_text(mapping.read_text().replace("table.csv", "table.csv.gz"))

    assert import_table(mapping, tmp_path / "run.h5").rows == 4


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"unit": "V"}, "columns.conductance: asked for a quantity in S, found unit 'V'"),
        ({"unit": "quux"}, "columns.conductance: unit 'quux' is unknown"),
        ({"time": "uS"}, "columns.time: asked for a quantity in s, found unit 'uS'"),
        ({"more": 'pulse = "SET"'}, "for a pulse table"),
        ({"more": "colour = 3"}, "colour"),
    ],
)
def test_a_mapping_with_wrong_units_or_keys_is_refused(
    tmp_path: Path, words: dict[str, str], named: str
) -> None:
    with pytest.raises(TableError, match=r"mapping\.toml") as refused:
        import_table(given(tmp_path, **words), tmp_path / "run.h5")
    assert named in str(refused.value)
    assert not (tmp_path / "run.h5").exists()


def test_a_missing_unit_or_quantity_is_named(tmp_path: Path) -> None:
    mapping = given(tmp_path)
    text = mapping.read_text()

    mapping.write_text(text.replace(', unit = "uS"', ""))
    with pytest.raises(TableError, match=r"columns\.conductance: unit is missing"):
        import_table(mapping, tmp_path / "run.h5")
    mapping.write_text("\n".join(line for line in text.splitlines() if "time" not in line))
    with pytest.raises(TableError, match=r"columns\.time is missing"):
        import_table(mapping, tmp_path / "run.h5")


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("addr,t,g\n0,0,10\n0,100,nan\n", "line 3, column g: no conductance"),
        ("addr,t,g\n0,0,10\n0,100,12 uS\n", "line 3, column g: asked for a number, found '12 uS'"),
        ("addr,t,g\n0,0\n", "line 2: column g is missing, the line has 2"),
        ("addr,t,g\n32,0,10\n", "line 2: cell 32 is not on a chip of 32 cells"),
        ("addr,t,g\n0.5,0,10\n", "line 2: cell must be a whole number"),
        ("addr,t,g\n0,-1,10\n", "line 2: time -0.001 is below zero"),
        ("addr,when,g\n0,0,10\n", "column 't' is missing; there is addr, when, g"),
        ("addr,t,g\n", "holds no rows"),
    ],
)
def test_a_bad_table_is_refused_with_line_and_column(
    tmp_path: Path, table: str, named: str
) -> None:
    with pytest.raises(TableError) as refused:
        import_table(given(tmp_path, table), tmp_path / "run.h5")
    assert named in str(refused.value)
    assert not (tmp_path / "run.h5").exists()


def test_rows_without_numbers_are_left_out_only_when_asked(tmp_path: Path) -> None:
    table = "addr,t,g\n0,0,10\n0,100,\n9,0,20\n"

    report = import_table(given(tmp_path, table, more='missing = "skip"'), tmp_path / "run.h5")

    assert (report.rows, report.skipped) == (2, 1)


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    mapping = given(tmp_path)
    import_table(mapping, tmp_path / "run.h5")

    with pytest.raises(RunFileError):
        import_table(mapping, tmp_path / "run.h5")


def test_lrs_and_hrs_in_rows_of_their_own_become_one_row_a_cycle(tmp_path: Path) -> None:
    mapping = given(tmp_path, "addr,t,g\n0,1,10\n0,1,100\n0,2,90\n0,2,20\n")
    text = mapping.read_text().replace("retention", "endurance").replace("time =", "cycle =")
    mapping.write_text(text.replace(', unit = "ms"', ""))

    import_table(mapping, tmp_path / "run.h5")

    run = open_run(tmp_path / "run.h5")
    np.testing.assert_allclose(run.record("high"), [100e-6, 90e-6])
    np.testing.assert_allclose(run.record("low"), [10e-6, 20e-6])
