"""Records and sum plans of the array-test board, as docs/board-dialogue.md lays them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.mac_plan import MacPlan
from labctl_instruments.errors import BoardMessageError
from labctl_instruments.wire.blocks import Buffer

IntArray = npt.NDArray[np.int64]

CELL = np.dtype("<u4")
"""A cell's number, (pe * rows + row) * columns + column."""
CURRENT = np.dtype("<f8")
"""A measured current, in A."""
VOLTAGE = np.dtype("<f8")
"""A voltage of a sweep, in V."""
COUNT = np.dtype("<u4")
"""A pulse counter."""
SUM = np.dtype("<i4")
"""An output of a MAC."""
PULSE = np.dtype(
    [("cell", "<u4"), ("kind", "<u4"), ("amplitude", "<f8"), ("width", "<f8"), ("gate", "<f8")]
)
"""A programming pulse: cell, kind (0 SET, 1 RESET), V, s, V."""
SWEEP_POINT = np.dtype([("current", "<f8"), ("in_compliance", "<u4"), ("reserved", "<u4")])
"""One point of a sweep: A, and 1 where the compliance held."""

BIT_SERIAL, DIGIT_SERIAL = 1, 2
"""Versions of a sum plan: digits of one bit, or of as many as `PLAN_DIGITS` says, which follows."""
PLAN_DIGITS = np.dtype([("dac_bits", "<u4"), ("reserved", "<u4")])
PLAN_HEADER = np.dtype(
    [
        ("version", "<u4"),
        ("blocks", "<u4"),
        ("width", "<u4"),
        ("lines", "<u4"),
        ("adc_bits", "<u4"),
        ("input_bits", "<u4"),
        ("adc_full_scale", "<f8"),
        ("read_voltage", "<f8"),
        ("read_width", "<f8"),
    ]
)
"""The first 48 bytes of a sum plan."""
_DIGITS_END = PLAN_HEADER.itemsize + PLAN_DIGITS.itemsize


def pack_pulses(
    cells: npt.ArrayLike,
    kind: npt.ArrayLike,
    amplitude: npt.ArrayLike,
    width: npt.ArrayLike,
    gate: npt.ArrayLike,
) -> npt.NDArray[Any]:
    """Return one record a pulse.

    Parameters
    ----------
    cells : array_like of shape (n,)
        Cell numbers.
    kind : array_like of shape () or (n,)
        0 SET, 1 RESET.
    amplitude, width, gate : array_like of shape () or (n,)
        Magnitude in V, length in s, word-line voltage in V.

    Returns
    -------
    ndarray of shape (n,), dtype PULSE
    """
    number = np.asarray(cells)
    records = np.empty(number.shape, PULSE)
    records["cell"] = number
    records["kind"] = kind
    records["amplitude"] = amplitude
    records["width"] = width
    records["gate"] = gate
    return records


def pack_plan(plan: MacPlan, rows: npt.ArrayLike) -> bytes:
    """Return the bytes of a sum plan.

    Parameters
    ----------
    plan : MacPlan
        What is summed.
    rows : array_like of shape (n_blocks, n_lines)
        Source line (pe * rows + row) of each converted line; -1 where unused.

    Returns
    -------
    bytes
        Header and four int32 tables, little-endian; of version 1 where that can say it.

    Raises
    ------
    BoardMessageError
        If the shape of `rows` is not that of the plan.
    """
    lines = np.asarray(rows)
    if lines.shape != plan.outputs.shape:
        raise BoardMessageError(
            f"MAC plan of {plan.outputs.shape} lines: source lines of shape {lines.shape}"
        )
    header = np.zeros((), PLAN_HEADER)
    header["version"] = BIT_SERIAL if plan.dac_bits == 1 else DIGIT_SERIAL
    header["blocks"], header["width"] = plan.columns.shape
    header["lines"] = plan.n_lines
    header["adc_bits"], header["input_bits"] = plan.adc_bits, plan.input_bits
    header["adc_full_scale"] = plan.adc_full_scale
    header["read_voltage"], header["read_width"] = plan.read_voltage, plan.read_width
    tables = (plan.columns, lines, plan.outputs, plan.signs)
    digits = np.array([(plan.dac_bits, 0)], PLAN_DIGITS) if plan.dac_bits > 1 else np.empty(0)
    body = b"".join(np.ascontiguousarray(table, "<i4").tobytes() for table in tables)
    return header.tobytes() + digits.tobytes() + body


def unpack_plan(payload: Buffer) -> tuple[MacPlan, IntArray]:
    """Return the sum plan in `payload`, and its source lines of shape (n_blocks, n_lines).

    Raises
    ------
    BoardMessageError
        If the version is another, the sizes do not agree with the length, or a field lies
        outside its range. That lines and columns exist on the chip is for the board to see.
    """
    if len(payload) < PLAN_HEADER.itemsize:
        raise BoardMessageError(
            f"MAC plan: {len(payload)} bytes, the header alone is {PLAN_HEADER.itemsize}"
        )
    header = np.frombuffer(payload, PLAN_HEADER, count=1)[0]
    blocks, width, lines = (int(header[name]) for name in ("blocks", "width", "lines"))
    _check_header(header)
    dac_bits, start = _digits(payload, int(header["version"]))
    sizes = (blocks * width, blocks * lines, blocks * lines, blocks * lines)
    expected = start + 4 * sum(sizes)
    if len(payload) != expected:
        raise BoardMessageError(
            f"MAC plan of {blocks} blocks, {width} inputs, {lines} lines: "
            f"expected {expected} bytes, found {len(payload)}"
        )
    table = np.frombuffer(payload, "<i4", offset=start).astype(np.int64)
    columns, rows, outputs, signs = np.split(table, np.cumsum(sizes)[:-1])
    shape = (blocks, lines)
    plan = MacPlan(
        columns=columns.reshape(blocks, width),
        outputs=outputs.reshape(shape),
        signs=signs.reshape(shape),
        adc_full_scale=float(header["adc_full_scale"]),
        adc_bits=int(header["adc_bits"]),
        input_bits=int(header["input_bits"]),
        read_voltage=float(header["read_voltage"]),
        read_width=float(header["read_width"]),
        dac_bits=dac_bits,
    )
    _check_signs(plan, rows.reshape(shape))
    return plan, rows.reshape(shape)


_MAX_OUTPUTS = 2**20
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("version", BIT_SERIAL, DIGIT_SERIAL),
    ("blocks", 1, 2**20),
    ("width", 1, 2**16),
    ("lines", 1, 2**20),
    ("adc_bits", 1, 16),
    ("input_bits", 1, 8),
    ("adc_full_scale", 1e-15, 1.0),
    ("read_width", 1e-9, 1.0),
)


def _digits(payload: Buffer, version: int) -> tuple[int, int]:
    """Return the bits of a digit, and where the tables begin."""
    if version == BIT_SERIAL:
        return 1, PLAN_HEADER.itemsize
    if len(payload) < _DIGITS_END:
        raise BoardMessageError(
            f"MAC plan of version {version}: {len(payload)} bytes, the header is {_DIGITS_END}"
        )
    digits = np.frombuffer(payload, PLAN_DIGITS, count=1, offset=PLAN_HEADER.itemsize)[0]
    if not 1 <= digits["dac_bits"] <= 8:
        raise BoardMessageError(f"MAC plan: dac_bits {digits['dac_bits']} is not in 1..8")
    return int(digits["dac_bits"]), _DIGITS_END


def _check_header(header: Any) -> None:  # noqa: ANN401  (numpy's void has no better type)
    for name, low, high in _RANGES:
        if not low <= header[name] <= high:
            raise BoardMessageError(f"MAC plan: {name} {header[name]} is not in {low}..{high}")
    if not np.isfinite(header["read_voltage"]):
        raise BoardMessageError(f"MAC plan: read_voltage {header['read_voltage']} is not a voltage")


def _check_signs(plan: MacPlan, rows: IntArray) -> None:
    if not np.isin(plan.signs, (-1, 0, 1)).all():
        raise BoardMessageError("MAC plan: a sign is not -1, 0 or +1")
    used = plan.signs != 0
    if (plan.outputs >= _MAX_OUTPUTS).any():
        raise BoardMessageError(f"MAC plan: output {plan.outputs.max()}, at most {_MAX_OUTPUTS}")
    if not used.any():
        raise BoardMessageError("MAC plan: no line is used")
    if (plan.outputs[used] < 0).any() or (rows[used] < 0).any():
        raise BoardMessageError("MAC plan: a used line has no output or no source line")
