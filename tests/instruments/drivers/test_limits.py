"""The limits that guard a chip, set on each family of source-meters and read back."""

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter

from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.drivers.keithley2400 import Keithley2400
from labctl_instruments.drivers.keithley2450 import Keithley2450
from labctl_instruments.drivers.keithley2636b import Keithley2636B
from labctl_instruments.drivers.keysight_b1500a import KeysightB1500ASmu
from labctl_instruments.errors import InstrumentError
from labctl_instruments.virtual.opening import open_rack
from tests.instruments.virtual.conftest import bench_document

LIMITS = np.logspace(-9, 0, 91)
FAMILIES = {
    "keithley-2400": Keithley2400,
    "keithley-2450": Keithley2450,
    "keithley-2636b": Keithley2636B,
    "keysight-b1500a-hrsmu": KeysightB1500ASmu,
    "keysight-b1500a-mpsmu": KeysightB1500ASmu,
}


@pytest.fixture(params=FAMILIES)
def smu(request, tmp_path):
    """A source-meter of each family on a bench without noise, prepared."""
    document = bench_document("smu", smu=request.param, noise=False)
    first = {"keithley-2636b": "a"}.get(request.param, "1" if "b1500a" in request.param else "")
    for name in ("bit", "source", "gate"):
        document["instruments"][name]["channel"] = first
    rack = open_rack(parse_bench(document, path=tmp_path / "small.toml", text=""))
    address = document["instruments"]["bit"]["address"]
    adapter = VISAAdapter(address, visa_library=f"{rack.token}@labctl", write_termination="\n")
    driver = FAMILIES[request.param](adapter, "smu")
    driver.prepare(nplc=1.0, current_limit=1e-3)
    driver.output = True
    yield driver
    adapter.close()
    rack.close()


def test_a_limit_reads_back_within_a_thousandth_or_raises(smu) -> None:
    refused = []
    for limit in LIMITS:
        try:
            smu.secure("current_limit", float(limit))
        except InstrumentError:
            refused.append(float(limit))
            continue
        assert smu.current_limit == pytest.approx(limit, rel=1e-3)

    assert len(refused) < 30  # what an instrument cannot hold is refused, not most of it
    smu.check_errors()


def test_1e4_readings_change_no_limit(smu) -> None:
    smu.secure("current_limit", 3.3e-6)
    smu.force(0.01)

    for _ in range(10_000):
        smu.read_current()

    assert smu.current_limit == pytest.approx(3.3e-6, rel=1e-6)
