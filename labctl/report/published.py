"""Published and derived figures that a report sets beside what was measured.

Sources: Yao et al., Nature 577, 641 (2020); per-pulse statistics of the same laboratory's device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

WINDOW = (2e-6, 20e-6)
"""Conductance window of the 32 levels, in S."""
PITCH_32 = (WINDOW[1] - WINDOW[0]) / 31
"""Distance of two of 32 levels, in S: 116 nA at 0.2 V."""

PULSES_TARGETS: FloatArray = np.linspace(*WINDOW, 8)
"""Eight levels of the window, in S."""
PULSES_TO_TARGET: FloatArray = np.array([250.0, 190, 150, 90, 50, 30, 15, 15])
"""Mean pulses from above 20 uS to each of them, computed from the published step statistics.

A write ends there within `COMPUTED_WINDOW` of its target."""
COMPUTED_WINDOW = 0.25e-6
"""Half width of the window that ends a write in `PULSES_TO_TARGET`, in S."""

SET_STEP: FloatArray = 1e-6 * np.array(
    [0.325, 0.250, 0.237, 0.143, 0.087, 0.060, 0.054, 0.036, 0.019, 0.019]
)
"""Published mean change by a SET pulse in ten bins of the window, low to high, in S."""
RESET_STEP: FloatArray = -1e-6 * np.array(
    [0.003, 0.076, 0.074, 0.022, 0.045, 0.054, 0.099, 0.146, 0.269, 0.511]
)
"""Published mean change by a RESET pulse, low to high, in S."""

ACCURACY_AFTER_TRANSFER = 0.9507
"""Yao et al.: five-layer network on MNIST after weight transfer."""
ACCURACY_AFTER_TRAINING = 0.9619
"""Yao et al.: after hybrid training."""
ACCURACY_SOFTWARE = 0.9799
"""Yao et al.: software, 15-level weights."""


@dataclass(frozen=True)
class Keeping:
    """Which published picture a device preset keeps, and which it cannot."""

    keeps: str
    """What it shows as published."""
    gives_up: str
    """What it cannot show beside that."""
    why_differs: str = ""
    """Why a figure measured here is not the one named above; empty where they agree."""


PRESETS = {
    "yao": Keeping(
        "the programming error: 54 nA at verify grows to about 108 nA at 10 minutes "
        "(s = 0.19 \u00b5S per root decade)",
        "32 levels that stay apart: 53-59 % of cells are within half a pitch after 1 s, "
        "39-47 % after 10 minutes",
    ),
    "yao-quiet": Keeping(
        "the 32-level picture: the spread of relaxation (s = 0.03 \u00b5S per root decade), taken "
        "alone, would leave 99.9 % of cells within half a pitch of where their level drifts in 10 "
        "minutes",
        "the growth of the programming error to 108 nA",
        "The share measured here is lower than that 99.9 %, because the 99.9 % counts the spread "
        "of relaxation alone. A measured cell also carries the noise of the verify read (1 % of "
        "the conductance, so most at the high levels), the mean drift of its level, and random "
        "telegraph noise.",
    ),
}
"""One relaxation rate cannot show both of the paper's pictures."""
