"""Cell events and chip maps: what a window can tell of a cell."""

from __future__ import annotations

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.pulse import PulseKind
from labctl_gui.state.cell_events import READ, CellEvents
from labctl_gui.state.chip_map import ChipMap


def test_a_trace_counts_the_pulses_before_each_read_of_its_own_cell():
    events, both = CellEvents(), np.array([3, 7])
    events.read(both, np.array([24e-6, 25e-6]))
    events.pulsed(both, PulseKind.RESET, 1.8)
    events.read(both, np.array([20e-6, 21e-6]))
    events.pulsed(np.array([3]), PulseKind.SET, 2.0)
    events.pulsed(np.array([3]), PulseKind.SET, 2.1)
    events.read(both, np.array([22e-6, 21e-6]))

    trace = events.trace(3)

    assert trace.pulses.tolist() == [0, 1, 3]
    assert trace.conductances.tolist() == [24e-6, 20e-6, 22e-6]
    assert trace.last_kind.tolist() == [READ, PulseKind.RESET, PulseKind.SET]
    assert trace.last_amplitude.tolist()[1:] == [1.8, 2.1]
    assert events.trace(7).pulses.tolist() == [0, 1, 1]


def test_kinds_and_amplitudes_of_a_block_go_to_their_own_cells():
    events, block = CellEvents(), np.array([1, 2])

    events.pulsed(block, np.array([PulseKind.SET, PulseKind.RESET]), np.array([2.0, 1.8]))
    events.read(block, np.array([5e-6, 6e-6]))

    assert events.trace(1).last_kind.tolist() == [PulseKind.SET]
    assert events.trace(2).last_amplitude.tolist() == [1.8]


def test_a_cell_that_was_never_read_has_an_empty_trace():
    events = CellEvents()
    events.pulsed(np.array([5]), PulseKind.SET, 2.0)

    assert events.trace(5).is_empty
    assert events.trace(6).is_empty


def test_a_map_knows_only_what_was_read():
    chip_map = ChipMap(Geometry(2, 3, 4))

    chip_map.update(np.array([13]), np.array([5e-6]))  # PE 1, row 0, column 1

    assert chip_map.pe(1)[0, 1] == 5e-6
    assert np.isfinite(chip_map.pe(1)).sum() == 1
    assert not np.isfinite(chip_map.pe(0)).any()


def test_a_copied_map_does_not_change_with_the_bench():
    chip_map = ChipMap(Geometry(1, 2, 2))
    chip_map.update(np.arange(4), np.full(4, 1e-6))
    copied = chip_map.pe(0)

    chip_map.update(np.arange(4), np.full(4, 2e-6))

    assert (copied == 1e-6).all()
