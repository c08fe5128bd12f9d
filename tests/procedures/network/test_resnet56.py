"""ResNet-56: its size, on paper."""

from __future__ import annotations

import numpy as np

from labctl_data.cells import Geometry
from labctl_procedures.network.onnx_import import read_model
from labctl_procedures.network.resnet56 import resnet56_model
from labctl_procedures.network.tiling import tile


def test_resnet_56_has_the_weights_of_its_paper_and_fits_746_arrays() -> None:
    rng = np.random.default_rng(0)
    model = resnet56_model(Anything(rng))

    network = read_model(model, "resnet56")

    tilings = [tile(layer, Geometry(746, 16, 144)) for layer in network.layers]
    arrays = [tiling.weights.shape[0] * len(tiling.parts) for tiling in tilings]
    assert sum(layer.weights.size for layer in network.layers) == 848_944  # He et al.: 0.85 M
    assert sum(arrays) + 3 * arrays[0] == 746  # by plain differential counting
    assert network.layers[0].border is not None  # the normalisation of pixels is folded


class Anything(dict[str, np.ndarray]):
    """Weights of the right shapes for any name of a state of ResNet-56."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.rng = rng

    def __missing__(self, name: str) -> np.ndarray:
        if name.startswith("linear"):
            return self.rng.normal(size=(10, 64) if name.endswith("weight") else 10)
        stage = int(name[5]) - 1 if name.startswith("layer") else 0
        channels = (16, 32, 64)[stage]
        first = ".0.conv1" in name and stage > 0
        before = channels // 2 if first else 3 if name == "conv1.weight" else channels
        if "conv" in name:
            return self.rng.normal(size=(channels, before, 3, 3))
        return self.rng.uniform(0.5, 1.5, channels)
