"""PyMeasure's own dialogue tests of the 2400, replayed at the virtual one.

They are not part of PyMeasure's wheel: `PYMEASURE_SOURCE` names its unpacked source distribution.
A pair counts as answered where the command queues no error, or where the query answers what was
set before (numbers as numbers). Readings, errors and identities depend on the state of an
instrument: of those only the number of fields is compared, but for error queue and identity, which
are left out.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymeasure.test import expected_protocol

SOURCE = os.environ.get("PYMEASURE_SOURCE", "")
OF_STATE = ("*IDN?", "SYST:ERR?")
OPENING = ":FORMAT:ELEMENTS"
"""What each dialogue begins with; counted once a dialogue, it would count for half of all."""
EXPECTED = {
    # A range answers what the range is, not the value that chose it (0.5 gives 1 A, 2 V, 1 ohm).
    *(f"test_{name}_range_getter" for name in ("current", "voltage", "resistance")),
    *(f"test_source_{name}_range_getter" for name in ("current", "voltage")),
    # Trigger lines are 1 to 4; the dialogues have 0.
    *(
        f"test_{layer}_{way}_line_getter"
        for layer in ("arm", "trigger")
        for way in ("input", "output")
    ),
    # A bus trigger for which nothing waits is -211.
    "test_trigger",
}
READINGS = ("MEAS", "READ", "CALC", "TRAC:DATA", "TRACE:DATA")

pytestmark = pytest.mark.skipif(not SOURCE, reason="PYMEASURE_SOURCE names no source of PyMeasure")


def dialogues() -> list[tuple[str, list[tuple[Any, Any]]]]:
    """Return the pairs of each dialogue of PyMeasure's tests, by the test's name."""
    path = Path(SOURCE) / "tests" / "instruments" / "keithley" / "test_keithley2400.py"
    spec = importlib.util.spec_from_file_location("pymeasure_test_keithley2400", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[tuple[str, list[tuple[Any, Any]]]] = []
    name = ""

    @contextlib.contextmanager
    def recorded(kind: type, pairs: list[tuple[Any, Any]], **keys: Any) -> Iterator[Any]:
        found.append((name, list(pairs)))
        with expected_protocol(kind, pairs, **keys) as instrument:
            yield instrument

    module.expected_protocol = recorded
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("test_") and not inspect.signature(test).parameters:
            test()
    return found


def same(found: str, expected: str) -> bool:
    """Compare two answers, numbers as numbers."""
    fields, wanted = found.split(","), expected.split(",")
    if len(fields) != len(wanted):
        return False
    with contextlib.suppress(ValueError):
        return [float(part) for part in fields] == pytest.approx([float(w) for w in wanted])
    return found.upper() == expected.upper()


class Replay:
    """Says one pair after the other, and sorts what is answered."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.answered = 0
        self.left_out = 0
        self.wrong: list[tuple[str, ...]] = []

    def say(self, message: str) -> str:
        reply = self.bench.rack.exchange("GPIB0::18::INSTR", message.encode() + b"\n")
        return reply.decode().strip()

    def pair(self, name: str, command: str, reply: Any) -> None:
        if any(word in command.upper() for word in OF_STATE):
            self.left_out += 1
            return
        problem = self.problem(command, reply)
        error = self.bench.errors()
        if problem is None and error.startswith("0,"):
            self.answered += 1
        else:
            self.wrong.append((name, command, str(reply), problem or error))

    def problem(self, command: str, reply: Any) -> str | None:
        """Return an answer that is not the one expected."""
        if reply is None:
            self.say(command)
            return None
        expected = str(reply).strip()
        if any(word in command.upper() for word in READINGS):
            found = self.say(command)
            return None if len(found.split(",")) == len(expected.split(",")) else found
        self.say(command.replace("?", f" {reply}", 1))
        found = self.say(command)
        return None if same(found, expected) else found


@pytest.mark.filterwarnings("ignore")
def test_the_virtual_instrument_answers_pymeasures_dialogues(serve) -> None:
    replay = Replay(serve("keithley-2400"))

    for name, pairs in dialogues():
        replay.say("*RST;*CLS;:OUTP ON;:TRAC:CLE;:TRAC:FEED:CONT NEXT;:INIT;:INIT")
        for command, reply in pairs:
            if not command.startswith(OPENING):
                replay.pair(name, command, reply)

    print(f"{replay.answered} answered, {replay.left_out} left out, {len(replay.wrong)} otherwise")
    for one in replay.wrong:
        print(*one)
    assert replay.answered > 100
    assert {name for name, *_ in replay.wrong} == EXPECTED
