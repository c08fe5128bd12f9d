"""What every station has, whatever its instruments: a bench, a door, a time and an end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from labctl_data.cells import Geometry
from labctl_instruments.errors import DeadLinkError, RestError, StationError
from labctl_instruments.station.admission import Admission
from labctl_instruments.station.bench_time import BenchTime
from labctl_instruments.station.protocol import BenchInfo, Int8Array, LedgerSink

log = logging.getLogger(__name__)

_LONGEST_RAMP = 1800.0
"""Bench time in which a chuck must arrive, in s."""
_LOOK_PERIOD = 5.0
"""Between two looks at it, in s."""
_STEADY_LOOKS = 3
_TOLERANCE = 0.2
"""From the temperature asked for, in K."""


class Quieted(Protocol):
    """An instrument, as far as bringing it to rest needs it."""

    name: str

    def output_off(self) -> None:
        """Isolate everything, first of all."""

    def outputs_on(self) -> tuple[str, ...]:
        """Return what is still on."""
        ...

    def close(self) -> None:
        """Close the connection."""


class Chuck(Quieted, Protocol):
    """A thermal chuck, as far as a station needs it."""

    temperature: float
    """Temperature now, in K."""

    def check_identity(self) -> str:
        """Refuse an instrument of another model."""
        ...

    def secure(self, setting: str, value: float) -> None:
        """Set a property that guards the chip, read it back and compare."""

    def hold(self, kelvin: float) -> None:
        """Go to a temperature, in K, and hold it."""


class BoundStation:
    """A station bound to its bench; the verbs are its subclasses'.

    Parameters
    ----------
    admission : Admission
        Envelope and ledger of the bench.
    bench_time : BenchTime
        How time passes here.
    known_stuck : ndarray of shape (pe, row, col), int8
        `StuckClass` of each cell by the bench's chip file.
    instruments : sequence of Quieted
        Everything that drives or joins lines, in the order in which it must be put to rest.
    on_close : iterable of callable
        What else ends with the station.
    """

    def __init__(
        self,
        admission: Admission,
        bench_time: BenchTime,
        known_stuck: Int8Array,
        instruments: Sequence[Quieted],
        on_close: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._admission = admission
        self._time = bench_time
        self._instruments = tuple(instruments)
        self._chuck: Chuck | None = None
        self._on_close = tuple(on_close)
        self.known_stuck = known_stuck

    @property
    def bench(self) -> BenchInfo:
        """What a run remembers of this bench."""
        return self._admission.bench

    @property
    def geometry(self) -> Geometry:
        """Size of the chip."""
        return self.bench.geometry

    @property
    def relay_closures(self) -> int:
        """Contacts of matrices that were told to close; there are none where no relay is."""
        return 0

    @property
    def ledger(self) -> LedgerSink:
        """Where messages that can pulse are written down before they are sent."""
        return self._admission.ledger

    @ledger.setter
    def ledger(self, sink: LedgerSink) -> None:
        self._admission.ledger = sink

    def put_on(self, chuck: Chuck) -> None:
        """Put the chip on a chuck; it comes to rest, and closes, with the other instruments."""
        chuck.check_identity()
        chuck.output_off()
        if math.isfinite(self.bench.envelope.temperature):
            chuck.secure("temperature_limit", self.bench.envelope.temperature)
        self._chuck = chuck
        self._instruments = (*self._instruments, chuck)

    def set_temperature(self, kelvin: float) -> None:
        """Bring the chuck to `kelvin`, and return when it has been there for a while.

        Raises
        ------
        EnvelopeError
            If it is beyond the envelope: nothing is sent.
        StationError
            If the bench has no chuck, or it does not arrive in time.
        """
        self.bench.envelope.check_temperature(kelvin, where=self.bench.path.name)
        chuck = self._chuck
        if chuck is None:
            problem = f"asked for {kelvin:g} K, the bench has no chuck"
            raise StationError(f"{self.bench.name}: {problem}")
        chuck.hold(kelvin)
        deadline, steady = self.now() + _LONGEST_RAMP, 0
        while steady < _STEADY_LOOKS:
            if self.now() > deadline:
                found = f"the chuck is at {chuck.temperature:.2f} K after {_LONGEST_RAMP:g} s"
                raise StationError(f"{self.bench.name}: asked for {kelvin:g} K, {found}")
            self._time.wait(_LOOK_PERIOD)
            steady = steady + 1 if abs(chuck.temperature - kelvin) <= _TOLERANCE else 0

    def temperature(self) -> float | None:
        """Measure the temperature of the chuck, in K; None on a bench without one."""
        return None if self._chuck is None else self._chuck.temperature

    def wait(self, seconds: float) -> None:
        """Let `seconds` of bench time pass."""
        if not seconds >= 0:
            raise StationError(f"{self.bench.name}: asked to wait {seconds} s")
        self._time.wait(seconds)

    def now(self) -> float:
        """Return the bench time, in s."""
        return self._time.now()

    def rest(self) -> None:
        """Put every output off, then open every crosspoint, and see that it is so.

        Every instrument is tried, whatever became of those before it.

        Raises
        ------
        RestError
            With all faults met: an instrument that failed, or that still drives or joins a line.
        """
        faults: list[Exception] = []
        for instrument in self._instruments:
            _attempt(instrument.output_off, faults)
        for instrument in self._instruments:
            _attempt(partial(_see_at_rest, instrument), faults)
        if faults:
            raise RestError(self.bench.name, faults)

    def close(self) -> None:
        """Close every connection, without touching an output."""
        faults: list[Exception] = []
        for instrument in self._instruments:
            _attempt(instrument.close, faults)
        for end in (self._time.close, *self._on_close):
            _attempt(end, faults)
        if faults:
            raise ExceptionGroup(f"{self.bench.name}: closing", faults)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.rest()
        finally:
            self.close()


def _attempt(action: Callable[[], None], faults: list[Exception]) -> None:
    """Try one step of coming to rest, twice if need be: it does no harm when it was done already.

    A fault that stays is kept, so that the next step is tried too.
    """
    try:
        action()
    except DeadLinkError as fault:  # it was asked again and again already
        log.warning("coming to rest: %s", fault)
        faults.append(fault)
        return
    except Exception:  # the boundary: what is lost on the way may arrive when it is sent again
        log.exception("coming to rest; tried again")
    else:
        return
    try:
        action()
    except Exception as fault:  # the boundary: all faults are raised together
        log.exception("coming to rest")
        faults.append(fault)


def _see_at_rest(instrument: Quieted) -> None:
    still_on = instrument.outputs_on()
    if still_on:
        shown = ", ".join(still_on[:4]) + (", ..." if len(still_on) > 4 else "")
        raise StationError(f"{instrument.name}: still on: {shown}")
