"""Who answers at the addresses of a bench file: asked, and nothing driven."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pyvisa.errors import Error as VisaError

from labctl_instruments.bench.drivers import driver_named
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.opening import Access, access_to, adapter_of
from labctl_instruments.bench.schema import InstrumentTable
from labctl_instruments.errors import InstrumentError


@dataclass(frozen=True)
class InstrumentCheck:
    """One instrument of a bench file, and who answered at its address."""

    name: str
    """Name in the bench file."""
    driver: str
    """Driver in the bench file."""
    address: str
    """VISA resource string."""
    identity: str = ""
    """What it answered to `*IDN?`; empty where it was not asked or did not answer."""
    problem: str = ""
    """Why it is not the instrument expected; empty where it is, or was not asked."""


@dataclass(frozen=True)
class BenchCheck:
    """A bench file that is valid, and its instruments."""

    path: Path
    """The bench file."""
    instruments: tuple[InstrumentCheck, ...]
    """In the file's order."""

    @property
    def ok(self) -> bool:
        """Whether no instrument has a problem."""
        return not any(each.problem for each in self.instruments)


def check_bench(bench: str | Path, *, connect: bool = False) -> BenchCheck:
    """Validate a bench file; with `connect`, ask each instrument who it is.

    Raises
    ------
    BenchError
        If the file is wrong. What is wrong with an instrument is in the result.
    """
    file = load_bench(bench)
    listed = {
        name: InstrumentCheck(name, table.driver, table.address)
        for name, table in file.instruments.items()
    }
    if not connect:
        return BenchCheck(file.path, tuple(listed.values()))
    access = access_to(file)
    try:
        asked = [_ask(name, table, access) for name, table in file.instruments.items()]
    finally:
        for end in access.on_close:
            end()
    return BenchCheck(file.path, tuple(asked))


def _ask(name: str, table: InstrumentTable, access: Access) -> InstrumentCheck:
    kind = driver_named(table.driver)
    listed = InstrumentCheck(name, table.driver, table.address)
    try:
        channel = (table.channel,) if table.channel else ()
        instrument = kind(adapter_of(table, access), name, *channel)
        identity = instrument.check_identity()
    except (InstrumentError, VisaError, OSError, ValueError) as error:
        problem = " ".join(str(error).split()).removeprefix(f"{name}: ")
        return replace(listed, problem=problem or type(error).__name__)
    instrument.adapter.close()
    return replace(listed, identity=identity)
