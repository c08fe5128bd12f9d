"""What stands between cells and codes in a MAC: the wires, the drivers' digits, the converters."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.model.vectors import current
from labctl_instruments.chip.converters import Converters, ConverterSpread
from labctl_instruments.chip.crossbar import Tiles, Wires
from labctl_instruments.chip.request import Layout, LineArray, Request, layout_of

Standing = Callable[[LineArray, float], FloatArray]
"""Returns what cells (n,) carry at a voltage (V) at the moment of the MAC, (n,), in A."""

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
            known = self._made(plan, layout_of(plan, lines, self._geometry), standing)
        elif known_moment != moment:
            known = self._made(plan, known.layout, standing)
        self._known[id(plan)] = (moment, known)  # a request holds its plan, so its id is its own
        if len(self._known) > _PLANS_KEPT:
            self._known.pop(next(iter(self._known)))
        return known

    def _made(self, plan: MacPlan, layout: Layout, standing: Standing) -> Request:
        converters, lines = self._converters, layout.lines
        steps = np.zeros(layout.used.shape)
        steps[layout.used] = self._arriving(layout.cells, plan.read_voltage, standing) / plan.lsb
        return Request(
            plan=plan,
            layout=layout,
            steps=steps * converters.gains(lines)[:, np.newaxis],
            offsets=converters.offsets(lines) / plan.lsb,
            edges=converters.edges(plan.adc_bits),
            edges_of=converters.of(lines),
            weights=self._weights(plan),
            relative_noise=self._model.read_noise,
            converter_noise=converters.noise / plan.lsb,
        )

    def _arriving(self, cells: LineArray, voltage: float, standing: Standing) -> FloatArray:
        """Return what cells put on their source lines while all word lines are on, in A.

        Each with its bit line alone at `voltage`, without read noise, shape (n,). Wires make it
        less than the cell's own current, by all that the other cells of the array draw.
        """
        if self._tiles is None or voltage == 0.0:
            return standing(cells, voltage)
        pes, rows, columns = self._geometry.shape
        size = rows * columns
        seen = np.zeros((pes, rows, columns))
        for pe in np.unique(cells // size).tolist():
            amperes = standing(np.arange(pe * size, (pe + 1) * size), voltage)
            chord = (amperes / voltage).reshape(rows, columns)
            seen[pe] = self._tiles.effective(pe, chord) * voltage
        return np.asarray(seen.reshape(-1)[cells])

    def _weights(self, plan: MacPlan) -> FloatArray:
        """Return the current of each digit over that of the highest, shape (2**dac_bits,).

        The I-V law is the same function of voltage for all cells, so it acts on digits alone.
        """
        highest = 2**plan.dac_bits - 1
        amperes = current(self._model, 1.0, plan.read_voltage * np.arange(highest + 1) / highest)
        return amperes / amperes[-1] if amperes[-1] else amperes
