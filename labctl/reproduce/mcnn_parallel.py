"""Three groups of convolvers that share the images, and one fully connected layer after them."""

from __future__ import annotations

import numpy as np

from labctl.report import draw_reproductions as draw
from labctl.report.page import Picture
from labctl.report.published import PARALLEL
from labctl.reproduce.figures import Row, row
from labctl.reproduce.mcnn import notes
from labctl.reproduce.published_loss import PLAIN, PUBLISHED_LOSS
from labctl.reproduce.registry import Entry, Findings, Parts
from labctl.reproduce.study import Study
from labctl_instruments.station import Station
from labctl_procedures.network import NetworkPlan, TrainSettings, infer

GROUPS = 3
STAGES = ("before", "after")
KINDS = ("test", "training")
Found = dict[tuple[str, str, str], list[float]]
"""Errors (0-1), one a trial, by images, group and stage: `("test", "G1", "before")`."""


def run(study: Study) -> Findings:
    """Program three groups, and find each group's error on its images, before and after."""
    network = study.network(PLAIN if study.images.name == "mnist" else "mcnn")
    found: Found = {}
    for trial, station in enumerate(study.stations()):
        plan = study.plan(station, network, copies=GROUPS)
        study.transfer(station, plan, PUBLISHED_LOSS.writing(trial))
        _note(found, study, station, plan, "before")
        study.train(station, plan, TrainSettings(error=PUBLISHED_LOSS.error(100 + trial)))
        _note(found, study, station, plan, "after")
    published = PARALLEL if study.images.name == "mnist" else {}
    rows = {
        key: row(f"{key[0]} error, {key[1]}, {key[2]} training", samples, published.get(key))
        for key, samples in found.items()
    }

    def pictures() -> Parts:
        return [
            Picture(
                draw.groups_picture({kind: _changes(rows, kind) for kind in KINDS}),
                "Each group classifies a third of the images. Arrows lead from before hybrid "
                "training to after it; grey ones are published.",
            )
        ]

    ordered = sorted(rows, key=lambda key: (KINDS.index(key[0]), key[1], STAGES.index(key[2])))
    return Findings([rows[key] for key in ordered], pictures, [*notes(study), PUBLISHED_LOSS.words])


def _note(found: Found, study: Study, station: Station, plan: NetworkPlan, stage: str) -> None:
    """Classify test and training images, and note the errors of each group and of all."""
    images = study.images
    for kind, pixels, labels in (
        ("test", images.test_images, images.test_labels),
        ("training", images.train_images, images.train_labels),
    ):
        asked = infer(station, plan, pixels, labels, progress=study.progress)
        wrong = asked.predictions != labels
        groups = np.arange(len(labels)) % plan.copies
        for group in range(plan.copies):
            share = float(wrong[groups == group].mean())
            found.setdefault((kind, f"G{group + 1}", stage), []).append(share)
        found.setdefault((kind, "all", stage), []).append(float(wrong.mean()))


def _changes(rows: dict[tuple[str, str, str], Row], kind: str) -> dict[str, tuple[Row, Row]]:
    groups = sorted({group for of_kind, group, _ in rows if of_kind == kind})
    return {group: (rows[kind, group, "before"], rows[kind, group, "after"]) for group in groups}


ENTRY = Entry(run, "mnist")
