"""Current limits of terminals with several lines, and sources that meet on one line."""

import numpy as np
import pytest

from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack
from tests.instruments.virtual.conftest import bench_document

MATRIX, BIT, SOURCE, GATE = "GPIB0::1::INSTR", *(f"GPIB0::{n}::INSTR" for n in (18, 19, 20))


def wire(rack: Rack, bit_lines: str, source_rows: str = "A") -> None:
    """Put bit lines 0 to 3 and source line 5 on rows; WL5 on the gate at 3 V, the rest grounded."""
    rows = dict(zip(range(1, 5), bit_lines, strict=True)) | {18: "D"}
    names = [f"{(c - 1) // 12 + 1}{rows.get(c, 'A')}{(c - 1) % 12 + 1:02d}" for c in range(1, 21)]
    names.remove("1A10")
    names += [f"1{row}10" for row in source_rows]
    rack.exchange(MATRIX, f'channel.exclusiveclose("{",".join(names)}")'.encode())
    rack.exchange(GATE, b":OUTP ON;:SOUR:VOLT 3\n")


def drive(rack: Rack, address: str, voltage: float, limit: float) -> None:
    rack.exchange(address, f":SOUR:VOLT:ILIM {limit};:SOUR:VOLT {voltage};:OUTP ON\n".encode())


def read(rack: Rack, address: str = BIT) -> float:
    return float(rack.exchange(address, b":READ?\n"))


def at_limit(rack: Rack, address: str = BIT) -> bool:
    return rack.exchange(address, b":SOUR:VOLT:ILIM:TRIP?\n") == b"1\n"


def of_cells(rack: Rack, columns: list[int]) -> float:
    """Return the current of cells of row 5 at 0.2 V, in A, by the chip itself."""
    cells = 5 * 4 + np.array(columns)
    return float(0.2 * rack.chip.conductances(cells, rack.clock.now()).sum())


def test_a_source_on_several_lines_is_limited_by_what_they_draw_together(smu_rack):
    wire(smu_rack, "BBBA")
    each = [of_cells(smu_rack, [column]) for column in (0, 1, 2)]
    limit = round(0.5 * sum(each), 9)
    assert max(each) < limit  # no line alone reaches it

    drive(smu_rack, BIT, 0.2, limit)

    assert read(smu_rack) == pytest.approx(limit, rel=1e-3)
    assert at_limit(smu_rack)


def test_a_source_whose_lines_draw_less_than_its_limit_together_gives_them_all(smu_rack):
    wire(smu_rack, "BBBA")

    drive(smu_rack, BIT, 0.2, 1e-3)

    assert read(smu_rack) == pytest.approx(of_cells(smu_rack, [0, 1, 2]), rel=1e-3)
    assert not at_limit(smu_rack)


def test_a_limited_source_sinks_to_the_voltage_at_which_it_gives_its_limit(smu_rack):
    wire(smu_rack, "BBAA")
    both = of_cells(smu_rack, [0, 1])

    drive(smu_rack, BIT, 0.2, both / 4)
    smu_rack.exchange(BIT, b":SENS:FUNC 'VOLT'\n")

    # Cells are less than linear above 0.2 V and nearly linear below: a quarter of it.
    assert read(smu_rack) == pytest.approx(0.05, rel=0.12)


def test_both_ends_may_be_limited_and_the_tighter_one_counts(smu_rack):
    wire(smu_rack, "BBBB", source_rows="C")
    whole = of_cells(smu_rack, [0, 1, 2, 3])
    drive(smu_rack, SOURCE, 0.0, whole / 5)

    drive(smu_rack, BIT, 0.2, whole / 2)

    assert read(smu_rack) == pytest.approx(whole / 5, rel=2e-3)
    assert at_limit(smu_rack, SOURCE)
    assert not at_limit(smu_rack)


def test_sources_of_one_voltage_on_one_line_add_their_limits_and_share_its_current(smu_rack):
    wire(smu_rack, "BBAA")
    both = round(of_cells(smu_rack, [0, 1]), 9)
    smu_rack.exchange(MATRIX, b'channel.close("1C01")\n')
    drive(smu_rack, SOURCE, 0.2, both * 0.2)
    drive(smu_rack, BIT, 0.2, both * 0.3)

    # Half of what the line would draw: neither of them alone could give it.
    assert read(smu_rack) + read(smu_rack, SOURCE) == pytest.approx(both * 0.5, rel=2e-3)
    assert read(smu_rack) == pytest.approx(both * 0.3, rel=2e-3)


def test_an_output_that_is_off_takes_nothing_of_what_another_source_gives(smu_rack):
    wire(smu_rack, "BBAA")
    smu_rack.exchange(MATRIX, b'channel.close("1C01")\n')
    smu_rack.exchange(SOURCE, b":OUTP OFF\n")

    drive(smu_rack, BIT, 0.2, 1e-3)

    assert read(smu_rack) == pytest.approx(of_cells(smu_rack, [0, 1]), rel=1e-3)


def test_sources_that_meet_flag_the_cells_of_their_lines_at_the_chip(smu_rack):
    wire(smu_rack, "BAAA")
    drive(smu_rack, BIT, 0.2, 1e-3)
    drive(smu_rack, SOURCE, 0.1, 1e-3)
    before = smu_rack.chip.conflicts.sum()

    smu_rack.exchange(MATRIX, b'channel.close("1C01")\n')

    flagged = smu_rack.chip.conflicts
    assert before == 0
    assert (flagged[0, :, 0] == 1).all()
    assert flagged[0, :, 1:].sum() == 0


def test_flags_of_conflicts_are_kept_with_the_chips_state(smu_rack):
    chip = smu_rack.chip
    chip.conflict([3, 4])
    state = chip.state()
    chip.conflict([3])

    chip.restore(state)

    assert chip.conflicts.reshape(-1)[:6].tolist() == [0, 0, 0, 1, 1, 0]


CELL_AT_BIT = b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")'
"""Cell (0, 0) between the bit SMU and ground, its word line on the gate SMU."""


@pytest.mark.parametrize("smu", ["keithley-2400", "keithley-2450"])
def test_a_source_of_current_is_limited_where_its_current_finds_no_way(tmp_path, smu) -> None:
    trip = {"keithley-2400": ":SENS:VOLT:PROT:TRIP?", "keithley-2450": ":SOUR:CURR:VLIM:TRIP?"}
    limit = {"keithley-2400": ":SENS:VOLT:PROT 1", "keithley-2450": ":SOUR:CURR:VLIM 1"}
    document = bench_document("smu", smu=smu, noise=False)
    rack = open_rack(parse_bench(document, path=tmp_path / "small.toml", text=""))
    rack.exchange(BIT, f":SOUR:FUNC CURR;:SOUR:CURR 1e-6;{limit[smu]};:OUTP ON".encode())

    assert rack.exchange(BIT, trip[smu].encode()) == b"1\n"  # an open line

    rack.exchange(GATE, b":SOUR:VOLT 3;:OUTP ON")
    rack.exchange(MATRIX, CELL_AT_BIT)

    assert rack.exchange(BIT, trip[smu].encode()) == b"0\n"  # some 0.1 V at the cell
    assert rack.exchange(BIT, b":SOUR:CURR 1e-4;" + trip[smu].encode()) == b"1\n"
