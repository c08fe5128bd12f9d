"""How fast the five-layer network runs, and where the time goes.

    python tests/benchmarks/network_speed.py [IMAGES]

IMAGES is how many MNIST test images a pass takes (10,000 by default; `digits`, repeated, where
MNIST is out of reach). Best and median of three passes, wall time, in images/s, and images in a
second of processor time (which other work on the machine disturbs less):

* reference: whole numbers, exact cells (`accuracy_quantized`);
* bare chip: the simulated chip's own MACs, without any dialogue, read noise off and on;
* dialogue: `infer` through the station, PyVISA and the virtual board, read noise on;
* host: everything of `infer` but the MACs: vectors laid out, pooling, coding.
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments import open_bench
from labctl_instruments.chip import Chip
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


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    images = available()
    pixels = np.resize(images.test_images, (count, 28, 28))
    labels = np.resize(images.test_labels, count)
    plan = map_network(load_network("mcnn", images.name), YAO, images.train_images)
    print(f"{count} images of {images.name}, {plan.conversions} conversions an image")
    report("reference", lambda: run(plan, pixels, exact_mac(plan)), count)
    report("bare chip, noise off", lambda: run(plan, pixels, chip_mac(plan, noise=False)), count)
    report("bare chip, noise on", lambda: run(plan, pixels, chip_mac(plan, noise=True)), count)
    with open_bench("sim-board", seed=1) as station:
        program(station, plan)
        report("dialogue, noise on", lambda: infer(station, plan, pixels, labels), count)
    answers = [np.zeros(1, np.int32)] * len(plan.layers)
    report("host alone", lambda: run(plan, pixels, canned(plan, answers)), count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


def available() -> ImageSet:
    try:
        return load_images("mnist")
    except ImagesError:
        return load_images("digits")


def report(name: str, work: Callable[[], object], count: int) -> None:
    work()
    rates, busy = [], []
    for _ in range(3):
        begun, used = time.perf_counter(), time.process_time()
        work()
        rates.append(count / (time.perf_counter() - begun))
        busy.append(count / (time.process_time() - used))
    print(
        f"{name:<22} best {max(rates):>9,.0f}   median {np.median(rates):>9,.0f}   "
        f"a processor second {max(busy):>9,.0f}",
        flush=True,
    )


def chip_mac(plan: NetworkPlan, *, noise: bool) -> Mac:
    chip = Chip(preset("yao"), plan.geometry, seed=1, noise=noise)
    chip.imprint(plan.cells.index(plan.geometry), plan.targets)

    def mac(number: int, copy: int, vectors: np.ndarray) -> np.ndarray:
        layer = plan.layers[number]
        return chip.mac(vectors, layer.lines[copy], layer.mac, 1.0)[0]

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
