"""Modules of torch, against torch."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_procedures.network.graph import scores
from labctl_procedures.network.onnx_import import read_module

SIDE = 6


def test_a_module_of_torch_scores_as_it_does_in_torch() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.ConstantPad2d((1, 0, 0, 1), 0.0),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    ).eval()
    images = np.random.default_rng(2).integers(0, 256, (4, SIDE, SIDE, 2), dtype=np.uint8)

    network = read_module(module, torch.zeros(1, 2, SIDE, SIDE), "module")

    pixels = torch.tensor(images.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    expected = module(pixels).detach().numpy()
    assert scores(network, images) == pytest.approx(expected, rel=1e-5, abs=1e-5)
