"""The networks that ship with labctl, and .onnx files from elsewhere."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import Network
from labctl_procedures.network.onnx_import import read_onnx
from labctl_procedures.network.resnet56 import load_resnet56

SHIPPED = ("mcnn", "mcnn-plain", "resnet56")
"""Names of networks; `load_network` says for which image set one has no weights. Those of
`resnet56` are looked for in $LABCTL_DATASETS."""


def load_network(model: str | Path, images_name: str) -> Network:
    """Return a network by name or path.

    Parameters
    ----------
    model : str or Path
        `mcnn`, the five-layer network of Yao et al. (2020), `resnet56`, or the path of an .onnx
        file.
    images_name : str
        Image set the shipped weights were trained on: `digits` or `mnist`, `cifar10` for
        `resnet56`.

    Returns
    -------
    Network

    Raises
    ------
    NetworkError
        If there is no such network, or the file cannot be used.
    """
    if str(model) not in SHIPPED:
        return _from_path(Path(model))
    if str(model) == "resnet56":
        return load_resnet56()
    resource = files(__name__) / f"{model}-{images_name}.onnx"
    if not resource.is_file():
        raise NetworkError(f"network '{model}': no weights for images '{images_name}'")
    with as_file(resource) as path:
        return read_onnx(path)


def _from_path(path: Path) -> Network:
    if path.suffix != ".onnx":
        raise NetworkError(
            f"network '{path}': neither a shipped name ({', '.join(SHIPPED)}) nor an .onnx file"
        )
    if not path.is_file():
        raise NetworkError(f"network '{path}': no such file")
    return read_onnx(path)
