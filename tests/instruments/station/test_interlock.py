"""A bench with matrices tells whether their interlock is engaged, and closes nothing without it."""

import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_instruments.errors import InstrumentError
from labctl_instruments.station import Switched
from tests.conformance.behind import rack_of


@pytest.mark.parametrize("bench", ["sim-smu", "sim-2450-3706a"])
def test_one_open_interlock_is_told_and_stops_the_bench_before_anything_is_driven(bench):
    with li.open_bench(bench, seed=1) as station:
        assert isinstance(station, Switched)
        assert station.is_interlocked()

        rack = rack_of(station)
        doors = [getattr(one, "_inner", one) for one in rack._personas.values()]
        switches = [door for door in doors if hasattr(door, "is_interlocked")]
        switches[-1].is_interlocked = False

        assert not station.is_interlocked()
        with pytest.raises(InstrumentError, match="interlock"):
            station.read(Cells.of([[0, 127, 15]]))
        station.rest()
        assert (station.connections == -1).all()
