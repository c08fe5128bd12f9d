"""How fast the five-layer network runs, and where the time goes.

    python tests/benchmarks/network_speed.py [IMAGES] [--peer PYTHON]

IMAGES is how many MNIST test images a pass takes (10,000 by default; `digits`, repeated, where
MNIST is out of reach). Passes of all rows take turns, three of each. A row tells the best wall time
in images/s, the same over that of the bare chip with noise, and images in a second of processor
time (which other work on the machine disturbs less), likewise with its ratio:

* reference: whole numbers, exact cells (`accuracy_quantized`);
* bare chip: the simulated chip's own MACs, without any dialogue, read noise off and on, and with
  wires of 1 ohm a segment;
* dialogue: `infer` through the station, PyVISA and the virtual board, read noise on, and the same
  with wires;
* host: everything of `infer` but the MACs: vectors laid out, pooling, coding;
* aihwkit, float: `peer_aihwkit.py`, run by the Python of an environment that has aihwkit.
"""

import argparse
import itertools
import json
import resource
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments import load_bench, open_bench
from labctl_instruments.chip import Chip
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImagesError,
    ImageSet,
    NetworkPlan,
    infer,
    load_images,
    load_network,
    map_network,
    program,
)
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.signal_chain import Mac, run

YAO = Geometry(8, 128, 16)
BASE = "bare chip"
"""The row that the others are compared with."""


def main() -> None:
    options = parsed()
    count = options.images
    images = available()
    pixels = np.resize(images.test_images, (count, 28, 28))
    labels = np.resize(images.test_labels, count)
    plan = map_network(load_network("mcnn", images.name), YAO, images.train_images)
    print(f"{count} images of {images.name}, {plan.conversions} conversions an image")
    answers = [np.zeros(1, np.int32)] * len(plan.layers)
    with ExitStack() as opened:
        station = programmed(opened, plan, wires=0.0)
        wired = programmed(opened, plan, wires=1.0)
        rows: dict[str, Callable[[], object]] = {
            BASE: runner(plan, pixels, chip_mac(plan, noise=True)),
            "bare chip, wires": runner(plan, pixels, chip_mac(plan, noise=True, wires=1.0)),
            "bare chip, noise off": runner(plan, pixels, chip_mac(plan, noise=False)),
            "dialogue": lambda: infer(station, plan, pixels, labels),
            "dialogue, wires": lambda: infer(wired, plan, pixels, labels),
            "reference": runner(plan, pixels, exact_mac(plan)),
            "host alone": runner(plan, pixels, canned(plan, answers)),
        }
        rates = measured(rows, count)
    if options.peer:
        rates |= peer(options.peer, min(count, 2000))
    for name, (wall, busy) in rates.items():
        print(
            f"{name:<22} {wall:>9,.0f} images/s ({wall / rates[BASE][0]:5.2f})   "
            f"{busy:>9,.0f} a processor second ({busy / rates[BASE][1]:5.2f})"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="?", type=int, default=10_000)
    parser.add_argument("--peer", help="the Python of an environment that has aihwkit")
    return parser.parse_args()


def available() -> ImageSet:
    try:
        return load_images("mnist")
    except ImagesError:
        return load_images("digits")


def programmed(opened: ExitStack, plan: NetworkPlan, *, wires: float) -> Station:
    """Return an open virtual board that holds the network, its wires of so many ohm a segment."""
    text = load_bench("sim-board").text
    folder = Path(opened.enter_context(TemporaryDirectory()))
    bench = folder / "board.toml"
    bench.write_text(text.replace("[virtual]", f"[virtual]\nwire_resistance = {wires}"))
    station = opened.enter_context(open_bench(bench, seed=1))
    program(station, plan)
    return station


def measured(rows: dict[str, Callable[[], object]], count: int) -> dict[str, tuple[float, float]]:
    """Return images/s, and images a processor second, of the best of three passes in turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for work in rows.values():
        work()
    for _ in range(3):
        for name, work in rows.items():
            begun, used = time.perf_counter(), time.process_time()
            work()
            times[name].append((time.perf_counter() - begun, time.process_time() - used))
    return {
        name: (count / min(wall for wall, _ in spent), count / min(busy for _, busy in spent))
        for name, spent in times.items()
    }


def peer(python: str, count: int) -> dict[str, tuple[float, float]]:
    script = Path(__file__).with_name("peer_aihwkit.py")
    said = subprocess.run([python, script, str(count)], capture_output=True, check=True, text=True)
    found = json.loads(said.stdout.splitlines()[-1])
    return {
        name: (found[key]["images_per_second"], found[key]["a_processor_second"])
        for name, key in ((f"aihwkit {found['aihwkit']}", "analog"), ("torch float", "float"))
    }


def runner(plan: NetworkPlan, pixels: np.ndarray, mac: Mac) -> Callable[[], object]:
    return lambda: run(plan, pixels, mac)


def chip_mac(plan: NetworkPlan, *, noise: bool, wires: float = 0.0) -> Mac:
    chip = Chip(preset("yao"), plan.geometry, seed=1, noise=noise, wire_resistance=wires)
    moments = itertools.count(1)
    chip.imprint(plan.cells.index(plan.geometry), plan.targets)

    def mac(number: int, copy: int, vectors: np.ndarray) -> np.ndarray:
        layer = plan.layers[number]
        return chip.mac(vectors, layer.lines[copy], layer.mac, 1e-3 * next(moments))[0]

    return mac


def canned(plan: NetworkPlan, answers: list[np.ndarray]) -> Mac:
    """Answer at once, with the sums of an earlier call of that size."""

    def mac(number: int, copy: int, vectors: np.ndarray) -> np.ndarray:
        size = (len(vectors), plan.layers[number].layer.outputs)
        if answers[number].shape != size:
            answers[number] = np.random.default_rng(0).integers(0, 9999, size, dtype=np.int32)
        return answers[number]

    return mac


if __name__ == "__main__":
    main()
