"""What drivers of TSP instruments share: Lua goes out, and errors come back with the answer."""

from __future__ import annotations

from labctl_instruments.drivers.bench_instrument import BenchInstrument
from labctl_instruments.errors import WireError


class TspInstrument(BenchInstrument):
    """An instrument that executes Lua."""

    def execute(self, command: str) -> None:
        """Send a command and, in the same message, ask how many errors wait.

        If the answer is lost it is sent once more: it is to be one that sets something, or moves
        relays that carry nothing, and does the same when it is done twice.

        Raises
        ------
        RefusalError
            If the instrument refused.
        """
        if self.inquire_number(f"{command} print(errorqueue.count)"):
            self.refuse()

    def inquire_exactly(self, expression: str) -> float:
        """Return the number that a Lua expression is, to nine digits (print gives six)."""
        return self.inquire_number(f'print(string.format("%.9g", {expression}))')

    def _next_error(self) -> tuple[int, str]:
        answer = self.ask("print(errorqueue.next())").strip()
        number, _, rest = answer.partition("\t")
        try:
            return int(float(number)), rest.partition("\t")[0]
        except ValueError as error:
            raise WireError(f"'{answer[:40]}' is no entry of an error queue") from error
