"""The soft-bound device model: steps by table, bounds by voltage and gate, log-time relaxation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np

from labctl_data.model.declared import TABLE_BINS, TINY, DeclaredModel, Scalar, Table
from labctl_data.model.parameter import FloatArray


@dataclass(frozen=True, eq=False)
class SoftBoundModel(DeclaredModel):
    """A voltage-bounded soft-bound cell with read noise, relaxation and spread.

    A reference pulse (SET: `set_voltage`, `pulse_width`, `set_gate`; RESET likewise) moves the
    conductance g by ``step(g) + sigma(g) * xi``; a pulse of relative strength rho does rho times
    that; the result stays within bounds that voltage and gate set. `labctl_data.model.equations`
    holds the equations and their sources. Tables run over `TABLE_BINS` equal bins of the window,
    low conductance first, for SET and RESET alike.
    """

    name: ClassVar[str] = "soft-bound"
    equations: ClassVar[str] = "labctl_data.model.equations"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (
        ("window_low", "window_high"),
        ("bound_low", "bound_high"),
        ("formed_low", "formed_high"),
        ("gate_threshold", "set_gate"),
        ("gate_threshold", "reset_gate"),
    )

    window_low: Annotated[float, Scalar("S", "lower end of the tables' window", least=TINY)]
    window_high: Annotated[float, Scalar("S", "upper end of the tables' window", least=TINY)]
    set_step: Annotated[FloatArray, Table("S", "mean step of the reference SET pulse", least=0.0)]
    set_sigma: Annotated[FloatArray, Table("S", "spread of that step, pulse to pulse", least=0.0)]
    reset_step: Annotated[
        FloatArray, Table("S", "mean step of the reference RESET pulse", most=0.0)
    ]
    reset_sigma: Annotated[FloatArray, Table("S", "spread of that step, pulse to pulse", least=0.0)]
    set_voltage: Annotated[float, Scalar("V", "amplitude of the reference SET pulse", least=TINY)]
    set_gate: Annotated[float, Scalar("V", "gate voltage of the reference SET pulse", least=0.0)]
    reset_voltage: Annotated[
        float, Scalar("V", "amplitude of the reference RESET pulse", least=TINY)
    ]
    reset_gate: Annotated[
        float, Scalar("V", "gate voltage of the reference RESET pulse", least=0.0)
    ]
    pulse_width: Annotated[float, Scalar("s", "width of the reference pulses", least=1e-15)]
    set_slope: Annotated[
        float, Scalar("V", "rise of amplitude that makes SET e times stronger", least=1e-6)
    ]
    reset_slope: Annotated[float, Scalar("V", "the same for RESET", least=1e-6)]
    width_exponent: Annotated[
        float, Scalar("1", "strength grows as width to this power", least=0.0)
    ]
    cycle_spread: Annotated[
        float, Scalar("1", "lognormal spread of strength, pulse to pulse", least=0.0)
    ]
    bound_high: Annotated[float, Scalar("S", "highest conductance a SET reaches", least=TINY)]
    gate_slope: Annotated[
        float, Scalar("S/V", "upper bound per volt of gate overdrive", least=TINY)
    ]
    gate_threshold: Annotated[float, Scalar("V", "threshold of the access transistor")]
    bound_low: Annotated[
        float, Scalar("S", "lowest conductance of the reference RESET", least=TINY)
    ]
    bound_low_slope: Annotated[
        float, Scalar("V", "fall of RESET amplitude that lifts it e times", least=1e-6)
    ]
    curvature: Annotated[float, Scalar("1/V", "b of the I-V law sinh(bV)", least=0.0)]
    saturation_voltage: Annotated[
        float, Scalar("V", "saturation current over the gate's upper bound", least=TINY)
    ]
    relaxation_drift: Annotated[FloatArray, Table("S", "mean relaxation a decade of time")]
    relaxation_sigma: Annotated[
        FloatArray, Table("S", "spread of relaxation a root decade", least=0.0)
    ]
    relaxation_time: Annotated[float, Scalar("s", "onset of relaxation", least=1e-15)]
    activation_energy: Annotated[float, Scalar("eV", "Arrhenius energy of relaxation", least=0.0)]
    disturb_drift: Annotated[float, Scalar("S", "mean read disturb a decade of reads")]
    disturb_sigma: Annotated[float, Scalar("S", "spread of read disturb a root decade", least=0.0)]
    disturb_count: Annotated[
        float, Scalar("1", "onset of read disturb, in reads at 0.2 V", least=1e-3)
    ]
    disturb_slope: Annotated[
        float, Scalar("V", "read voltage that makes disturb e times faster", least=1e-6)
    ]
    read_noise: Annotated[float, Scalar("1", "standard deviation of one read over g", least=0.0)]
    rtn_fraction: Annotated[
        float, Scalar("1", "fraction of cells with two-state noise", least=0.0, most=1.0)
    ]
    rtn_amplitude: Annotated[
        float, Scalar("1", "distance of the two states over g", least=0.0, most=1.0)
    ]
    rtn_time: Annotated[float, Scalar("s", "median dwell time in a state", least=1e-12)]
    bound_high_spread: Annotated[
        float, Scalar("1", "lognormal spread of upper bounds, d1", least=0.0)
    ]
    bound_low_spread: Annotated[
        float, Scalar("1", "lognormal spread of lower bounds, d2", least=0.0)
    ]
    rate_spread: Annotated[float, Scalar("1", "lognormal spread of pulse strength, d3", least=0.0)]
    forming_voltage: Annotated[float, Scalar("V", "mean forming voltage", least=0.0)]
    forming_spread: Annotated[float, Scalar("V", "spread of forming voltages", least=0.0)]
    fresh_conductance: Annotated[
        float, Scalar("S", "median conductance before forming", least=TINY)
    ]
    fresh_spread: Annotated[float, Scalar("1", "lognormal spread of it", least=0.0)]
    formed_low: Annotated[float, Scalar("S", "lowest conductance after forming", least=TINY)]
    formed_high: Annotated[float, Scalar("S", "highest conductance after forming", least=TINY)]
    set_rate: Annotated[
        float, Scalar("1", "A: strength of the reference SET in the closed law; 0: tables", least=0)
    ] = 0.0
    set_exponent: Annotated[
        float, Scalar("1", "gamma: slowing of SET towards its bound; 1: exponential", least=0.1)
    ] = 1.0
    reset_rate: Annotated[
        float, Scalar("1", "the same strength for RESET; 0: tables", least=0.0)
    ] = 0.0
    reset_exponent: Annotated[float, Scalar("1", "the same slowing for RESET", least=0.1)] = 1.0
    switching_threshold: Annotated[
        float, Scalar("V", "amplitude up to which no pulse moves a cell", least=0.0)
    ] = 0.0
    relaxation_share: Annotated[
        float,
        Scalar("1", "share of half decades in which a cell relaxes at all", least=0.01, most=1.0),
    ] = 1.0
    flicker_noise: Annotated[
        float, Scalar("1", "1/f noise of g: deviation over g a root decade", least=0.0, most=0.3)
    ] = 0.0
    overforming_rate: Annotated[
        float, Scalar("1/V", "damage a volt of forming above the cell's own voltage", least=0.0)
    ] = 0.0
    wear_rate: Annotated[
        float, Scalar("1", "1 over the median endurance in full cycles; 0: none", least=0.0)
    ] = 0.0
    wear_exponent: Annotated[
        float, Scalar("1", "the window closes as damage to this power", least=0.1)
    ] = 1.0
    frailty_spread: Annotated[
        float, Scalar("1", "lognormal spread of the damage done", least=0.0)
    ] = 0.0
    worn_low_share: Annotated[
        float, Scalar("1", "share of cells that end up in a low state", least=0.0, most=1.0)
    ] = 0.0

    def without_noise(self) -> Self:
        """Return the model with still reads: no read noise, RTN, relaxation or read disturb."""
        still = np.zeros(TABLE_BINS)
        return self.with_parameters(
            read_noise=0.0,
            rtn_fraction=0.0,
            relaxation_drift=still,
            relaxation_sigma=still,
            disturb_drift=0.0,
            disturb_sigma=0.0,
            flicker_noise=0.0,
        )

    def without_spread(self) -> Self:
        """Return the model with all devices alike."""
        return self.with_parameters(
            bound_high_spread=0.0,
            bound_low_spread=0.0,
            rate_spread=0.0,
            forming_spread=0.0,
            frailty_spread=0.0,
        )

    def without_variation(self) -> Self:
        """Return the model with all devices alike, and all pulses."""
        still = np.zeros(TABLE_BINS)
        return self.without_spread().with_parameters(
            set_sigma=still, reset_sigma=still, cycle_spread=0.0, fresh_spread=0.0
        )

    @property
    def is_still(self) -> bool:
        """Whether cells stay where pulses leave them: no relaxation, no 1/f noise."""
        moving = (self.relaxation_drift, self.relaxation_sigma, self.flicker_noise)
        return not any(np.any(each) for each in moving)
