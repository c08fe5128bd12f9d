"""Device models of published chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, overload

import numpy as np

from labctl_data.errors import ModelError
from labctl_data.model.declared import TABLE_BINS
from labctl_data.model.floating_gate import FloatingGateModel, flash_180nm
from labctl_data.model.parameter import DeviceModel
from labctl_data.model.soft_bound import SoftBoundModel

_MICRO = 1e-6


def _yao() -> SoftBoundModel:
    """Return the cell of Yao et al., Nature 577, 641 (2020), as far as it is public.

    Steps, their spread and the window are the lab's published per-pulse statistics; voltages of
    pulses are the lab's; read noise and relaxation are chosen (see README). RESET tables are
    published from high to low conductance and turned round here.
    """
    return SoftBoundModel(
        window_low=2 * _MICRO,
        window_high=20 * _MICRO,
        set_step=_MICRO * np.array([.325, .250, .237, .143, .087, .060, .054, .036, .019, .019]),
        set_sigma=_MICRO * np.array([.53, .54, .58, .60, .65, .64, .67, .64, .63, .44]),
        reset_step=-_MICRO * np.array([.003, .076, .074, .022, .045, .054, .099, .146, .269, .511]),
        reset_sigma=_MICRO * np.array([.38, .52, .44, .50, .59, .56, .65, .68, .80, .91]),
        set_voltage=2.0,
        set_gate=1.8,
        reset_voltage=1.8,
        reset_gate=4.7,
        pulse_width=50e-9,
        set_slope=0.1,
        reset_slope=0.085,
        width_exponent=0.8,
        cycle_spread=0.0,
        bound_high=26 * _MICRO,
        gate_slope=26 * _MICRO / 1.1,
        gate_threshold=0.7,
        bound_low=1 * _MICRO,
        bound_low_slope=0.5,
        curvature=1.5,
        saturation_voltage=3.08,
        relaxation_drift=-_MICRO * np.linspace(0.01, 0.05, TABLE_BINS),
        relaxation_sigma=np.full(TABLE_BINS, 0.19 * _MICRO),
        relaxation_time=1e-3,
        activation_energy=1.0,
        disturb_drift=0.002 * _MICRO,
        disturb_sigma=0.01 * _MICRO,
        disturb_count=1e3,
        disturb_slope=0.05,
        read_noise=0.01,
        rtn_fraction=0.05,
        rtn_amplitude=0.01,
        rtn_time=1.0,
        bound_high_spread=0.06,
        bound_low_spread=0.15,
        rate_spread=0.10,
        forming_voltage=3.0,
        forming_spread=0.15,
        fresh_conductance=0.3 * _MICRO,
        fresh_spread=0.4,
        formed_low=20.5 * _MICRO,
        formed_high=25 * _MICRO,
    )  # fmt: skip


def _yao_quiet() -> SoftBoundModel:
    """Return `yao` with the small relaxation that keeps 32 levels apart for ten minutes.

    The mean drift is at the small end of its published range everywhere: at the large end, -0.05 uS
    a decade, the mean alone moves by half a pitch of 32 levels in ten minutes.
    """
    return _yao().with_parameters(
        relaxation_sigma=np.full(TABLE_BINS, 0.03 * _MICRO),
        relaxation_drift=np.full(TABLE_BINS, -0.01 * _MICRO),
    )


def _neurram() -> SoftBoundModel:
    """Return a cell with the relaxation of NeuRRAM-class 1T1R arrays, 0-40 uS.

    Relaxation is that of 13,000 cells of a public 1T1R data set, read from 10 ms to 4 s, at the
    conductances its README lists, interpolated; its gate law is the same set's. Steps are those of
    `yao` scaled to the wider window, and pulse voltages the middle of that group's write ramp:
    neither is published as a step of one pulse.
    """
    window = 40 * _MICRO
    level = np.array([1, 4, 6, 9, 11, 14, 19, 21, 29, 31, 36, 39])
    square = np.array([0.34, 0.85, 1.3, 1.6, 1.9, 2.3, 2.1, 1.9, 1.9, 1.5, 1.5, 1.4])
    centre = (np.arange(TABLE_BINS) + 0.5) * 4
    yao = _yao()
    scale = window / (yao.window_high - yao.window_low)
    return yao.with_parameters(
        window_low=1e-12,
        window_high=window,
        set_step=scale * np.asarray(yao.set_step),
        set_sigma=scale * np.asarray(yao.set_sigma),
        reset_step=scale * np.asarray(yao.reset_step),
        reset_sigma=scale * np.asarray(yao.reset_sigma),
        set_gate=2.25,
        bound_high=173 * _MICRO,
        gate_slope=360 * _MICRO,
        gate_threshold=2.12,
        bound_low=0.5 * _MICRO,
        relaxation_drift=_MICRO * np.interp(centre, [1, 5, 11, 16], [.07, 0, -.15, -.3]),
        relaxation_sigma=_MICRO * np.sqrt(np.interp(centre, level, square)),
        formed_low=40.5 * _MICRO,
        formed_high=46 * _MICRO,
    )  # fmt: skip


def _stanford_1t1r() -> SoftBoundModel:
    """Return the cell of two public sets of measurements on 256 x 256 1T1R arrays, 0-40 uS.

    Relaxation, kinetics of SET, gate law, curvature, read noise and forming are what ``labctl fit``
    made of their tables (a test fits them again); RESET kinetics could not be told from them, nor
    the spread of one pulse, and are those of `neurram`. Reference SET pulses are of 1.0 V, where a
    pulse moves a cell by a microsiemens, behind a gate that stops at the window's top; at 0.5 V no
    cell of theirs moves.
    """
    return _neurram().with_parameters(
        set_voltage=1.0,
        set_gate=0.75,
        reset_gate=2.5,
        pulse_width=100e-9,
        set_step=np.full(TABLE_BINS, 108.7 * _MICRO * np.exp(-0.5 / 0.1065)),
        set_slope=0.1065,
        switching_threshold=0.5,
        width_exponent=0.0236,
        bound_high=158.5 * _MICRO,
        gate_slope=131.0 * _MICRO,
        gate_threshold=0.4011,
        curvature=3.22,
        relaxation_drift=_MICRO
        * np.array([.138, .054, -.073, -.200, -.189, -.265, -.198, -.226, -.205, -.186]),
        relaxation_sigma=_MICRO
        * np.array([.768, 1.567, 1.505, 1.682, 1.545, 1.559, 1.308, 1.180, 1.174, .961]),
        relaxation_time=6.62e-3,
        relaxation_share=0.362,
        read_noise=0.0059,
        fresh_conductance=8.19 * _MICRO,
        fresh_spread=0.219,
        formed_low=33.5 * _MICRO,
        formed_high=98.7 * _MICRO,
    )  # fmt: skip


def _ucsb_passive() -> SoftBoundModel:
    """Return a cell of a passive 20 x 20 Pt/Al2O3/TiO2-x/Pt crossbar, 96.6 kohm to 7.0 kohm.

    Published: the window at 0.2 V, and that thresholds spread. Chosen, for want of public figures:
    pulses (1.3 V and 1.4 V, 1 us), their steps of some 2 % of the window with a third of that as
    spread, slopes of 80 mV, a spread of thresholds of 60 mV (the rate's 0.75 times the slope),
    relaxation and read noise of well-behaved oxides. There is no transistor: gate numbers only
    matter where a bench gives it one.
    """
    centre = (np.arange(TABLE_BINS) + 0.5) / TABLE_BINS
    set_step = _MICRO * 5.0 * (1.0 - centre)
    reset_step = -_MICRO * (0.3 + 5.0 * centre)
    return _yao().with_parameters(
        window_low=1.0 / 96.6e3,
        window_high=1.0 / 7.0e3,
        set_step=set_step,
        set_sigma=0.33 * set_step,
        reset_step=reset_step,
        reset_sigma=-0.33 * reset_step,
        set_voltage=1.3,
        reset_voltage=1.4,
        pulse_width=1e-6,
        set_slope=0.08,
        reset_slope=0.08,
        width_exponent=0.3,
        cycle_spread=0.2,
        bound_high=165 * _MICRO,
        gate_slope=150 * _MICRO,
        bound_low=6 * _MICRO,
        curvature=1.0,
        relaxation_drift=np.zeros(TABLE_BINS),
        relaxation_sigma=_MICRO * 0.4 * (0.1 + centre),
        disturb_drift=0.0,
        disturb_sigma=0.0,
        read_noise=0.005,
        rtn_amplitude=0.005,
        bound_high_spread=0.04,
        bound_low_spread=0.1,
        rate_spread=0.75,
        forming_voltage=2.2,
        fresh_conductance=1.0 * _MICRO,
        formed_low=20 * _MICRO,
        formed_high=60 * _MICRO,
    )


_PRESETS: Mapping[str, Callable[[], DeviceModel]] = {
    "yao": _yao,
    "yao-quiet": _yao_quiet,
    "neurram": _neurram,
    "stanford-1t1r": _stanford_1t1r,
    "ucsb-passive": _ucsb_passive,
    "flash-180nm": flash_180nm,
}


def preset_names() -> tuple[str, ...]:
    """Return the names that `preset` knows."""
    return tuple(_PRESETS)


@overload
def preset(
    name: Literal["yao", "yao-quiet", "neurram", "stanford-1t1r", "ucsb-passive"],
) -> SoftBoundModel: ...
@overload
def preset(name: Literal["flash-180nm"]) -> FloatingGateModel: ...
@overload
def preset(name: str) -> DeviceModel: ...
def preset(name: str) -> DeviceModel:
    """Return the preset model `name`; ModelError if there is none."""
    if name not in _PRESETS:
        raise ModelError(
            f"device model preset '{name}' is unknown; there are {', '.join(_PRESETS)}"
        )
    return _PRESETS[name]()
