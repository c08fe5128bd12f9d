"""The section on a run of PulseMap: what one pulse does, by amplitude, width and gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from labctl.report.ink import LEVELS, Margins, drawn
from labctl.report.page import Picture, Section
from labctl.report.words import count, quantity
from labctl_data.run_file import Run

FloatArray = npt.NDArray[np.float64]
_MICRO = 1e6
_MOST_PANELS = 4
_WIDE = 5.0
"""Range of a map, in uS, above which its figures have one decimal."""


def pulse_map_section(run: Run, place: str) -> Section:
    """Return how far single pulses moved the cells of a run of PulseMap."""
    conditions = run.summary.get("conditions", [])
    kind = str(run.parameters.get("kind", "SET"))
    moves = [each["median_move"] for each in conditions]
    furthest = max(conditions, key=lambda each: abs(each["median_move"]))
    cells = count(int(run.summary.get("cells", 0)))
    return Section(
        f"One {kind} pulse" + (f" on {place}" if place else ""),
        f"{cells} cells, one pulse each under {len(conditions)} conditions. The median moved by "
        f"{quantity(min(moves), 'S')} to {quantity(max(moves), 'S')}; furthest at "
        f"{quantity(furthest['amplitude'], 'V')}, {quantity(furthest['width'], 's')} and a gate of "
        f"{quantity(furthest['gate'], 'V')}.",
        [
            Picture(
                _picture(conditions),
                "Median change of conductance, in \u00b5S, of the cells that got this pulse. One "
                "panel a word-line voltage.",
            )
        ],
    )


def _picture(conditions: Sequence[Mapping[str, Any]]) -> Markup:
    gates = sorted({each["gate"] for each in conditions})[:_MOST_PANELS]
    widths = sorted({each["width"] for each in conditions})
    amplitudes = sorted({each["amplitude"] for each in conditions})
    moves = np.full((len(gates), len(widths), len(amplitudes)), np.nan)
    for each in conditions:
        if each["gate"] in gates:
            place = gates.index(each["gate"]), widths.index(each["width"])
            moves[(*place, amplitudes.index(each["amplitude"]))] = each["median_move"] * _MICRO
    low, high = float(np.nanmin(moves)), float(np.nanmax(moves))
    digits = 1 if high - low > _WIDE else 2

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        for panel, gate, image in zip(axes[0], gates, moves, strict=True):
            panel.imshow(image, cmap=LEVELS, vmin=low, vmax=high, origin="lower", aspect="auto")
            panel.set_xticks(range(len(amplitudes)), [f"{value:g}" for value in amplitudes])
            names = [f"{value * 1e9:g}" for value in widths]
            panel.set_yticks(range(len(widths)), names if panel is axes[0][0] else [])
            panel.set_title(f"gate {gate:g} V")
            panel.set_xlabel("amplitude / V")
            panel.grid(visible=False)
            for (row, column), value in np.ndenumerate(image):
                panel.text(
                    column, row, f"{value + 0.0:.{digits}f}", ha="center", va="center", fontsize=7
                )
        axes[0][0].set_ylabel("width / ns")

    size = (7.2, 0.9 + 0.36 * max(len(widths), 3))
    margins = Margins(gap=0.08)
    return drawn(
        "Median change of conductance by pulse",
        draw,
        size=size,
        margins=margins,
        ncols=len(gates),
        squeeze=False,
    )
