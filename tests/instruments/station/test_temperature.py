"""A station whose chip lies on a chuck."""

from __future__ import annotations

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind
from labctl_instruments.bench.loading import find_bench
from labctl_instruments.errors import EnvelopeError, RefusalError
from tests.conformance.behind import rack_of

CHUCK = """
[instruments.chuck]
driver = "thermal-chuck"
address = "GPIB0::15::INSTR"
role = "chuck"
"""


def bench_on_a_chuck(name, folder, highest=400.0):
    """Write a shipped bench with a chuck, and the highest temperature of its envelope, in K."""
    text = find_bench(name).read_text(encoding="utf-8")
    text = text.replace("temperature = 400.0", f"temperature = {highest}")
    path = folder / f"{name}.toml"
    path.write_text(text.replace("[virtual]", f"{CHUCK}\n[virtual]"), encoding="utf-8")
    return path


@pytest.fixture(params=["sim-board", "sim-smu"])
def station(request, tmp_path):
    """A shipped bench with a chuck."""
    with li.open_bench(bench_on_a_chuck(request.param, tmp_path), seed=4) as opened:
        yield opened


def test_the_station_returns_when_the_chuck_has_arrived_and_bench_time_has_passed(station) -> None:
    start = station.now()

    station.set_temperature(358.15)

    assert station._chuck.temperature == pytest.approx(358.15, abs=0.2)
    # From 60 K away to 0.2 K takes ln(300) time constants of 20 s.
    assert 100.0 < station.now() - start < 200.0


def test_cells_relax_on_a_hot_chuck_as_they_would_at_the_room_in_far_longer(station) -> None:
    chip = rack_of(station).chip
    cells = Cells.of([[0, row, 3] for row in range(20)])
    station.pulse(cells, PulseKind.SET, 2.0, 50e-9, 1.8)
    station.set_temperature(358.15)
    begun, at = station.now(), float(chip._population.effective(station.now()))

    station.wait(100.0)

    # Arrhenius with the preset's 1 eV: exp(1 / k * (1 / 298.15 - 1 / 358.15)).
    pace = np.exp(1.0 / 8.617333262e-5 * (1 / 298.15 - 1 / 358.15))
    passed = float(chip._population.effective(station.now())) - at
    assert passed / (station.now() - begun) == pytest.approx(pace, rel=0.02)


def test_at_rest_no_temperature_is_held(station) -> None:
    station.set_temperature(330.0)

    station.rest()
    station.wait(600.0)

    assert not station._chuck.output
    assert station._chuck.temperature == pytest.approx(298.15, abs=0.01)


def test_a_temperature_beyond_the_envelope_is_refused_before_anything_is_sent(station) -> None:
    log = rack_of(station).log
    sent = log.n_exchanges

    with pytest.raises(EnvelopeError, match=r"temperature 401 K exceeds temperature = 400 K"):
        station.set_temperature(401.0)

    assert log.n_exchanges == sent


def test_the_chucks_own_limit_is_that_of_the_envelope(station) -> None:
    assert station._chuck.temperature_limit == pytest.approx(400.0)


def test_a_temperature_beyond_the_chuck_is_refused_by_it(tmp_path) -> None:
    path = bench_on_a_chuck("sim-board", tmp_path, highest=500.0)

    with (
        li.open_bench(path, seed=4) as station,
        pytest.raises(RefusalError, match="chuck: -222"),
    ):
        station.set_temperature(499.0)
