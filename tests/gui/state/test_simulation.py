"""Another simulated bench made from one that is open."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.simulation import (
    SimulationError,
    Variation,
    variation_of,
    varied,
    write_varied,
)
from tests.gui.patience import SECONDS


def test_a_varied_bench_differs_in_nothing_but_its_simulation(session):
    info = session.status.info

    text = varied(info, Variation(seed=7, preset="yao-quiet", noise=False))

    old, new = tomllib.loads(info.text), tomllib.loads(text)
    assert new.pop("virtual") == {
        "preset": "yao-quiet",
        "seed": 7,
        "state": "formed",
        "noise": False,
    }
    old.pop("virtual")
    assert new.pop("identity") == {**old.pop("identity"), "chip": "yao-quiet seed 7"}
    assert new == old


def test_a_varied_bench_keeps_its_wires_converters_clock_and_faults(session):
    info = session.status.info
    kept = """wire_resistance = 2.5
clock = "real"

[virtual.converters]
offset = 1e-9
lines_each = 4

[[virtual.faults]]
instrument = "board"
kind = "timeout"
nth = 5
"""

    text = varied(replace(info, text=info.text + kept), Variation(seed=7, preset="yao-quiet"))

    old = tomllib.loads(info.text + kept)["virtual"]
    assert tomllib.loads(text)["virtual"] == {
        **old,
        "seed": 7,
        "preset": "yao-quiet",
        "noise": True,
    }


def test_a_bench_varied_as_it_is_says_the_same_of_itself(session):
    info = session.status.info
    wanted = Variation(seed=3, state="fresh", noise=False)

    again = replace(info, text=varied(info, wanted), seed=3)

    assert variation_of(again) == wanted


def test_a_varied_bench_is_opened_with_its_seed(session):
    session.open_varied(Variation(seed=9))
    assert session.settled(SECONDS)
    assert session.settled(SECONDS)

    assert session.status.phase is BenchPhase.READY
    assert session.status.info.seed == 9
    assert session.status.info.identity.chip == "c4 seed 9"
    assert session.status.info.identity.die == "x2y3"


def test_a_real_bench_cannot_be_varied(session):
    info = session.status.info
    real = replace(info, text=info.text.partition("[virtual]")[0], seed=None)

    with pytest.raises(SimulationError, match="real"):
        varied(real, Variation())


def test_a_chip_file_beside_the_bench_file_is_refused_rather_than_lost(session, tmp_path: Path):
    info = session.status.info
    named = info.text.replace('chip = "c4"', 'chip = "c4"\nchip_file = "c4.h5"')

    with pytest.raises(SimulationError, match=r"c4\.h5"):
        write_varied(replace(info, text=named), Variation(), tmp_path)
