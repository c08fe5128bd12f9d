"""The soft-bound device model: steps by table, bounds by voltage and gate, log-time relaxation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from labctl_data.errors import ModelError
from labctl_data.model.parameter import FloatArray, ParameterSpec, ParameterValue, packed_record

TABLE_BINS = 10
"""Bins of the window in the tables of steps and of relaxation."""


@dataclass(frozen=True)
class Scalar:
    """Unit, meaning and physical limits (included) of a parameter."""

    shape: ClassVar[tuple[int, ...]] = ()

    unit: str
    doc: str
    least: float = -np.inf
    most: float = np.inf


class Table(Scalar):
    """The same for a table over the bins of the window, low conductance first."""

    shape: ClassVar[tuple[int, ...]] = (TABLE_BINS,)


_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class SoftBoundModel:
    """A voltage-bounded soft-bound cell with read noise, relaxation and spread.

    A reference pulse (SET: `set_voltage`, `pulse_width`, `set_gate`; RESET likewise) moves the
    conductance g by ``step(g) + sigma(g) * xi``; a pulse of relative strength rho does rho times
    that; the result stays within bounds that voltage and gate set. `labctl_data.model.equations`
    holds the equations and their sources. Tables run over `TABLE_BINS` equal bins of the window,
    low conductance first, for SET and RESET alike.
    """

    name: ClassVar[str] = "soft-bound"
    equations: ClassVar[str] = "labctl_data.model.equations"

    window_low: Annotated[float, Scalar("S", "lower end of the tables' window", least=_TINY)]
    window_high: Annotated[float, Scalar("S", "upper end of the tables' window", least=_TINY)]
    set_step: Annotated[FloatArray, Table("S", "mean step of the reference SET pulse", least=0.0)]
    set_sigma: Annotated[FloatArray, Table("S", "spread of that step, pulse to pulse", least=0.0)]
    reset_step: Annotated[
        FloatArray, Table("S", "mean step of the reference RESET pulse", most=0.0)
    ]
    reset_sigma: Annotated[FloatArray, Table("S", "spread of that step, pulse to pulse", least=0.0)]
    set_voltage: Annotated[float, Scalar("V", "amplitude of the reference SET pulse", least=_TINY)]
    set_gate: Annotated[float, Scalar("V", "gate voltage of the reference SET pulse", least=0.0)]
    reset_voltage: Annotated[
        float, Scalar("V", "amplitude of the reference RESET pulse", least=_TINY)
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
    bound_high: Annotated[float, Scalar("S", "highest conductance a SET reaches", least=_TINY)]
    gate_slope: Annotated[
        float, Scalar("S/V", "upper bound per volt of gate overdrive", least=_TINY)
    ]
    gate_threshold: Annotated[float, Scalar("V", "threshold of the access transistor")]
    bound_low: Annotated[
        float, Scalar("S", "lowest conductance of the reference RESET", least=_TINY)
    ]
    bound_low_slope: Annotated[
        float, Scalar("V", "fall of RESET amplitude that lifts it e times", least=1e-6)
    ]
    curvature: Annotated[float, Scalar("1/V", "b of the I-V law sinh(bV)", least=0.0)]
    saturation_voltage: Annotated[
        float, Scalar("V", "saturation current over the gate's upper bound", least=_TINY)
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
        float, Scalar("S", "median conductance before forming", least=_TINY)
    ]
    fresh_spread: Annotated[float, Scalar("1", "lognormal spread of it", least=0.0)]
    formed_low: Annotated[float, Scalar("S", "lowest conductance after forming", least=_TINY)]
    formed_high: Annotated[float, Scalar("S", "highest conductance after forming", least=_TINY)]

    def __post_init__(self) -> None:
        for name, declared in _declared().items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), declared))
        for low, high in _ORDERED:
            if getattr(self, low) >= getattr(self, high):
                raise ModelError(
                    f"model {self.name}: {low} {getattr(self, low):g} must be below "
                    f"{high} {getattr(self, high):g}"
                )

    @classmethod
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """Return the parameters, in order."""
        return tuple(
            ParameterSpec(name, declared.unit, declared.shape, declared.doc)
            for name, declared in _declared().items()
        )

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Value of every parameter: floats, and ndarrays of shape (`TABLE_BINS`,)."""
        return {name: getattr(self, name) for name in _declared()}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, ParameterValue]) -> Self:
        """Build the model from a full mapping of parameters.

        Raises
        ------
        ModelError
            If a parameter is missing, unknown, of another shape or not physical.
        """
        missing = _declared().keys() - parameters.keys()
        if missing:
            raise ModelError(f"model {cls.name}: lacks parameter {', '.join(sorted(missing))}")
        unknown = parameters.keys() - _declared().keys()
        if unknown:
            raise ModelError(f"model {cls.name}: unknown parameter {', '.join(sorted(unknown))}")
        values: dict[str, Any] = dict(parameters)
        return cls(**values)

    def with_parameters(self, **changes: npt.ArrayLike) -> Self:
        """Return the model with some parameters replaced."""
        values: dict[str, Any] = {**self.parameters, **changes}
        return self.from_parameters(values)

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
        )

    def without_spread(self) -> Self:
        """Return the model with all devices alike."""
        return self.with_parameters(
            bound_high_spread=0.0, bound_low_spread=0.0, rate_spread=0.0, forming_spread=0.0
        )

    def without_variation(self) -> Self:
        """Return the model with all devices alike, and all pulses."""
        still = np.zeros(TABLE_BINS)
        return self.without_spread().with_parameters(
            set_sigma=still, reset_sigma=still, cycle_spread=0.0, fresh_spread=0.0
        )

    @property
    def is_still(self) -> bool:
        """Whether cells stay where pulses leave them: no relaxation."""
        return not (np.any(self.relaxation_drift) or np.any(self.relaxation_sigma))

    def packed(self) -> npt.NDArray[np.void]:
        """Return the parameters as one record, shape (1,), as the compiled equations take them."""
        return packed_record(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SoftBoundModel):
            return NotImplemented
        return self.packed().tobytes() == other.packed().tobytes()

    def __hash__(self) -> int:
        return hash(self.packed().tobytes())


_ORDERED = (
    ("window_low", "window_high"),
    ("bound_low", "bound_high"),
    ("formed_low", "formed_high"),
    ("gate_threshold", "set_gate"),
)


@cache
def _declared() -> Mapping[str, Scalar]:
    """Return the declaration of each parameter, in order."""
    hints = get_type_hints(SoftBoundModel, include_extras=True)
    return {
        name: get_args(hint)[1] for name, hint in hints.items() if get_origin(hint) is Annotated
    }


def _checked(name: str, value: npt.ArrayLike, declared: Scalar) -> ParameterValue:
    """Return the value as float or read-only table; refuse what is not physical."""
    where = f"model {SoftBoundModel.name}: {name}"
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where} must be numbers, found {value!r}") from error
    if array.shape != declared.shape:
        raise ModelError(f"{where} must have shape {declared.shape}, found {array.shape}")
    bad = ~(np.isfinite(array) & (array >= declared.least) & (array <= declared.most))
    if bad.any():
        limits = f"{declared.least:g} to {declared.most:g}"
        raise ModelError(f"{where} must lie in {limits}, found {array[bad][0]:g}")
    if not declared.shape:
        return float(array)
    array.setflags(write=False)
    return array
