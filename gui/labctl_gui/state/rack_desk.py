"""The rack desk: time and faults of the simulated bench that is open, changed while it is open."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from labctl_data.errors import LabctlError
from labctl_instruments.bench.simulation import Simulation
from labctl_instruments.bench.virtual_tables import FaultTable

log = logging.getLogger(__name__)

AT_ONCE = math.inf
"""Speed at which waits pass at once."""
SPEEDS = {
    "waits pass at once": AT_ONCE,
    "as fast as the wall's": 1.0,
    "10 times as fast": 10.0,
    "60 times as fast": 60.0,
    "3,600 times as fast": 3600.0,
}
"""Speeds of bench time on offer, by name."""


@dataclass(frozen=True)
class Trouble:
    """What is to go wrong."""

    kind: str
    """What it is."""
    instrument: str
    """Whom it befalls."""
    nth: int = 1
    """The chance that is taken, counted from now: answers, or messages."""
    share: float | None = None
    """Share of the chances that are taken, instead of one of them."""
    channel: str = ""
    """Crosspoint of a relay that sticks."""
    stuck_closed: bool = False
    """Whether it sticks closed."""

    def keys(self) -> dict[str, object]:
        """Return what a fault is told beside its kind and its victim."""
        chance = {"nth": self.nth} if self.share is None else {"probability": self.share}
        if not self.channel:
            return dict(chance)
        return {**chance, "channel": self.channel, "stuck_closed": self.stuck_closed}


@dataclass(frozen=True)
class RackFacts:
    """The simulation at one instant."""

    speed: float
    """Bench time in a second of the wall's; infinite where waits pass at once."""
    planned: tuple[str, ...] = ()
    """What may still go wrong, in words."""
    victims: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Names of the instruments that each kind of fault can befall."""


class RackDesk:
    """Changes the simulation behind the open bench, on a thread of its own.

    A message may be under way for seconds where bench time is real: the window does not wait.
    """

    def __init__(self) -> None:
        self._simulation: Simulation | None = None
        self._problem = ""
        self._clerk = ThreadPoolExecutor(1, "rack desk")

    @property
    def facts(self) -> RackFacts | None:
        """The simulation now; None where the bench is real, or none is open."""
        simulation = self._simulation
        if simulation is None:
            return None
        planned = tuple(map(fault_text, simulation.planned))
        return RackFacts(simulation.speed, planned, simulation.victims)

    @property
    def problem(self) -> str:
        """Why what was asked last could not be done; empty where it could."""
        return self._problem

    def take(self, simulation: Simulation | None) -> None:
        """Change this simulation from now on."""
        self._simulation = simulation
        self._problem = ""

    def pace(self, speed: float) -> None:
        """Let bench time pass `speed` times as fast as the wall's; infinite: at once."""
        passes = next((name for name, known in SPEEDS.items() if known == speed), f"{speed:g}")
        self._ask(f"bench time: {passes}", lambda simulation: simulation.pace(speed))

    def plant(self, trouble: Trouble) -> None:
        """Let something go wrong from now on."""
        self._ask(
            f"{trouble.kind} of {trouble.instrument} planted",
            lambda simulation: simulation.plant(trouble.kind, trouble.instrument, **trouble.keys()),
        )

    def clear(self) -> None:
        """Let nothing more go wrong."""
        self._ask("faults cleared", lambda simulation: simulation.clear())

    def settled(self, timeout: float) -> None:
        """Return when all that was asked for is done; TimeoutError after `timeout` s."""
        self._clerk.submit(lambda: None).result(timeout)

    def close(self) -> None:
        """Take no more orders."""
        self._clerk.shutdown(wait=False, cancel_futures=True)

    def _ask(self, name: str, act: Callable[[Simulation], None]) -> None:
        simulation = self._simulation
        if simulation is not None:
            self._clerk.submit(self._do, name, lambda: act(simulation))

    def _do(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        except LabctlError as error:
            self._problem = str(error)
            log.error("simulation: %s", error)  # noqa: TRY400  (its one line says it all)
        else:
            self._problem = ""
            log.info("simulation: %s", name)


def fault_text(fault: FaultTable) -> str:
    """Return one line about a fault that is planned."""
    what = f"{fault.kind} {fault.channel}".strip()
    if fault.probability is not None:
        return f"{what} of {fault.instrument}: {100 * fault.probability:g} % of its chances"
    return f"{what} of {fault.instrument}: chance {fault.nth} since it was planted"
