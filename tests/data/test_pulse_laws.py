"""Medians of pulses against draws of the law; what counts as usual, as found, and as stuck."""

from pathlib import Path

import numpy as np
import pytest

from labctl_data.errors import FitError
from labctl_data.fit import fit
from labctl_data.fit.evidence import gather
from labctl_data.fit.kinetics import pulse_map_of
from labctl_data.fit.pulse_laws import Medians, median_after
from labctl_data.fit.pulse_map import PulseMap, fit_pulse_maps, medians_of
from labctl_data.model import StuckClass, preset
from labctl_data.pulse import PulseKind
from labctl_data.run_file import Column, RunWriter, open_run

FLAT = preset("yao").with_parameters(
    set_step=np.full(10, 1e-6),
    set_sigma=np.full(10, 0.5e-6),
    reset_step=np.full(10, -1e-6),
    reset_sigma=np.full(10, 0.5e-6),
    bound_high_spread=0.1,
    bound_low_spread=0.2,
    rate_spread=0.4,
)
"""Every reference pulse moves 1 uS, so that n reference pulses move n uS."""


def medians(kind: PulseKind, amplitude: float, gate: float, before: float) -> Medians:
    one = np.ones(1)
    return Medians(
        kind, amplitude * one, 50e-9 * one, gate * one, before * one, one, one, np.ones(1, bool)
    )


@pytest.mark.parametrize("off", [-3e-6, -0.5e-6, 0.0, 0.5e-6, 2e-6, 8e-6])
def test_the_median_of_sets_is_that_of_cells_stopped_by_bounds_of_their_own(off: float) -> None:
    rng = np.random.default_rng(1)
    # Two reference pulses from here end `off` beyond the median bound of 26 uS.
    before = 24e-6 + off
    moved = before + 2e-6 * (1 + 0.4 * rng.normal(size=400_000))
    moved += np.sqrt(2) * 0.5e-6 * rng.normal(size=400_000)
    bound = 26e-6 * np.exp(0.1 * rng.normal(size=400_000))
    amplitude = 2.0 + 0.1 * np.log(2)

    found = median_after(medians(PulseKind.SET, amplitude, 1.8, before), FLAT)[0]

    if before < 26e-6:
        # 400,000 draws know a median to 0.01 uS.
        assert found == pytest.approx(np.median(np.minimum(moved, bound)), abs=0.03e-6)
    else:
        assert found == before


@pytest.mark.parametrize("before", [1.8e-6, 2.2e-6, 3e-6, 5e-6])
def test_the_median_of_resets_is_that_of_cells_stopped_by_bounds_of_their_own(
    before: float,
) -> None:
    rng = np.random.default_rng(2)
    moved = before - 1e-6 * (1 + 0.4 * rng.normal(size=400_000))
    moved += 0.5e-6 * rng.normal(size=400_000)
    bound = 1e-6 * np.exp(0.2 * rng.normal(size=400_000))

    found = median_after(medians(PulseKind.RESET, 1.8, 4.7, before), FLAT)[0]

    assert found == pytest.approx(np.median(np.maximum(moved, bound)), abs=0.02e-6)


MAP_COLUMNS = tuple(
    Column(name, unit, name, dtype)
    for name, unit, dtype in (
        ("pe", "", "i2"),
        ("row", "", "i2"),
        ("column", "", "i2"),
        ("kind", "", "u1"),
        ("amplitude", "V", "f8"),
        ("width", "s", "f8"),
        ("gate", "V", "f8"),
        ("target", "S", "f8"),
        ("before", "S", "f8"),
        ("after", "S", "f8"),
    )
)


def test_a_pulse_acts_on_what_the_write_left_and_not_on_what_had_relaxed(tmp_path: Path) -> None:
    facts = {"procedure": "PulseMap", "chip": "a", "geometry": [1, 4, 4]}
    path = tmp_path / "map.h5"
    with RunWriter.create(path, columns=MAP_COLUMNS, attributes=facts) as writer:
        writer.append(
            {
                "time": [0.0, 1.0], "pe": 0, "row": [0, 1], "column": 2, "kind": 1,
                "amplitude": 1.8, "width": 5e-8, "gate": 4.7,
                "target": [9e-6, np.nan], "before": [8e-6, 7e-6], "after": 5e-6,
            }
        )  # fmt: skip

    found = pulse_map_of(open_run(path))

    assert found.before.tolist() == [9e-6, 7e-6]
    assert found.after.tolist() == [5e-6, 5e-6]
    assert found.kind.tolist() == [PulseKind.RESET, PulseKind.RESET]


def test_a_map_without_pulses_is_refused(tmp_path: Path) -> None:
    facts = {"procedure": "PulseMap", "chip": "a", "geometry": [1, 4, 4]}
    with RunWriter.create(tmp_path / "map.h5", columns=MAP_COLUMNS, attributes=facts):
        pass

    with pytest.raises(FitError, match="without pulses"):
        pulse_map_of(open_run(tmp_path / "map.h5"))


def single_pulses(kind: PulseKind, cells: int, move: float) -> PulseMap:
    """Return a map of two conditions with `cells` cells each, one of which moves its cells."""
    n = 2 * cells
    amplitude = np.repeat([1.0, 2.0], cells)
    before = np.full(n, 10e-6) + 1e-8 * np.arange(n)
    after = before + np.where(amplitude > 1.5, move, 0.0) + 1e-9 * np.resize([-1, 0, 1], n)
    return PulseMap(
        np.full(n, int(kind)), amplitude, np.full(n, 5e-8), np.full(n, 2.0), before, after
    )


@pytest.mark.parametrize(
    ("kind", "move", "responds"),
    [
        (PulseKind.SET, 4e-6, True),
        (PulseKind.SET, 0.9e-6, False),  # far beyond its error, and yet less than a tenth
        (PulseKind.SET, -4e-6, False),
        (PulseKind.RESET, -4e-6, True),
        (PulseKind.RESET, 4e-6, False),
    ],
)
def test_a_condition_responds_where_its_median_moves_the_way_of_its_pulses(
    kind: PulseKind, move: float, responds: bool
) -> None:
    found = medians_of(single_pulses(kind, 30, move), kind)

    assert found.amplitude.tolist() == [1.0, 2.0]
    assert found.responds.tolist() == [False, responds]
    np.testing.assert_allclose(found.after - found.before, [0.0, move], atol=1e-12)


def test_a_map_with_too_few_cells_a_condition_says_so_and_warns_of_nothing() -> None:
    found = fit_pulse_maps(single_pulses(PulseKind.SET, 4, 4e-6), FLAT)

    assert not found.told
    assert found.untold["set_slope"] == "no condition has the 5 cells that a median asks for"


WRITE_COLUMNS = tuple(
    Column(name, "", name, dtype)
    for name, dtype in (
        ("pe", "i2"), ("row", "i2"), ("column", "i2"), ("stage", "u1"), ("pulses", "u4"),
        ("kind", "i1"), ("amplitude", "f8"), ("width", "f8"), ("gate", "f8"), ("target", "f8"),
        ("conductance", "f8"), ("averages", "u2"),
    )
)  # fmt: skip


def test_the_usual_pulse_is_that_of_most_cells_and_not_of_most_pulses(tmp_path: Path) -> None:
    # Three cells written once with 2.0 V; one cell written with 1.8 V, fifty pulses long.
    rows = [(row, 0, 0, -1, np.nan) for row in range(3)]
    rows += [(row, 1, 1, 0, 2.0) for row in range(3)]
    rows += [(3, 0, 0, -1, np.nan), *((3, 1, k, 0, 1.8) for k in range(1, 51))]
    row, stage, pulses, kind, amplitude = (np.array(column) for column in zip(*rows, strict=True))
    facts = {"procedure": "WriteVerify", "chip": "a", "geometry": [1, 4, 4]}
    path = tmp_path / "write.h5"
    with RunWriter.create(path, columns=WRITE_COLUMNS, attributes=facts) as writer:
        writer.append(
            {
                "time": np.arange(len(rows), dtype=float), "pe": 0, "row": row, "column": 0,
                "stage": stage, "pulses": pulses, "kind": kind, "amplitude": amplitude,
                "width": 5e-8, "gate": 1.8, "target": 5e-6,
                "conductance": 5e-6 + 1e-7 * np.arange(len(rows)), "averages": 4,
            }
        )  # fmt: skip

    found = gather([open_run(path)], preset("yao"))

    verified = found.writes.shape[found.writes.stage == 1]
    assert np.unique(verified[:, 0]).tolist() == [2.0]
    assert (found.writes.n_traces, found.left_out) == (3, 1)


def write_run(path: Path, rows: list[tuple[int, int, int, float, float]]) -> Path:
    """Write a run of WriteVerify from (cell, stage, pulses, target, conductance), RESETs all."""
    cell, stage, pulses, target, found = (np.array(column) for column in zip(*rows, strict=True))
    facts = {"procedure": "WriteVerify", "chip": "a", "geometry": [1, 16, 16]}
    with RunWriter.create(path, columns=WRITE_COLUMNS, attributes=facts) as writer:
        writer.append(
            {
                "time": np.arange(len(rows), dtype=float), "pe": 0, "row": cell // 16,
                "column": cell % 16, "stage": stage, "pulses": pulses,
                "kind": np.where(stage == 1, 1, -1), "amplitude": np.where(stage == 1, 1.8, np.nan),
                "width": 5e-8, "gate": 4.7, "target": target, "conductance": found, "averages": 4,
            }
        )  # fmt: skip
    return path


def test_a_cell_that_was_left_off_its_target_without_a_pulse_is_stuck(tmp_path: Path) -> None:
    left_alone = [(0, 0, 0, 5e-6, 15e-6), (0, 2, 0, 5e-6, 15e-6)]
    at_target = [(1, 0, 0, 15e-6, 15e-6), (1, 2, 0, 15e-6, 15e-6)]
    written = [(2, 0, 0, 5e-6, 15e-6), (2, 1, 1, 5e-6, 5e-6), (2, 2, 1, 5e-6, 5e-6)]
    path = write_run(tmp_path / "write.h5", [*left_alone, *at_target, *written])

    found = gather([open_run(path)], preset("yao")).stuck

    assert found.ravel()[:3].tolist() == [StuckClass.STUCK_HIGH, 0, 0]


def test_cells_were_formed_as_their_first_write_found_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    formed = rng.uniform(20.5e-6, 25e-6, 200)
    first = [
        row
        for cell, g in enumerate(formed)
        for row in ((cell, 0, 0, 5e-6, g), (cell, 1, 1, 5e-6, 15e-6), (cell, 1, 2, 5e-6, 5e-6))
    ]
    again = [(cell, 0, 0, 8e-6, 5e-6) for cell in range(200)]
    again += [(cell, 1, 1, 8e-6, 8e-6 + 1e-8 * cell) for cell in range(200)]
    files = [write_run(tmp_path / "first.h5", first), write_run(tmp_path / "again.h5", again)]

    found = {each.name: each for each in fit(files).parameters}

    for name, truth in (("formed_low", 20.5e-6), ("formed_high", 25e-6)):
        assert found[name].identifiable
        assert abs(found[name].value - truth) < 4 * found[name].uncertainty
