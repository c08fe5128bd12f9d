"""Which drivers there are: ours, and those that other packages announce (`labctl.drivers`)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from labctl_instruments.errors import DriverError

if TYPE_CHECKING:
    from labctl_instruments.drivers.bench_instrument import BenchInstrument

GROUP = "labctl.drivers"
"""The entry point group in which other packages announce their drivers."""

BUILT_IN = {
    "array-test-board": "array_test_board:ArrayTestBoard",
    "bench-clock": "bench_clock:BenchClock",
    "keithley-2400": "keithley2400:Keithley2400",
    "keithley-2450": "keithley2450:Keithley2450",
    "keithley-2636b": "keithley2636b:Keithley2636B",
    "keithley-3706a": "keithley3706a:Keithley3706A",
    "keithley-707b": "keithley707b:Keithley707B",
    "keysight-81160a": "keysight81160a:Keysight81160A",
    "keysight-b1500a-hrsmu": "keysight_b1500a:KeysightB1500ASmu",
    "keysight-b1500a-mpsmu": "keysight_b1500a:KeysightB1500ASmu",
    "keysight-b1500a-spgu": "keysight_b1500a:KeysightB1500ASpgu",
    "thermal-chuck": "thermal_chuck:ThermalChuck",
}
"""Module and class of each of our own drivers; they are found in a tree that is not installed."""
ROLES_FOR_OTHERS = ("bit-line", "source-line", "word-line", "inhibit", "pulser", "chuck")
"""Roles that other people's drivers can fill: the rest needs more than a driver."""


def names() -> tuple[str, ...]:
    """Return the names of all drivers, ours first."""
    return (*BUILT_IN, *sorted(_plugins()))


def driver_named(name: str) -> type[BenchInstrument]:
    """Return the driver of that name.

    Raises
    ------
    DriverError
        If there is none, or another package's cannot be loaded or is no `BenchInstrument`.
    """
    if name in BUILT_IN:
        module, _, kind = BUILT_IN[name].partition(":")
        built_in: type[BenchInstrument] = getattr(
            import_module(f"labctl_instruments.drivers.{module}"), kind
        )
        return built_in
    if name not in _plugins():
        raise DriverError(name, f"is unknown; there are {', '.join(names())}")
    return _loaded(name)


def check_role(name: str, role: str) -> None:
    """Refuse a driver of another package that cannot fill a role.

    Raises
    ------
    DriverError
        If the role is not for others, is none of its `roles`, or asks for what it lacks.
    """
    kind = driver_named(name)
    if role not in ROLES_FOR_OTHERS:
        raise DriverError(name, f"role '{role}' is for labctl's own drivers")
    if role not in kind.roles:
        raise DriverError(name, f"does not fill role '{role}'; its roles are {kind.roles}")
    missing = [each for each in _wanted(role) if not hasattr(kind, each)]
    if missing:
        raise DriverError(name, f"role '{role}' needs {', '.join(missing)}")


def _loaded(name: str) -> type[BenchInstrument]:
    from labctl_instruments.drivers.bench_instrument import BenchInstrument

    point = _plugins()[name]
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise DriverError(name, f"{point.value} cannot be loaded: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, BenchInstrument)):
        raise DriverError(name, f"{point.value} is no BenchInstrument")
    return kind


def _wanted(role: str) -> list[str]:
    """Return what a driver in that role must have: the members of its protocol."""
    from labctl_instruments.station.bound import Chuck
    from labctl_instruments.station.roles import PulseSource, SourceMeter

    protocol: type = {"pulser": PulseSource, "chuck": Chuck}.get(role, SourceMeter)
    kinds = [kind for kind in protocol.__mro__ if getattr(kind, "_is_protocol", False)]
    members = {name for kind in kinds for name in vars(kind) if not name.startswith("_")}
    fields = {name for kind in kinds for name in vars(kind).get("__annotations__", {})}
    return sorted(members | fields - {"name"})


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}
