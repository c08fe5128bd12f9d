"""Small networks, written as .onnx the way other people's tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import labctl_instruments as li
from labctl_data.cells import Geometry
from labctl_data.chip_file import CellState, write_chip
from labctl_data.model import preset
from labctl_instruments.chip import Chip
from labctl_instruments.station import Station
from labctl_procedures.network import ImageSet, load_images, load_network, map_network
from labctl_procedures.network.plan import NetworkPlan

WriteOnnx = Callable[..., Path]


@pytest.fixture
def write_onnx(tmp_path: Path) -> WriteOnnx:
    """Write a graph `image -> nodes -> last output` with constants, and return its path."""

    def write(
        nodes: Sequence[onnx.NodeProto],
        constants: Mapping[str, Any],
        shape: Sequence[Any] = ("batch", 1, 8, 8),
        name: str = "net.onnx",
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "net",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(_typed(np.asarray(value)), key)
                for key, value in constants.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


def _typed(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == np.int64 else array.astype(np.float32)


@pytest.fixture
def small_convolution(write_onnx: WriteOnnx) -> Path:
    """8 x 8 images: padded 3x3 convolution with bias, ReLU, pool, a second one, and a layer."""
    rng = np.random.default_rng(3)
    nodes = [
        helper.make_node("Conv", ["image", "a", "p"], ["x1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x1"], ["x2"]),
        helper.make_node("MaxPool", ["x2"], ["x3"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["x3", "b"], ["x4"], name="second", strides=[1, 1]),
        helper.make_node("Relu", ["x4"], ["x5"]),
        helper.make_node("Flatten", ["x5"], ["x6"]),
        helper.make_node("Gemm", ["x6", "c", "q"], ["x7"], name="last", transB=1),
        helper.make_node("Softmax", ["x7"], ["y"]),
    ]
    constants = {
        "a": rng.normal(size=(3, 1, 3, 3)),
        "p": rng.normal(size=3) * 0.1,
        "b": rng.normal(size=(4, 3, 2, 2)),
        "c": rng.normal(size=(5, 36)),
        "q": rng.normal(size=5) * 0.1,
    }
    return write_onnx(nodes, constants)


@pytest.fixture
def images() -> np.ndarray:
    """60 images of 8 x 8 pixels."""
    return np.random.default_rng(4).integers(0, 256, (60, 8, 8), dtype=np.uint8)


OpenBoard = Callable[..., Station]


@pytest.fixture
def open_board(tmp_path: Path) -> Iterator[OpenBoard]:
    """Open the simulated board with a chip of a size, keys of [virtual], and exact conductances."""
    opened: list[Station] = []

    def open_one(
        geometry: Geometry,
        conductances: np.ndarray | None = None,
        stuck: np.ndarray | None = None,
        **virtual: Any,
    ) -> Station:
        keys = {"preset": "yao", "seed": 1} | virtual
        path = tmp_path / f"board-{len(opened)}.toml"
        text = li.load_bench("sim-board").text.split("[virtual]")[0]
        for name, size in (("pes", 8), ("rows", 128), ("columns", 16)):
            text = text.replace(f"{name} = {size}", f"{name} = {getattr(geometry, name)}")
        path.write_text(f"{text}\n[virtual]\n{_table(keys)}", encoding="utf-8")
        chip = None
        if conductances is not None or stuck is not None:
            chip = tmp_path / f"chip-{len(opened)}.h5"
            _write_chip(chip, geometry, conductances, stuck)
        opened.append(li.open_bench(path, chip=chip))
        return opened[-1]

    yield open_one
    for station in opened:
        station.rest()
        station.close()


def _table(keys: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items()) + "\n"


def _write_chip(
    path: Path, geometry: Geometry, conductances: np.ndarray | None, stuck: np.ndarray | None
) -> None:
    classes = np.zeros(geometry.shape, np.int8) if stuck is None else stuck.astype(np.int8)
    model = preset("yao")
    if conductances is None:
        write_chip(path, model, cells=CellState(stuck=classes))
        return
    chip = Chip(model, geometry, seed=1, stuck=classes)
    chip.imprint(np.arange(geometry.n_cells), conductances.reshape(-1))
    facts = {"seed": 1, "time": 0.0}
    write_chip(
        path,
        model,
        cells=CellState(classes, chip.cell_parameters(), chip.state(), facts),
    )


@pytest.fixture(scope="session")
def exact_conductances(plan: NetworkPlan) -> np.ndarray:
    """The map of a chip whose cells are all where the plan wants them."""
    levels = np.full(plan.geometry.shape, plan.cell_levels.conductance(np.array(0)))
    levels[tuple(plan.cells.addresses.T)] = plan.targets
    return levels


@pytest.fixture(scope="session")
def digits() -> ImageSet:
    return load_images("digits")


@pytest.fixture(scope="session")
def plan(digits: ImageSet) -> NetworkPlan:
    """The shipped network on the whole chip."""
    return map_network(load_network("mcnn", "digits"), Geometry(8, 128, 16), digits.train_images)
