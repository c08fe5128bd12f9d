"""A MAC request: which cells it reads, what currents they give, and how those are converted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.errors import ChipError

LineArray = npt.NDArray[np.int64]
SingleArray = npt.NDArray[np.float32]

LONGEST_RUN = 8
"""Most blocks whose conversions are worked on together."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What follows from a plan and its source lines alone.

    Attributes
    ----------
    lines : ndarray of shape (n_blocks, n_lines), int64
        Source line of each conversion; -1 where unused.
    used : ndarray of shape (n_blocks, width, n_lines), bool
        Where there is a cell.
    cells : ndarray of shape (n_used,), int64
        Those cells.
    outputs, signs : ndarray of shape (n_blocks, n_lines), int64
        As in the plan, contiguous.
    run_ends : ndarray of shape (n_blocks,), int64
        First block after the run that begins at a block; see `_run_ends`.
    """

    lines: LineArray
    used: npt.NDArray[np.bool_]
    cells: LineArray
    outputs: LineArray
    signs: LineArray
    run_ends: LineArray


@dataclass(frozen=True, eq=False)
class Request:
    """All that conversions need to know; currents are in ADC steps.

    Attributes
    ----------
    plan : MacPlan
        The digital sum plan.
    layout : Layout
        What follows from it.
    steps : ndarray of shape (n_blocks, width, n_lines)
        Current of each cell at the read voltage, times the gain of its line's converter; 0 where
        there is none.
    offsets, gains : ndarray of shape (n_blocks, n_lines)
        What converters add, and by what they multiply.
    edges : ndarray of shape (n_converters, 2**adc_bits - 1)
        Input at which a code gives way to the next, + 1/2; one row and no column where all
        converters are straight: edge c is then c + 1.
    edges_of : ndarray of shape (n_blocks, n_lines), int64
        Row of `edges` for each line.
    digit_currents : ndarray of shape (2**dac_bits,)
        What a cell carries at each digit over its conductance at 0.2 V, in V: the I-V law is the
        same function of voltage for all cells, so it acts on digits alone.
    relative_noise : float
        Standard deviation of one cell's read over its current.
    converter_noise : float
        Standard deviation of a conversion, whatever its current.
    """

    plan: MacPlan
    layout: Layout
    steps: FloatArray
    offsets: FloatArray
    gains: FloatArray
    edges: FloatArray
    edges_of: LineArray
    digit_currents: FloatArray
    relative_noise: float
    converter_noise: float

    @property
    def is_noisy(self) -> bool:
        """Whether conversions differ from each other."""
        return self.relative_noise > 0.0 or self.converter_noise > 0.0

    @property
    def is_straight(self) -> bool:
        """Whether all codes are equally wide."""
        return self.edges.size == 0

    def digits(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the digits of input codes (n, n_inputs), shape (n, n_inputs, n_slots)."""
        bits = self.plan.dac_bits
        shifts = np.arange(self.plan.n_slots, dtype=np.uint8) * np.uint8(bits)
        return np.asarray(codes[..., np.newaxis] >> shifts & np.uint8(2**bits - 1))

    @cached_property
    def _narrow(self) -> tuple[SingleArray, SingleArray]:
        means = self.steps.astype(np.float32)
        return means, np.square(np.float32(self.relative_noise) * means)

    def matrices(self) -> tuple[npt.NDArray[Any], SingleArray | None]:
        """Return the matrices of means and of variances, both like `steps`.

        Without noise the means are float64 and there are no variances; with it, float32.
        """
        return self._narrow if self.is_noisy else (self.steps, None)


def layout_of(plan: MacPlan, lines: LineArray, geometry: Geometry) -> Layout:
    """Work out which cells a plan reads.

    Raises
    ------
    ChipError
        If a cell or a column does not exist.
    """
    columns = plan.columns[:, :, np.newaxis]
    source_lines = lines[:, np.newaxis, :]
    used = (columns >= 0) & (source_lines >= 0) & (plan.signs[:, np.newaxis, :] != 0)
    if columns.max(initial=-1) >= geometry.columns:
        raise ChipError(
            f"chip: the plan drives column {columns.max()}, which does not exist; "
            f"there are {geometry.columns}"
        )
    if lines.max(initial=-1) >= geometry.n_lines:
        raise ChipError(
            f"chip: the plan senses source line {lines.max()}, which does not exist; "
            f"there are {geometry.n_lines}"
        )
    return Layout(
        lines=lines.copy(),
        used=used,
        cells=np.ascontiguousarray((source_lines * geometry.columns + columns)[used]),
        outputs=np.ascontiguousarray(plan.outputs, np.int64),
        signs=np.ascontiguousarray(plan.signs, np.int64),
        run_ends=_run_ends(plan),
    )


def check_request(vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> LineArray:
    """Return the rows as an array; refuse vectors and rows that do not fit the plan."""
    lines = np.ascontiguousarray(rows, np.int64)
    if lines.shape != plan.outputs.shape:
        raise ChipError(
            f"chip: the plan converts lines of shape {plan.outputs.shape} (blocks, lines), "
            f"rows have shape {lines.shape}"
        )
    found = np.asarray(vectors)
    if found.dtype != np.uint8 or found.ndim != 2 or found.shape[1] != plan.n_inputs:
        raise ChipError(
            f"chip: the plan takes uint8 vectors of shape (n, {plan.n_inputs}), "
            f"found {found.dtype} of shape {found.shape}"
        )
    return lines


def _run_ends(plan: MacPlan) -> LineArray:
    """Return where runs of blocks end whose lines go to the same outputs, shape (n_blocks,).

    Their codes are added up before they leave for the outputs: at most `LONGEST_RUN` blocks, and
    no more than float32 adds exactly.
    """
    largest = (2**plan.adc_bits - 1) * (2**plan.input_bits - 1)
    longest = max(min(LONGEST_RUN, 2**24 // largest), 1)
    ends = np.arange(1, plan.n_blocks + 1)
    for block in reversed(range(plan.n_blocks - 1)):
        following = block + 1
        if following % longest and _alike(plan, block, following):
            ends[block] = ends[following]
    return ends


def _alike(plan: MacPlan, first: int, second: int) -> bool:
    """Say whether the lines of two blocks go to the same outputs with the same signs."""
    return np.array_equal(plan.outputs[first], plan.outputs[second]) and np.array_equal(
        plan.signs[first], plan.signs[second]
    )
