"""Drivers of other packages: found by their entry point, checked, and used on a bench."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_instruments import drivers
from labctl_instruments.bench import drivers as registry
from labctl_instruments.bench.checking import check_bench
from labctl_instruments.bench.loading import find_bench
from labctl_instruments.errors import BenchError, RackError
from labctl_instruments.virtual.opening import open_rack

README = Path(drivers.__file__).with_name("README.md").read_text(encoding="utf-8")
BIT = '[instruments.bit]\ndriver = "keithley-2450"'
CELLS = Cells.of([[0, 5, 5], [0, 90, 1]])


def shown(language: str) -> list[str]:
    """Return the code blocks of the README in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a module with its entry points, as pip would, for one test."""

    def put(module: str, code: str, *points: str) -> None:
        folder = tmp_path / "site"
        facts = folder / f"{module}-1.0.dist-info"
        facts.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code, encoding="utf-8")
        (facts / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n", encoding="utf-8")
        lines = "\n".join(["[labctl.drivers]", *points])
        (facts / "entry_points.txt").write_text(lines, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        registry._plugins.cache_clear()

    yield put
    sys.modules.pop("acme_smu", None)
    monkeypatch.undo()
    registry._plugins.cache_clear()


@pytest.fixture
def install_acme(install):
    """Install what the README shows."""
    (code,) = shown("python")
    (point,) = re.findall(r"^acme-smu = \"(.*)\"$", shown("toml")[0], flags=re.MULTILINE)
    install("acme_smu", code, f"acme-smu = {point}")


@pytest.fixture
def bench(tmp_path):
    """Write the bench file sim-smu with other text in it; real if it has no [virtual]."""

    def write(*changes: tuple[str, str], is_real: bool = False) -> Path:
        text = find_bench("sim-smu").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        if is_real:
            text = text[: text.index("[virtual]")]
        path = tmp_path / "bench.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def named(driver: str) -> tuple[str, str]:
    return BIT, BIT.replace("keithley-2450", driver)


def test_the_driver_of_the_readme_reads_cells_on_a_bench_that_names_it(
    install_acme, bench, monkeypatch
):
    rack = open_rack("sim-smu", seed=4)
    monkeypatch.setenv("PYVISA_LIBRARY", f"{rack.token}@labctl")

    with li.open_bench(bench(named("acme-smu"), is_real=True)) as station:
        found = station.read(CELLS)

    truth = rack.chip.conductances(CELLS.index(station.geometry), rack.clock.now())
    assert found == pytest.approx(truth, rel=0.05)
    assert any(b":SOUR:VOLT:DEL 2e-3" in message for message in rack.log.messages())


def test_a_check_that_connects_asks_it_who_it_is(install_acme, bench, monkeypatch):
    rack = open_rack("sim-smu")
    monkeypatch.setenv("PYVISA_LIBRARY", f"{rack.token}@labctl")

    report = check_bench(bench(named("acme-smu"), is_real=True), connect=True)

    assert report.ok
    assert "MODEL 2450" in report.instruments[0].identity


def test_a_driver_that_nobody_announces_is_refused_with_those_there_are(bench):
    with pytest.raises(
        BenchError, match=r"\[instruments.bit\]: driver = 'acme-smu'.*keithley-707b"
    ):
        li.load_bench(bench(named("acme-smu")))


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_module", "cannot be loaded: No module named 'no_such_module'"),
        ("class Other: ...", "cannot be loaded: .*AcmeSmu"),
        ("AcmeSmu = dict", "is no BenchInstrument"),
        (
            "from labctl_instruments.drivers.keithley2450 import Keithley2450\n"
            "class AcmeSmu(Keithley2450):\n    roles = ('pulser',)",
            "does not fill role 'bit-line'",
        ),
        (
            "from labctl_instruments.drivers.bench_instrument import BenchInstrument\n"
            "class AcmeSmu(BenchInstrument):\n    roles = ('bit-line',)",
            "role 'bit-line' needs averages, force, limited, output, prepare, read_current",
        ),
    ],
)
def test_a_driver_that_cannot_do_what_is_asked_is_refused_with_the_reason(
    install, bench, code, problem
):
    install("acme_smu", code, "acme-smu = acme_smu:AcmeSmu")

    with pytest.raises(BenchError, match=rf"\[instruments.bit\]: driver 'acme-smu': .*{problem}"):
        li.load_bench(bench(named("acme-smu"), is_real=True))


def test_a_virtual_bench_has_no_instrument_for_it_and_says_so(install_acme, bench):
    with pytest.raises(RackError, match="no virtual instrument speaks for driver 'acme-smu'"):
        open_rack(bench(named("acme-smu")))


def test_a_driver_of_another_package_cannot_take_the_name_of_one_of_ours(install, bench):
    install("acme_smu", "AcmeSmu = dict", "keithley-2450 = acme_smu:AcmeSmu")

    assert li.load_bench(bench()).instruments["bit"].driver == "keithley-2450"
