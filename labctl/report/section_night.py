"""The sections on a campaign: what needs attention, the night as a whole, its jobs, its events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labctl.campaign.journal import Entry
from labctl.campaign.progress import StepState
from labctl.facts import readable
from labctl.report.draw_night import Span, night_picture
from labctl.report.page import Key, Listing, Picture, Section
from labctl.report.words import duration, percent

TROUBLE = ("failed", "suspended", "stopped", "unheard", "cut-short")
_TELLING = (*TROUBLE, "began", "went-on", "resumed", "waiting", "finished", "skipped")
_POOR = 0.9
"""Share of cells written below which a write needs attention."""
_RUN_EVENTS = ("fault", "guardian", "uncertain", "lost", "undelivered")
"""Kinds of events of a run that somebody should know of."""
_LONGEST_REASON = 140
_OPEN = ("running", "waiting")
_FACTS = ("converged", "within_half_pitch_fresh", "pulses_mean", "drift_mean", "drift_std")


@dataclass(frozen=True)
class Night:
    """A campaign as the report sees it."""

    name: str
    """Name of the plan."""
    status: str
    """running, finished, stopped or interrupted."""
    began: datetime
    """When it began."""
    elapsed: float
    """How long it has been going on, by its own time, in s."""
    steps: tuple[StepState, ...]
    """What has become of each step."""
    entries: tuple[Entry, ...]
    """The journal."""
    run_events: Mapping[int, Sequence[tuple[str, str]]]
    """Kind and text of the events of each step's run file, by the step's number."""
    points: Mapping[int, Mapping[str, Any]]
    """Values of the swept parameters of each step, by its number."""

    def clock(self, time: float) -> str:
        """Return the time of day at a campaign time, in s."""
        return f"{(self.began + timedelta(seconds=time)).astimezone():%H:%M}"


def night_keys(night: Night) -> list[Key]:
    """Return the figures of a night to remember."""
    states = Counter(step.state for step in night.steps)
    bad = states["failed"] + states["interrupted"]
    suspensions = sum(entry.kind == "suspended" for entry in night.entries)
    shares = [s.facts["converged"] for s in night.steps if s.facts.get("converged") is not None]
    keys = [
        Key(f"{states['done']} of {len(night.steps)}", "jobs done", _beside(states)),
        Key(str(bad), "jobs failed or cut short", "none" if not bad else "see below"),
        Key(str(suspensions), "times something made a job wait"),
        Key(duration(night.elapsed), "bench time since the beginning"),
    ]
    if shares:
        beside = f"of {len(shares)} writes"
        keys.append(Key(percent(min(shares)), "of cells written in the poorest write", beside))
    return keys


def attention_section(night: Night) -> Section:
    """Return what somebody must look at, the worst first."""
    rows = [*_ended_early(night), *_bad_steps(night), *_poor_writes(night), *_messages(night)]
    lead = "Begin with the first." if rows else "Nothing: all that was begun was done."
    parts = [Listing(("", "job", "what"), rows)] if rows else []
    return Section("Attention first", lead, parts)


def night_section(night: Night) -> Section:
    """Return the night as a picture."""
    begun = [step for step in night.steps if step.began is not None]
    if not begun:
        return Section("The night", "No job was begun.")
    spans = [_span(step, night) for step in begun]
    names = {step.number: step.job for step in night.steps}
    troubles = [
        (names[entry.step], entry.time)
        for entry in night.entries
        if entry.kind in ("failed", "suspended") and entry.step in names
    ]
    longest = max(night.elapsed, max(span.ended for span in spans))
    return Section(
        "The night",
        f"Began {night.began.astimezone():%d %B %Y, %H:%M}, now {night.status}; "
        f"{duration(night.elapsed)} by the benches\u2019 own clocks.",
        [
            Picture(
                night_picture(spans, troubles, length=max(longest, 1e-3)),
                "Green is done, red failed, orange cut short or left, blue still to come. Dots are "
                "the looks of runs that are followed side by side; a red mark is a fault or a wait "
                "that a rule asked for. Jobs of seconds are drawn wider than they were.",
            )
        ],
    )


def jobs_section(night: Night) -> Section:
    """Return each job with its state and what it came to."""
    rows = [
        [
            step.state,
            step.label,
            "" if step.began is None else night.clock(step.began),
            "" if step.took is None else duration(step.took),
            step.error or _came_to(step),
        ]
        for step in night.steps
    ]
    headings = ("state", "job", "began", "took", "result or reason")
    return Section("Jobs", "", [Listing(headings, rows, "", (2, 3))])


def events_section(night: Night) -> Section:
    """Return what happened, in order, without what is routine."""
    rows = [
        [night.clock(entry.time), entry.kind, entry.text]
        for entry in night.entries
        if entry.kind in _TELLING
    ]
    labels = {step.number: step.label for step in night.steps}
    told = [
        [kind, labels[number], text]
        for number, events in night.run_events.items()
        for kind, text in events
        if kind in _RUN_EVENTS
    ]
    own = [Listing(("kind", "job", "what the run file says"), told, "In the run files")]
    return Section(
        "Events",
        "Times are the campaign\u2019s own.",
        [Listing(("time", "kind", "what"), rows), *(own if told else [])],
    )


def sweep_sections(night: Night) -> list[Section]:
    """Return a table of each sweep: what was varied, and what came of it."""
    sections = []
    for job in dict.fromkeys(step.job for step in night.steps):
        steps = [step for step in night.steps if step.job == job and night.points[step.number]]
        facts = [name for name in _FACTS if any(step.facts.get(name) is not None for step in steps)]
        if len(steps) < 2 or not facts:
            continue
        swept = list(night.points[steps[0].number])
        rows = [
            [
                *(str(night.points[step.number][name]) for name in swept),
                *(_told(name, step.facts.get(name)) for name in facts),
            ]
            for step in steps
        ]
        headings = (*swept, *(_words(name) for name in facts))
        numeric = tuple(range(len(swept), len(headings)))
        varied = ", ".join(_words(name) for name in swept)
        sections.append(
            Section(
                f"Sweep \u2018{job}\u2019",
                f"{len(steps)} jobs; what was varied: {varied}.",
                [Listing(headings, rows, "", numeric)],
            )
        )
    return sections


def _ended_early(night: Night) -> list[list[str]]:
    if night.status == "finished":
        return []
    last = [entry.text for entry in night.entries if entry.kind == "stopped"]
    reason = last[-1] if night.status == "stopped" and last else ""
    return [["campaign", "", f"{night.status}{': ' if reason else ''}{reason}"]]


def _bad_steps(night: Night) -> list[list[str]]:
    return [
        [step.state, step.label, step.error]
        for wanted in ("failed", "interrupted")
        for step in night.steps
        if step.state == wanted
    ]


def _poor_writes(night: Night) -> list[list[str]]:
    return [
        ["yield", step.label, f"only {percent(step.facts['converged'])} of the cells were written"]
        for step in night.steps
        if step.state == "done" and (step.facts.get("converged") or 1.0) < _POOR
    ]


def _messages(night: Night) -> list[list[str]]:
    """Return what was wrong for a while, and messages that nobody got."""
    found: list[list[str]] = []
    for step in night.steps:
        waits = [e for e in night.entries if e.step == step.number and e.kind == "suspended"]
        if waits and step.state == "done":
            times = "once" if len(waits) == 1 else f"{len(waits)} times"
            found.append(["recovered", step.label, f"waited {times}: {_reason(step, night)}"])
    unheard = [entry.text for entry in night.entries if entry.kind == "unheard"]
    if unheard:
        found.append(["messages", "", f"{len(unheard)} could not be sent: {unheard[-1]}"])
    return found


def _reason(step: StepState, night: Night) -> str:
    """Return what a step last failed of or waited for, in short."""
    kinds = ("failed", "suspended")
    own = [e for e in night.entries if e.step == step.number and e.kind in kinds]
    last = next((e for e in reversed(own) if e.kind == "failed"), own[-1])
    text = last.text.removeprefix(f"{step.label}: ")
    text = re.sub(r"[^ -~]+", "\u00b7", text)  # an instrument's garbage is no text
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "\u2026"


def _span(step: StepState, night: Night) -> Span:
    own = [entry for entry in night.entries if entry.step == step.number]
    looks = tuple(entry.time for entry in own if entry.kind == "looked")
    ended = night.elapsed if step.state in _OPEN else (step.ended or step.began or 0.0)
    if looks and step.state == "done":
        looks = (*looks, ended)
    return Span(step.job, step.began or 0.0, ended, step.state, looks)


def _came_to(step: StepState) -> str:
    told = [(name, step.facts[name]) for name in _FACTS if step.facts.get(name) is not None]
    return ", ".join(f"{_words(name)} {readable(value, name)}" for name, value in told) or step.told


def _told(name: str, value: object) -> str:
    return "" if value is None else readable(value, name)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _beside(states: Counter[str]) -> str:
    rest = [f"{number} {state}" for state, number in states.items() if state != "done"]
    return ", ".join(rest)
