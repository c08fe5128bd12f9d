"""The source-meter that `docs/add-a-persona.md` adds, on a virtual bench that names its driver."""

import re
import sys
from pathlib import Path

import pytest

from labctl_instruments.bench import drivers
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.opening import open_rack
from tests.instruments.virtual.conftest import BIT, GATE, MATRIX, bench_document

GUIDE = Path(__file__).parents[3] / "docs" / "add-a-persona.md"
DRIVER = """
from labctl_instruments.drivers.keithley2450 import Keithley2450
class AcmeSmu(Keithley2450):
    roles = ("bit-line",)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a driver `acme-smu`, and a module as its persona."""

    def put(persona: str) -> None:
        facts = tmp_path / "acme-1.0.dist-info"
        facts.mkdir()
        (tmp_path / "acme_smu.py").write_text(DRIVER, encoding="utf-8")
        (tmp_path / "acme_virtual.py").write_text(persona, encoding="utf-8")
        (facts / "METADATA").write_text("Name: acme\nVersion: 1.0\n", encoding="utf-8")
        points = (
            "[labctl.drivers]\nacme-smu = acme_smu:AcmeSmu\n"
            "[labctl.personas]\nacme-smu = acme_virtual:AcmePersona\n"
        )
        (facts / "entry_points.txt").write_text(points, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        drivers._plugins.cache_clear()

    yield put
    for module in ("acme_smu", "acme_virtual"):
        sys.modules.pop(module, None)
    monkeypatch.undo()
    drivers._plugins.cache_clear()


def opened(tmp_path: Path):
    document = bench_document("smu", noise=False)
    document["instruments"]["bit"]["driver"] = "acme-smu"
    return open_rack(parse_bench(document, path=tmp_path / "acme.toml", text=""))


def test_the_guides_source_meter_reads_a_cell_and_holds_its_limit(install, tmp_path):
    (code,) = re.findall(r"```python\n(from [^`]*AcmePersona.*?)```", GUIDE.read_text(), re.DOTALL)
    install(code)
    rack = opened(tmp_path)
    rack.exchange(MATRIX, b'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")')
    rack.exchange(GATE, b":OUTP ON;:SOUR:VOLT 3\n")

    rack.exchange(BIT, b"OUTP ON;volt 0.2;LIM 1 MA\n")
    current = float(rack.exchange(BIT, b"CURR?\n"))
    rack.exchange(BIT, b"LIM 1 UA\n")

    conductance = rack.chip.conductances([0], rack.clock.now())[0]
    assert current == pytest.approx(0.2 * conductance, rel=1e-3)
    assert float(rack.exchange(BIT, b"CURR?\n")) == pytest.approx(1e-6, rel=1e-3)
    assert rack.exchange(BIT, b"*IDN?\n") == b"ACME,SMU-1,0,1.0\n"


def test_what_is_no_persona_is_refused(install, tmp_path):
    install("AcmePersona = dict")

    with pytest.raises(RackError, match="acme_virtual:AcmePersona is no ScpiSourceMeterPersona"):
        opened(tmp_path)


def test_an_address_that_is_taken_takes_no_second_instrument(smu_rack):
    with pytest.raises(RackError, match="is at 'GPIB0::18::INSTR' already"):
        smu_rack.put(BIT, smu_rack.persona(BIT))
