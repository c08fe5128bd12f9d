"""A chip file gives back what was written, and refuses what it cannot be."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from labctl_data.chip_file import CellState, FittedModel, FittedParameter, read_chip, write_chip
from labctl_data.errors import ChipFileError
from labctl_data.model import StuckClass, preset


def test_a_preset_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"

    write_chip(path, preset("yao"), provenance={"operator": "mara"})

    chip = read_chip(path)
    assert chip.model == preset("yao")
    assert chip.cells is None
    assert chip.provenance == {"operator": "mara"}
    assert not any(parameter.identifiable for parameter in chip.parameters)
    assert {parameter.source for parameter in chip.parameters} == {"given"}


def test_each_parameter_keeps_its_standing(tmp_path: Path) -> None:
    model = preset("yao")
    parameters = tuple(
        FittedParameter(
            spec.name,
            model.parameters[spec.name],
            spec.unit,
            np.full(spec.shape, 0.5) if spec.shape else 0.25,
            identifiable=spec.name == "set_step",
            source="a.h5",
        )
        for spec in model.specs()
    )

    write_chip(tmp_path / "c.h5", FittedModel(model, parameters, {"set": ["x"] * 50_000}))

    chip = read_chip(tmp_path / "c.h5")
    assert [p.name for p in chip.parameters] == [spec.name for spec in model.specs()]
    step = next(p for p in chip.parameters if p.name == "set_step")
    assert step.identifiable
    assert step.unit == "S"
    assert np.asarray(step.uncertainty).tolist() == [0.5] * 10
    assert next(p for p in chip.parameters if p.name == "curvature").uncertainty == 0.25
    assert chip.quality == {"set": ["x"] * 50_000}


def test_cells_survive_the_file(tmp_path: Path) -> None:
    stuck = np.zeros((2, 3, 4), np.int8)
    stuck[1, 2, 3] = StuckClass.STUCK_HIGH
    state = {"conductance": np.arange(24.0).reshape(2, 3, 4), "time": np.float64(3.5)}
    cells = CellState(stuck, {"rate": np.ones((2, 3, 4))}, state, {"seed": 2**60})

    write_chip(tmp_path / "c.h5", preset("yao"), cells=cells)

    found = read_chip(tmp_path / "c.h5").cells
    assert found is not None
    np.testing.assert_array_equal(found.stuck, stuck)
    np.testing.assert_array_equal(found.state["conductance"], state["conductance"])
    assert found.state["time"] == 3.5
    assert found.facts == {"seed": 2**60}


def test_a_file_is_replaced_only_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    write_chip(path, preset("yao"))

    with pytest.raises(ChipFileError, match="exists already"):
        write_chip(path, preset("yao-quiet"))
    write_chip(path, preset("yao-quiet"), replace=True)

    assert read_chip(path).model == preset("yao-quiet")
    assert list(tmp_path.iterdir()) == [path]


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    write_chip(path, preset("yao"))
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 7

    with pytest.raises(ChipFileError, match=r"c\.h5: asked for chip schema version 1, found 7"):
        read_chip(path)


def test_a_parameter_that_is_not_physical_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    write_chip(path, preset("yao"))
    with h5py.File(path, "r+") as file:
        file["model/read_noise"][()] = -1.0

    with pytest.raises(ChipFileError, match="read_noise"):
        read_chip(path)


def test_a_missing_parameter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    write_chip(path, preset("yao"))
    with h5py.File(path, "r+") as file:
        del file["model/read_noise"]

    with pytest.raises(ChipFileError, match="read_noise"):
        read_chip(path)


def test_a_foreign_file_is_no_chip_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "b.h5").write_text("hello")

    for name in ("a.h5", "b.h5", "missing.h5"):
        with pytest.raises(ChipFileError, match=name):
            read_chip(tmp_path / name)
