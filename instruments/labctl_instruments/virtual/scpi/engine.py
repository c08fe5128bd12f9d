"""Commands by their headers, and the execution of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl_instruments.virtual.scpi.headers import HeaderTree
from labctl_instruments.virtual.scpi.message import Token, Unit, program_messages
from labctl_instruments.virtual.scpi.parameters import Extreme, Integer, Number, Parameter
from labctl_instruments.virtual.scpi.status import OPERATION_COMPLETE, ScpiError, Status
from labctl_instruments.wire.blocks import encode_block

CACHED_LENGTH = 128
"""Messages up to this length are remembered in their parsed form."""
CACHED_MESSAGES = 4096
"""How many; then all are forgotten at once, which costs less than keeping their order."""

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Command:
    handler: Handler
    parameters: tuple[Parameter, ...]

    @property
    def n_required(self) -> int:
        return sum(not parameter.is_optional for parameter in self.parameters)


class CommandTable:
    """The commands of one instrument, registered by what its manual calls them.

    A handler is called with the numeric suffixes that its header tells (`OUTPut#`), then with the
    parameters' values; an optional parameter left out is left out of the call. What a query's
    handler returns is its answer: text, number, boolean, a sequence of them, or an array, which
    travels as a block. A handler refuses by raising `ScpiError`.
    """

    def __init__(self, number_format: str = "%.9G") -> None:
        self.number_format = number_format
        self._commands: HeaderTree[_Command] = HeaderTree()
        self._queries: HeaderTree[_Command] = HeaderTree()
        self._resets: list[Callable[[], None]] = []
        self.registered: list[tuple[str, bool, tuple[Parameter, ...]]] = []
        """Headers, whether they ask, and parameters, in the order of registration."""

    def command(self, header: str, handler: Handler, *parameters: Parameter) -> None:
        """Register a command without answer."""
        self._commands.add(header, _Command(handler, parameters))
        self.registered.append((header, False, parameters))

    def query(self, header: str, handler: Handler, *parameters: Parameter) -> None:
        """Register a query; the header is given without its question mark."""
        self._queries.add(header, _Command(handler, parameters))
        self.registered.append((header, True, parameters))

    def setting(self, header: str, parameter: Parameter, get: Handler, put: Handler) -> None:
        """Register a command that sets one value, and the query that reads it back.

        `get` is called with the header's suffixes, `put` with them and the value. Where the value
        is a number, the query also answers MIN, MAX and DEF.
        """
        self.command(header, put, parameter)
        if isinstance(parameter, Number | Integer):
            numeric = parameter

            form = numeric.format

            def answer(*arguments: Any) -> str:  # noqa: ANN401  (suffixes, perhaps an Extreme)
                if arguments and isinstance(arguments[-1], Extreme):
                    return form(numeric.extreme(arguments[-1]))
                return form(get(*arguments))

            self.query(header, answer, _EXTREME)
        else:
            self.query(header, lambda *suffixes: parameter.format(get(*suffixes)))

    def stored(self, header: str, parameter: Parameter) -> None:
        """Register a setting that is remembered and does nothing; `*RST` gives it its default."""
        values: dict[tuple[int, ...], object] = {}

        def put(*arguments: Any) -> None:  # noqa: ANN401  (suffixes, then the value)
            values[arguments[:-1]] = arguments[-1]

        self.setting(header, parameter, lambda *key: values.get(key, parameter.default), put)
        self._resets.append(values.clear)

    def ignored(self, *headers: str) -> None:
        """Register commands that are accepted, with any one parameter, and do nothing."""
        for header in headers:
            self.command(header, lambda *_: None, _ANYTHING)

    def reset(self) -> None:
        """Give every stored setting its default."""
        for clear in self._resets:
            clear()

    def prepare(self, unit: Unit) -> _Step:
        """Return the call that a unit asks for; ScpiError if there is none such."""
        tree = self._queries if unit.is_query else self._commands
        command, suffixes = tree.find(unit.header)
        _check_count(command, unit.tokens)
        pairs = zip(command.parameters, unit.tokens, strict=False)
        values = tuple(parameter.parse(token) for parameter, token in pairs)
        return _Step(command.handler, suffixes + values, unit.is_query)


@dataclass(frozen=True, slots=True)
class _Step:
    """One unit, ready to be executed any number of times."""

    handler: Handler
    arguments: tuple[Any, ...]
    is_query: bool


@dataclass(frozen=True)
class _ExtremeWord:
    default: object = None
    is_optional: bool = True

    def parse(self, token: Token) -> Extreme:
        word = token.upper() if isinstance(token, str) else ""
        for which in Extreme:
            if word in (which.value[:3], which.value.upper()):
                return which
        raise ScpiError(-224, "expected MIN, MAX or DEF")

    def format(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True)
class _Anything:
    default: object = None
    is_optional: bool = True

    def parse(self, token: Token) -> Token:
        return token

    def format(self, value: object) -> str:
        return str(value)


_EXTREME = _ExtremeWord()
_ANYTHING = _Anything()
_REGISTER = Integer(0, 65535)
_BYTE = Integer(0, 255)

Plan = tuple[tuple[_Step | ScpiError, ...], ...]


class ScpiEngine:
    """Executes messages on a command table, with the common commands and the status model.

    Parameters
    ----------
    table : CommandTable
        The instrument's own commands; the common ones are added to it.
    identity : str
        Answer to `*IDN?`.
    reset : callable
        What `*RST` does beyond resetting stored settings.
    is_atomic : bool
        True: a message of which any unit cannot be understood does nothing at all, and the first
        refusal ends it. False, as most instruments: units before the bad one are executed; a
        command error ends the message, an execution error only its own unit.
    """

    def __init__(
        self,
        table: CommandTable,
        *,
        identity: str,
        reset: Callable[[], None],
        is_atomic: bool = False,
    ) -> None:
        self.status = Status()
        self._table = table
        self._reset = reset
        self._is_atomic = is_atomic
        self._plans: dict[bytes, Plan] = {}
        self._queries: dict[bytes, _Step] = {}
        self._add_common(identity)
        self._add_system()

    @property
    def registered(self) -> Sequence[tuple[str, bool, tuple[Parameter, ...]]]:
        """All that it understands; see `CommandTable.registered`."""
        return self._table.registered

    def handle(self, message: bytes) -> bytes:
        """Execute a message and return its answers; b"" where it asked nothing."""
        is_short = len(message) <= CACHED_LENGTH  # looking up a long one means hashing all of it
        query = self._queries.get(message) if is_short else None
        if query is not None:
            return self._answer(query)
        plan = self._plans.get(message) if is_short else None
        if plan is None:
            plan = self._plan(message)
        if len(plan) == 1:
            return self._reply(plan[0])
        return b"".join(map(self._reply, plan))

    def reset(self) -> None:
        """Do as `*RST` says."""
        self._table.reset()
        self._reset()

    def _plan(self, message: bytes) -> Plan:
        plan = tuple(tuple(self._steps(units)) for units in program_messages(message))
        if len(message) <= CACHED_LENGTH:
            if len(self._plans) >= CACHED_MESSAGES:
                self._plans.clear()
                self._queries.clear()
            self._plans[message] = plan
            if len(plan) == 1 and len(plan[0]) == 1:
                self._remember_query(message, plan[0][0])
        return plan

    def _remember_query(self, message: bytes, step: _Step | ScpiError) -> None:
        """Keep a message that is one query apart: most are, and they need no more than a call."""
        if isinstance(step, _Step) and step.is_query:
            self._queries[message] = step

    def _answer(self, query: _Step) -> bytes:
        """Execute a message that is one query."""
        try:
            answer = query.handler(*query.arguments)
        except ScpiError as error:
            self.status.raise_error(error)
            return b""
        if isinstance(answer, str):
            return answer.encode("latin-1") + b"\n"
        if isinstance(answer, np.ndarray):
            return encode_block(answer, after=b"\n")
        return _encode(answer, self._table.number_format) + b"\n"

    def _steps(self, units: Sequence[Unit | ScpiError]) -> Iterable[_Step | ScpiError]:
        for unit in units:
            try:
                yield unit if isinstance(unit, ScpiError) else self._table.prepare(unit)
            except ScpiError as error:
                yield error

    def _reply(self, steps: Sequence[_Step | ScpiError]) -> bytes:
        """Execute a program message and return its response message."""
        answers = self._execute(steps)
        if not answers:
            return b""
        last = answers.pop()
        before = b";".join([*answers, b""]) if answers else b""
        if isinstance(last, np.ndarray):
            return encode_block(last, before=before, after=b"\n")
        text: bytes = last
        return before + text + b"\n"

    def _execute(self, steps: Sequence[_Step | ScpiError]) -> list[Any]:
        """Return the answers, encoded; an array that is the last of them as it is."""
        if self._is_atomic and (refusal := _first_error(steps)) is not None:
            self.status.raise_error(refusal)
            return []
        answers: list[Any] = []
        for step in steps:
            try:
                if isinstance(step, ScpiError):
                    raise step
                answer = step.handler(*step.arguments)
            except ScpiError as error:
                self.status.raise_error(error)
                if self._is_atomic or error.is_command_error:
                    break
                continue
            if step.is_query:
                is_last_array = isinstance(answer, np.ndarray) and step is steps[-1]
                form = self._table.number_format
                answers.append(answer if is_last_array else _encode(answer, form))
        return answers

    def _add_common(self, identity: str) -> None:
        table, status = self._table, self.status
        table.query("*IDN", lambda: identity)
        table.command("*RST", self.reset)
        table.command("*CLS", status.clear)
        table.query("*ESR", status.take_event_status)
        table.setting("*ESE", _BYTE, lambda: status.event_enable, self._set_event_enable)
        table.setting("*SRE", _BYTE, lambda: status.service_enable, self._set_service_enable)
        table.query("*STB", status.byte)
        table.command("*OPC", self._set_operation_complete)
        table.query("*OPC", lambda: 1)
        table.command("*WAI", lambda: None)
        table.query("*TST", lambda: 0)
        table.query("*OPT", lambda: 0)

    def _add_system(self) -> None:
        table, status = self._table, self.status
        table.query("SYSTem:ERRor[:NEXT]", self._answer_error)
        table.query("SYSTem:ERRor:COUNt", lambda: status.errors_waiting)
        table.query("SYSTem:ERRor:CODE[:NEXT]", lambda: status.next_error()[0])
        table.query("SYSTem:VERSion", lambda: "1999.0")
        table.command("STATus:PRESet", status.preset)
        for name, register in (
            ("STATus:OPERation", status.operation),
            ("STATus:QUEStionable", status.questionable),
        ):
            table.query(f"{name}[:EVENt]", register.take_event)
            table.query(f"{name}:CONDition", lambda register=register: register.condition)
            table.setting(
                f"{name}:ENABle",
                _REGISTER,
                lambda register=register: register.enable,
                lambda value, register=register: setattr(register, "enable", value),
            )

    def _answer_error(self) -> str:
        number, text = self.status.next_error()
        doubled = text.replace('"', '""')
        return f'{number},"{doubled}"'

    def _set_event_enable(self, value: int) -> None:
        self.status.event_enable = value

    def _set_service_enable(self, value: int) -> None:
        self.status.service_enable = value

    def _set_operation_complete(self) -> None:
        self.status.event_status |= OPERATION_COMPLETE


def _check_count(command: _Command, tokens: tuple[Token, ...]) -> None:
    if len(tokens) > len(command.parameters):
        raise ScpiError(-108, f"{len(tokens)} given, {len(command.parameters)} taken")
    if len(tokens) < command.n_required or "" in tokens[: command.n_required]:
        raise ScpiError(-109, f"{len(tokens)} given, {command.n_required} needed")


def _first_error(steps: Iterable[_Step | ScpiError]) -> ScpiError | None:
    return next((step for step in steps if isinstance(step, ScpiError)), None)


def _encode(answer: object, number_format: str) -> bytes:
    """Return an answer as the bytes of a response message unit."""
    if isinstance(answer, str):
        return answer.encode("latin-1")
    if isinstance(answer, bool):
        return b"1" if answer else b"0"
    if isinstance(answer, int):
        return b"%d" % answer
    if isinstance(answer, float):
        return (number_format % answer).encode()
    if isinstance(answer, np.ndarray):
        return encode_block(answer)
    if isinstance(answer, Iterable):
        return b",".join(_encode(part, number_format) for part in answer)
    raise TypeError(f"a query answered {type(answer).__name__}")
