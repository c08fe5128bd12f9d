"""Pictures: what a live plot shows, as numbers and words; no Qt, so that threads can draw them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from labctl_data.run_file import Column
from labctl_gui.state.rings import Table

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOW = (2e-6, 20e-6)
"""Conductances between which tones are spread, in S: the published array's (Yao 2020)."""
MOST_CELLS = 96
"""Traces drawn at most; of more cells, evenly spaced ones are shown."""
MOST_POINTS = 20_000
"""Points of all traces together at most; of longer ones, every n-th is shown."""
MOST_DOTS = 5_000
"""Points of a cloud drawn at most; of more, the last are shown."""
MOST_BINS = 4_000
"""Stretches of a long trace; of each its lowest and its highest point are drawn."""
MOST_JUDGED = 1 << 15
"""Cells by which the span of colours is judged; sorting a million would take 0.1 s."""
MOST_GROUPS = 16
"""Lines of a drift picture at most."""


class Style(Enum):
    """How a curve is drawn."""

    LINE = "line"
    STEPS = "steps"
    DOTS = "dots"


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve; NaN parts it into pieces."""

    x: FloatArray
    """Abscissae, shape (n,)."""
    y: FloatArray
    """Ordinates, shape (n,)."""
    style: Style = Style.LINE
    """How it is drawn."""
    tone: float | None = None
    """Place on the colour map, 0 to 1; None is the accent colour."""
    faint: bool = False
    """Whether it only guides the eye."""


@dataclass(frozen=True)
class Axis:
    """What an axis counts."""

    label: str
    """In words."""
    unit: str = ""
    """SI unit; empty for none."""
    logarithmic: bool = False
    """Whether decades are equally long."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A plot, ready to be shown."""

    title: str
    """What it shows."""
    x: Axis
    """The abscissa."""
    y: Axis
    """The ordinate."""
    curves: tuple[Curve, ...] = ()
    """What is drawn, last on top."""
    note: str = ""
    """What else should be known: how many cells, what was left out."""


EMPTY = Picture("No rows yet", Axis("Time", "s"), Axis("Conductance", "S"))
"""The picture before the first row."""

Columns = Mapping[str, Column]
"""Columns of a table by name, for their units and long names."""


def columns_needed(procedure: str, names: Collection[str]) -> frozenset[str]:
    """Return which of the columns `names` the picture of `procedure` is drawn from."""
    drawing = _DRAWINGS.get(procedure)
    if drawing is None or not drawing.needs <= set(names):
        return frozenset(names)
    return drawing.needs


def draw(procedure: str, table: Table, columns: Columns) -> Picture:
    """Draw the picture that goes with `procedure`.

    Parameters
    ----------
    procedure : str
        Name in the catalogue; one without a picture of its own gets its last column over time.
    table : mapping of str to ndarray of shape (n,)
        Its rows so far, in SI; the columns of `columns_needed` will do.
    columns : mapping of str to Column
        Units and long names of the table's columns.
    """
    if not table or not len(next(iter(table.values()))):
        return EMPTY
    drawing = _DRAWINGS.get(procedure)
    if drawing is None or not drawing.needs <= table.keys():
        return _draw_any(table, columns)
    return drawing.draw(table, columns)


def draw_distribution(conductances: FloatArray, title: str) -> Picture:
    """Draw how many cells lie below each conductance.

    Parameters
    ----------
    conductances : ndarray
        Any shape, in S; NaN are cells that were not read.
    title : str
        What was read.
    """
    known = np.sort(conductances[np.isfinite(conductances)])
    x, y = Axis("Conductance", "S"), Axis("Share of cells below")
    if not len(known):
        return Picture(title, x, y, note="not read yet")
    share = np.arange(1, len(known) + 1) / len(known)
    low, middle, high = np.quantile(known, (0.1, 0.5, 0.9)) * 1e6
    return Picture(
        title,
        x,
        y,
        (Curve(known, share, Style.STEPS),),
        f"{len(known)} cells; median {middle:.2f} µS, 80 % between {low:.2f} and {high:.2f} µS",
    )


def _draw_sweep(table: Table, columns: Columns) -> Picture:
    traces = _traces(table)
    last = max(len(traces.rows) - 1, 1)
    voltage, current = _floats(table, "voltage"), _floats(table, "current")
    curves = tuple(
        Curve(voltage[rows], current[rows], tone=place / last)
        for place, rows in enumerate(traces.rows)
    )
    x, y = _axis(columns, "voltage"), _axis(columns, "current")
    return Picture("Current against voltage", x, y, curves, traces.note)


def _draw_writing(table: Table, columns: Columns) -> Picture:
    table = _while_written(table)
    traces = _traces(table)
    pulses, conductance = _floats(table, "pulses"), _floats(table, "conductance")
    targets = _floats(table, "target")
    pieces: dict[float, list[IntArray]] = {}
    for rows in traces.rows:
        pieces.setdefault(float(targets[rows[-1]]), []).append(rows)
    curves = tuple(
        Curve(*_joined(pulses, conductance, rows), tone=tone_of(target))
        for target, rows in sorted(pieces.items())
    )
    return Picture(
        "Conductance against pulses",
        Axis("Pulses"),
        _axis(columns, "conductance"),
        curves,
        f"{traces.note}; colour: target",
    )


def _while_written(table: Table) -> Table:
    """Return the rows up to each cell's own last pulse and judgement, without later maps."""
    from labctl_procedures.closed_loop import Stage

    kept = np.asarray(table["stage"], np.int64) < Stage.MAP
    return {name: values[kept] for name, values in table.items()}


def _draw_drift(x_name: str, title: str) -> Callable[[Table, Columns], Picture]:
    """Return a drawing of the mean conductance of each state at each look, over `x_name`."""

    def drawn(table: Table, columns: Columns) -> Picture:
        groups = _state_groups(table)
        curves = [_mean_curve(table, x_name, groups == number) for number in np.unique(groups)]
        axis = _axis(columns, x_name)
        note = f"{len(curves)} groups of cells by their state at the start; mean of each"
        return Picture(
            title,
            Axis(axis.label, axis.unit, logarithmic=True),
            _axis(columns, "conductance"),
            tuple(curves),
            note,
        )

    return drawn


def _mean_curve(table: Table, x_name: str, mine: npt.NDArray[np.bool_]) -> Curve:
    """Return the means of the rows `mine`, look by look; rows of one look have one time.

    Rows of no known `x_name` (cells that a run found at their targets) are left out.
    """
    mine = mine & np.isfinite(_floats(table, x_name))
    _, look = np.unique(_floats(table, "time")[mine], return_inverse=True)
    n = np.bincount(look)
    x, y = (np.bincount(look, _floats(table, name)[mine]) / n for name in (x_name, "conductance"))
    kept = x > 0  # a logarithmic axis cannot show the look before the first stress
    return Curve(x[kept], y[kept], tone=tone_of(float(y[0]) if len(y) else np.nan))


def _draw_mac(table: Table, columns: Columns) -> Picture:
    expected, measured = (_floats(table, name)[-MOST_DOTS:] for name in ("expected", "measured"))
    ends = np.array([np.nanmin(expected), np.nanmax(expected)])
    error = float(np.sqrt(np.nanmean((measured - expected) ** 2)))
    axis = _axis(columns, "measured")
    return Picture(
        "Measured against expected sums",
        _axis(columns, "expected"),
        axis,
        (Curve(ends, ends, faint=True), Curve(expected, measured, Style.DOTS)),
        f"{len(measured)} sums; r.m.s. error {error:.4g} {axis.unit}".rstrip(),
    )


def _draw_any(table: Table, columns: Columns) -> Picture:
    numeric = [name for name, values in table.items() if values.dtype.kind == "f"]
    y_name = next((n for n in reversed(numeric) if n != "time"), numeric[-1] if numeric else "")
    if not y_name or "time" not in table:
        return Picture("Rows arrive, none of them numbers", EMPTY.x, EMPTY.y)
    time, y = _floats(table, "time"), _floats(table, y_name)
    curve, note = Curve(time, y, Style.DOTS), f"{len(y)} rows"
    if len(y) > MOST_DOTS:
        curve = envelope(time, y)
        note = f"{len(y)} rows, drawn as the lowest and highest of each {-(-len(y) // MOST_BINS)}"
    return Picture(
        f"{_axis(columns, y_name).label} over bench time",
        _axis(columns, "time"),
        _axis(columns, y_name),
        (curve,),
        note,
    )


def envelope(x: FloatArray, y: FloatArray) -> Curve:
    """Return a long trace as the lowest and highest of each stretch: no peak is lost.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        The trace, in the order measured. Stretches are of equal numbers of points, `MOST_BINS` of
        them at most; NaN are left out where a stretch has other points.
    """
    starts = np.arange(0, len(y), max(1, -(-len(y) // MOST_BINS)))
    ends = (np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts))
    return Curve(np.repeat(x[starts], 2), np.column_stack(ends).reshape(-1))


@dataclass(frozen=True)
class _Drawing:
    needs: frozenset[str]
    draw: Callable[[Table, Columns], Picture]


_CELL = frozenset({"time", "pe", "row", "column", "target", "conductance"})
_DRAWINGS = {
    "IVSweep": _Drawing(frozenset({"pe", "row", "column", "voltage", "current"}), _draw_sweep),
    "WriteVerify": _Drawing(_CELL | {"pulses", "stage"}, _draw_writing),
    "ReadDisturb": _Drawing(_CELL | {"reads"}, _draw_drift("reads", "Conductance against reads")),
    "Retention": _Drawing(_CELL | {"elapsed"}, _draw_drift("elapsed", "Conductance against time")),
    "DifferentialMAC": _Drawing(frozenset({"expected", "measured"}), _draw_mac),
}


def judged(values: FloatArray) -> FloatArray:
    """Return the finite values, of very many evenly spaced ones: enough to judge their range."""
    flat = values.ravel()[:: max(1, values.size // MOST_JUDGED)]
    return flat[np.isfinite(flat)]


def range_of(conductances: FloatArray) -> tuple[float, float]:
    """Return between which conductances all but the outermost hundredths lie, in S.

    Parameters
    ----------
    conductances : ndarray
        Any shape, in S; NaN are cells that were not read. Of none, `WINDOW` is returned; a range
        narrower than a tenth of its middle is widened to that, so that noise looks like noise.
    """
    known = judged(conductances)
    if not len(known):
        return WINDOW
    low, high = (float(end) for end in np.quantile(known, (0.01, 0.99)))
    missing = max(0.05 * (low + high) - (high - low), 1e-9 - (high - low), 0.0)
    return low - missing / 2, high + missing / 2


def tone_of(conductance: float) -> float | None:
    """Return the place of a conductance, in S, in the window: 0 at its foot, 1 at its top."""
    if not np.isfinite(conductance):
        return None
    low, high = WINDOW
    return float(np.clip((conductance - low) / (high - low), 0.0, 1.0))


def _floats(table: Table, name: str) -> FloatArray:
    return np.asarray(table[name], dtype=np.float64)


def _axis(columns: Columns, name: str) -> Axis:
    column = columns.get(name)
    return Axis(name.capitalize()) if column is None else Axis(column.long_name, column.unit)


def _cell_numbers(table: Table) -> IntArray:
    """Return one small number a cell, equal for rows of one cell, (n,)."""
    pe, row, column = (np.asarray(table[name], np.int64) for name in ("pe", "row", "column"))
    return (pe * (int(row.max()) + 1) + row) * (int(column.max()) + 1) + column


@dataclass(frozen=True, eq=False)
class _Traces:
    rows: list[IntArray]
    """Row numbers of each trace, in the order written."""
    note: str
    """What was left out."""


def _traces(table: Table) -> _Traces:
    """Return the rows of some cells, cell by cell, thinned until they can be drawn quickly."""
    numbers = _cell_numbers(table)
    cells = np.flatnonzero(np.bincount(numbers))
    chosen = cells[_evenly(len(cells), MOST_CELLS)]
    wanted = np.zeros(cells[-1] + 1, np.bool_)
    wanted[chosen] = True
    rows = np.flatnonzero(wanted[numbers])
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    traces = np.split(rows, np.flatnonzero(np.diff(numbers[rows])) + 1)
    step = -(-len(rows) // MOST_POINTS)
    if step > 1:
        traces = [_thinned(trace, step) for trace in traces]
    note = (
        f"{len(cells)} cells"
        if len(chosen) == len(cells)
        else (f"{len(chosen)} of {len(cells)} cells")
    )
    return _Traces(traces, note if step == 1 else f"{note}, every {step}th point")


def _thinned(trace: IntArray, step: int) -> IntArray:
    """Return every `step`-th row, and the last."""
    return np.unique(np.append(trace[::step], trace[-1]))


def _evenly(n: int, most: int) -> IntArray:
    """Return at most `most` of the numbers below `n`, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _joined(x: FloatArray, y: FloatArray, pieces: list[IntArray]) -> tuple[FloatArray, FloatArray]:
    """Return the pieces one after another, parted by NaN."""
    gap = np.array([np.nan])
    return (
        np.concatenate([part for rows in pieces for part in (x[rows], gap)]),
        np.concatenate([part for rows in pieces for part in (y[rows], gap)]),
    )


def _state_groups(table: Table) -> IntArray:
    """Return the group of each row: its cell's target, else the rank of its first reading, (n,)."""
    targets = _floats(table, "target")
    if np.isfinite(targets).all():
        return np.asarray(np.unique(targets, return_inverse=True)[1], np.int64)
    conductance = _floats(table, "conductance")
    _, first, cell = np.unique(_cell_numbers(table), return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(conductance[first], kind="stable"), kind="stable")
    return np.asarray((rank * min(MOST_GROUPS, len(first)) // len(first))[cell], np.int64)
