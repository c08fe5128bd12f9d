"""The chip's loops over cells: compiled, without the interpreter lock, one thread's share each.

A share is a range of cells: a thread visits the cells of its share in the order
asked, so a cell that stands twice is served twice in order, and shares do not change the answer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model import laws
from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.laws import Pulse
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import random as rnd
from labctl_instruments.chip.cell import (
    LEAST_STRENGTH,
    Tables,
    act,
    seen,
    wandering,
    warm,
)

IndexArray = npt.NDArray[np.int64]
Share = tuple[int, int, int, int]
"""First and past cell, and first and past place of the call at which they may stand."""


@compiled
def draw_devices(t: Tables) -> None:
    """Draw what every cell is, from the model's spreads and the seed."""
    for cell in range(t.devices.shape[0]):
        a = rnd.draw(t.key, cell, 0, rnd.DEVICE, 0)
        b = rnd.draw(t.key, cell, 0, rnd.DEVICE, 1)
        c = rnd.draw(t.key, cell, 0, rnd.DEVICE, 2)
        d = rnd.draw(t.key, cell, 0, rnd.DEVICE, 3)
        normals = (
            *rnd.normal_pair(a[0], a[1]),
            *rnd.normal_pair(a[2], a[3]),
            *rnd.normal_pair(b[0], b[1]),
            *rnd.normal_pair(d[0], d[1]),
        )
        uniforms = (
            rnd.uniform(b[2]),
            rnd.uniform(b[3]),
            rnd.uniform(c[0]),
            rnd.uniform(c[1]),
            rnd.uniform(c[2]),
            rnd.uniform(c[3]),
            rnd.uniform(d[2]),
            rnd.uniform(d[3]),
        )
        t.devices[cell].flicker_phase = uniforms[7]
        laws.draw_device(t.model[0], t.devices[cell], normals, uniforms)


@compiled
def conductances(t: Tables, index: IndexArray, now: FloatArray, out: FloatArray) -> None:
    """Fill `out` with true conductances at effective times `now`."""
    for i in range(index.shape[0]):
        out[i] = warm(t, index[i], now[i])


@compiled
def standing(
    t: Tables, index: IndexArray, clock: tuple[float, float], out: FloatArray, share: Share
) -> None:
    """Fill `out` with conductances at (effective time, bench time), two-state noise included."""
    for i in range(share[2], share[3]):
        cell = index[i]
        if share[0] <= cell < share[1]:
            out[i] = warm(t, cell, clock[0]) * wandering(t, cell, clock[1])


@compiled
def measure(
    t: Tables,
    index: IndexArray,
    clock: FloatArray,
    read: tuple[float, int],
    out: FloatArray,
    share: Share,
) -> None:
    """Fill `out` with currents at (voltage, averages); clock rows: effective time, bench time."""
    amperes_per_siemens = laws.current(t.model[0], 1.0, read[0])
    for i in range(share[2], share[3]):
        cell = index[i]
        if share[0] <= cell < share[1]:
            g = seen(t, cell, (clock[0, i], clock[1, i]), read[1])
            out[i] = g * amperes_per_siemens


@compiled
def pulse(
    t: Tables, index: IndexArray, kinds: IndexArray, numbers: FloatArray, share: Share
) -> None:
    """Pulse cells; rows of `numbers`: amplitude, width, gate, effective time."""
    p = t.model[0]
    last = -1
    prepared = laws.pulse_of(p, 0, 0.0, 0.0, 0.0)
    for i in range(share[2], share[3]):
        cell = index[i]
        if not share[0] <= cell < share[1]:
            continue
        if last < 0 or not same_pulse(kinds, numbers, i, last):
            prepared = laws.pulse_of(p, kinds[i], numbers[0, i], numbers[1, i], numbers[2, i])
            last = i
        t.states[cell].pulses += np.uint32(1)
        act(t, cell, prepared, numbers[3, i])


@inlined
def same_pulse(kinds: IndexArray, numbers: FloatArray, i: int, j: int) -> bool:
    """Say whether entries i and j ask for the same pulse."""
    return bool(
        kinds[i] == kinds[j]
        and numbers[0, i] == numbers[0, j]
        and numbers[1, i] == numbers[1, j]
        and numbers[2, i] == numbers[2, j]
    )


@compiled
def stress(t: Tables, index: IndexArray, pulses: tuple[float, float, float], now: float) -> None:
    """Apply equal READ-polarity pulses (voltage, width, count), the gate fully on.

    Below `LEAST_STRENGTH` a pulse only counts as disturb; above, `count` pulses act as one of
    `count` times the strength.
    """
    p = t.model[0]
    voltage, width, count = pulses
    one = laws.pulse_of(p, laws.SET, voltage, width, laws.open_gate(p))
    many = Pulse(one.kind, one.strength * count, one.low, one.high, one.amplitude, one.reach)
    for i in range(index.shape[0]):
        cell = index[i]
        if one.strength >= LEAST_STRENGTH:
            act(t, cell, many, now)
        t.states[cell].disturb += count * laws.disturb_rate(p, voltage)


class SweepSettings(NamedTuple):
    """What is the same at every point of a sweep."""

    dwell: float
    """Time at each point, in s."""
    gate: float
    """Word-line voltage, in V."""
    compliance: float
    """Largest current, in A."""


@compiled
def sweep(
    t: Tables,
    cell: int,
    voltages: FloatArray,
    clock: FloatArray,
    settings: SweepSettings,
    out: FloatArray,
) -> None:
    """Fill `out` rows with currents and compliance flags; clock rows as in `measure`.

    At each point the cell first dwells, which is a long pulse at the voltage the limits leave it,
    and is then read. A compliance stops a SET where a transistor of that saturation would.
    """
    p = t.model[0]
    highest = laws.compliance_bound(p, settings.compliance)
    limit = min(settings.compliance, laws.saturation_current(p, settings.gate))
    for i in range(voltages.shape[0]):
        size = abs(voltages[i])
        if size == 0.0:
            continue
        kind = 0 if voltages[i] > 0.0 else 1
        reached = laws.effective_amplitude(p, kind, size, settings.gate)
        at_limit = laws.voltage_at(p, warm(t, cell, clock[0, i]), limit)
        full = laws.pulse_of(p, kind, min(reached, at_limit), settings.dwell, settings.gate)
        if size > 0.5:
            t.states[cell].pulses += np.uint32(1)
        dwelt = Pulse(
            kind, full.strength, full.low, min(full.high, highest), full.amplitude, full.reach
        )
        act(t, cell, dwelt, clock[0, i])
        g = seen(t, cell, (clock[0, i], clock[1, i]), 1)
        amperes = abs(laws.channel_current(p, g, voltages[i], settings.gate))
        out[1, i] = 1.0 if amperes >= settings.compliance else 0.0
        out[0, i] = math.copysign(min(amperes, settings.compliance), voltages[i])
