"""From a bench file to a rack, and back to a state file."""

import numpy as np
import pytest

from labctl_data.chip_file import CellState, read_chip, write_chip
from labctl_data.model import StuckClass, preset
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.errors import BenchError, RackError
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.rack import Rack, registered
from labctl_instruments.wire.blocks import encode_block
from labctl_instruments.wire.board_layout import pack_pulses

BOARD, CLOCK = "TCPIP0::board.sim::hislip0::INSTR", "TCPIP0::clock.sim::hislip0::INSTR"
CELLS = np.arange(64)


def truth(rack: Rack) -> np.ndarray:
    return rack.chip.conductances(CELLS, rack.clock.now())


def pulse(rack: Rack) -> None:
    block = encode_block(pack_pulses(CELLS, 1, 1.8, 50e-9, 4.7))
    rack.exchange(BOARD, b"OUTP ON;:PULS:CELL " + block + b"\n")


def test_the_seed_asked_for_overrules_the_bench_files(make_bench) -> None:
    bench = make_bench("board", seed=3)

    same, again, other = (open_rack(bench, seed=seed) for seed in (None, 3, 4))

    assert truth(same).tolist() == truth(again).tolist()
    assert truth(same).tolist() != truth(other).tolist()


def test_a_chip_lies_behind_both_kinds_of_bench(make_rack) -> None:
    board, smu = make_rack("board"), make_rack("smu")

    assert truth(board)[:32].tolist() == smu.chip.conductances(CELLS[:32], 0.0).tolist()


def test_a_real_bench_has_no_rack(make_bench, tmp_path) -> None:
    document = make_bench("board").model_dump(exclude={"virtual"}, exclude_none=True)
    real = parse_bench(document, path=tmp_path / "real.toml", text="")

    with pytest.raises(RackError, match=r"real\.toml: a real bench"):
        open_rack(real)


def test_a_bench_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BenchError):
        open_rack("nowhere")


def test_a_rack_is_found_by_its_token_while_it_is_held(make_bench) -> None:
    rack = open_rack(make_bench("board"))
    token = rack.token

    assert registered(token) is rack
    del rack
    assert registered(token) is None


def test_an_address_that_is_not_there_names_those_that_are(board_rack: Rack) -> None:
    with pytest.raises(RackError, match=r"'GPIB0::9::INSTR'; there are .*board\.sim"):
        board_rack.exchange("GPIB0::9::INSTR", b"*IDN?")


def test_a_state_file_carries_cells_counters_and_time_to_the_next_rack(make_bench) -> None:
    bench = make_bench("board", state="chip-state.h5")
    first = open_rack(bench)
    for _ in range(5):
        pulse(first)
    first.exchange(CLOCK, b"CLOC:ADV 100\n")
    first.close()

    second = open_rack(bench)

    assert truth(second).tolist() == truth(first).tolist()
    assert second.chip.pulse_counts(CELLS).tolist() == [5] * 64
    assert second.clock.now() == first.clock.now() > 100.0
    pulse(first)
    pulse(second)
    assert truth(second).tolist() == truth(first).tolist()  # the same draws follow


def test_a_state_of_another_seed_is_refused(make_bench) -> None:
    bench = make_bench("board", state="chip-state.h5")
    open_rack(bench).close()

    with pytest.raises(RackError, match="has seed 3, asked for seed 5"):
        open_rack(bench, seed=5)


def test_a_state_of_another_geometry_is_refused(make_bench) -> None:
    open_rack(make_bench("board", state="chip-state.h5")).close()

    with pytest.raises(RackError, match=r"its chip is \(2, 8, 4\)"):
        open_rack(make_bench("smu", state="chip-state.h5"))


def test_a_chip_file_brings_its_model_and_its_stuck_cells(make_bench, tmp_path) -> None:
    stuck = np.zeros((2, 8, 4), np.int8)
    stuck[1, 2, 3] = StuckClass.OPEN
    quiet = preset("yao").with_parameters(read_noise=0.005)
    path = tmp_path / "twin.h5"
    write_chip(path, quiet, cells=CellState(stuck))

    rack = open_rack(make_bench("board"), chip=path)

    assert rack.chip.model.read_noise == 0.005
    assert truth(rack)[(1 * 8 + 2) * 4 + 3] < 1e-9
    assert (truth(rack) < 1e-9).sum() == 1


def test_a_stuck_map_of_another_geometry_is_refused(make_bench, tmp_path) -> None:
    path = tmp_path / "twin.h5"
    write_chip(path, preset("yao"), cells=CellState(np.zeros((1, 2, 3), np.int8)))

    with pytest.raises(RackError, match=r"stuck map is \(1, 2, 3\)"):
        open_rack(make_bench("board"), chip=path)


def test_a_saved_state_is_a_chip_file_that_others_can_read(make_bench, tmp_path) -> None:
    bench = make_bench("board", state="chip-state.h5", stuck=0.5)
    rack = open_rack(bench)
    rack.close()

    found = read_chip(tmp_path / "chip-state.h5")

    assert found.cells is not None
    assert found.cells.stuck.shape == (2, 8, 4)
    assert 16 <= np.count_nonzero(found.cells.stuck) <= 48  # 32 +- 4 sigma
    assert found.model == rack.chip.model


def test_without_spread_all_cells_step_alike(make_bench) -> None:
    rack = open_rack(make_bench("board", spread=False, noise=False))
    rack.chip.imprint(CELLS, 10e-6)

    for _ in range(10):
        pulse(rack)

    assert np.ptp(truth(rack)) < 1e-12
    assert truth(rack)[0] < 10e-6


def test_in_real_time_the_clock_moves_by_itself(make_bench) -> None:
    rack = open_rack(make_bench("board", clock="real"))

    first, second = (float(rack.exchange(CLOCK, b"CLOC:TIME?\n")) for _ in range(2))

    assert 0.0 <= first < second < 60.0
