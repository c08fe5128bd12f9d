"""What stands between cells and codes in a MAC: the wires, the drivers' digits, the converters."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.model.vectors import current
from labctl_instruments.chip.converters import Converters, ConverterSpread
from labctl_instruments.chip.crossbar import Tiles, Wires
from labctl_instruments.chip.request import Layout, LineArray, Request, layout_of

Standing = Callable[[LineArray], FloatArray]
"""Returns what cells (n,) conduct at the moment of the MAC, shape (n,), in S."""

_PLANS_KEPT = 64


class Periphery:
    """The periphery of one chip, and what it last worked out for each plan.

    Parameters
    ----------
    model : SoftBoundModel
        The device model: its I-V law and its read noise.
    geometry : Geometry
        The chip.
    seed : int
        Seed of the chip.
    wire_resistance : float
        Of one segment of a bit or source line, in ohm; 0: ideal lines.
    converters : ConverterSpread
        How far the converters are from ideal.
    """

    def __init__(
        self,
        model: SoftBoundModel,
        geometry: Geometry,
        *,
        seed: int,
        wire_resistance: float,
        converters: ConverterSpread,
    ) -> None:
        self._model, self._geometry = model, geometry
        self._tiles = Tiles(Wires.alike(wire_resistance)) if wire_resistance else None
        self._converters = Converters(converters, geometry, seed=seed)
        self._known: dict[int, tuple[Hashable, Request]] = {}

    def conversions_in_turn(self, rows: npt.ArrayLike, plan: MacPlan) -> int:
        """Return the conversions that one slot of a vector takes one after another, all blocks."""
        return self._converters.turns(np.asarray(rows, np.int64), plan)

    def request(
        self, plan: MacPlan, lines: LineArray, standing: Standing, *, moment: Hashable
    ) -> Request:
        """Return what the conversions of a plan need.

        It is worked out anew only where `moment`, which says when the cells were as they are, is
        another than at the plan's last request. Plans are known by identity and do not change.
        """
        known_moment, known = self._known.pop(id(plan), (None, None))
        if known is None or not np.array_equal(known.layout.lines, lines):
            known = self._blank(plan, layout_of(plan, lines, self._geometry))
            known_moment = None
        if known_moment != moment:
            known = replace(known, steps=self._steps(known, standing))
        self._known[id(plan)] = (moment, known)  # a request holds its plan, so its id is its own
        if len(self._known) > _PLANS_KEPT:
            self._known.pop(next(iter(self._known)))
        return known

    def _blank(self, plan: MacPlan, layout: Layout) -> Request:
        """Return what follows from a plan and its lines, whatever the cells conduct."""
        highest = 2**plan.dac_bits - 1
        digits = current(self._model, 1.0, plan.read_voltage * np.arange(highest + 1) / highest)
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

    def _steps(self, request: Request, standing: Standing) -> FloatArray:
        """Return the currents that reach the converters, shape (n_blocks, width, n_lines).

        In ADC steps, without read noise, each input alone at its highest digit.
        """
        layout, volts = request.layout, request.plan.read_voltage
        chord = request.digit_currents[-1] / volts if volts else 1.0
        amperes = volts * self._effective(layout.cells, lambda cells: chord * standing(cells))
        steps = np.zeros(layout.used.shape)
        steps[layout.used] = amperes / request.plan.lsb
        steps *= request.gains[:, np.newaxis]
        return steps

    def _effective(self, cells: LineArray, standing: Standing) -> FloatArray:
        """Return what source lines see of cells while all word lines are on, shape (n,), in S.

        Wires make it less than what the cell conducts, by all that the other cells of its array
        draw. Each cell counts with its chord at the read voltage: drops are small.
        """
        if self._tiles is None:
            return standing(cells)
        pes, rows, columns = self._geometry.shape
        size = rows * columns
        seen = np.zeros((pes, rows, columns))
        for pe in np.unique(cells // size).tolist():
            conductance = standing(np.arange(pe * size, (pe + 1) * size))
            seen[pe] = self._tiles.effective(pe, conductance.reshape(rows, columns))
        return np.asarray(seen.reshape(-1)[cells])
