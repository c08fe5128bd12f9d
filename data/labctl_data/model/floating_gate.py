"""A floating-gate transistor read below threshold: the cell of analogue flash arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from labctl_data.model.declared import TINY, DeclaredModel, Scalar


@dataclass(frozen=True, eq=False)
class FloatingGateModel(DeclaredModel):
    """A floating-gate cell: the charge on its gate shifts the threshold of the word line.

    A SET pulse erases (electrons tunnel off, the threshold falls, the cell conducts more), a RESET
    pulse programs (hot electrons are injected, the threshold rises). The conductance is that at 0.2
    V with the word line at `read_gate`. `labctl_data.model.floating_gate_equations` holds the
    equations; thresholds are those seen from the word line.
    """

    name: ClassVar[str] = "floating-gate"
    equations: ClassVar[str] = "labctl_data.model.floating_gate_equations"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (
        ("bound_low", "bound_high"),
        ("gate_threshold", "read_gate"),
        ("gate_threshold", "program_gate"),
    )

    read_gate: Annotated[float, Scalar("V", "word line while a cell is read")]
    gate_threshold: Annotated[float, Scalar("V", "word line below which the select gate is off")]
    threshold_current: Annotated[
        float, Scalar("A", "saturated current with the word line at the threshold", least=1e-15)
    ]
    slope_factor: Annotated[
        float, Scalar("1", "n: volts of word line a volt of channel surface", least=1.0)
    ]
    temperature_coefficient: Annotated[
        float, Scalar("V/K", "fall of the threshold a kelvin", least=0.0)
    ]
    drive_slope: Annotated[
        float, Scalar("A/V", "most current a volt of word line over its threshold", least=TINY)
    ]
    neutral_threshold: Annotated[float, Scalar("V", "threshold without charge on the gate")]
    bound_low: Annotated[float, Scalar("S", "conductance at the highest threshold", least=1e-15)]
    bound_high: Annotated[float, Scalar("S", "conductance at the lowest threshold", least=1e-15)]
    program_voltage: Annotated[
        float, Scalar("V", "amplitude of the reference program pulse", least=TINY)
    ]
    program_gate: Annotated[float, Scalar("V", "word line of the reference program pulse")]
    program_slope: Annotated[
        float, Scalar("V", "rise of amplitude that injects e times more", least=1e-6)
    ]
    program_saturation: Annotated[
        float, Scalar("V", "rise of threshold that injects e times less", least=1e-6)
    ]
    program_step: Annotated[
        float, Scalar("V", "rise of threshold by a reference pulse on a neutral cell", least=TINY)
    ]
    erase_voltage: Annotated[
        float, Scalar("V", "amplitude plus word line of the reference erase pulse", least=TINY)
    ]
    tunnel_voltage: Annotated[
        float,
        Scalar("V", "B of Fowler-Nordheim tunnelling, as a voltage over the oxide", least=1.0),
    ]
    erase_step: Annotated[
        float, Scalar("V", "fall of threshold by a reference pulse on a neutral cell", least=TINY)
    ]
    pulse_width: Annotated[float, Scalar("s", "width of the reference pulses", least=1e-15)]
    cycle_spread: Annotated[
        float, Scalar("1", "lognormal spread of strength, pulse to pulse", least=0.0)
    ]
    electron_shift: Annotated[
        float, Scalar("V", "shift of the threshold by one electron, q/C", least=0.0)
    ]
    rate_spread: Annotated[
        float, Scalar("1", "lognormal spread of pulse strength, cell to cell", least=0.0)
    ]
    threshold_spread: Annotated[
        float, Scalar("V", "spread of neutral and erased thresholds, cell to cell", least=0.0)
    ]
    erased_threshold: Annotated[float, Scalar("V", "threshold of cells as delivered, erased")]
    loss_time: Annotated[
        float, Scalar("s", "time in which the gate loses charge e times, at 25 C", least=1e-3)
    ]
    detrapping_drift: Annotated[
        float, Scalar("V", "mean shift of the threshold a decade after a pulse")
    ]
    detrapping_sigma: Annotated[float, Scalar("V", "spread of that shift a root decade", least=0.0)]
    detrapping_time: Annotated[float, Scalar("s", "onset of detrapping", least=1e-15)]
    activation_energy: Annotated[
        float, Scalar("eV", "Arrhenius energy of loss and detrapping", least=0.0)
    ]
    read_noise: Annotated[float, Scalar("1", "standard deviation of one read over g", least=0.0)]
    flicker_noise: Annotated[
        float, Scalar("1", "1/f noise: standard deviation over g in a decade", least=0.0)
    ]
    rtn_fraction: Annotated[
        float, Scalar("1", "fraction of cells with two-state noise", least=0.0, most=1.0)
    ]
    rtn_amplitude: Annotated[
        float, Scalar("1", "distance of the two states over g", least=0.0, most=1.0)
    ]
    rtn_time: Annotated[float, Scalar("s", "median dwell time in a state", least=1e-12)]

    def without_noise(self) -> Self:
        """Return the model with still reads: no noise, no loss of charge, no detrapping."""
        return self.with_parameters(
            read_noise=0.0,
            flicker_noise=0.0,
            rtn_fraction=0.0,
            detrapping_drift=0.0,
            detrapping_sigma=0.0,
            loss_time=_FOREVER,
        )

    def without_variation(self) -> Self:
        """Return the model with all devices alike, and all pulses."""
        return self.with_parameters(
            rate_spread=0.0, threshold_spread=0.0, cycle_spread=0.0, electron_shift=0.0
        )

    @property
    def is_still(self) -> bool:
        """Whether cells stay where pulses leave them."""
        moves = self.detrapping_drift or self.detrapping_sigma or self.flicker_noise
        return not moves and self.loss_time >= _FOREVER


_FOREVER = 1e30
"""A loss time, in s, that is none."""


def flash_180nm() -> FloatingGateModel:
    """Return a cell that tunes as those of redesigned 180-nm NOR flash arrays do.

    Published are four decades of subthreshold current and how many pulses tuning takes; a page of
    the documentation sets them beside what this cell does. The voltages are chosen to lie within a
    board's 5 V and 6 V, steps, spreads, noise and charge loss to be plausible: see the README.
    """
    return FloatingGateModel(
        read_gate=2.5,
        gate_threshold=0.7,
        threshold_current=300e-9,
        slope_factor=1.6,
        temperature_coefficient=1e-3,
        drive_slope=50e-6,
        neutral_threshold=2.6,
        bound_low=0.15e-9,
        bound_high=1.5e-6,
        program_voltage=4.5,
        program_gate=1.5,
        program_slope=0.12,
        program_saturation=0.5,
        program_step=2e-3,
        erase_voltage=9.5,
        tunnel_voltage=288.0,
        erase_step=2e-3,
        pulse_width=10e-6,
        cycle_spread=0.8,
        electron_shift=0.08e-3,
        rate_spread=0.3,
        threshold_spread=0.02,
        erased_threshold=2.52,
        loss_time=1e13,
        detrapping_drift=-0.1e-3,
        detrapping_sigma=0.2e-3,
        detrapping_time=1e-3,
        activation_energy=1.0,
        read_noise=0.005,
        flicker_noise=0.0005,
        rtn_fraction=0.05,
        rtn_amplitude=0.01,
        rtn_time=1.0,
    )
