import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from labctl_procedures.network import NetworkError, load_network, models
from labctl_procedures.network.graph import scores
from labctl_procedures.network.onnx_import import read_onnx

WriteOnnx = Callable[..., Path]
RNG = np.random.default_rng(1)
KERNEL = RNG.normal(size=(2, 1, 3, 3))


def by_onnxruntime(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    x = images.astype(np.float32) / 255
    shape = session.get_inputs()[0].shape
    x = x.reshape(len(x), *shape[1:])
    return np.asarray(session.run(None, {"image": x})[0])


def unsoftened(path: Path) -> Path:
    """Cut the last Softmax off: labctl keeps the scores before it."""
    model = onnx.load(path)
    if model.graph.node[-1].op_type == "Softmax":
        last = model.graph.node.pop()
        model.graph.output[0].name = last.input[0]
        path.write_bytes(model.SerializeToString())
    return path


def test_a_convolutional_network_scores_as_onnxruntime_does(
    small_convolution: Path, images: np.ndarray
) -> None:
    network = read_onnx(small_convolution)

    expected = by_onnxruntime(unsoftened(small_convolution), images)

    assert scores(network, images) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("images_name", ["digits", "mnist"])
def test_the_shipped_networks_have_the_layers_of_the_paper(images_name: str) -> None:
    network = load_network("mcnn", images_name)

    assert [layer.weights.shape for layer in network.layers] == [
        (8, 3, 3, 1),
        (12, 3, 3, 8),
        (10, 4, 4, 12),
    ]
    assert sum(layer.weights.size for layer in network.layers[:2]) == 936  # Yao et al. (2020)
    assert [layer.out_shape for layer in network.layers] == [(13, 13, 8), (4, 4, 12), (1, 1, 10)]
    assert all(layer.weight_scale is not None for layer in network.layers)


@pytest.mark.parametrize(
    "pool",
    [
        {"kernel_shape": [3, 3], "strides": [3, 3], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [2, 3], "strides": [2, 1]},
        {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1},
    ],
)
def test_pooling_follows_onnxruntime_at_every_edge(
    write_onnx: WriteOnnx, images: np.ndarray, pool: dict[str, object]
) -> None:
    nodes = [
        helper.make_node("Conv", ["image", "k"], ["x1"], strides=[1, 1]),
        helper.make_node("MaxPool", ["x1"], ["x2"], **pool),
        helper.make_node("Relu", ["x2"], ["x3"]),
    ]
    path = write_onnx(nodes, {"k": KERNEL})
    network = read_onnx(path)

    expected = by_onnxruntime(path, images)

    assert network.layers[0].out_shape == expected.transpose(0, 2, 3, 1).shape[1:]
    assert scores(network, images) == pytest.approx(expected.reshape(len(images), -1), abs=1e-4)


def test_batch_normalisation_is_folded_into_the_layer_before_it(
    write_onnx: WriteOnnx, images: np.ndarray
) -> None:
    nodes = [
        helper.make_node("Conv", ["image", "k", "b"], ["x1"]),
        helper.make_node(
            "BatchNormalization", ["x1", "gamma", "beta", "mean", "var"], ["x2"], epsilon=1e-3
        ),
        helper.make_node("Relu", ["x2"], ["x3"]),
        helper.make_node("Reshape", ["x3", "shape"], ["x4"]),
        helper.make_node("MatMul", ["x4", "w"], ["x5"]),
        helper.make_node("Add", ["x5", "c"], ["y"]),
    ]
    constants = {
        "k": KERNEL,
        "b": [0.1, -0.2],
        "gamma": [1.5, -0.5],
        "beta": [0.2, 0.3],
        "mean": [0.1, 0.4],
        "var": [0.5, 2.0],
        "shape": np.array([0, -1], np.int64),
        "w": RNG.normal(size=(72, 4)),
        "c": RNG.normal(size=4),
    }
    path = write_onnx(nodes, constants)

    network = read_onnx(path)

    assert scores(network, images) == pytest.approx(by_onnxruntime(path, images), abs=1e-3)


def test_a_perceptron_takes_images_pixel_by_pixel(
    write_onnx: WriteOnnx, images: np.ndarray
) -> None:
    path = write_onnx(
        [helper.make_node("Gemm", ["image", "w"], ["y"])],
        {"w": RNG.normal(size=(64, 3))},
        shape=("n", 64),
    )

    network = read_onnx(path)

    assert scores(network, images) == pytest.approx(by_onnxruntime(path, images), abs=1e-4)


CONV = helper.make_node("Conv", ["image", "k"], ["x1"], name="eyes")
REFUSED = {
    "Sigmoid": ([CONV, helper.make_node("Sigmoid", ["x1"], ["y"], name="s")], r"'s' \(Sigmoid\)"),
    "supported are": ([helper.make_node("Tanh", ["image"], ["y"])], r"'y' \(Tanh\).*Conv.*Relu"),
    "group": ([helper.make_node("Conv", ["image", "k"], ["y"], name="g", group=2)], "group = 2"),
    "dilations": (
        [helper.make_node("Conv", ["image", "k"], ["y"], name="d", dilations=[2, 2])],
        r"dilations = \[2, 2\]",
    ),
    "auto_pad": (
        [helper.make_node("Conv", ["image", "k"], ["y"], name="p", auto_pad="SAME_UPPER")],
        "auto_pad",
    ),
    "weights that are computed": (
        [helper.make_node("Conv", ["image", "other"], ["y"], name="c")],
        r"'c' \(Conv\): input 'other' must be a constant",
    ),
    "unflattened": (
        [CONV, helper.make_node("Gemm", ["x1", "w"], ["y"], name="fc", transB=1)],
        r"'fc' \(Gemm\).*do not fit an unflattened map",
    ),
    "maps of two shapes": (
        [CONV, helper.make_node("Add", ["image", "x1"], ["y"], name="sum")],
        r"'sum' \(Add\): asked for maps of one shape, found \(8, 8, 1\) and \(6, 6, 2\)",
    ),
    "two maps multiplied": (
        [CONV, helper.make_node("Mul", ["x1", "x1"], ["y"], name="square")],
        r"'square' \(Mul\): only with a constant",
    ),
    "a constant of every pixel": (
        [CONV, helper.make_node("Mul", ["x1", "every"], ["y"], name="mask")],
        r"'mask' \(Mul\): only a constant of one number a channel",
    ),
    "divided by nothing": (
        [CONV, helper.make_node("Div", ["x1", "zero"], ["y"], name="div")],
        r"'div' \(Div\): only by constants that are not 0",
    ),
    "padded batch": (
        [CONV, helper.make_node("Pad", ["x1", "pads"], ["y"], name="pad")],
        r"'pad' \(Pad\): pads = \[1, 0, 0, 0, 0, 0, 0, 0\]",
    ),
    "a range that is none": (
        [CONV, helper.make_node("Clip", ["x1", "b", "zero"], ["y"], name="clip")],
        r"'clip' \(Clip\): from 1 to 0 is no range",
    ),
    "concatenated maps of two sizes": (
        [CONV, helper.make_node("Concat", ["x1", "image"], ["y"], name="cat", axis=1)],
        r"'cat' \(Concat\): asked for maps of one height and width",
    ),
    "pooled vector": (
        [
            CONV,
            helper.make_node("Flatten", ["x1"], ["f"]),
            helper.make_node("GlobalAveragePool", ["f"], ["y"], name="all"),
        ],
        r"'all' \(GlobalAveragePool\): asked for a map, found a vector of 72",
    ),
    "another reshaping": (
        [CONV, helper.make_node("Reshape", ["x1", "to"], ["y"], name="r")],
        r"'r' \(Reshape\): to \[0, 6, 12\]",
    ),
    "an order that cannot be": (
        [
            helper.make_node("Relu", ["x1"], ["a"], name="early"),
            CONV,
            helper.make_node("Concat", ["a", "x1"], ["y"], axis=1),
        ],
        r"'early' \(Relu\): input 'x1' is made by no node before it",
    ),
    "softmax inside": (
        [
            helper.make_node("Softmax", ["image"], ["a"], name="soft"),
            helper.make_node("Conv", ["a", "k"], ["y"]),
        ],
        r"'soft' \(Softmax\): only as the last node",
    ),
    "no weights": ([helper.make_node("Relu", ["image"], ["y"])], "no Conv, Gemm or MatMul"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_mapped_is_refused_by_the_name_of_its_node(
    write_onnx: WriteOnnx, case: str
) -> None:
    nodes, message = REFUSED[case]
    constants = {
        "k": KERNEL,
        "k2": RNG.normal(size=(2, 2, 3, 3)),
        "w": np.ones((3, 72)),
        "b": [1.0],
        "zero": [0.0],
        "every": np.ones((1, 2, 6, 6)),
        "pads": np.array([1, 0, 0, 0, 0, 0, 0, 0]),
        "to": np.array([0, 6, 12]),
    }
    path = write_onnx(nodes, constants)

    with pytest.raises(NetworkError, match=message) as refused:
        read_onnx(path)
    assert "net.onnx" in str(refused.value)


@pytest.mark.parametrize("shape", [("n", 1, "height", 8), ("n", 1, 8), ("n", 1, 0, 8)])
def test_an_input_of_no_fixed_shape_is_refused_with_the_shape_found(
    write_onnx: WriteOnnx, shape: tuple[object, ...]
) -> None:
    path = write_onnx([CONV], {"k": KERNEL}, shape=shape)

    with pytest.raises(NetworkError, match=r"input 'image': shape \(batch, 1, .*must be fixed"):
        read_onnx(path)


def test_weights_outside_the_file_are_refused(small_convolution: Path) -> None:
    model = onnx.load(small_convolution)
    onnx.save(
        model,
        small_convolution,
        save_as_external_data=True,
        size_threshold=0,
        location="weights.bin",
    )

    with pytest.raises(NetworkError, match=r"tensor '\w+': its values lie in another file"):
        read_onnx(small_convolution)


@pytest.mark.parametrize("content", [b"", b"\x00\xffno onnx", b"\x08"])
def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)

    with pytest.raises(NetworkError, match=r"broken\.onnx"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("lenet", "neither a shipped name"),
        ("/nowhere/net.onnx", "no such file"),
        ("net.pt", r"mcnn.*\.onnx"),
    ],
)
def test_a_network_that_is_not_there_is_named(model: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        load_network(model, "digits")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    at=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
    byte=st.integers(0, 255),
)
def test_a_damaged_file_is_read_or_refused_and_never_worse(
    tmp_path: Path, at: list[float], byte: int
) -> None:
    model = onnx.load(resources.files(models) / "mcnn-digits.onnx")
    del model.graph.initializer[2:]  # what is left is mostly structure, not weights
    damaged = bytearray(model.SerializeToString())
    for place in at:
        damaged[int(place * len(damaged))] = byte
    path = tmp_path / "damaged.onnx"
    path.write_bytes(bytes(damaged))

    with contextlib.suppress(NetworkError):
        assert read_onnx(path).layers


@pytest.mark.parametrize("value", ["nothing", "nan", "-1"])
def test_a_level_size_that_is_none_is_refused(small_convolution: Path, value: str) -> None:
    model = onnx.load(small_convolution)
    helper.set_model_props(model, {"labctl.weight_scale.a": value})
    small_convolution.write_bytes(model.SerializeToString())

    with pytest.raises(NetworkError, match=rf"labctl\.weight_scale\.a.*'{value}'"):
        read_onnx(small_convolution)


def test_networks_need_neither_torch_nor_pymeasure() -> None:
    code = (
        "import sys, labctl_procedures.network; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'pymeasure', 'sklearn', 'pooch')))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_weights_that_are_not_numbers_are_refused(write_onnx: WriteOnnx) -> None:
    path = write_onnx([CONV], {"k": np.where(KERNEL > 0, np.nan, KERNEL)})

    with pytest.raises(NetworkError, match=r"'eyes' \(Conv\).*not finite"):
        read_onnx(path)
