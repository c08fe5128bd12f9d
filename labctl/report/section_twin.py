"""The section that holds chips against each other: twin and original, or two of a lot."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.chips import compare_samples
from labctl.measured import FloatArray, statistics
from labctl.report.draw_cells import cumulative_picture
from labctl.report.page import Key, Listing, Picture, Section
from labctl.report.words import count
from labctl.twin import kind_of
from labctl_data.run_file import Run
from labctl_data.statistics import TwoSampleTest

_UNITS = {"pulses_to_target": (1.0, ""), "mac_error": (1.0, ""), "read_noise": (100.0, " / %")}
"""Scale and unit of the statistics that are no conductances."""


def comparison_section(runs: Sequence[Run]) -> Section | None:
    """Return how far each later run of a procedure differs from the first; None without a pair.

    Parameters
    ----------
    runs : sequence of Run
        All runs of the page.
    """
    pairs = [
        (first, other)
        for first, other in _pairs(runs)
        if compare_samples(statistics(runs[first]), statistics(runs[other]))
    ]
    if not pairs:
        return None
    parts: list[Picture | Listing] = []
    for first, other in pairs:
        parts += _pictures(runs[first], runs[other], _names(runs[first], runs[other], runs))
    return Section(
        "Twin and original" if any(is_twin(run, runs) for run in runs) else "Chips compared",
        "The same procedure on two chips. The "
        "Kolmogorov-Smirnov (KS) distance is the largest gap between the two cumulative "
        "distributions, pooled over all levels: 0 where they agree, 1 where they share nothing.",
        parts,
    )


def comparison_keys(runs: Sequence[Run]) -> list[Key]:
    """Return the KS distance of pulses to target for the head of the page."""
    for first, other in _pairs(runs):
        distances = compare_samples(statistics(runs[first]), statistics(runs[other]))
        if "pulses_to_target" in distances:
            found = distances["pulses_to_target"]
            names = " and ".join(_names(runs[first], runs[other], runs))
            return [Key(f"{found.distance:.3f}", f"KS distance of pulses to target, {names}")]
    return []


def is_twin(run: Run, runs: Sequence[Run]) -> bool:
    """Tell whether a run repeats an earlier one on a chip that was fitted to it."""
    first = next(each for each in runs if each.procedure == run.procedure)
    return run is not first and bool(run.attributes.get("chip_file"))


def place_of(run: Run, runs: Sequence[Run]) -> str:
    """Return what tells a run from others of its procedure: its bench, else its file."""
    shown = [each for each in runs if each.procedure == run.procedure and not is_twin(each, runs)]
    alone = [each.bench for each in shown].count(run.bench) == 1
    return run.bench if alone else f"{run.bench} ({run.path.stem})"


def _names(first: Run, other: Run, runs: Sequence[Run]) -> tuple[str, str]:
    if is_twin(other, runs):
        return "original", "twin"
    return place_of(first, runs), place_of(other, runs)


def _pairs(runs: Sequence[Run]) -> list[tuple[int, int]]:
    """Return the numbers of a procedure's first run and of each other one; twins alone if any."""
    first: dict[str, int] = {}
    pairs = []
    for number, run in enumerate(runs):
        start = first.setdefault(run.procedure, number)
        if start != number and _comparable(runs[start], run):
            pairs.append((start, number))
    twins = [pair for pair in pairs if is_twin(runs[pair[1]], runs)]
    return twins or pairs


def _comparable(first: Run, other: Run) -> bool:
    """Tell whether two runs did the same to two chips."""
    chips = [
        [
            run.attributes.get(name)
            for name in ("wafer", "die", "chip", "bench", "seed", "chip_file")
        ]
        for run in (first, other)
    ]
    return chips[0] != chips[1] and kind_of(first) == kind_of(other) and bool(statistics(other))


def _pictures(first: Run, other: Run, names: tuple[str, str]) -> list[Picture | Listing]:
    a, b = statistics(first), statistics(other)
    distances = compare_samples(a, b)
    parts: list[Picture | Listing] = [_listing(distances)]
    for name, found in distances.items():
        parts.append(_picture(name, a[name], b[name], names, found))
    return parts


def _picture(
    name: str, a: FloatArray, b: FloatArray, names: tuple[str, str], found: TwoSampleTest
) -> Picture:
    quantity = name.replace("_", " ")
    scale, unit = _UNITS.get(name, (1e6, " / \u00b5S"))
    return Picture(
        cumulative_picture(
            {names[0]: a * scale, names[1]: b * scale},
            f"{quantity}{unit}",
            logarithmic=name == "pulses_to_target",
        ),
        f"Cumulative distributions of {quantity}; KS distance {found.distance:.3f}.",
    )


def _listing(distances: dict[str, TwoSampleTest]) -> Listing:
    rows = [
        [
            name.replace("_", " "),
            f"{each.distance:.4f}",
            f"{each.p_value:.3g}",
            *map(count, each.sizes),
        ]
        for name, each in distances.items()
    ]
    return Listing(
        ("statistic", "KS distance", "p by chance", "values", "values"),
        rows,
        "",
        (1, 2, 3, 4),
    )
