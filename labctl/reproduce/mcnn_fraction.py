"""How many training images hybrid training needs."""

from __future__ import annotations

from labctl.report import draw_reproductions as draw
from labctl.report.page import Picture
from labctl.report.published import MCNN
from labctl.reproduce.figures import row
from labctl.reproduce.mcnn import notes
from labctl.reproduce.published_loss import PLAIN, PUBLISHED_LOSS
from labctl.reproduce.registry import Entry, Findings, Parts
from labctl.reproduce.study import Study
from labctl_procedures.network import TrainSettings

FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)


def run(study: Study) -> Findings:
    """Transfer weights with twice the published error, and train with ever more images."""
    network = study.network(PLAIN if study.images.name == "mnist" else "mcnn")
    found: dict[float, list[float]] = {fraction: [] for fraction in FRACTIONS}
    transferred: list[float] = []
    for fraction in FRACTIONS:
        for trial, station in enumerate(study.stations()):
            plan = study.plan(station, network, copies=1)
            study.transfer(station, plan, PUBLISHED_LOSS.writing(trial))
            if fraction == FRACTIONS[0]:
                transferred.append(study.ask(station, plan).accuracy)
            settings = TrainSettings(fraction=fraction, error=PUBLISHED_LOSS.error(100 + trial))
            study.train(station, plan, settings)
            found[fraction].append(study.ask(station, plan).accuracy)
    published = MCNN if study.images.name == "mnist" else {}
    known = {0.1: published.get("trained")}
    rows = [
        row("accuracy, transferred", transferred, published.get("transferred")),
        *(
            row(f"accuracy, trained with {fraction:.0%}", samples, known.get(fraction))
            for fraction, samples in found.items()
        ),
    ]

    def pictures() -> Parts:
        return [
            Picture(
                draw.fractions_picture(FRACTIONS, rows[1:], rows[0]),
                "Accuracy on the test images over the share of training images; the line is the "
                "accuracy before training. Bars: 95 % intervals.",
            )
        ]

    return Findings(rows, pictures, [*notes(study), PUBLISHED_LOSS.words])


ENTRY = Entry(run, "mnist")
