"""Which lines of the chip meet which terminal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_data.cells import Geometry
from labctl_instruments.bench.wiring import Wiring, parse_lines
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.virtual.routing import Drive, Ground, Router

GEOMETRY = Geometry(1, 4, 3)
MATRIX, BIT, SOURCE = "GPIB0::1::INSTR", "GPIB0::18::INSTR", "GPIB0::19::INSTR"


class Source:
    """A terminal that does as it is told."""

    def __init__(self, name: str, drive: Drive | None) -> None:
        self.name = name
        self._drive = drive

    def drive(self) -> Drive | None:
        return self._drive


def make(*sources: Source) -> Router:
    lines = {"BL[0:3]": "one:1-3", "SL[0:4]": "one:70-72", "WL[0:4]": "two:2-5"}
    lines["SL[0:4]"] = "one:10-13"
    router = Router(Wiring(parse_lines(lines), {}), GEOMETRY, ["one", "two"])
    router.hang("A", Ground())
    for letter, source in zip("BCDEFGH", sources, strict=False):
        router.hang(letter, source)
    return router


def close(router: Router, crosspoints: dict[tuple[str, int], str]) -> None:
    for (matrix, column), rows in crosspoints.items():
        relays = router.crosspoints.of(matrix)
        for row in rows:
            relays[column - 1, "ABCDEFGH".index(row)] = True
        router.crosspoints.set(matrix, relays)


def voltages(router: Router) -> tuple[list[float], list[float], list[float]]:
    drives, _ = router.drives()
    lines = router.lines(0, drives)
    return lines.bit.tolist(), lines.source.tolist(), lines.word.tolist()


def nan(values: list[float]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]


def test_a_line_has_the_voltage_of_its_row_and_floats_without_one() -> None:
    router = make(Source("b", Drive(0.2, 1.0)), Source("c", None))

    close(router, {("one", 1): "B", ("one", 2): "A", ("one", 10): "C", ("two", 5): "B"})

    bit, source, word = voltages(router)
    assert nan(bit) == [0.2, 0.0, None]
    assert nan(source) == [None, None, None, None]
    assert nan(word) == [None, None, None, 0.2]


def test_two_rows_on_one_column_are_one_node() -> None:
    router = make(Source("b", Drive(0.2, 1.0)), Source("c", None))

    close(router, {("one", 1): "BC", ("one", 10): "C"})

    bit, source, _ = voltages(router)
    assert bit[0] == source[0] == 0.2
    assert router.drives()[1] == []


@pytest.mark.parametrize(
    ("first", "second", "n_conflicts", "voltage"),
    [
        (Drive(0.2, 1.0), Drive(0.0, 1.0), 1, 0.2),
        (Drive(-2.0, 1.0), Drive(0.2, 1.0), 1, -2.0),
        (Drive(0.2, 1.0), Drive(0.2, 1.0), 0, 0.2),
        (Drive(0.2, 1.0), Drive(0.0, 1.0, is_weak=True), 0, 0.2),
        (Drive(0.0, 1.0, is_weak=True), Drive(0.0, 1.0, is_weak=True), 0, 0.0),
    ],
)
def test_sources_that_fight_are_a_conflict_and_the_worse_one_is_felt(
    first: Drive, second: Drive, n_conflicts: int, voltage: float
) -> None:
    router = make(Source("b", first), Source("c", second))

    close(router, {("one", 1): "B", ("one", 2): "BC"})

    assert len(router.drives()[1]) == n_conflicts
    assert voltages(router)[0][0] == voltage


ROUTES = st.lists(
    st.tuples(st.sampled_from(range(1, 14)), st.sampled_from("ABCDEFGH")), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(ROUTES)
def test_every_short_between_two_sources_is_found(route: list[tuple[int, str]]) -> None:
    sources = [Source(letter, Drive(0.1 * (k + 1), 1.0)) for k, letter in enumerate("BCDEFGH")]
    router = make(*sources)
    for column, row in route:
        close(router, {("one", column): row})

    _, conflicts = router.drives()

    # A second way: walk the graph of rows and columns, and look for two sources in one component.
    parent = {node: node for node in [*"ABCDEFGH", *range(1, 14)]}

    def root(node: str | int) -> str | int:
        while parent[node] != node:
            node = parent[node]
        return node

    for column, row in route:
        parent[root(column)] = root(row)
    components = {root(row) for row in "ABCDEFGH"}
    assert len(conflicts) == 8 - len(components)


def test_a_bench_is_quiet_while_no_source_forces_a_voltage() -> None:
    off, silent = Source("off", None), Source("silent", Drive(0.0, 1e-3))

    assert make(off, silent).is_quiet()
    assert not make(off, silent, Source("loud", Drive(-0.02, 1e-3))).is_quiet()


def test_only_nodes_of_bit_and_source_lines_carry_current() -> None:
    router = make(Source("bit", None), Source("gate", None))

    close(router, {("one", 1): "B", ("two", 2): "C"})  # BL0 and WL0
    assert [router.carries_current(node) for node in (0, 1, 2)] == [False, True, False]

    close(router, {("one", 10): "C"})  # SL0 beside the word line
    assert router.carries_current(2)


def test_two_sources_on_one_line_are_told_in_the_log_once(smu_rack: Rack) -> None:
    smu_rack.exchange(BIT, b":OUTP ON;:SOUR:VOLT 0.3\n")
    smu_rack.exchange(SOURCE, b":OUTP ON\n")

    smu_rack.exchange(MATRIX, b'channel.close("1B01,1C01")\n')
    smu_rack.exchange(BIT, b":SOUR:VOLT?;:READ?\n")

    told = [event.message.decode() for event in smu_rack.log.events if event.address == "chip"]
    assert told == ["two sources on one line: bit at 0.3 V meets source at 0 V"]
