"""Draw the pictures of `signal-chain.md`: `python docs/draw_signal_chain.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("agg")
from matplotlib import pyplot as plt

from labctl_data.cells import Geometry
from labctl_procedures.network import (
    MappingSettings,
    NetworkPlan,
    load_images,
    load_network,
    map_network,
)
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.plan import LayerPlan
from labctl_procedures.network.signal_chain import layer_inputs, maps_into

PICTURES = Path(__file__).parent / "pictures"
BLUE, ORANGE, GREY = "#3d7fc4", "#d07a2d", "#8a8f94"
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
}
BITS = 8
IMAGE = 7
"""A test digit."""


def line_currents(
    plan: NetworkPlan, layer: LayerPlan, vectors: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Return the current of every conversion, (n, bits, n_blocks, n_lines), in A; NaN: unused."""
    levels = layer.cell_levels  # (n_blocks, n_lines, width)
    g = np.where(levels < 0, 0.0, plan.cell_levels.conductance(np.maximum(levels, 0)))
    codes = vectors.reshape(len(vectors), levels.shape[0], levels.shape[2])
    bits = (codes[:, None] >> np.arange(BITS)[:, None, None]) & 1  # (n, bits, n_blocks, width)
    currents = np.einsum("nkbw,blw->nkbl", bits, g) * layer.mac.read_voltage
    return np.where(layer.tiling.signs[None, None] == 0, np.nan, currents)


def draw_slots(plan: NetworkPlan, image: npt.NDArray[np.uint8]) -> None:
    """Draw one kernel position of C1: codes, slots, currents of a pair, and the sum."""
    layer = plan.layers[0]
    vectors = layer_inputs(layer, maps_into(plan, 0, image[None], exact_mac(plan)))
    distinct = [len(np.unique(codes)) for codes in vectors[:, :9]]
    position = int(np.argmax(distinct))
    vector = vectors[position : position + 1]
    currents = line_currents(plan, layer, vector)[0, :, 0, :2]  # (bits, plus and minus)
    steps = np.minimum(np.floor(currents / layer.mac.lsb + 0.5), 255).astype(int)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.1), width_ratios=[1.3, 1.5, 1.2])
        bits = (vector[0, :9, None] >> np.arange(BITS)) & 1
        axes[0].pcolormesh(
            bits[::-1], cmap="Blues", vmin=0, vmax=1.6, edgecolors="white", linewidth=1.5
        )
        axes[0].set_yticks(np.arange(9) + 0.5, [f"{code}" for code in vector[0, 8::-1]])
        axes[0].set_xticks(np.arange(BITS) + 0.5, [f"t{k + 1}" for k in range(BITS)])
        axes[0].set_title("nine codes, bit by bit: filled is 0.2 V")
        for line, (name, colour, shift) in enumerate(
            (("plus", BLUE, -0.2), ("minus", ORANGE, 0.2))
        ):
            axes[1].bar(
                np.arange(BITS) + shift, currents[:, line] * 1e6, 0.38, color=colour, label=name
            )
            for k in range(BITS):
                axes[1].text(
                    k + shift,
                    currents[k, line] * 1e6,
                    f"{steps[k, line]}",
                    ha="center",
                    va="bottom",
                    fontsize=7,
                )
        axes[1].set_xticks(range(BITS), [f"t{k + 1}" for k in range(BITS)])
        axes[1].set_ylabel("current / \u00b5A")
        axes[1].set_title("a pair's currents, and their codes")
        axes[1].set_ylim(top=1.25 * currents.max() * 1e6)
        axes[1].legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
        weights = (steps[:, 0] - steps[:, 1]) << np.arange(BITS)
        axes[2].bar(range(BITS), weights, 0.7, color=GREY)
        axes[2].axhline(0, color="black", linewidth=0.6)
        axes[2].set_xticks(range(BITS), [f"x{2**k}" for k in range(BITS)], fontsize=8)
        axes[2].set_title(f"shifted, subtracted: {int(weights.sum()):,}")
        figure.tight_layout()
        figure.savefig(PICTURES / "signal-chain-slots.png")


def draw_ranges(plan: NetworkPlan, images: npt.NDArray[np.uint8]) -> None:
    """Draw how the currents of each layer lie in the range of its ADC."""
    mac = exact_mac(plan)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(plan.layers), figsize=(9.6, 2.6), sharey=True)
        for number, (panel, layer) in enumerate(zip(axes, plan.layers, strict=True)):
            vectors = layer_inputs(layer, maps_into(plan, number, images, mac))
            currents = line_currents(plan, layer, vectors[::7]).ravel()
            currents = currents[np.isfinite(currents) & (currents > 0)] * 1e6
            top = layer.mac.adc_full_scale * 1e6
            edges = np.linspace(0, top, 80)
            shares = np.full(len(currents), 1 / len(currents))
            panel.hist(currents, edges, weights=shares, color=BLUE)
            panel.axvline(top, color=ORANGE)
            panel.set_yscale("log")
            panel.set_title(f"{layer.layer.name}: a step is {layer.mac.lsb * 1e9:.0f} nA")
            panel.set_xlabel("line current / \u00b5A")
        axes[0].set_ylabel("share of conversions")
        figure.tight_layout()
        figure.savefig(PICTURES / "signal-chain-ranges.png")


BUDGET = (
    ("closed-loop writes", 0.982, 0.98),
    ("+ read and telegraph noise", 0.9815, 0.979),
    ("+ relaxation for 10 min", 0.9755, 0.977),
    ("+ 0.4 % of the cells stuck", 0.9645, 0.9745),
    ("+ 10 % of the ADC range left out", 0.9645, 0.977),
    ("+ wires of 1 ohm a segment", 0.965, 0.9755),
    ("+ 0.5 \u00b5S of programming error", 0.963, 0.976),
)
"""Accuracies after transfer and after training, of `labctl reproduce mcnn-budget --seeds 1 --count
2000`."""
PUBLISHED = 0.9507


def draw_budget() -> None:
    """Draw the error budget."""
    at = np.arange(len(BUDGET))[::-1]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8.0, 2.9))
        for column, (name, colour) in enumerate((("transferred", BLUE), ("trained", ORANGE))):
            values = [100 * step[1 + column] for step in BUDGET]
            axes.plot(values, at, "o", color=colour, label=name)
        axes.axvline(100 * PUBLISHED, color="black", linestyle=":", label="published, transferred")
        axes.set_yticks(at, [step[0] for step in BUDGET])
        axes.set_xlabel("accuracy / %")
        axes.grid(axis="y", alpha=0.3)
        axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        figure.tight_layout()
        figure.savefig(PICTURES / "error-budget.png")


def main() -> None:
    """Draw all."""
    images = load_images("digits")
    network = load_network("mcnn", "digits")
    settings = MappingSettings(most_copies=1)
    plan = map_network(network, Geometry(8, 128, 16), images.train_images, settings)
    draw_slots(plan, images.test_images[IMAGE])
    draw_ranges(plan, images.test_images[:40])
    draw_budget()


if __name__ == "__main__":
    main()
