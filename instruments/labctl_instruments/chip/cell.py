"""One cell with its state: what it conducts now, what a pulse does to it, what a read sees.

Scalar compiled functions over two tables of records: `devices` (what a cell is, of the model's
`device_type`) and `states` (what has happened to it). The equations are those of the device model,
reached through `labctl_data.model.laws`; added here are state, random draws and what is stuck.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from labctl_data.model import laws
from labctl_data.model.compiled import inlined
from labctl_data.model.laws import NODE_SPACING, Pulse
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.random import Key

STATE = np.dtype(
    [
        ("conductance", np.float64),  # S, less what has relaxed since
        ("acted_at", np.float64),  # s of effective (Arrhenius) time when relaxation began
        ("disturb", np.float64),  # reads at 0.2 V since then, stress only
        ("events", np.uint32),  # pulses that acted: number of the draw
        ("walk", np.uint32),  # event whose relaxation runs; 0: none, the cell has settled
        ("pulses", np.uint32),  # programming pulses received
        ("reads", np.uint32),  # reads: number of the draw
        ("formed", np.uint8),  # 1 once formed
        ("stuck", np.uint8),  # StuckClass
        ("walk_node", np.int16),  # remembered part of the relaxation walk; -1: none
        ("walk_sum", np.float64),  # W at that node
        ("walk_slope", np.float64),  # Student number of the stretch after it
        ("damage", np.float64),  # by forming too far and by wear; 1: dead
    ]
)
"""What has happened to a cell. The walk_* fields only save work: they follow from the others."""

Records = Any
"""A table of records; numba reads their fields as attributes, which numpy's types do not know."""
Record = Any


class Tables(NamedTuple):
    """All that a chip is, as the compiled functions take it."""

    model: Records
    """Packed parameters, shape (1,)."""
    key: Key
    """Key of the random draws, shape (2,)."""
    devices: Records
    """DEVICE records, shape (n_cells,)."""
    states: Records
    """STATE records, shape (n_cells,)."""
    ambient: FloatArray
    """Temperature of the chip, in K, shape (1,)."""


LEAST_STRENGTH = 1e-6
"""Pulses weaker than this many reference pulses leave no trace (a read at 0.2 V has 1.5e-8)."""
FULL_STRENGTH = 0.3
"""Reference pulses from which a pulse sets relaxation going anew."""
SHORT = 4
"""`StuckClass` of a cell that forming destroys."""
FASTEST_FLICKER, SLOWEST_FLICKER = -6, 6
"""Decades of time constants of 1/f noise: 1 us to 1 Ms."""


@inlined
def walk(t: Tables, cell: int, at: float) -> float:
    """Return W(l) of the cell's relaxation since the last pulse that set it going.

    Independent unit-variance Student numbers x_k at nodes l_k every half decade,
    W(l) = sum x_j sqrt(1/2) over passed nodes + x_k sqrt(l - l_k): Var W(l) = l whatever was read
    when. The last node is remembered in the state.
    """
    state = t.states[cell]
    node = int(at / NODE_SPACING)
    if state.walk_node < 0 or node < state.walk_node:
        state.walk_node = 0
        state.walk_sum = 0.0
        state.walk_slope = increment(t, cell, state.walk, 0)
    while state.walk_node < node:
        state.walk_sum += state.walk_slope * math.sqrt(NODE_SPACING)
        state.walk_node += 1
        state.walk_slope = increment(t, cell, state.walk, state.walk_node)
    past = max(at - node * NODE_SPACING, 0.0)
    return float(state.walk_sum + state.walk_slope * math.sqrt(past))


@inlined
def increment(t: Tables, cell: int, event: int, node: int) -> float:
    """Return the Student number of the stretch after a node; 0 where the cell does not move."""
    words = rnd.draw(t.key, cell, event, rnd.WALK, node >> 2)
    which = node & 3
    if which < 2:
        word = words[0] if which == 0 else words[1]
    else:
        word = words[2] if which == 2 else words[3]
    return rnd.rare_student(rnd.uniform(word), laws.walk_share(t.model[0]))


@inlined
def disturb_walk(key: Key, cell: int, event: int, at: float) -> float:
    """Return the same walk for read disturb, in normal numbers and without memory."""
    total = 0.0
    node = int(at / NODE_SPACING)
    for k in range(node + 1):
        words = rnd.draw(key, cell, event, rnd.DISTURB, k)
        length = NODE_SPACING if k < node else max(at - node * NODE_SPACING, 0.0)
        total += rnd.normal_pair(words[0], words[1])[0] * math.sqrt(length)
    return total


@inlined
def conductance_now(t: Tables, cell: int, now: float) -> float:
    """Return the conductance at effective time `now` and room temperature, in S, without noise.

    A cell that never felt a full pulse has settled long ago and does not relax.
    """
    p, state = t.model[0], t.states[cell]
    if state.stuck != 0:
        return laws.stuck_conductance(p, t.devices[cell], state.stuck)
    g = state.conductance
    if state.walk > 0:
        at = laws.decades(p, now - state.acted_at)
        g = laws.relaxed(p, g, at, walk(t, cell, at))
    if state.disturb > 0.0:
        at = laws.disturb_decades(p, state.disturb)
        g = laws.disturbed(p, g, at, disturb_walk(t.key, cell, state.walk, at))
    return float(max(g, laws.least_conductance(p)))


@inlined
def warm(t: Tables, cell: int, now: float) -> float:
    """Return the same at the chip's temperature."""
    return laws.at_temperature(t.model[0], conductance_now(t, cell, now), t.ambient[0])


@inlined
def telegraph(t: Tables, cell: int, time: float) -> float:
    """Return the factor 1 +- amplitude / 2 of two-state noise at bench time `time`."""
    device = t.devices[cell]
    if device.rtn_amplitude <= 0.0:
        return 1.0
    dwell = int(time / device.rtn_time)
    words = rnd.draw(t.key, cell, dwell & 0xFFFFFFFF, rnd.TELEGRAPH, dwell >> 32)
    return float(1.0 + device.rtn_amplitude * (float(words[0] & np.uint64(1)) - 0.5))


@inlined
def flicker(t: Tables, cell: int, time: float) -> float:
    """Return the factor 1 + 1/f noise at bench time `time`.

    One normal number a decade of time constants, held for tau = 10^(k + u) s, u the cell's own: of
    many cells together the power spectrum is that of 1/f noise with flicker_noise^2 a decade.
    """
    p = t.model[0]
    if p.flicker_noise <= 0.0:
        return 1.0
    total = 0.0
    hold = 10.0 ** (FASTEST_FLICKER + t.devices[cell].flicker_phase)
    for decade in range(SLOWEST_FLICKER - FASTEST_FLICKER):
        turn = int(time / hold)
        block = (turn >> 32) * 16 + decade
        words = rnd.draw(t.key, cell, turn & 0xFFFFFFFF, rnd.FLICKER, block)
        total += rnd.normal_pair(words[0], words[1])[0]
        hold *= 10.0
    return float(1.0 + p.flicker_noise * total)


@inlined
def wandering(t: Tables, cell: int, time: float) -> float:
    """Return the factor of slow noise, of two states and 1/f, on what a cell conducts."""
    return telegraph(t, cell, time) * flicker(t, cell, time)


@inlined
def read_noise(t: Tables, cell: int, averages: int) -> float:
    """Return the factor 1 + noise of the cell's next read, and count the read."""
    p, state = t.model[0], t.states[cell]
    words = rnd.draw(t.key, cell, state.reads, rnd.READ, 0)
    state.reads += np.uint32(1)
    if p.read_noise <= 0.0:
        return 1.0
    return float(1.0 + p.read_noise * rnd.normal_pair(words[0], words[1])[0] / math.sqrt(averages))


@inlined
def seen(t: Tables, cell: int, clock: tuple[float, float], averages: int) -> float:
    """Return the conductance that a read sees, in S, and count the read.

    `clock` is (effective time, bench time), in s. With 0 averages nothing is read: the answer is
    free of noise and no read is counted.
    """
    g = warm(t, cell, clock[0])
    if averages == 0:
        return g
    return g * wandering(t, cell, clock[1]) * read_noise(t, cell, averages)


@inlined
def act(t: Tables, cell: int, pulse: Pulse, now: float) -> bool:
    """Let a pulse act on a cell at effective time `now`; say whether it left a trace."""
    state = t.states[cell]
    if state.stuck != 0:
        return False
    if state.formed == 0:
        return form(t, cell, pulse, now)
    return switch(t, cell, pulse, now)


@inlined
def relax_anew(t: Tables, cell: int, conductance: float, now: float) -> None:
    """Put a cell at a conductance from which its relaxation begins."""
    state = t.states[cell]
    state.conductance = conductance
    state.acted_at = now
    state.disturb = 0.0
    state.walk = state.events
    state.walk_node = -1


@inlined
def form(t: Tables, cell: int, pulse: Pulse, now: float) -> bool:
    """Form a fresh cell, if the pulse does."""
    state = t.states[cell]
    conductance, damage = laws.formed(t.model[0], t.devices[cell], pulse)
    if conductance <= 0.0:
        return False
    state.formed = 1
    state.damage = damage
    if damage >= 1.0:
        state.stuck = SHORT
    state.events += np.uint32(1)
    relax_anew(t, cell, conductance, now)
    return True


@inlined
def switch(t: Tables, cell: int, pulse: Pulse, now: float) -> bool:
    """Move a formed cell: g <- clip(moved(g, rho) + sigma(g, rho) xi) to the bounds.

    Nothing happens on the far side of the bound, or below `LEAST_STRENGTH`. A pulse weaker than
    `FULL_STRENGTH` moves the cell on its running relaxation; a full one starts it anew, from what
    the model's `carried` says: of a filament without what had relaxed, so that trains take as many
    pulses on a slow bench as on a fast one.
    """
    p, device, state = t.model[0], t.devices[cell], t.states[cell]
    rho = pulse.strength * device.rate_factor
    if rho < LEAST_STRENGTH:
        return False
    low, high = laws.device_bounds(p, device, pulse, state.damage)
    g = conductance_now(t, cell, now)
    if (g >= high) if pulse.kind == laws.SET else (g <= low):
        return False
    words = rnd.draw(t.key, cell, state.events, rnd.PULSE, 0)
    step_normal, rate_normal = rnd.normal_pair(words[0], words[1])
    rho = laws.cycle_strength(p, rho, rate_normal)
    after = laws.moved(p, pulse.kind, g, rho, (low, high))
    after += laws.spread_of_pulse(p, pulse.kind, g, rho) * step_normal
    after = min(max(after, min(low, g)), max(high, g))
    state.damage += laws.wear(p, device, after - g, state.damage)
    if state.damage >= 1.0:
        state.stuck = np.uint8(device.worn_class)
    state.events += np.uint32(1)
    moved = state.conductance + after - g
    if rho < FULL_STRENGTH:
        state.conductance = moved
    else:
        anew = laws.carried(p, moved, after)
        relax_anew(t, cell, min(max(anew, min(low, g)), max(high, g)), now)
    return True
