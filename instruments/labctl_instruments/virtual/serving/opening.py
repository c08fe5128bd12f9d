"""From a bench file to a server, and to a bench file that reaches it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_instruments.bench.fault_plan import fault_plan
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.chip import Chip
from labctl_instruments.errors import ServingError
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.serving.limits import LOOPBACK, Network
from labctl_instruments.virtual.serving.server import BenchServer


@dataclass(frozen=True)
class Door:
    """Where a bench is served, and to whom."""

    listen: str = "127.0.0.1"
    """IPv4 address of this machine."""
    port_base: int | None = None
    """Port of the first instrument, the others following; None: any that are free."""
    allowed: tuple[str, ...] = ()
    """Addresses or networks (`10.0.3.0/24`) that may connect, beside this machine itself."""

    def networks(self) -> tuple[Network, ...]:
        """Return who may connect.

        Raises
        ------
        ServingError
            If an address is none, or another than loopback is listened on for nobody.
        """
        listen = _network(self.listen, "listen")
        networks = tuple(_network(text, "allow") for text in self.allowed)
        if not listen.subnet_of(LOOPBACK) and not networks:
            raise ServingError(
                f"asked to listen on {self.listen}, which other machines reach: "
                "say which may connect (--allow ADDRESS)"
            )
        return (LOOPBACK, *networks)


def serve_bench(
    bench: str | Path,
    door: Door | None = None,
    *,
    seed: int | None = None,
    chip: Path | None = None,
    faults: str = "",
) -> BenchServer:
    """Build a virtual bench and serve each of its instruments on a TCP port.

    Parameters
    ----------
    bench : str or Path
        Name of a shipped bench, or a bench file with a table [virtual].
    door : Door, optional
        Where and to whom; by default to this machine, on free ports.
    seed : int, optional
        Seed of the chip, instead of the bench file's.
    chip : Path, optional
        Chip file, instead of the bench file's preset or file.
    faults : str
        What goes wrong beside what the bench file plans; see `fault_plan`. Empty: nothing.

    Returns
    -------
    BenchServer
        Serving; its chip lives until it is closed.

    Raises
    ------
    LabctlError
        If the bench cannot be built, or a port cannot be had.
    """
    chosen = door or Door()
    allowed = chosen.networks()
    file = load_bench(bench)
    planned = fault_plan(file, faults, seed=seed or 0) if faults else ()
    rack = open_rack(file, seed=seed, chip=chip)
    for fault in planned:
        rack.faults.plan(fault)
    server = BenchServer(
        rack,
        {name: table.address for name, table in file.instruments.items()},
        listen=chosen.listen,
        port_base=chosen.port_base,
        allowed=allowed,
    )
    compile_kernels(rack.chip)
    return server


def compile_kernels(chip: Chip) -> None:
    """Use every kernel once, on another chip: a client's time-out is shorter than a compilation."""
    small = Chip(chip.model, Geometry(1, 2, 2), seed=0)
    cells, kinds = np.arange(4), np.array([0, 1, 0, 1])
    small.currents(cells, 0.2, 1, 0.0)
    small.pulse(cells, kinds, 1.8, 50e-9, 1.8, 0.0)
    small.stress(cells, 0.2, 50e-9, 1, 0.0)
    small.sweep(0, np.array([0.1, -0.1]), dwell=1e-3, gate=1.8, compliance=1e-4, time=0.0)
    small.wiring.drive(0, [0.2, 0.0], [0.0, np.nan], [3.0, 0.0], 1e-3, 0.0)
    pair = MacPlan(
        columns=np.array([[0, 1]]),
        outputs=np.array([[0, 0]]),
        signs=np.array([[1, -1]]),
        adc_full_scale=1e-5,
    )
    small.mac(np.ones((1, 2), np.uint8), np.array([[0, 1]]), pair, 0.0)


def _network(text: str, option: str) -> Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ServingError(f"{option} '{text}': expected an IPv4 address ({error})") from error
