"""Yao et al.'s five-layer network, stage by stage: one group of convolvers and the last layer."""

from __future__ import annotations

from labctl.report import draw_reproductions as draw
from labctl.report.page import Picture
from labctl.report.published import MCNN
from labctl.reproduce.figures import row
from labctl.reproduce.registry import Entry, Findings, Parts
from labctl.reproduce.study import Study
from labctl_procedures.network import accuracy_quantized, accuracy_software

STAGES = ("software", "15 levels", "transferred", "trained")


def run(study: Study) -> Findings:
    """Map, program, classify, train, classify."""
    network = study.network()
    test = study.images.test_images, study.images.test_labels
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    error: list[float] = []
    for station in study.stations():
        plan = study.plan(station, network, copies=1)
        found["software"].append(accuracy_software(network, *test))
        found["15 levels"].append(accuracy_quantized(plan, *test))
        error.append(study.transfer(station, plan).error)
        found["transferred"].append(study.ask(station, plan).accuracy)
        study.train(station, plan)
        found["trained"].append(study.ask(station, plan).accuracy)
    published = MCNN if study.images.name == "mnist" else {}
    accuracies = [row(f"accuracy, {stage}", found[stage], published.get(stage)) for stage in STAGES]
    spread = row("programming error at inference", error, MCNN["programming error"], "S")

    def pictures() -> Parts:
        return [
            Picture(
                draw.stages_picture(accuracies),
                "Bars: 95 % intervals over chips. The shipped weights were trained with "
                "programming errors, so that transfer costs them little; mcnn-budget begins with "
                "weights that were not.",
            )
        ]

    return Findings([*accuracies, spread], pictures, notes(study))


def notes(study: Study) -> list[str]:
    """Return what to know of all networks of this kind."""
    other = [] if study.images.name == "mnist" else ["Published accuracies are of mnist."]
    return [
        *other,
        "Ten minutes of bench time lie between transfer and inference; a tenth of the training "
        "images trains the last layer.",
    ]


ENTRY = Entry(run, "mnist")
