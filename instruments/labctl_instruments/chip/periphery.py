"""What stands between cells and codes in a MAC: the wires, the drivers' digits, the converters."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import DeviceModel, FloatArray
from labctl_data.model.vectors import current
from labctl_instruments.chip.converters import Converters, ConverterSpread
from labctl_instruments.chip.crossbar import Tiles, Wires
from labctl_instruments.chip.request import Layout, LineArray, Request, layout_of

Standing = Callable[[LineArray], FloatArray]
"""Returns what cells (n,) conduct, shape (n,), in S."""

DRIFT_WITHOUT_EFFECT = 1e-2
"""Drift of a line's conductance, over the largest, up to which drops along wires stand. They are
some percent of the currents, so this neglects some 1e-4, a hundredth of the read noise."""
_PLANS_KEPT = 64
_AS_GOOD_AS_NONE = 1e-6
"""A segment of wire, in ohm, where leads alone resist: 1e-9 of what a cell of 100 uS has."""


class Periphery:
    """The periphery of one chip, and what it last worked out for each plan.

    Parameters
    ----------
    model : DeviceModel
        The device model: its I-V law and its read noise.
    geometry : Geometry
        The chip.
    seed : int
        Seed of the chip.
    resistances : (float, float)
        Of one segment of a bit or source line, and between each driver and its line's end, in ohm;
        0: ideal lines.
    is_still : bool
        Whether only pulses change the cells: the drops along wires are then always exact.
    converters : ConverterSpread
        How far the converters are from ideal.
    """

    def __init__(
        self,
        model: DeviceModel,
        geometry: Geometry,
        *,
        seed: int,
        resistances: tuple[float, float],
        is_still: bool,
        converters: ConverterSpread,
    ) -> None:
        self._model, self._geometry = model, geometry
        self._tiles = None
        wire_resistance, lead_resistance = resistances
        leads = (lead_resistance, lead_resistance + converters.input_resistance)
        if wire_resistance or any(leads):
            tolerance = 0.0 if is_still else DRIFT_WITHOUT_EFFECT
            wires = Wires.alike(wire_resistance or _AS_GOOD_AS_NONE)
            self._tiles = Tiles(wires, leads=leads, tolerance=tolerance)
        self._is_time_coded = converters.time_coded
        self._converters = Converters(converters, geometry, seed=seed)
        self._known: dict[int, tuple[Hashable, Request]] = {}

    def offsets(self, lines: LineArray) -> FloatArray:
        """Return what the converters of source lines add to a current, in A, shape (n,)."""
        return self._converters.offsets(lines)

    def conversions_in_turn(self, rows: npt.ArrayLike, plan: MacPlan) -> int:
        """Return the conversions that one slot of a vector takes one after another, all blocks."""
        return self._converters.turns(np.asarray(rows, np.int64), plan)

    def pulse_units(self, plan: MacPlan) -> int:
        """Return how many times the plan's read width one slot takes: in time, as its digits."""
        return 2**plan.dac_bits - 1 if self._is_time_coded else 1

    def request(
        self,
        plan: MacPlan,
        lines: LineArray,
        standing: Standing,
        settled: Standing,
        *,
        moment: Hashable,
    ) -> Request:
        """Return what the conversions of a plan need.

        `standing` tells what cells conduct at that moment, `settled` the same without two-state
        noise (for the drops along wires, to which single cells add little). The request is worked
        out anew only where `moment`, which says when the cells were as they are, is another than at
        the plan's last one. Plans are known by identity and do not change.
        """
        known_moment, known = self._known.pop(id(plan), (None, None))
        if known is None or not np.array_equal(known.layout.lines, lines):
            known = self._blank(plan, layout_of(plan, lines, self._geometry))
            known_moment = None
        if known_moment != moment:
            known = replace(known, steps=self._steps(known, standing, settled))
        self._known[id(plan)] = (moment, known)  # a request holds its plan, so its id is its own
        if len(self._known) > _PLANS_KEPT:
            self._known.pop(next(iter(self._known)))
        return known

    def _blank(self, plan: MacPlan, layout: Layout) -> Request:
        """Return what follows from a plan and its lines, whatever the cells conduct."""
        highest = 2**plan.dac_bits - 1
        parts = np.arange(highest + 1) / highest
        if self._is_time_coded:  # a part of the time at the whole voltage: of a charge, that part
            digits = parts * current(self._model, 1.0, plan.read_voltage)
        else:
            digits = current(self._model, 1.0, plan.read_voltage * parts)
        lines, converters = layout.lines, self._converters
        return Request(
            plan=plan,
            layout=layout,
            steps=np.empty(0),
            offsets=converters.offsets(lines) / plan.lsb,
            gains=converters.gains(lines),
            edges=converters.edges(plan.adc_bits),
            edges_of=converters.of(lines),
            digit_currents=digits,
            relative_noise=self._model.read_noise,
            converter_noise=converters.noise / plan.lsb,
        )

    def _steps(self, request: Request, standing: Standing, settled: Standing) -> FloatArray:
        """Return the currents that reach the converters, shape (n_blocks, width, n_lines).

        In ADC steps, without read noise, each input alone at its highest digit.
        """
        layout, volts = request.layout, request.plan.read_voltage
        chord = request.digit_currents[-1] / volts if volts else 1.0
        part = self._arriving(layout.cells, lambda cells: chord * settled(cells))
        steps = np.zeros(layout.used.shape)
        steps[layout.used] = part * standing(layout.cells)
        steps *= request.gains[:, np.newaxis] * (request.digit_currents[-1] / request.plan.lsb)
        return steps

    def _arriving(self, cells: LineArray, chords: Standing) -> FloatArray | float:
        """Return the part of cells' currents that arrives while all word lines are on, (n,).

        Wires take the rest, by what all cells of the array draw. Each counts with its chord at the
        read voltage: drops are small.
        """
        if self._tiles is None:
            return 1.0
        pes, rows, columns = self._geometry.shape
        size = rows * columns
        part = np.ones((pes, rows, columns))
        for pe in np.unique(cells // size).tolist():
            conductance = chords(np.arange(pe * size, (pe + 1) * size)).reshape(rows, columns)
            part[pe] = self._tiles.arriving(pe, conductance)
        return np.asarray(part.reshape(-1)[cells])
