"""The five-layer network in aihwkit: images a second, for `network_speed.py --peer`.

    python -m venv PEERS; PEERS/bin/pip install --only-binary aihwkit aihwkit
    PEERS/bin/python tests/benchmarks/peer_aihwkit.py [IMAGES]

Its tiles written in torch (of those in C++ 1.1.0 fails with torch 2.14), with 8-bit inputs and
outputs in one pass, noise added to outputs, random weights. Prints one JSON object: images a second
of wall and of processor time, and versions. Its noise is one number an output, ours a conversion
(eight a line, bit-serially), so it does less for an image.
"""

import json
import sys
import time
import warnings

import torch
from torch import nn


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, 3, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(192, 10, bias=False),
    )


def analog() -> nn.Module:
    import aihwkit.nn.conversion as conversion
    from aihwkit.simulator.configs import TorchInferenceRPUConfig

    config = TorchInferenceRPUConfig()
    config.forward.inp_res = config.forward.out_res = 1 / 254
    config.forward.out_noise = 0.01
    return conversion.convert_to_analog(network(), config)


def rates(model: nn.Module, count: int) -> dict[str, float]:
    images = torch.rand(count, 1, 28, 28)
    model.eval()
    wall, busy = [], []
    with torch.no_grad():
        for _ in range(4):
            started, used = time.perf_counter(), time.process_time()
            for batch in images.split(250):
                model(batch)
            wall.append(time.perf_counter() - started)
            busy.append(time.process_time() - used)
    return {"images_per_second": count / min(wall[1:]), "a_processor_second": count / min(busy[1:])}


def main() -> None:
    warnings.simplefilter("ignore")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    import aihwkit

    found = {"aihwkit": aihwkit.__version__, "torch": torch.__version__}
    print(json.dumps({**found, "analog": rates(analog(), count), "float": rates(network(), count)}))


if __name__ == "__main__":
    main()
