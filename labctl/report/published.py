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


@dataclass(frozen=True)
class Published:
    """A published figure."""

    value: float
    """The figure; accuracies and errors as shares (0-1), all else in SI units."""
    source: str
    """A key of `SOURCES`."""


SOURCES = {"P": "Yao et al. (2020) itself", "W": "another public source on the same work"}
"""Where published figures stand."""

MCNN = {
    "15 levels": Published(ACCURACY_SOFTWARE, "W"),
    "transferred": Published(ACCURACY_AFTER_TRANSFER, "W"),
    "trained": Published(ACCURACY_AFTER_TRAINING, "W"),
    "programming error": Published(108e-9 / 0.2, "P"),
}
"""The five-layer network on MNIST, by stage; the programming error (108 nA at 0.2 V) in S, which
the paper uses for its ResNet-56."""

RESNET56 = {
    "software": Published(0.9557, "P"),
    "15 levels": Published(0.8964, "P"),
    "transferred": Published(0.8006, "P"),
    "tuned": Published(0.9408, "P"),
    "tuned, 1,500 images": Published(0.92, "P"),
    "arrays": Published(782, "P"),
    "programming error": Published(108e-9 / 0.2, "P"),
    "G1": Published(0.2024, "P"),
    "G2": Published(0.1983, "P"),
    "G3": Published(0.1958, "P"),
    "G4": Published(0.1984, "P"),
}
"""ResNet-56 on CIFAR-10, simulated by its authors with other weights: accuracies by stage, errors
of the four groups after transfer."""

_GROUP_ERRORS = {
    ("test", "G1"): (0.0479, 0.0341, "W"),
    ("test", "G2"): (0.0660, 0.0486, "W"),
    ("test", "G3"): (0.0620, 0.0386, "W"),
    ("test", "all"): (1 - 0.9386, 1 - 0.9583, "W"),
    ("training", "G1"): (0.0482, 0.0289, "P"),
    ("training", "G2"): (0.0643, 0.0422, "P"),
    ("training", "G3"): (0.0585, 0.0340, "P"),
}
PARALLEL = {
    (images, group, stage): Published(error, source)
    for (images, group), (*errors, source) in _GROUP_ERRORS.items()
    for stage, error in zip(("before", "after"), errors, strict=True)
}
"""Errors of the parallel convolvers by images, group, and before or after hybrid training."""

RETENTION = {
    "levels in order": Published(15, "P"),
    "ten minutes": Published(0.0037, "P"),
    "two hours": Published(-0.019, "W"),
}
"""Mean weights that stay ordered for 30 days; changes of accuracy 10 min after transfer, and 2 h
after training."""

READ_DISTURB = {"states": Published(8, "P")}
"""States of the convolution cells after 1,000,000 reads."""
