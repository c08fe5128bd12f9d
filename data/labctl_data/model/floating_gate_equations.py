"""The equations of the floating-gate cell, one cell at a time: the one text of them.

What `labctl_data.model.laws` names is asked of every model, the rest is this one's own; `p` is the
packed record of a `FloatingGateModel`. Conductances in S at 0.2 V and the read gate, voltages in V
(amplitudes are magnitudes), times in s, `kind` an integer of `PulseKind`. Sources are given in the
README of this folder.
"""

from __future__ import annotations

import math

import numpy as np

from labctl_data.model.compiled import inlined
from labctl_data.model.laws import SET, Device, Eight, Packed, Pulse

READ_VOLTAGE = 0.2
"""Voltage at which conductances are stated, in V."""
ROOM_TEMPERATURE = 298.15
"""Temperature at which parameters are stated, in K."""
VOLTS_A_KELVIN = 8.617333262e-5
"""Boltzmann's constant over the elementary charge, in V/K."""
DEVICE_FIELDS: tuple[tuple[str, type[np.float64]], ...] = ()
"""Cells of this model have no more than the fields that all models' cells have."""
OPEN, SHORT = 1e-15, 5e-4
"""Conductance of open and of shorted cells, in S."""
_STUCK_LOW, _STUCK_HIGH, _STUCK_OPEN = 1, 2, 3


# Threshold and conductance


@inlined
def thermal_voltage(kelvin: float) -> float:
    """Return kT/q, in V."""
    return VOLTS_A_KELVIN * kelvin


@inlined
def slope(p: Packed) -> float:
    """Return n kT/q at room temperature: the word line's volts that change the current e times."""
    return float(p.slope_factor * thermal_voltage(ROOM_TEMPERATURE))


@inlined
def saturation(voltage: float, kelvin: float) -> float:
    """Return the part of the saturated current that flows at a drain voltage: 1 - exp(-V/Ut)."""
    return -math.expm1(-voltage / thermal_voltage(kelvin))


@inlined
def threshold_conductance(p: Packed) -> float:
    """Return the conductance of a cell whose threshold is the read gate, in S."""
    return float(p.threshold_current * saturation(READ_VOLTAGE, ROOM_TEMPERATURE) / READ_VOLTAGE)


@inlined
def conductance_of(p: Packed, threshold: float) -> float:
    """Return g of a threshold: I0 exp((V_read - V_t) / (n Ut)), over 0.2 V."""
    return float(threshold_conductance(p) * math.exp((p.read_gate - threshold) / slope(p)))


@inlined
def threshold_of(p: Packed, g: float) -> float:
    """Return the threshold of a cell that conducts g, in V: the inverse of `conductance_of`."""
    return float(p.read_gate - slope(p) * math.log(g / threshold_conductance(p)))


# Pulses


@inlined
def is_on(p: Packed, gate: float) -> bool:
    """Say whether the select gate conducts."""
    return bool(gate > p.gate_threshold)


@inlined
def open_gate(p: Packed) -> float:
    """Return the word line of a read."""
    return float(p.read_gate)


@inlined
def effective_amplitude(p: Packed, kind: int, amplitude: float, gate: float) -> float:
    """Return the amplitude; a program pulse behind a select gate that is off is none."""
    if kind != SET and gate <= p.gate_threshold:
        return 0.0
    return amplitude


@inlined
def tunnelling(p: Packed, voltage: float) -> float:
    """Return the current at a voltage over that of the reference erase: V^2 exp(-B/V).

    Fowler and Nordheim; `voltage` stands between word line and channel of a neutral cell.
    """
    if voltage <= 0.0:
        return 0.0
    ratio = voltage / p.erase_voltage
    less = p.tunnel_voltage * (1.0 / p.erase_voltage - 1.0 / voltage)
    return float(ratio * ratio * math.exp(less))


@inlined
def injection(p: Packed, amplitude: float, gate: float) -> float:
    """Return the injected current over that of the reference program pulse.

    Exponential in the drain-side voltage (lucky electrons), in proportion to the channel's current,
    which the select gate limits to at most that of the reference.
    """
    if amplitude <= 0.0 or gate <= p.gate_threshold:
        return 0.0
    channel = min((gate - p.gate_threshold) / (p.program_gate - p.gate_threshold), 1.0)
    return float(channel * math.exp((amplitude - p.program_voltage) / p.program_slope))


@inlined
def strength(p: Packed, kind: int, amplitude: float, width: float, gate: float) -> float:
    """Return how many reference pulses a pulse equals: its current times its width."""
    if amplitude <= 0.0 or width <= 0.0:
        return 0.0
    if kind == SET:
        return float(tunnelling(p, amplitude + gate) * width / p.pulse_width)
    return float(injection(p, amplitude, gate) * width / p.pulse_width)


@inlined
def pulse_of(p: Packed, kind: int, amplitude: float, width: float, gate: float) -> Pulse:
    """Work out a pulse for the median device."""
    effective = effective_amplitude(p, kind, amplitude, gate)
    rho = strength(p, kind, effective, width, gate)
    return Pulse(kind, rho, p.bound_low, p.bound_high, effective, 1.0)


@inlined
def formed(p: Packed, device: Device, pulse: Pulse) -> tuple[float, float]:
    """Move a cell without charge: there is nothing to form."""
    bounds = (pulse.low, pulse.high)
    after = moved(
        p, pulse.kind, device.fresh_conductance, pulse.strength * device.rate_factor, bounds
    )
    return min(max(after, pulse.low), pulse.high), 0.0


@inlined
def device_bounds(p: Packed, device: Device, pulse: Pulse, damage: float) -> tuple[float, float]:
    """Return the ends of the range in which the model holds."""
    return pulse.low, pulse.high


@inlined
def cycle_strength(p: Packed, rho: float, normal: float) -> float:
    """Return rho exp(sigma_c xi - sigma_c^2 / 2): strength scatters, its mean stays."""
    if p.cycle_spread > 0.0:
        rho *= math.exp(p.cycle_spread * (normal - 0.5 * p.cycle_spread))
    return rho


@inlined
def erase_saturation(p: Packed) -> float:
    """Return the fall of threshold after which tunnelling is e times less: V^2 / (B + 2 V).

    The logarithmic derivative of V^2 exp(-B/V) at the reference: charge that has left no longer
    helps those that follow.
    """
    return float(p.erase_voltage**2 / (p.tunnel_voltage + 2.0 * p.erase_voltage))


@inlined
def shift(p: Packed, kind: int, threshold: float, rho: float) -> float:
    """Return the shift of a threshold by a pulse, in V; positive in programming.

    dV/dt = a exp(-+(V - V_n)/v) integrates to v ln(1 + rho step/v exp(-+(V - V_n)/v)): each pulse
    shifts less than the one before it, and two pulses of a width shift as one of twice the width.
    """
    charge = threshold - p.neutral_threshold
    if kind == SET:
        v = erase_saturation(p)
        return -v * math.log1p(rho * p.erase_step / v * math.exp(charge / v))
    v = p.program_saturation
    return float(v * math.log1p(rho * p.program_step / v * math.exp(-charge / v)))


@inlined
def strength_of_shift(p: Packed, kind: int, threshold: float, volts: float) -> float:
    """Return the strength of the pulse that shifts a threshold so: the inverse of `shift`."""
    charge = threshold - p.neutral_threshold
    if kind == SET:
        v = erase_saturation(p)
        return float(math.expm1(-volts / v) * v / p.erase_step * math.exp(-charge / v))
    v = p.program_saturation
    return float(math.expm1(volts / v) * v / p.program_step * math.exp(charge / v))


@inlined
def moved(p: Packed, kind: int, g: float, rho: float, bounds: tuple[float, float]) -> float:
    """Return g after the mean motion of rho reference pulses, before it is cut to the bounds."""
    threshold = threshold_of(p, g)
    return conductance_of(p, threshold + shift(p, kind, threshold, rho))


@inlined
def spread_of_pulse(p: Packed, kind: int, g: float, rho: float) -> float:
    """Return the spread by the number of electrons, in S: variance q/C times the shift."""
    size = abs(shift(p, kind, threshold_of(p, g), rho))
    return float(g * math.sqrt(p.electron_shift * size) / slope(p))


@inlined
def carried(p: Packed, kept: float, seen: float) -> float:
    """Return `seen`: charge that has leaked away does not come back with the next pulse."""
    return seen


@inlined
def wear(p: Packed, device: Device, motion: float, damage: float) -> float:
    """Return the damage of a motion: none."""
    return 0.0


# Time and reads


@inlined
def least_conductance(p: Packed) -> float:
    """Return the least that a cell may conduct, in S: next to nothing."""
    return OPEN


@inlined
def decades(p: Packed, elapsed: float) -> float:
    """Return l = log10(1 + t / t0), the clock of detrapping."""
    return math.log10(1.0 + max(elapsed, 0.0) / p.detrapping_time)


@inlined
def walk_share(p: Packed) -> float:
    """Return 1: every cell moves in every stretch."""
    return 1.0


@inlined
def relaxed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return g after charge has leaked and traps have emptied for l = `at`.

    V_t = V_n + (V_t0 - V_n) exp(-t / tau) + m l + s W(l), with t = t0 (10^l - 1).
    """
    elapsed = p.detrapping_time * math.expm1(at * math.log(10.0))
    charge = (threshold_of(p, g) - p.neutral_threshold) * math.exp(-elapsed / p.loss_time)
    drift = p.detrapping_drift * at + p.detrapping_sigma * walk
    return conductance_of(p, p.neutral_threshold + charge + drift)


@inlined
def disturb_decades(p: Packed, reads: float) -> float:
    """Return 0: reads at some tenths of a volt neither tunnel nor inject."""
    return 0.0


@inlined
def disturb_rate(p: Packed, voltage: float) -> float:
    """Return 0, as `disturb_decades`."""
    return 0.0


@inlined
def disturbed(p: Packed, g: float, at: float, walk: float) -> float:
    """Return g."""
    return g


@inlined
def at_temperature(p: Packed, g: float, kelvin: float) -> float:
    """Return g at a temperature: the slope is n kT/q, the threshold falls in proportion to T."""
    if kelvin == ROOM_TEMPERATURE:
        return g
    over = (
        p.read_gate - threshold_of(p, g) + p.temperature_coefficient * (kelvin - ROOM_TEMPERATURE)
    )
    unit = p.threshold_current * saturation(READ_VOLTAGE, kelvin) / READ_VOLTAGE
    return float(unit * math.exp(over / (p.slope_factor * thermal_voltage(kelvin))))


# Currents


@inlined
def current(p: Packed, g: float, voltage: float) -> float:
    """Return the current at the read gate, in A: g 0.2 V (1 - exp(-V/Ut))/(1 - exp(-0.2 V/Ut)).

    Below threshold the drain saturates within some Ut; the cell is symmetric.
    """
    full = g * READ_VOLTAGE / saturation(READ_VOLTAGE, ROOM_TEMPERATURE)
    return math.copysign(full * saturation(abs(voltage), ROOM_TEMPERATURE), voltage)


@inlined
def voltage_at(p: Packed, g: float, amperes: float) -> float:
    """Return the voltage at which the cell carries this current; inf beyond its saturation."""
    full = g * READ_VOLTAGE / saturation(READ_VOLTAGE, ROOM_TEMPERATURE)
    if abs(amperes) >= full:
        return math.copysign(math.inf, amperes)
    size = -thermal_voltage(ROOM_TEMPERATURE) * math.log1p(-abs(amperes) / full)
    return math.copysign(size, amperes)


@inlined
def saturation_current(p: Packed, gate: float) -> float:
    """Return the most current of the select gate's channel, in A."""
    return float(p.drive_slope * max(gate - p.gate_threshold, 0.0))


@inlined
def channel_current(p: Packed, g: float, voltage: float, gate: float) -> float:
    """Return the current with the word line at `gate`: e times more a slope, up to a limit."""
    over = min((gate - p.read_gate) / slope(p), 60.0)
    size = abs(current(p, g, voltage)) * math.exp(over)
    return math.copysign(min(size, saturation_current(p, gate)), voltage)


@inlined
def compliance_bound(p: Packed, compliance: float) -> float:
    """Return the conductance whose saturated current is the compliance, in S."""
    return float(compliance * saturation(READ_VOLTAGE, ROOM_TEMPERATURE) / READ_VOLTAGE)


# Devices


@inlined
def draw_device(p: Packed, device: Device, normals: Eight, uniforms: Eight) -> None:
    """Fill in a cell's strength of pulses, its thresholds without charge and erased, its RTN."""
    device.rate_factor = math.exp(p.rate_spread * normals[0])
    offset = p.threshold_spread * normals[1]
    fresh = conductance_of(p, p.neutral_threshold + offset)
    erased = conductance_of(p, p.erased_threshold + offset)
    device.fresh_conductance = min(max(fresh, p.bound_low), p.bound_high)
    device.formed_conductance = min(max(erased, p.bound_low), p.bound_high)
    telegraphic = uniforms[0] < p.rtn_fraction
    device.rtn_amplitude = p.rtn_amplitude * 2.0 * uniforms[1] if telegraphic else 0.0
    device.rtn_time = p.rtn_time * math.exp(normals[2])
    device.worn_class = _STUCK_LOW


@inlined
def stuck_conductance(p: Packed, device: Device, stuck: int) -> float:
    """Return what a cell of this StuckClass conducts, in S."""
    if stuck == _STUCK_LOW:
        return float(p.bound_low)
    if stuck == _STUCK_HIGH:
        return float(p.bound_high)
    return OPEN if stuck == _STUCK_OPEN else SHORT
