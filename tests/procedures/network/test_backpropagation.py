"""Errors carried back through the digital tail, against differences of the float network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_procedures.network import Network, load_network, map_network
from labctl_procedures.network.backpropagation import backward, forward
from labctl_procedures.network.graph import scores
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.signal_chain import maps_into


def float_weights(plan: NetworkPlan, number: int) -> np.ndarray:
    """Return a layer's float weights as the array lays them out, (n_inputs, outputs)."""
    layer = plan.layers[number]
    flat = layer.layer.weights.reshape(layer.layer.outputs, -1)
    pairs = layer.pairs(0, plan.geometry)
    matrix = np.zeros((layer.mac.n_inputs, layer.layer.outputs))
    matrix[pairs.inputs, pairs.outputs] = flat[pairs.outputs, weight_of(plan, number, pairs.inputs)]
    return matrix


def weight_of(plan: NetworkPlan, number: int, inputs: np.ndarray) -> np.ndarray:
    return plan.layers[number].tiling.weights.reshape(-1)[inputs]


def moved(network: Network, number: int, place: tuple[int, int], by: float) -> Network:
    """Return the network with one weight of a layer moved."""
    layer = network.layers[number]
    flat = layer.weights.reshape(layer.outputs, -1).copy()
    flat[place] += by
    changed = replace(layer, weights=flat.reshape(layer.weights.shape))
    nodes = tuple(
        replace(node, work=changed) if node.work is layer else node for node in network.nodes
    )
    return replace(network, nodes=nodes)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_each_weight_should_do_is_the_slope_of_the_scores(
    small_convolution: Path, images: np.ndarray, number: int
) -> None:
    network = load_network(small_convolution, "none")
    plan = map_network(network, Geometry(1, 64, 32), images)
    error = np.random.default_rng(1).normal(size=(len(images), network.classes))
    mac = exact_mac(plan)
    maps = maps_into(plan, 0, images, mac)
    passages = forward(plan, 0, maps, 0, mac)

    found = dict(backward(plan, passages, error, lambda n: float_weights(plan, n)))[number]

    pairs = plan.layers[number].pairs(0, plan.geometry)
    chosen = np.random.default_rng(2).permutation(len(pairs.inputs))[:24]
    step = 1e-3
    slopes = []
    for k in chosen:
        place = int(pairs.outputs[k]), int(weight_of(plan, number, pairs.inputs[[k]])[0])
        ends = [
            np.sum(error * scores(moved(network, number, place, by), images))
            for by in (-step, step)
        ]
        slopes.append((ends[1] - ends[0]) / (2 * step))
    scale = 255 * plan.layers[number].input_scale
    obtained = found[pairs.inputs[chosen], pairs.outputs[chosen]] * scale
    # Codes of 8 bits and weights of 15 levels stand between the two: alike, not equal.
    assert np.corrcoef(obtained, slopes)[0, 1] > 0.97
    assert np.polyfit(slopes, obtained, 1)[0] == pytest.approx(1, abs=0.2)
