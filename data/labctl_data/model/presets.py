"""Device models of published chips."""

from __future__ import annotations

import numpy as np

from labctl_data.errors import ModelError
from labctl_data.model.soft_bound import TABLE_BINS, SoftBoundModel

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


_PRESETS = {"yao": _yao, "yao-quiet": _yao_quiet}


def preset_names() -> tuple[str, ...]:
    """Return the names that `preset` knows."""
    return tuple(_PRESETS)


def preset(name: str) -> SoftBoundModel:
    """Return the preset model `name`; ModelError if there is none."""
    if name not in _PRESETS:
        raise ModelError(
            f"device model preset '{name}' is unknown; there are {', '.join(_PRESETS)}"
        )
    return _PRESETS[name]()
