"""A live plot as a file: numbers, or a figure that stays sharp."""

from __future__ import annotations

import csv
import logging
import threading
from pathlib import Path

from labctl.configuration import refuse_existing
from labctl_data.errors import LabctlError
from labctl_gui.state.pictures import Axis, Picture, Style

log = logging.getLogger(__name__)


def export(picture: Picture, path: Path) -> threading.Thread:
    """Write a picture as .csv, .svg, .pdf or .eps, in a thread; what goes wrong is logged."""
    thread = threading.Thread(target=_write, args=(picture, path), name="export", daemon=True)
    thread.start()
    return thread


def write_csv(picture: Picture, path: Path) -> None:
    """Write all points of a picture: number of the curve, abscissa, ordinate.

    Raises
    ------
    LabctlError
        If the file exists.
    """
    refuse_existing(path)
    with path.open("x", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(("Curve", axis_text(picture.x), axis_text(picture.y)))
        for number, curve in enumerate(picture.curves):
            points = zip(curve.x.tolist(), curve.y.tolist(), strict=True)
            writer.writerows((number, *point) for point in points)


def axis_text(axis: Axis) -> str:
    """Return the label of an axis with its unit."""
    return f"{axis.label} ({axis.unit})" if axis.unit else axis.label


def _write(picture: Picture, path: Path) -> None:
    try:
        if path.suffix == ".csv":
            write_csv(picture, path)
        else:
            _write_vector(picture, path)
    except (LabctlError, OSError, ValueError) as error:
        log.error("export: %s", error)  # noqa: TRY400  (its one line says it all)
        return
    log.info("plot written: %s", path)


def _write_vector(picture: Picture, path: Path) -> None:
    from labctl.report.curves import DrawnAxis, DrawnCurve, write_curves

    axes = (
        DrawnAxis(axis_text(picture.x), picture.x.logarithmic),
        DrawnAxis(axis_text(picture.y), picture.y.logarithmic),
    )
    curves = [DrawnCurve(c.x, c.y, c.style is Style.DOTS, c.tone) for c in picture.curves]
    write_curves(path, picture.title, axes, curves)
