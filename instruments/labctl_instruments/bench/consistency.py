"""What a bench file says that cannot be so, though each of its tables is well formed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labctl_instruments.bench.drivers import BUILT_IN, check_role
from labctl_instruments.bench.equipment import (
    CHANNELS_OF_A_DRIVER,
    DRIVERS_OF_A_ROLE,
    LAYOUTS,
    MAINFRAME_OF_A_DRIVER,
    OPTIONAL_ROLES,
    ROLES_OF_A_FAULT,
    ROLES_OF_A_KIND,
    SENSED_BY_CABLES,
)
from labctl_instruments.bench.schema import BenchFile, InstrumentTable
from labctl_instruments.bench.virtual_tables import ConvertersTable, FaultTable, VirtualTable
from labctl_instruments.bench.wiring import parse_lines, parse_rows
from labctl_instruments.errors import DriverError


def contradictions(bench: BenchFile) -> Iterable[tuple[str, str]]:
    """Yield (table, problem) for each thing a bench file says that cannot be so."""
    yield from _addresses(bench)
    yield from _roles(bench)
    yield from _chip_source(bench)
    yield from _faults(bench)
    yield from _measurement(bench)
    if bench.kind == "smu":
        yield from _rows(bench)
        yield from _lines(bench)
        yield from _passive(bench)
    else:
        for table in ("lines", "rows"):
            if getattr(bench, table):
                yield table, "a board bench has no matrix: the board drives its lines itself"


def _measurement(bench: BenchFile) -> Iterable[tuple[str, str]]:
    """Yield what instruments of a bench cannot do of what [measurement] asks."""
    if bench.measurement.sense == "four-wire":
        if bench.kind == "board":
            yield "measurement", "sense = 'four-wire' is for source-meters; this bench has a board"
        for name, table in bench.instruments.items():
            if table.driver in SENSED_BY_CABLES:
                yield (
                    f"instruments.{name}",
                    f"driver '{table.driver}' cannot be told sense = 'four-wire': its sense "
                    "terminals are what they are cabled to",
                )


_NAME = re.compile(r"[A-Za-z][\w-]*")


def _addresses(bench: BenchFile) -> Iterable[tuple[str, str]]:
    users: dict[str, dict[str, str]] = {}
    for name, table in bench.instruments.items():
        place = f"instruments.{name}"
        if not _NAME.fullmatch(name) or name == "ground":
            yield place, "a name is letters, digits, - and _, and not 'ground'"
        channels = CHANNELS_OF_A_DRIVER.get(table.driver, ("",))
        if table.channel not in channels:
            wanted = " or ".join(f"'{channel}'" for channel in channels)
            yield place, f"driver '{table.driver}' needs channel {wanted}, found '{table.channel}'"
        others = users.setdefault(table.address.upper(), {})
        for channel, other in others.items():
            if channel == table.channel or _mainframe(bench, other) != _mainframe(bench, name):
                yield place, f"address '{table.address}' is also used by [instruments.{other}]"
                break
        others.setdefault(table.channel, name)


def _mainframe(bench: BenchFile, name: str) -> str:
    driver: str = bench.instruments[name].driver
    return MAINFRAME_OF_A_DRIVER.get(driver, driver)


def _roles(bench: BenchFile) -> Iterable[tuple[str, str]]:
    needed = _needed(bench)
    for name, table in bench.instruments.items():
        place = f"instruments.{name}"
        if table.role not in (*needed, *OPTIONAL_ROLES):
            yield place, f"role '{table.role}' is not one of a bench of kind '{bench.kind}'"
        if table.driver not in BUILT_IN:
            yield from _role_of_others(place, table)
        elif table.driver not in DRIVERS_OF_A_ROLE[table.role]:
            wanted = "' or '".join(DRIVERS_OF_A_ROLE[table.role])
            yield place, f"role '{table.role}' needs driver '{wanted}', found '{table.driver}'"
    for role in (*needed, *OPTIONAL_ROLES):
        names = list(bench.with_role(role))
        if not names and role not in OPTIONAL_ROLES:
            yield "instruments", f"no instrument has role '{role}'"
        if len(names) > 1 and role != "matrix":
            yield (
                f"instruments.{names[1]}",
                f"role '{role}' is also that of [instruments.{names[0]}]",
            )


def _needed(bench: BenchFile) -> tuple[str, ...]:
    """Return the roles that must be filled; `inhibit` for `word-line` in a passive array."""
    roles = ROLES_OF_A_KIND[bench.kind]
    if bench.passive is None:
        return roles
    return tuple("inhibit" if role == "word-line" else role for role in roles)


def _role_of_others(place: str, table: InstrumentTable) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the driver of another package."""
    try:
        check_role(table.driver, table.role)
    except DriverError as error:
        yield place, str(error)


def _chip_source(bench: BenchFile) -> Iterable[tuple[str, str]]:
    virtual = bench.virtual
    if virtual is None:
        return
    if (virtual.preset is None) == (virtual.file is None):
        yield (
            "virtual",
            "expected either 'preset' or 'file', found "
            + ("neither" if virtual.preset is None else "both"),
        )
    if bench.kind == "smu" and virtual.converters != ConvertersTable():
        yield "virtual.converters", "a bench of kind 'smu' has no converters at its lines"
    if bench.kind == "board":
        yield from _beside_a_board(virtual, is_passive=bench.passive is not None)
    if not bench.with_role("clock"):
        yield "instruments", "a bench with [virtual] needs an instrument with role 'clock'"


def _beside_a_board(virtual: VirtualTable, *, is_passive: bool) -> Iterable[tuple[str, str]]:
    """Yield what of a simulated SMU bench's wiring is asked of a board."""
    for key in ("leakage", "offset"):
        if getattr(virtual, key):
            yield "virtual", f"{key} is that of meters and a matrix; this bench is of kind 'board'"
    for key in ("lead_resistance", "contact_resistance"):
        if getattr(virtual, key) and not is_passive:
            yield (
                "virtual",
                f"{key} is met on SMU benches and on passive arrays; this board has transistors, "
                "and its MACs meet wire_resistance",
            )


def _faults(bench: BenchFile) -> Iterable[tuple[str, str]]:
    for fault in bench.virtual.faults if bench.virtual else ():
        for problem in fault_problems(bench, fault):
            yield "virtual.faults", problem


def fault_problems(bench: BenchFile, fault: FaultTable) -> Iterable[str]:
    """Yield what a fault says that cannot be so on a bench."""
    named = f"'{fault.kind}' of '{fault.instrument}'"
    table = bench.instruments.get(fault.instrument)
    if table is None:
        yield f"{named}: '{fault.instrument}' is no instrument of this bench"
    elif table.role not in ROLES_OF_A_FAULT.get(fault.kind, (table.role,)):
        wanted = " or ".join(ROLES_OF_A_FAULT[fault.kind])
        yield f"{named}: befalls instruments with role {wanted}, this one is '{table.role}'"
    if (fault.nth is None) == (fault.probability is None):
        found = "neither" if fault.nth is None else "both"
        yield f"{named}: expected either 'nth' or 'probability', found {found}"
    if fault.kind == "stuck-relay" and table is not None and table.driver in LAYOUTS:
        try:
            LAYOUTS[table.driver].place(fault.channel)
        except ValueError as error:
            yield f"{named}: channel = {error}"


def _rows(bench: BenchFile) -> Iterable[tuple[str, str]]:
    try:
        rows = parse_rows(bench.rows)
    except ValueError as error:
        yield "rows", str(error)
        return
    hung = {terminal.instrument for terminal in rows.values()}
    for matrix, layout in bench.layouts.items():
        for letter in sorted(set(rows) - set(layout.rows)):
            yield (
                "rows",
                f"{letter}: '{matrix}' has rows {layout.rows[0]} to {layout.rows[-1]} only",
            )
    for name in hung - {"ground"} - bench.instruments.keys():
        yield "rows", f"'{name}' is no instrument of this bench"
    if "ground" not in hung:
        yield "rows", "no row is 'ground': unselected lines have nowhere to go"
    for role in ("bit-line", "source-line", "word-line", "inhibit", "pulser"):
        for name in bench.with_role(role).keys() - hung:
            yield "rows", f"'{name}' (role '{role}') hangs on no row"


def _lines(bench: BenchFile) -> Iterable[tuple[str, str]]:
    try:
        columns = parse_lines(bench.lines, bench.layouts)
    except ValueError as error:
        yield "lines", str(error)
        return
    for matrix in sorted({column.matrix for column in columns.values()}):
        if matrix not in bench.with_role("matrix"):
            yield "lines", f"'{matrix}' is no instrument with role 'matrix'"
    geometry = bench.geometry.geometry()
    expected = {
        "BL": geometry.pes * geometry.columns,
        "SL": geometry.n_lines,
        "WL": geometry.n_lines if bench.passive is None else 0,
    }
    for kind, count in expected.items():
        found = {line.number for line in columns if line.kind == kind}
        if found and not count:
            yield "lines", f"{kind}: cells of a passive array have no word lines"
        elif found != set(range(count)):
            yield (
                "lines",
                f"{kind}: the geometry has lines 0 to {count - 1}, {_differ(found, count)}",
            )


def _passive(bench: BenchFile) -> Iterable[tuple[str, str]]:
    """Yield what an SMU bench lacks to write cells without transistors."""
    if bench.passive is None:
        return
    if bench.passive.write == "third":
        yield (
            "passive",
            "write = 'third' asks for three voltages that pulse together; a pulser has two "
            "channels: 'half', or a board",
        )
    for name in bench.with_role("pulser"):
        found = {at.channel for at in bench.wiring.rows.values() if at.instrument == name}
        if found != {1, 2}:
            yield "rows", f"'{name}:1' and '{name}:2' must hang on rows: V/2 takes two channels"


def _differ(found: set[int], count: int) -> str:
    missing, extra = set(range(count)) - found, found - set(range(count))
    if missing:
        return f"{len(missing)} of them on no column, the first {min(missing)}"
    return f"{len(extra)} more are named, the first {min(extra)}"
