"""How the currents of source lines become integers: the digital side of a MAC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class MacPlan:
    """One layer's digital sum plan, for bit-serial inputs and one conversion a line, block and bit.

    An input vector has `n_blocks * width` unsigned codes, block after block. For each block and
    each bit k of the codes, bit lines whose bit is 1 are at `read_voltage`, all others at a driven
    0 V; the currents of the block's source lines are converted to
    ``code = min(2**adc_bits - 1, floor(I / lsb + 1/2))``,
    ``lsb = adc_full_scale / (2**adc_bits - 1)``, and ``sign * (code << k)`` is added to the line's
    output. Codes that would exceed the range are counted as saturated.

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
        Voltage of a 1 bit, in V.
    read_width : float
        Length of one read pulse, in s.
    """

    columns: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]
    signs: npt.NDArray[np.int64]
    adc_full_scale: float
    adc_bits: int = 8
    input_bits: int = 8
    read_voltage: float = 0.2
    read_width: float = 50e-9

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
    def lsb(self) -> float:
        """Current of one ADC step, in A."""
        return self.adc_full_scale / ((1 << self.adc_bits) - 1)
