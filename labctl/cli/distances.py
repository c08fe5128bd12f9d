"""Kolmogorov-Smirnov distances as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labctl.cli.output import headed, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def distance_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the distances by statistic, as `TwoSampleTest.facts` gives them."""
    listing = table("statistic", "KS distance", "chance exceeds in 5 %", "p", "n", "m")
    for name, each in found.items():
        numbers = f"{each['distance']:.4f}", f"{each['noise_floor']:.4f}", f"{each['p_value']:.3g}"
        listing.add_row(name, *numbers, *(str(size) for size in each["sizes"]))
    return listing


def held_out_tables(quality: Mapping[str, Any]) -> tuple[RenderableType, ...]:
    """Return what the quality of a fit says of held-out cells; nothing where none were."""
    from labctl.chips import held_out_distances

    found = held_out_distances(quality)
    if not found:
        return ()
    return headed("model and data on held-out cells", ", which the fit did not see"), (
        distance_table(found)
    )
