"""Weights and accuracy as time passes: 30 days after transfer, 2 h after training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from labctl.report import draw_reproductions as draw
from labctl.report.draw_cells import Trace, traces_picture
from labctl.report.page import Picture
from labctl.report.published import RETENTION
from labctl.reproduce.figures import change, row
from labctl.reproduce.registry import Entry, Findings, Parts
from labctl.reproduce.study import Study
from labctl_data.cells import Cells
from labctl_instruments.station import Station
from labctl_procedures.network import NetworkPlan, ProgramSettings
from labctl_procedures.network.programming import read_all

FloatArray = npt.NDArray[np.float64]
DAY = 86_400.0
TIMES = (1.0, 10.0, 60.0, 600.0, 3600.0, 7200.0, DAY, 10 * DAY, 30 * DAY)
"""When the network is looked at, in s after transfer."""
TEN_MINUTES, MONTH = TIMES.index(600.0), len(TIMES) - 1
AFTER_TRAINING = 7200.0


@dataclass
class _Found:
    """What the trials found, one entry a trial."""

    accuracies: list[list[float]] = field(default_factory=list)
    """At each of `TIMES`."""
    means: list[FloatArray] = field(default_factory=list)
    """Mean weight of each level at each of `TIMES`, (times, levels), in S."""
    spreads: list[FloatArray] = field(default_factory=list)
    """Standard deviation of the weights' change since the first of `TIMES`."""
    trained: list[tuple[float, float]] = field(default_factory=list)
    """Accuracy right after training, and 2 h later."""


def run(study: Study) -> Findings:
    """Transfer, look at the network for 30 days; transfer afresh, train, look 2 h later."""
    network = study.network()
    found = _Found()
    for station in study.stations():
        _retain(found, study, station, study.plan(station, network, copies=1))
    for station in study.stations():
        plan = study.plan(station, network, copies=1)
        study.transfer(station, plan)
        study.train(station, plan)
        at_once = study.ask(station, plan).accuracy
        station.wait(AFTER_TRAINING)
        found.trained.append((at_once, study.ask(station, plan).accuracy))
    published = RETENTION if study.images.name == "mnist" else {}
    accuracies = np.array(found.accuracies)
    ordered = [float(_in_order(means[-1])) for means in found.means]
    two_hours = published.get("two hours")
    fresh, later = (list(each) for each in zip(*found.trained, strict=True))
    rows = [
        row("mean weights in order after 30 days", ordered, RETENTION["levels in order"], "levels"),
        change(
            "accuracy, 10 min minus 1 s after transfer",
            list(accuracies[:, 0]),
            list(accuracies[:, TEN_MINUTES]),
            published.get("ten minutes"),
        ),
        row("accuracy, 1 s after transfer", list(accuracies[:, 0])),
        row("accuracy, 30 days after transfer", list(accuracies[:, MONTH])),
        row("accuracy, right after training", fresh),
        change("accuracy, 2 h minus right after training", fresh, later, two_hours),
    ]

    def pictures() -> Parts:
        return [
            Picture(_traces(found), "Mean weight of each of 15 levels, of the first chip."),
            Picture(
                draw.times_picture(np.array(TIMES), accuracies, "transfer"),
                "Accuracy after transfer; a line a chip.",
            ),
        ]

    return Findings(rows, pictures, ["Bench time of the simulated bench jumps: nobody waits."])


def _retain(found: _Found, study: Study, station: Station, plan: NetworkPlan) -> None:
    study.transfer(station, plan, ProgramSettings())
    began = station.now()
    pairs = [layer.pairs(0, plan.geometry).cells for layer in plan.layers[:-1]]
    cells = Cells.of(np.concatenate([each.addresses for each in pairs]))
    levels = _levels(plan, cells)
    accuracies, weights = [], []
    for moment in TIMES:
        station.wait(max(0.0, began + moment - station.now()))
        held = read_all(station, cells).reshape(-1, 2)
        weights.append(held[:, 0] - held[:, 1])
        accuracies.append(study.ask(station, plan).accuracy)
    highest = plan.cell_levels.highest
    by_level = [levels == level for level in range(-highest, highest + 1)]
    by_level = [chosen for chosen in by_level if chosen.any()]
    found.accuracies.append(accuracies)
    found.means.append(np.array([[w[c].mean() for c in by_level] for w in weights]))
    found.spreads.append(np.array([[(w - weights[0])[c].std() for c in by_level] for w in weights]))


def _levels(plan: NetworkPlan, cells: Cells) -> npt.NDArray[np.int64]:
    """Return the level (-7 ... 7) of each pair of `cells`."""
    targets = np.full(plan.geometry.shape, np.nan)
    targets[tuple(plan.cells.addresses.T)] = plan.targets
    wanted = targets[tuple(cells.addresses.T)].reshape(-1, 2)
    return np.asarray(np.rint((wanted[:, 0] - wanted[:, 1]) / plan.cell_levels.step), np.int64)


def _in_order(means: FloatArray) -> int:
    """Return how many of the levels stand above all levels below them."""
    return int(1 + np.count_nonzero(means[1:] > np.maximum.accumulate(means)[:-1]))


def _traces(found: _Found) -> Markup:
    means, spreads = found.means[0], found.spreads[0]
    n = means.shape[1]
    traces = [
        Trace(f"{k - n // 2:+d}", np.array(TIMES), means[:, k], spreads[:, k]) for k in range(n)
    ]
    return traces_picture(traces, "time since transfer / s", "Mean weight of each level over time")


ENTRY = Entry(run, "mnist")
