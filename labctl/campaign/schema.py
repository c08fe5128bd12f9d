"""The plan file: what a campaign may say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from labctl.queue.times import parse_clock
from labctl_procedures.quantities import parse_quantity


def _in(unit: str) -> BeforeValidator:
    return BeforeValidator(lambda v: parse_quantity(v, unit) if isinstance(v, str) else v)


def _hours(text: str) -> str:
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError("expected two times of day, like 22:00-06:00")
    if parse_clock(first) == parse_clock(last):
        raise ValueError("the two times of day are the same")
    return text


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError("expected the name of an environment variable, not what it holds")
    return text


Names = Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]
Duration = Annotated[float, _in("s"), Field(gt=0, allow_inf_nan=False)]
Hours = Annotated[str, AfterValidator(_hours)]
Variable = Annotated[str, AfterValidator(_variable)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Happening = Literal["began", "ended", "failed", "suspended", "stopped", "finished"]


class Table(BaseModel):
    """A table of a plan file: no key beyond those named, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BranchTable(Table):
    """Which jobs are made and which are left out, by what the job above came to."""

    model_config = ConfigDict(populate_by_name=True)

    condition: str = Field(alias="if", min_length=1)
    """Condition on results; what cannot be known counts as false."""
    then: list[str] = []
    """Jobs that are made where it is true, and else left out."""
    otherwise: list[str] = []
    """Jobs that are made where it is not true, and else left out."""


class JobTable(Table):
    """One measurement, or one for each value of a sweep."""

    procedure: str
    """Name of the procedure; see `labctl procedures`."""
    bench: Names = []
    """Name or path of the bench; several make one job on each; default: the plan's."""
    parameters: dict[str, Any] = {}
    """Parameters as typed at the command line, or numbers in SI."""
    sweep: dict[str, list[Any]] = {}
    """Values of parameters (`cells` among them), each combination a job; the last turns fastest."""
    repeat: int = Field(default=1, ge=1, le=1000)
    """How often each is made."""
    after: list[str] = []
    """Jobs that must be done before; where one is not, this one is left out."""
    when: str = ""
    """Condition on the results of earlier jobs; where it is not true, the job is left out."""
    stop_if: str = ""
    """Condition on results; where it is true after this job, the campaign stops."""
    branch: BranchTable | None = None
    """Which later jobs are made, by what this one came to."""
    start_at: str = ""
    """Not before this time: `23:30`, or `+2h` after the start of the campaign."""
    interleave: bool = False
    """Retention: between two looks the bench is free for other jobs; all its cell groups and
    chips are followed side by side, each in a run file of its own."""
    seed: int | None = Field(default=None, ge=0)
    """Seed of a virtual chip; jobs of one bench and seed share one chip."""
    chip: Path | None = Field(default=None, strict=False)
    """Chip file behind a virtual bench; relative to the plan's folder."""
    on_failure: Literal["go-on", "stop"] = "go-on"
    """What a failure means for the campaign; jobs that are `after` this one are left out."""


class SuspenderTable(Table):
    """One thing to watch, and what to do where it is not as it should be."""

    watch: Literal["temperature", "compliance", "yield", "disk", "instrument-errors"]
    """`temperature` of the chuck, in K; `compliance`: share of the last `of` points of a sweep that
    met the compliance; `yield`: share of cells written, after each job that writes; `disk`: free
    space where the run files go, in bytes; `instrument-errors`: runs that failed at the bench."""
    above: float | None = None
    """It is wrong above this, in SI."""
    below: Annotated[float | None, _in("B")] = None
    """It is wrong below this, in SI; a disk's may be given as `2GB`."""
    of: int = Field(default=100, ge=1)
    """`compliance`: how many points the share is of."""
    do: Literal["wait", "pause", "skip", "stop"] = "wait"
    """`wait`: rest the bench for `wait`, then go on; `pause`: until it is as it should be, looking
    every `wait`; `skip`: end the job, go on with the next; `stop`: end the campaign."""
    wait: Duration = 60.0
    """How long, in s of bench time."""
    at_most: int = Field(default=3, ge=1)
    """After so many times in one job, `wait` and `pause` become `stop`."""
    jobs: list[str] = []
    """Jobs it watches; all where none is named."""


class EmailTable(Table):
    """Messages by e-mail."""

    host: str = Field(min_length=1)
    """The mail server."""
    port: int | None = Field(default=None, gt=0, lt=65536)
    """Its port; by default 587, 465 or 25, by `security`."""
    security: Literal["starttls", "tls", "plain"] = "starttls"
    """How the line is kept private; `plain` keeps nothing private, and takes no password."""
    ca_file: Path | None = Field(default=None, strict=False)
    """Certificates to trust, in PEM; by default the system's."""
    user_variable: Variable | None = None
    """Environment variable that holds the user name."""
    password_variable: Variable | None = None
    """Environment variable that holds the password."""
    sender: str = Field(min_length=3)
    """Address it comes from."""
    to: list[str] = Field(min_length=1)
    """Addresses it goes to."""


class WebhookTable(Table):
    """Messages by HTTPS POST of JSON with the key `text`, as chats take it."""

    address_variable: Variable
    """Environment variable that holds the address, which is a secret."""
    plain: bool = False
    """Allow an address that begins with http://."""
    ca_file: Path | None = Field(default=None, strict=False)
    """Certificates to trust, in PEM; by default the system's."""


class NotifyTable(Table):
    """Who is told of what."""

    on: list[Happening] = ["failed", "suspended", "stopped", "finished"]
    """What is told."""
    email: EmailTable | None = None
    webhook: WebhookTable | None = None
    desktop: bool = False
    """Show it on the desktop too, by notify-send or osascript, where there is one."""


class PlanFile(Table):
    """A whole plan file, validated."""

    description: str = ""
    """For people."""
    bench: str = ""
    """Bench of the jobs that name none; `--bench` overrules it; default: yours."""
    operator: str = ""
    """Name written into the run files; default: yours."""
    time_budget: Duration | None = None
    """Bench time after which no job is begun."""
    quiet_hours: list[Hours] = []
    """Times of day in which no job is begun, like `08:00-18:00`; what runs is finished."""
    jobs: dict[Name, JobTable] = Field(min_length=1)
    """The jobs by name, in the order in which they are made."""
    suspenders: list[SuspenderTable] = []
    """What to watch, each a table `[[suspenders]]`."""
    notify: NotifyTable = NotifyTable()
    """Who is told of what."""
