"""The tree of chips: wafer, die, chip and PE, and another chip to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labctl_data.catalogue import Entry
from labctl_gui.state.chips import KnownChip, chips_of, with_chip
from labctl_gui.state.quantities import Quantity
from labctl_instruments.station import ChipIdentity
from tests.gui.driving import PATIENCE, click, fill, pick, start_small_write, wait_for_end
from tests.gui.small_bench import SMALL_BENCH

HERE = ChipIdentity("w1", "x2y3", "c4")


def run(name, chip="c4", **more):
    return Entry(file=Path(name), wafer="w1", die="x2y3", chip=chip, **more)


def texts(tree):
    """Return what stands in the tree, each item with its path."""
    found, waiting = [], [(tree.topLevelItem(n), "") for n in range(tree.topLevelItemCount())]
    while waiting:
        item, above = waiting.pop(0)
        name = f"{above}/{item.text(0)}"
        found.append(name)
        waiting += [(item.child(n), name) for n in range(item.childCount())]
    return sorted(found)


def choose(tree, text):
    def below(item):
        for number in range(item.childCount()):
            yield item.child(number)
            yield from below(item.child(number))

    (found,) = (item for item in below(tree.invisibleRootItem()) if item.text(0) == text)
    tree.setCurrentItem(found)


def test_runs_of_one_chip_are_gathered_newest_first_and_unreadable_ones_left_out():
    entries = [run("3.h5"), run("x.h5", problem="damaged"), run("2.h5", chip="a"), run("1.h5")]

    other, here = chips_of(entries)

    assert other == KnownChip(ChipIdentity("w1", "x2y3", "a"), (Path("2.h5"),))
    assert here == KnownChip(HERE, (Path("3.h5"), Path("1.h5")))


def test_a_chip_on_the_bench_without_a_run_is_known_too():
    assert with_chip((), HERE) == (KnownChip(HERE),)
    assert with_chip((KnownChip(HERE, (Path("1.h5"),)),), HERE)[0].runs == (Path("1.h5"),)
    assert with_chip((), None) == ()


def test_choosing_a_pe_in_the_tree_shows_it_and_the_tree_follows_the_box(read_window, qtbot):
    array = read_window.array
    chip = "/wafer w1/die x2y3/chip c4"
    assert f"{chip}/PE 1" in texts(array.chips.tree)

    choose(array.chips.tree, "PE 1")
    assert array.pe == 1
    assert np.isnan(array.image).all()

    array.pe_box.setCurrentIndex(0)
    qtbot.waitUntil(lambda: array.chips.tree.currentItem().text(0) == "PE 0", timeout=PATIENCE)
    assert not array.chips.compare_button.isEnabled()


@pytest.fixture
def other_bench(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text(SMALL_BENCH.replace('"c4"', '"c5"').replace("seed = 1", "seed = 2"))
    return str(path)


def test_another_chip_is_compared_by_its_newest_run(window, qtbot, other_bench):
    start_small_write(qtbot, window)
    wait_for_end(qtbot, window)
    written = window.session.chip_map.pe(0).copy()
    window.session.open_bench(other_bench)
    assert window.session.settled(PATIENCE / 1000)
    window.session.read_pe(0)
    assert window.session.settled(PATIENCE / 1000)
    read = window.session.chip_map.pe(0)

    window.runs.look()
    tree = window.array.chips.tree
    both = {"/wafer w1/die x2y3/chip c4", "/wafer w1/die x2y3/chip c5/PE 0"}
    qtbot.waitUntil(lambda: both <= set(texts(tree)), timeout=PATIENCE)
    choose(tree, "chip c4")
    click(qtbot, window.array.chips.compare_button)

    differs = Quantity.DIFFERENCE
    qtbot.waitUntil(lambda: window.array.scale.quantity is differs, timeout=PATIENCE)
    np.testing.assert_allclose(window.array.image, read - written, atol=1e-12)


def test_a_chip_whose_runs_tell_no_conductances_is_refused_in_the_banner(window, qtbot):
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/0/0")
    click(qtbot, window.run.start_button)
    wait_for_end(qtbot, window)
    window.runs.look()
    tree = window.array.chips.tree
    qtbot.waitUntil(lambda: bool(window.browser.found.chips), timeout=PATIENCE)
    window.refresh()

    choose(tree, "chip c4")
    click(qtbot, window.array.chips.compare_button)

    qtbot.waitUntil(lambda: "no conductances" in window.header.trouble.text(), timeout=PATIENCE)
