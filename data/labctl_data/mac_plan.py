"""How the currents of source lines become integers: the digital side of a MAC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class MacPlan:
    """One layer's digital sum plan: slot-serial inputs, one conversion a line, block and slot.

    An input vector has `n_blocks * width` unsigned codes, block after block. Slot k of a code is
    its digit of `dac_bits` bits from bit ``k * dac_bits`` on. For each block and each slot, the bit
    line of an input with digit d is at ``read_voltage * d / (2**dac_bits - 1)`` (with one bit: at
    `read_voltage` or a driven 0 V), all others at a driven 0 V; the currents of the block's source
    lines are converted to ``code = min(2**adc_bits - 1, floor(I / lsb + 1/2))``,
    ``lsb = adc_full_scale / (2**adc_bits - 1)``, and ``sign * (code << k * dac_bits)`` is added to
    the line's output. Codes that would exceed the range are counted as saturated. A slot in which
    no input of a block has a digit is not converted: it adds 0.

    Attributes
    ----------
    columns : ndarray of shape (n_blocks, width), int64
        Bit line (column number) driven by each input of a block; -1 for an unused input.
    outputs : ndarray of shape (n_blocks, n_lines), int64
        Output to which each converted line is added.
    signs : ndarray of shape (n_blocks, n_lines), int64
        +1 or -1; 0 for an unused line.
    adc_full_scale : float
        Current of the highest ADC code, in A.
    adc_bits : int
        Resolution of the ADC; at most 16.
    input_bits : int
        Bits of an input code; at most 8.
    read_voltage : float
        Voltage of the highest digit, in V.
    read_width : float
        Length of one read pulse, in s.
    dac_bits : int
        Bits of a digit: 1 for bit-serial inputs, `input_bits` for all in one pass.
    """

    columns: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]
    signs: npt.NDArray[np.int64]
    adc_full_scale: float
    adc_bits: int = 8
    input_bits: int = 8
    read_voltage: float = 0.2
    read_width: float = 50e-9
    dac_bits: int = 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.columns.shape[0])

    @property
    def width(self) -> int:
        """Inputs of one block."""
        return int(self.columns.shape[1])

    @property
    def n_lines(self) -> int:
        """Source lines converted in one block."""
        return int(self.outputs.shape[1])

    @property
    def n_inputs(self) -> int:
        """Length of one input vector."""
        return self.n_blocks * self.width

    @property
    def n_outputs(self) -> int:
        """Length of one output vector."""
        return int(self.outputs.max()) + 1

    @property
    def n_slots(self) -> int:
        """Read pulses that one input code takes."""
        return -(-self.input_bits // self.dac_bits)

    @property
    def lsb(self) -> float:
        """Current of one ADC step, in A."""
        return self.adc_full_scale / ((1 << self.adc_bits) - 1)
