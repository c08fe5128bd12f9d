"""Serve a bench as `labctl serve` does, and write down every message with its wall time.

`python witness.py BENCH WRITE_BENCH LOG [CLIENTS]`; one line of JSON says when it is ready. CLIENTS
is how many connections an instrument takes (8).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.writing import write_reaching
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.serving.limits import Budget, ServingLimits
from labctl_instruments.virtual.serving.opening import serve_bench


class WitnessLog(DialogueLog):
    """Keeps nothing; writes wall time, address, message and answer as lines of JSON."""

    def __init__(self, path: Path) -> None:
        super().__init__(capacity=1)
        self._lines = path.open("a", buffering=1, encoding="latin-1")

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        text = message[:400].decode("latin-1")
        line = (time.time(), address, text, reply[:40].decode("latin-1"))
        self._lines.write(json.dumps(line) + "\n")


def main(bench: str, write_bench: str, log: str, clients: int = 8) -> None:
    server = serve_bench(bench)
    server._rack.log = WitnessLog(Path(log))
    server._budget = Budget(ServingLimits(clients_an_instrument=clients))
    file = load_bench(bench)
    write_reaching(file, server.instruments, Path(write_bench))
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *(int(word) for word in sys.argv[4:5]))
