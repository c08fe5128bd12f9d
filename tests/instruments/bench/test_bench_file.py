"""What a bench file may say, and how it is told what is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import labctl_instruments as li
from labctl_data.model import preset_names
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.wiring import (
    Line,
    MatrixColumn,
    Terminal,
    parse_lines,
    parse_rows,
)
from labctl_instruments.errors import BenchError

SHIPPED = Path(li.__file__).parent / "benches"


def changed(name: str, *changes: tuple[str, str]) -> str:
    text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def complaint(tmp_path: Path, text: str) -> str:
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError) as caught:
        li.load_bench(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["sim-board", "sim-board-quiet", "sim-smu", "board", "smu"])
def test_every_shipped_bench_is_valid(name):
    assert name in li.shipped_benches()
    assert li.load_bench(name).name == name


def test_the_shipped_smu_bench_has_272_lines_on_288_columns():
    wiring = li.load_bench("sim-smu").wiring

    assert len(wiring.columns) == 128 + 128 + 16
    assert len(set(wiring.columns.values())) == 272
    assert {column.matrix for column in wiring.columns.values()} == {
        "matrix1",
        "matrix2",
        "matrix3",
        "matrix4",
    }


def test_only_the_simulated_benches_have_a_clock_and_a_virtual_chip():
    for name in li.shipped_benches():
        bench = li.load_bench(name)
        simulated = name.startswith("sim-")
        assert (bench.virtual is not None) == simulated
        assert bool(bench.with_role("clock")) == simulated


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "sim-board",
            ("seed = 1", "sede = 1"),
            "bench.toml [virtual]: unknown key 'sede' (did you mean 'seed'?)",
        ),
        (
            "sim-board",
            ("seed = 1", "seed = 1\nlead_resistance = 2.0"),
            "bench.toml [virtual]: lead_resistance is met on SMU benches and on passive arrays; "
            "this board has transistors, and its MACs meet wire_resistance",
        ),
        (
            "sim-board",
            ("seed = 1", "seed = 1\noffset = 1e-12"),
            "bench.toml [virtual]: offset is that of meters and a matrix; "
            "this bench is of kind 'board'",
        ),
        (
            "sim-smu",
            ("[measurement]", "[passive]\n[measurement]"),
            "bench.toml [instruments.gate]: role 'word-line' is not one of a bench of kind 'smu'",
        ),
        (
            "sim-smu",
            ("seed = 1", "seed = 1\nconverters = {offset = 1e-9}"),
            "bench.toml [virtual.converters]: a bench of kind 'smu' has no converters at its lines",
        ),
        (
            "sim-board",
            ("seed = 1", "seed = 1\nconverters = {lines_each = 0}"),
            "bench.toml [virtual.converters]: lines_each = 0: input should be greater than or "
            "equal to 1",
        ),
        (
            "sim-board",
            ("[geometry]", "[geometri]"),
            "bench.toml: key 'geometry' is missing",
        ),
        (
            "sim-board",
            ('role = "clock"', 'role = "clock"\nbaud = 9600'),
            "bench.toml [instruments.clock]: unknown key 'baud'; "
            "known are driver, address, role, channel",
        ),
        ("sim-board", ("rows = 128", ""), "bench.toml [geometry]: key 'rows' is missing"),
        (
            "sim-board",
            ("rows = 128", 'rows = "128"'),
            "bench.toml [geometry]: rows = '128': input should be a valid integer",
        ),
        (
            "sim-board",
            ("rows = 128", "rows = 0"),
            "bench.toml [geometry]: rows = 0: input should be greater than 0",
        ),
        (
            "sim-board",
            ("current = 1e-3", "current = inf"),
            "bench.toml [envelope]: current = inf: input should be a finite number",
        ),
        (
            "sim-smu",
            ("GPIB0::19::INSTR", "gpib0::18::instr"),
            "bench.toml [instruments.source]: address 'gpib0::18::instr' is also used by "
            "[instruments.bit]",
        ),
        (
            "sim-smu",
            ('role = "word-line"', 'role = "bit-line"'),
            "bench.toml [instruments.gate]: role 'bit-line' is also that of [instruments.bit]",
        ),
        (
            "sim-board",
            ('role = "clock"', 'role = "pulser"'),
            "bench.toml [instruments.clock]: role 'pulser' is not one of a bench of kind 'board'",
        ),
        (
            "sim-smu",
            ('driver = "keysight-81160a"', 'driver = "keithley-2450"'),
            "bench.toml [instruments.pulser]: role 'pulser' needs driver 'keysight-81160a' or "
            "'keysight-b1500a-spgu', found 'keithley-2450'",
        ),
        (
            "sim-smu",
            ('"BL[0:16]" = "matrix4:41-56"', '"BL[0:15]" = "matrix4:41-55"'),
            "bench.toml [lines]: BL: the geometry has lines 0 to 15, 1 of them on no column, "
            "the first 15",
        ),
        (
            "sim-smu",
            ('"BL[0:16]" = "matrix4:41-56"', '"BL[0:17]" = "matrix4:41-57"'),
            "bench.toml [lines]: BL: the geometry has lines 0 to 15, 1 more are named, "
            "the first 16",
        ),
        (
            "sim-smu",
            ('"BL[0:16]" = "matrix4:41-56"', '"BL[0:16]" = "matrix4:40-55"'),
            "bench.toml [lines]: 'BL[0:16]' puts BL[0] on matrix4:40, where SL[127] is",
        ),
        (
            "sim-smu",
            ('"BL[0:16]" = "matrix4:41-56"', '"BL[0:16]" = "matrix4:41-55"'),
            "bench.toml [lines]: 'BL[0:16]' = 'matrix4:41-55': 16 lines on 15 columns",
        ),
        (
            "sim-smu",
            ('"WL[72:128]"', '"WL[71:127]"'),
            "bench.toml [lines]: 'WL[71:127]' names WL[71], which is already on matrix1:72",
        ),
        (
            "sim-smu",
            ("matrix4:41-56", "matrix5:41-56"),
            "bench.toml [lines]: 'matrix5' is no instrument with role 'matrix'",
        ),
        (
            "sim-smu",
            ("matrix1:1-72", "matrix1:2-73"),
            "bench.toml [lines]: 'WL[0:72]' = 'matrix1:2-73': columns are 1 to 72",
        ),
        (
            "sim-smu",
            ('E = "pulser:1"', 'E = "pulsar:1"'),
            "bench.toml [rows]: 'pulsar' is no instrument of this bench",
        ),
        (
            "sim-smu",
            ('E = "pulser:1"', ""),
            "bench.toml [rows]: 'pulser' (role 'pulser') hangs on no row",
        ),
        (
            "sim-smu",
            ('A = "ground"\n', ""),
            "bench.toml [rows]: no row is 'ground': unselected lines have nowhere to go",
        ),
        (
            "sim-smu",
            ('E = "pulser:1"', 'I = "pulser:1"'),
            "bench.toml [rows]: row 'I' is none of A to H",
        ),
        (
            "sim-board",
            ('preset = "yao"\n', ""),
            "bench.toml [virtual]: expected either 'preset' or 'file', found neither",
        ),
        (
            "sim-board",
            ('preset = "yao"\n', 'preset = "yao"\nfile = "chip.h5"\n'),
            "bench.toml [virtual]: expected either 'preset' or 'file', found both",
        ),
        (
            "sim-board",
            ('preset = "yao"', 'preset = "yoa"'),
            f"bench.toml [virtual]: preset = 'yoa': there are {', '.join(preset_names())}",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_file_and_table(tmp_path, name, change, message):
    assert complaint(tmp_path, changed(name, change)) == message


def test_a_missing_role_is_named(tmp_path):
    text = changed("sim-smu")
    start, stop = text.index("[instruments.pulser]"), text.index("[instruments.matrix1]")

    assert (
        complaint(tmp_path, text[:start] + text[stop:])
        == "bench.toml [instruments]: no instrument has role 'pulser'"
    )


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    assert "bench.toml: cannot be read: " in complaint(tmp_path, "kind = \n")
    assert "line 1" in complaint(tmp_path, "kind = \n")


def test_a_bench_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(BenchError, match=r"no-such: no such bench file.*sim-board"):
        li.load_bench("no-such")


def test_paths_of_the_virtual_table_are_counted_from_the_bench_file(tmp_path):
    text = changed(
        "sim-board", ('preset = "yao"', 'file = "chip.h5"'), ('"formed"', '"state/one.h5"')
    )
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")

    virtual = li.load_bench(path).virtual

    assert virtual is not None
    assert virtual.file == tmp_path / "chip.h5"
    assert Path(virtual.state) == tmp_path / "state" / "one.h5"


@pytest.mark.parametrize("asked", [{"chip": "chip.h5"}, {"seed": 3}], ids=str)
def test_a_real_bench_refuses_a_simulated_chip_before_it_opens_anything(asked):
    with pytest.raises(BenchError, match=r"board.toml: .* but the bench has no \[virtual\] chip"):
        li.open_bench("board", **asked)


def test_column_thirteen_is_the_first_of_the_second_slot():
    assert MatrixColumn("m", 1).crosspoint("A") == "1A01"
    assert MatrixColumn("m", 12).crosspoint("H") == "1H12"
    assert MatrixColumn("m", 13).crosspoint("B") == "2B01"
    assert MatrixColumn("m", 72).crosspoint("C") == "6C12"


def test_a_range_of_lines_lies_on_the_range_of_columns_in_order():
    table = parse_lines({"SL[16:18]": "m:71-72", "BL[0]": "n:5"})

    assert table == {
        Line("SL", 16): MatrixColumn("m", 71),
        Line("SL", 17): MatrixColumn("m", 72),
        Line("BL", 0): MatrixColumn("n", 5),
    }


def test_rows_are_ground_or_an_instruments_channel():
    assert parse_rows({"A": "ground", "B": "ground", "C": "pulser:2"}) == {
        "A": Terminal("ground"),
        "B": Terminal("ground"),
        "C": Terminal("pulser", 2),
    }


def test_one_terminal_on_two_rows_is_refused():
    with pytest.raises(ValueError, match="B = 'bit' hangs on another row too"):
        parse_rows({"A": "bit", "B": "bit"})


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_for_a_range_is_parsed_or_refused_with_a_reason(key, value):
    try:
        parse_lines({key: value})
    except ValueError as error:
        assert key in str(error) or value in str(error)  # noqa: PT017


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
tables = st.dictionaries(
    st.sampled_from(["kind", "identity", "geometry", "instruments", "virtual", "rows", "x"]),
    scalars | st.dictionaries(st.text(max_size=8), scalars, max_size=3),
    max_size=5,
)


@given(tables)
@example({"virtual": {"\n": None}})
@example({"instruments": {"\n": {"\r": 1}}})
def test_any_tables_make_a_bench_or_one_line_of_complaint(document):
    sane = tomllib.loads(changed("sim-board")) | document
    try:
        parse_bench(sane, path=Path("bench.toml"), text="")
    except BenchError as error:
        assert str(error).startswith("bench.toml")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
