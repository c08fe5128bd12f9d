"""Multiply vectors with differences of source lines, and compare with the conductances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_data.run_file import Column
from labctl_instruments.station import FloatArray
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import CountParameter, QuantityParameter, SwitchParameter
from labctl_procedures.prepared import PreparedProcedure
from labctl_procedures.procedure import ADDRESS, TIME, Rows, read_in_blocks
from labctl_procedures.stored import Records, Stored

BATCH = 64
"""Vectors in one message: a point of the plan."""


@dataclass(frozen=True)
class Batch:
    """Some of the vectors."""

    start: int
    """Number of the first."""
    stop: int
    """Number after the last."""


@dataclass(frozen=True, eq=False)
class Region:
    """A rectangle of cells in one PE, and which of its rows are subtracted from which."""

    pe: int
    """The PE."""
    rows: npt.NDArray[np.int64]
    """Rows, rising, shape (n_lines,)."""
    columns: npt.NDArray[np.int64]
    """Columns, shape (n_inputs,)."""
    pairs: npt.NDArray[np.int64]
    """Places among `rows` of the plus and the minus line of each output, shape (n_outputs, 2)."""

    @classmethod
    def of(cls, cells: Cells, *, reference_line: bool = False) -> Region:
        """Return the rectangle that `cells` fill.

        Parameters
        ----------
        cells : Cells
            A full rectangle of one PE.
        reference_line : bool
            Whether the last row is the minus line of all others; else rows pair two by two.

        Raises
        ------
        ParameterError
            If they fill none in one PE, or its rows cannot be paired.
        """
        pes, rows, columns = (np.unique(part) for part in cells.addresses.T)
        full = len(pes) == 1 and len(cells) == len(rows) * len(columns)
        if not full or (len(rows) < 2 if reference_line else len(rows) % 2):
            wanted = "at least two rows" if reference_line else "an even number of rows"
            raise ParameterError(
                f"DifferentialMAC: parameter 'cells': asked for a full rectangle of one PE with "
                f"{wanted}, found {len(cells)} cells in {len(pes)} PE, {len(rows)} rows "
                f"and {len(columns)} columns"
            )
        places = np.arange(len(rows))
        if reference_line:
            pairs = np.stack([places[:-1], np.full(len(rows) - 1, places[-1])], axis=1)
        else:
            pairs = places.reshape(-1, 2)
        return cls(int(pes[0]), rows, columns, pairs)

    @property
    def cells(self) -> Cells:
        """All cells, rows before columns."""
        mesh = np.meshgrid([self.pe], self.rows, self.columns, indexing="ij")
        return Cells.of(np.stack(mesh, axis=-1))


class DifferentialMAC(PreparedProcedure[Batch]):
    """Multiply random 8-bit vectors with differences of source lines on the array.

    A weight is the difference of two cells: of a pair of source lines, or, with a reference line,
    of a cell and that of its bit line in the last row, which serves all others. That takes half the
    cells; the reference line is converted anew for each line that it is subtracted from.

    `measured` are the integers the bench returns; `expected` is what the conductances read before
    would give without quantisation, in the same units; `reference` is the same with the ADC's
    rounding. Writing to levels first is optional: by default the cells are taken as found.
    """

    COLUMNS = (
        TIME,
        *ADDRESS,
        Column.from_pymeasure("Minus row", "i2"),
        Column.from_pymeasure("Vector", "u4"),
        Column.from_pymeasure("Measured", "i4"),
        Column.from_pymeasure("Reference", "i4"),
        Column.from_pymeasure("Expected"),
    )
    """`row` is the plus line of the pair, `column` is -1: all columns take part."""

    reference_line = SwitchParameter(
        "Reference line",
        default=False,
        description="The last row is subtracted from all others; off: rows pair two by two",
    )
    levels = CountParameter(
        "Levels",
        default=0,
        minimum=0,
        maximum=256,
        description="Levels written first, as many cells each as can be; 0: as found",
    )
    vectors = CountParameter(
        "Vectors", default=100, minimum=1, maximum=1_000_000, description="Random input vectors"
    )
    adc_bits = CountParameter("ADC bits", default=8, minimum=1, maximum=16, description="Of a line")
    full_scale = QuantityParameter(
        "ADC full scale",
        units="A",
        default=0.0,
        minimum=0.0,
        maximum=1e-2,
        description="Current of the highest code; 0: that of the fullest line with all inputs on",
    )

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self._conductances = np.empty((0, 0))
        self._errors: list[FloatArray] = []
        self._plan: MacPlan | None = None
        self._inputs = np.empty((0, 0), np.uint8)
        self._saturated = 0

    def check(self) -> None:
        """Refuse cells that are no rectangle of paired rows; see also `ChipProcedure.check`."""
        self.region()
        super().check()

    def startup(self) -> None:
        """Write the cells if asked, read them, and lay out the plan."""
        super().startup()
        region = self.region()
        cells = region.cells
        known = self.stored and self.stored.snapshot("conductance", cells)
        found = known[1] if known else self._read(cells)
        self._conductances = found.reshape(len(region.rows), len(region.columns))
        if not known:
            self.snapshot("conductance", cells, found)
        self._plan = self.plan(region)
        self._inputs = self.inputs()
        self._saturated = self.station.saturated

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early: recall the errors of its vectors."""
        super().take_up(stored)
        batches = [stored.rows_of(number) for number in sorted(stored.finished)]
        self._errors = [rows["measured"] - rows["expected"] for rows in batches]

    def _trace(self, rows: Records) -> FloatArray:
        """Return nothing: what is stored are sums."""
        return np.empty(0)

    def _read(self, cells: Cells) -> FloatArray:
        """Return the conductances of the region, (n,), in S."""
        blocks = read_in_blocks(self.station, cells, self.voltage, self.averages)
        return np.concatenate([found for _, found in blocks])

    def region(self) -> Region:
        """Return the rectangle of cells, and its pairs of rows."""
        return Region.of(self.cells, reference_line=self.reference_line)

    def plan(self, region: Region) -> MacPlan:
        """Return the sum plan: one block, plus and minus line of each output in turn."""
        lines = np.arange(region.pairs.size)
        fullest = float(self._conductances.sum(axis=1).max()) * self.voltage
        return MacPlan(
            columns=region.columns[np.newaxis],
            outputs=(lines // 2)[np.newaxis],
            signs=np.where(lines % 2, -1, 1)[np.newaxis],
            adc_full_scale=self.full_scale or fullest,
            adc_bits=self.adc_bits,
            read_voltage=self.voltage,
        )

    def points(self) -> Iterator[Batch]:
        """Yield the vectors in batches that one message carries."""
        for start in range(0, self.vectors, BATCH):
            yield Batch(start, min(start + BATCH, self.vectors))

    def inputs(self) -> npt.NDArray[np.uint8]:
        """Return all input vectors, shape (vectors, n_inputs): the seed gives them."""
        rng = np.random.default_rng([self.seed, 1])
        width = len(self.region().columns)
        return rng.integers(0, 256, (self.vectors, width), dtype=np.uint8)

    def measure(self, point: Batch) -> Rows:
        """Multiply one batch of vectors, and compute what they should have given."""
        region, plan = self.region(), self._laid_out()
        vectors = self._inputs[point.start : point.stop]
        first = region.pe * self.station.geometry.rows
        lines = (first + region.rows[region.pairs]).reshape(1, -1)
        measured = self.station.mac(vectors, lines, plan)
        expected, reference = self._compute(vectors, plan)
        self._errors.append((measured - expected).ravel())
        n, pairs = measured.shape
        return {
            "PE": region.pe,
            "Row": np.tile(region.rows[region.pairs[:, 0]], n),
            "Column": -1,
            "Minus row": np.tile(region.rows[region.pairs[:, 1]], n),
            "Vector": np.repeat(np.arange(point.start, point.stop), pairs),
            "Measured": measured.ravel(),
            "Reference": reference.ravel(),
            "Expected": expected.ravel(),
        }

    def summary(self) -> dict[str, Any]:
        """Return the error of the sums: in ADC steps, and as part of the range of a pair."""
        if not self._errors:
            return {"vectors": 0}
        plan, errors = self._laid_out(), np.concatenate(self._errors)
        span = (2**plan.adc_bits - 1) * (2**plan.input_bits - 1)
        pairs = len(self.region().pairs)
        return {
            "vectors": len(errors) // pairs,
            "pairs": pairs,
            "lsb": plan.lsb,
            "error_mean": float(errors.mean()),
            "error_std": float(errors.std()),
            "error_std_relative": float(errors.std() / span),
            "saturated": self.station.saturated - self._saturated,
        }

    def _compute(
        self, vectors: npt.NDArray[np.uint8], plan: MacPlan
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """Return the sums (n, pairs) the conductances give: exact, and in the ADC's steps."""
        steps = self._conductances.T * (plan.read_voltage / plan.lsb)
        lines = vectors @ steps
        codes = np.zeros(lines.shape, np.int64)
        for bit in range(plan.input_bits):
            sums = ((vectors >> bit) & 1) @ steps
            code = np.clip(np.floor(sums + 0.5), 0, 2**plan.adc_bits - 1)
            codes += code.astype(np.int64) << bit
        plus, minus = self.region().pairs.T
        return lines[:, plus] - lines[:, minus], codes[:, plus] - codes[:, minus]

    def _laid_out(self) -> MacPlan:
        if self._plan is None:
            raise ParameterError("DifferentialMAC: measured before it was started")
        return self._plan
