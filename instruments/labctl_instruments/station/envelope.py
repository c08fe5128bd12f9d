"""The envelope: what no request, whoever makes it, may exceed on a bench."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from labctl_instruments.errors import EnvelopeError, Excess


@dataclass(frozen=True)
class Envelope:
    """Hard limits of a bench; a station checks them before it sends anything.

    The energy of a pulse is judged at its worst: ``amplitude * current * width``, where `current`
    is this envelope's own limit and not what a model of the cell would promise; so is
    the power of pulses and reads. Sweeps are held by voltage, gate, compliance, and the power of a
    point at its compliance; the energy limit is about pulses.
    """

    voltage: float
    """Highest magnitude on a bit line or source line, in V."""
    gate_voltage: float
    """Highest word-line voltage, in V."""
    current: float
    """Highest current of one line, in A: the highest compliance that may be asked for."""
    energy: float
    """Highest worst-case energy of one pulse in one cell, in J."""
    pulses: int
    """Most programming pulses one cell may receive (by its counter, where the bench has one)."""
    power: float = inf
    """Highest worst-case power in one cell, in W."""
    temperature: float = inf
    """Highest temperature of the chip, in K."""

    def check_read(self, voltage: float, *, where: str) -> None:
        """Refuse a read voltage, in V, beyond the envelope.

        Raises
        ------
        EnvelopeError
            If its magnitude exceeds `voltage`, or its worst-case power `power`.
        """
        _refuse(where, self._beyond("read voltage", voltage, "voltage"))
        worst = np.multiply(voltage, self.current)
        _refuse(where, self._beyond("worst-case power of a read", worst, "power"))

    def check_pulses(
        self,
        amplitudes: npt.ArrayLike,
        widths: npt.ArrayLike,
        gates: npt.ArrayLike,
        *,
        where: str,
    ) -> None:
        """Refuse pulses beyond the envelope.

        Parameters
        ----------
        amplitudes, widths, gates : array_like of shape (n,) or scalar
            Magnitudes in V, lengths in s and word-line voltages in V.
        where : str
            The bench file, for the message.

        Raises
        ------
        EnvelopeError
            If a voltage, a gate voltage, a worst-case power or a worst-case energy is too high, or
            is no number.
        """
        powers = np.abs(amplitudes) * self.current
        energies = powers * np.asarray(widths)
        _refuse(where, self._beyond("pulse amplitude", amplitudes, "voltage"))
        _refuse(where, self._beyond("gate voltage", gates, "gate_voltage"))
        _refuse(where, self._beyond("worst-case pulse power", powers, "power"))
        _refuse(where, self._beyond("worst-case pulse energy", energies, "energy"))

    def check_sweep(
        self, voltages: npt.ArrayLike, *, gate: float, compliance: float, where: str
    ) -> None:
        """Refuse a sweep whose voltages (V), gate (V) or compliance (A) exceed the envelope.

        Raises
        ------
        EnvelopeError
            If one of them is too high, or is no number.
        """
        _refuse(where, self._beyond("sweep voltage", voltages, "voltage"))
        _refuse(where, self._beyond("gate voltage", gate, "gate_voltage"))
        _refuse(where, self._beyond("compliance", compliance, "current"))
        powers = np.abs(voltages) * compliance
        _refuse(where, self._beyond("power of a sweep at its compliance", powers, "power"))

    def check_counts(self, counts: npt.ArrayLike, *, where: str) -> None:
        """Refuse pulses that would take a cell's total, shape (n,), beyond `pulses`.

        Raises
        ------
        EnvelopeError
            If a total is too high.
        """
        _refuse(where, self._beyond("pulses on one cell", counts, "pulses"))

    def check_temperature(self, kelvin: float, *, where: str) -> None:
        """Refuse a temperature, in K, beyond `temperature`.

        Raises
        ------
        EnvelopeError
            If it is too high, or is no number.
        """
        _refuse(where, self._beyond("temperature", kelvin, "temperature"))

    def _beyond(self, asked: str, values: npt.ArrayLike, key: str) -> Iterator[Excess]:
        limit = getattr(self, key)
        magnitudes = np.abs(np.asarray(values, dtype=np.float64)).reshape(-1)
        worst = magnitudes.max(initial=0.0)
        if worst <= limit and worst < inf:  # as nearly always; false for NaN
            return
        # Written as "not within", so that NaN is refused too; the hair is for sums of decimals.
        outside = ~((magnitudes <= limit * (1 + 1e-12)) & np.isfinite(magnitudes))
        for value in magnitudes[outside][:1]:
            yield Excess(asked, float(value), key, float(limit), _UNITS[key])


_UNITS = {
    "voltage": "V",
    "gate_voltage": "V",
    "energy": "J",
    "current": "A",
    "pulses": "",
    "power": "W",
    "temperature": "K",
}


def _refuse(where: str, excesses: Iterator[Excess]) -> None:
    for excess in excesses:
        raise EnvelopeError(where, excess)
