"""`labctl serve`: virtual instruments as TCP sockets."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import NewFile, Whole, bench_options
from labctl.configuration import refuse_existing

if TYPE_CHECKING:
    from types import FrameType


@click.command("serve")
@bench_options
@click.option(
    "--port-base",
    type=Whole(1, 65_535),
    metavar="PORT",
    help="Port of the first instrument, the others following; default: any that are free.",
)
@click.option(
    "--write-bench",
    type=NewFile(".toml"),
    help="Write a bench file that reaches the served instruments; must not exist.",
)
@click.option(
    "--listen",
    default="127.0.0.1",
    metavar="ADDRESS",
    show_default=True,
    help="IPv4 address of this machine; another than loopback needs --allow.",
)
@click.option(
    "--allow",
    multiple=True,
    metavar="ADDRESS",
    help="An IPv4 address or network (10.0.3.0/24) that may connect, beside this machine.",
)
@click.option(
    "--faults",
    default="",
    metavar="FILE|FRACTION",
    help="What goes wrong: a TOML file of [[faults]], or a fraction (0.01) of all answers.",
)
@click.option("--json", "as_json", is_flag=True, hidden=True, help="What it does anyway.")
def command(
    where: BenchChoice,
    port_base: int | None,
    write_bench: Path | None,
    listen: str,
    allow: tuple[str, ...],
    faults: str,
    as_json: bool,
) -> None:
    """Serve the instruments of a virtual bench, one TCP port each, until SIGTERM or Ctrl-C.

    One line of JSON says where they are; then whoever speaks SCPI or TSP may connect. The chip
    lives as long as the server; where the bench file names a state file, it is saved at the end.

    \b
    labctl serve --bench sim-smu
    labctl serve --bench sim-board --write-bench served.toml
    labctl serve --bench sim-smu --faults 0.01 --seed 7
    """  # noqa: D301  (click reads the \b)
    del as_json
    if write_bench is not None:
        refuse_existing(write_bench)
    from labctl_instruments import load_bench
    from labctl_instruments.bench.writing import write_reaching
    from labctl_instruments.virtual.serving.opening import Door, serve_bench

    told = _when_told_to_end()
    door = Door(listen, port_base, allow)
    server = serve_bench(where.bench, door, seed=where.seed, chip=where.chip, faults=faults)
    try:
        if write_bench is not None:
            write_reaching(load_bench(where.bench), server.instruments, write_bench)
        click.echo(json.dumps({"ready": True, "instruments": server.instruments}))
        told.wait()
    finally:
        server.close()


def _when_told_to_end() -> threading.Event:
    """Return what is set by the first SIGINT, SIGTERM or SIGHUP; later ones change nothing."""
    told = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        told.set()

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), note)
    return told
