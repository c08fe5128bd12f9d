"""The equations of the soft-bound model, one cell at a time: the one text of them.

What `labctl_data.model.laws` names is asked of every model, the rest is this one's own. Every
function takes the packed parameters `p` (``model.packed()[0]``) first, is compiled, and inlines
into the loops of the simulated chip and of `labctl_data.model.vectors`. Conductances in S, voltages
in V (amplitudes are magnitudes), times in s. `kind` is an integer of `PulseKind`. Sources are given
by letter in the README of this folder.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from labctl_data.model.compiled import inlined
from labctl_data.model.declared import TABLE_BINS
from labctl_data.model.laws import SET, Device, Eight, Packed, Pulse
from labctl_data.model.parameter import FloatArray

READ_VOLTAGE = 0.2
"""Voltage at which conductances are stated, in V."""
SPREAD_LIMIT = 4.0
"""Reference pulses beyond which the noise of one long pulse no longer grows."""
MOST_STEPS = 64
"""Most Euler steps of one pulse."""
STRAIGHT = 1e-6
"""Curvature in 1/V below which a cell is ohmic to 12 digits."""

Number = TypeVar("Number", float, FloatArray)
"""What the clocks take: a number where they are compiled, or an array."""
DEVICE_FIELDS = (
    ("bound_high_factor", np.float64),  # d1, multiplies upper bounds
    ("bound_low_factor", np.float64),  # d2, multiplies lower bounds
    ("forming_voltage", np.float64),  # V
    ("frailty", np.float64),  # multiplies damage
)
"""What cells of this model have beyond `COMMON_FIELDS`; their rate factor is d3."""
OPEN, SHORT = 1e-12, 5e-4
"""Conductance of open and of shorted cells, in S."""
LEAST = 1e-8
"""Nothing relaxes below this, in S."""
STUCK_LOW, STUCK_HIGH, STUCK_OPEN = 1, 2, 3
"""`StuckClass`, for compiled code."""


@inlined
def table_at(p: Packed, table: FloatArray, g: float) -> float:
    """Interpolate a table of the model between bin centres; ends are held."""
    x = (g - p.window_low) / (p.window_high - p.window_low) * TABLE_BINS - 0.5
    if x <= 0.0:
        return float(table[0])
    if x >= TABLE_BINS - 1.0:
        return float(table[TABLE_BINS - 1])
    left = int(x)
    return float(table[left] + (x - left) * (table[left + 1] - table[left]))


@inlined
def step(p: Packed, kind: int, g: float) -> float:
    """Return the mean step of a reference pulse at g, in S."""
    if kind == SET:
        return table_at(p, p.set_step, g)
    return table_at(p, p.reset_step, g)


@inlined
def spread(p: Packed, kind: int, g: float) -> float:
    """Return the standard deviation of that step, in S."""
    if kind == SET:
        return table_at(p, p.set_sigma, g)
    return table_at(p, p.reset_sigma, g)


@inlined
def upper_bound(p: Packed, gate: float) -> float:
    """Return the conductance a SET at this gate stops at: min(Gmax, s_p (V_WL - V_tp))."""
    return float(min(p.bound_high, p.gate_slope * max(gate - p.gate_threshold, 0.0)))


@inlined
def is_on(p: Packed, gate: float) -> bool:
    """Say whether the access transistor conducts."""
    return bool(gate > p.gate_threshold)


@inlined
def open_gate(p: Packed) -> float:
    """Return the gate voltage of RESET, which lets everything through."""
    return float(p.reset_gate)


@inlined
def effective_amplitude(p: Packed, kind: int, amplitude: float, gate: float) -> float:
    """Return the voltage that reaches the cell.

    In RESET the transistor is a source follower: the cell sees at most V_WL - V_tp.
    """
    overdrive = gate - p.gate_threshold
    if overdrive <= 0.0:
        return 0.0
    return amplitude if kind == SET else min(amplitude, overdrive)


@inlined
def lower_bound(p: Packed, amplitude: float) -> float:
    """Return the conductance a RESET of this effective amplitude stops at."""
    return float(p.bound_low * math.exp((p.reset_voltage - amplitude) / p.bound_low_slope))


@inlined
def pulse_bounds(p: Packed, kind: int, amplitude: float, gate: float) -> tuple[float, float]:
    """Return the conductances between which a pulse of this effective amplitude leaves a cell."""
    if kind == SET:
        return float(p.bound_low), upper_bound(p, gate)
    return lower_bound(p, amplitude), float(p.bound_high)


@inlined
def strength(p: Packed, kind: int, amplitude: float, width: float) -> float:
    """Return how many reference pulses a pulse of this effective amplitude and width equals.

    rho = exp((V - V_ref) / v) (tau / tau_ref)^beta, the mean of the lognormal over cycles; 0 up to
    the threshold of switching.
    """
    if amplitude <= p.switching_threshold or width <= 0.0:
        return 0.0
    if kind == SET:
        exponent = (amplitude - p.set_voltage) / p.set_slope
    else:
        exponent = (amplitude - p.reset_voltage) / p.reset_slope
    return math.exp(exponent + p.width_exponent * math.log(width / p.pulse_width))


@inlined
def pulse_of(p: Packed, kind: int, amplitude: float, width: float, gate: float) -> Pulse:
    """Work out a pulse for the median device."""
    effective = effective_amplitude(p, kind, amplitude, gate)
    low, high = pulse_bounds(p, kind, effective, gate)
    reach = upper_bound(p, gate) / p.bound_high
    return Pulse(kind, strength(p, kind, effective, width), low, high, effective, reach)


@inlined
def formed(p: Packed, device: Device, pulse: Pulse) -> tuple[float, float]:
    """Form a fresh cell if the SET-polarity amplitude suffices; the gate limits how far.

    Voltage beyond the cell's own damages it, as far as the gate lets the current grow.
    """
    excess = pulse.amplitude - device.forming_voltage
    if pulse.kind != SET or excess < 0.0 or pulse.reach <= 0.0:
        return 0.0, 0.0
    damage = p.overforming_rate * device.frailty * excess * pulse.reach
    return device.formed_conductance * pulse.reach, damage


@inlined
def device_bounds(p: Packed, device: Device, pulse: Pulse, damage: float) -> tuple[float, float]:
    """Return the bounds of the pulse times the cell's own factors d2 and d1, less what is worn."""
    low, high = pulse.low * device.bound_low_factor, pulse.high * device.bound_high_factor
    return left_open(p, device, (low, high), damage)


@inlined
def left_open(
    p: Packed, device: Device, bounds: tuple[float, float], damage: float
) -> tuple[float, float]:
    """Return what damage leaves of the window between two bounds.

    It closes on a logarithmic scale by damage^wear_exponent: from below in cells that end in a
    low-resistance state, from above in the others.
    """
    low, high = bounds
    if damage > 0.0 and high > low > 0.0:
        closed = math.exp(math.log(high / low) * min(damage, 1.0) ** p.wear_exponent)
        if device.worn_class == STUCK_HIGH:
            low *= closed
        else:
            high /= closed
    return low, high


@inlined
def cycle_strength(p: Packed, rho: float, normal: float) -> float:
    """Return rho exp(sigma_c xi - sigma_c^2 / 2): strength scatters, its mean stays."""
    if p.cycle_spread > 0.0:
        rho *= math.exp(p.cycle_spread * (normal - 0.5 * p.cycle_spread))
    return rho


@inlined
def moved(p: Packed, kind: int, g: float, rho: float, bounds: tuple[float, float]) -> float:
    """Return g after the mean motion of rho reference pulses.

    By the closed law where the model gives its strength, else by the tables, before any bound: one
    Euler step a reference pulse (at most `MOST_STEPS`), so that rho = n is n pulses.
    """
    rate = p.set_rate if kind == SET else p.reset_rate
    if rate > 0.0:
        return approached(p, kind, g, rate * rho, bounds)
    steps = min(max(int(rho + 0.5), 1), MOST_STEPS)
    for _ in range(steps):
        g += rho / steps * step(p, kind, g)
    return g


@inlined
def approached(p: Packed, kind: int, g: float, rho: float, bounds: tuple[float, float]) -> float:
    """Return g after it has approached its bound for a time rho, by the closed law.

    du/d(rho) = -u^gamma, u = |g - bound| / window: exp(-rho) for gamma = 1; a gamma below 1 ends at
    the bound.
    """
    bound = bounds[1] if kind == SET else bounds[0]
    gamma = p.set_exponent if kind == SET else p.reset_exponent
    window = p.window_high - p.window_low
    u = abs(g - bound) / window
    if u <= 0.0:
        return g
    if gamma == 1.0:
        u *= math.exp(-rho)
    else:
        u = max(u ** (1.0 - gamma) + (gamma - 1.0) * rho, 0.0) ** (1.0 / (1.0 - gamma))
    return float(bound - window * u if kind == SET else bound + window * u)


@inlined
def spread_of_pulse(p: Packed, kind: int, g: float, rho: float) -> float:
    """Return the standard deviation of a pulse: variance rho sigma^2, up to `SPREAD_LIMIT`."""
    return spread(p, kind, g) * math.sqrt(min(rho, SPREAD_LIMIT))


@inlined
def carried(p: Packed, kept: float, seen: float) -> float:
    """Return `kept`: in a train of pulses relaxation does not add up."""
    return kept


@inlined
def wear(p: Packed, device: Device, motion: float, damage: float) -> float:
    """Return the damage of a motion: its part of the endurance.

    A full cycle leads through what is left of the cell's window and back.
    """
    if p.wear_rate <= 0.0:
        return 0.0
    low, high = p.bound_low * device.bound_low_factor, p.bound_high * device.bound_high_factor
    low, high = left_open(p, device, (low, high), damage)
    part = abs(motion) / (high - low) if high > low else 1.0
    return float(p.wear_rate * device.frailty * 0.5 * min(part, 1.0))


@inlined
def decades(p: Packed, elapsed: Number) -> Number:
    """Return l = log10(1 + t / t0), the clock of relaxation; `p` may be the model itself."""
    clock: Number = np.log10(1.0 + np.maximum(elapsed, 0.0) / p.relaxation_time)
    return clock


@inlined
def walk_share(p: Packed) -> float:
    """Return q: real cells jump rarely, and jump far."""
    return float(p.relaxation_share)


@inlined
def relaxed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return g + m(g) l + s(g) W(l)."""
    drift = table_at(p, p.relaxation_drift, g)
    sigma = table_at(p, p.relaxation_sigma, g)
    return g + (drift * at + sigma * walk)


@inlined
def disturb_decades(p: Packed, reads: Number) -> Number:
    """Return log10(1 + N / N0), the clock of read disturb; N counts reads at 0.2 V."""
    clock: Number = np.log10(1.0 + reads / p.disturb_count)
    return clock


@inlined
def disturb_rate(p: Packed, voltage: float) -> float:
    """Return how many reads at 0.2 V one read at `voltage` equals."""
    return math.exp((abs(voltage) - READ_VOLTAGE) / p.disturb_slope)


@inlined
def disturbed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return the same for reads, whose mean and spread are the same everywhere."""
    return float(g + p.disturb_drift * at + p.disturb_sigma * walk)


@inlined
def least_conductance(p: Packed) -> float:
    """Return `LEAST`."""
    return LEAST


@inlined
def at_temperature(p: Packed, g: float, kelvin: float) -> float:
    """Return g: what a filament conducts hardly depends on temperature (chosen)."""
    return g


@inlined
def current(p: Packed, g: float, voltage: float) -> float:
    """Return the cell's current, g 0.2 V sinh(bV) / sinh(b 0.2 V), in A; odd in the voltage."""
    b = p.curvature
    if b < STRAIGHT:
        return g * voltage
    return float(g * READ_VOLTAGE * math.sinh(b * voltage) / math.sinh(b * READ_VOLTAGE))


@inlined
def voltage_at(p: Packed, g: float, amperes: float) -> float:
    """Return the voltage at which the cell carries this current: the inverse of `current`."""
    b = p.curvature
    if b < STRAIGHT:
        return amperes / g
    return float(math.asinh(amperes * math.sinh(b * READ_VOLTAGE) / (g * READ_VOLTAGE)) / b)


@inlined
def saturation_current(p: Packed, gate: float) -> float:
    """Return the most current the access transistor lets through at this gate, in A."""
    overdrive = max(gate - p.gate_threshold, 0.0)
    return float(p.gate_slope * overdrive * p.saturation_voltage)


@inlined
def channel_current(p: Packed, g: float, voltage: float, gate: float) -> float:
    """Return the current of cell and transistor in series, in A, of the voltage's sign.

    `voltage` is bit line over source line, `gate` the word line over the lower of the two. The
    transistor takes nothing below its saturation current, all above it, and in RESET polarity
    passes on at most V_WL - V_tp.
    """
    size = effective_amplitude(p, SET if voltage > 0.0 else 1 - SET, abs(voltage), gate)
    return math.copysign(min(current(p, g, size), saturation_current(p, gate)), voltage)


@inlined
def compliance_bound(p: Packed, compliance: float) -> float:
    """Return where a SET of limited current stops: as behind a transistor of that saturation."""
    return float(compliance / p.saturation_voltage)


# Devices


@inlined
def draw_device(p: Packed, device: Device, normals: Eight, uniforms: Eight) -> None:
    """Fill in a cell's factors d1, d2, d3, its forming and its two-state noise."""
    device.bound_high_factor = math.exp(p.bound_high_spread * normals[0])
    device.bound_low_factor = math.exp(p.bound_low_spread * normals[1])
    device.rate_factor = math.exp(p.rate_spread * normals[2])
    device.forming_voltage = p.forming_voltage + p.forming_spread * normals[3]
    device.fresh_conductance = p.fresh_conductance * math.exp(p.fresh_spread * normals[4])
    span = p.formed_high - p.formed_low
    device.formed_conductance = p.formed_low + span * uniforms[0]
    telegraphic = uniforms[1] < p.rtn_fraction
    device.rtn_amplitude = p.rtn_amplitude * 2.0 * uniforms[2] if telegraphic else 0.0
    device.rtn_time = p.rtn_time * math.exp(normals[5])
    device.frailty = math.exp(p.frailty_spread * normals[6])
    device.worn_class = STUCK_LOW if uniforms[6] < p.worn_low_share else STUCK_HIGH


@inlined
def stuck_conductance(p: Packed, device: Device, stuck: int) -> float:
    """Return what a cell of this StuckClass conducts, in S."""
    if stuck == STUCK_LOW:
        return float(p.bound_low * device.bound_low_factor)
    if stuck == STUCK_HIGH:
        return float(p.bound_high * device.bound_high_factor)
    return OPEN if stuck == STUCK_OPEN else SHORT
