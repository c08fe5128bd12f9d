"""Find an exporter by name; the two of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.resources import files

import numpy as np

from labctl_data.errors import ModelError
from labctl_data.fit.hats import centres
from labctl_data.model import FloatArray, SoftBoundModel

Exporter = Callable[[SoftBoundModel], str]

GROUP = "labctl.exporters"
NODES = 21
"""Nodes of a step curve, ends included."""


def exporter_names() -> tuple[str, ...]:
    """Return the names that `exporter` knows, ours first."""
    others = sorted({point.name for point in entry_points(group=GROUP)} - _OWN.keys())
    return (*_OWN, *others)


def exporter(name: str) -> Exporter:
    """Return the exporter called `name`.

    Raises
    ------
    ModelError
        If there is none.
    """
    if name in _OWN:
        return _OWN[name]
    for point in entry_points(group=GROUP, name=name):
        found: Exporter = point.load()
        return found
    raise ModelError(f"exporter '{name}' is unknown; there are {', '.join(exporter_names())}")


def to_aihwkit(model: SoftBoundModel) -> str:
    """Return a module that makes an aihwkit `PiecewiseStepDevice` of the reference pulses.

    Weights -1 and 1 are the ends of the window. A pulse's mean step by conductance becomes the
    curves up and down, in units of the mean step of both at the middle; the spread of one pulse is
    the root mean square of both tables over the window, in the same units. aihwkit draws a step
    with a spread in proportion to it, so where steps are small their spread comes out too small.
    """
    weight = 2 / (model.window_high - model.window_low)
    g = np.linspace(model.window_low, model.window_high, NODES)
    up, down = (
        weight * np.abs(_read(model, table, g)) for table in (model.set_step, model.reset_step)
    )
    unit = float(0.5 * (up[NODES // 2] + down[NODES // 2]))
    spread = weight * np.sqrt(np.mean(np.concatenate([model.set_sigma, model.reset_sigma]) ** 2))
    typical = float(np.mean(np.concatenate([up, down])))
    device = {
        "dw_min": unit,
        "dw_min_std": float(spread / typical),
        "dw_min_dtod": model.rate_spread,
        "w_min": -1.0,
        "w_max": 1.0,
        "w_min_dtod": model.bound_low_spread * model.bound_low * weight,
        "w_max_dtod": model.bound_high_spread,
        "piecewise_up": _rounded(up / unit),
        "piecewise_down": _rounded(down / unit),
    }
    return _filled("aihwkit.py.txt", model, DEVICE=device)


def to_crosssim(model: SoftBoundModel) -> str:
    """Return a module with a CrossSim device: errors of programming, of time, and of reads.

    Programming error is that of a verify window of 0.1 uS; the rest is the model's relaxation and
    read noise. Normalised conductances 0 to 1 are the window.
    """
    tables = {
        "CENTRES": _rounded(centres((model.window_low, model.window_high)) * 1e6),
        "DRIFT": _rounded(np.asarray(model.relaxation_drift) * 1e6),
        "SIGMA": _rounded(np.asarray(model.relaxation_sigma) * 1e6),
        "ONSET": model.relaxation_time,
        "READ_NOISE": model.read_noise,
    }
    return _filled("crosssim.py.txt", model, **tables)


def _filled(template: str, model: SoftBoundModel, **values: object) -> str:
    """Return a template with its constants: Python that other simulators import as it is."""
    window = {
        "WINDOW_LOW": model.window_low * 1e6,
        "WINDOW_HIGH": model.window_high * 1e6,
    }
    lines = [f"{name} = {json.dumps(value, indent=4)}" for name, value in (window | values).items()]
    text = files("labctl_data.exporting").joinpath("templates", template).read_text("utf-8")
    return text.replace("# CONSTANTS", "\n".join(lines))


def _read(model: SoftBoundModel, table: FloatArray, g: FloatArray) -> FloatArray:
    found: FloatArray = np.interp(g, centres((model.window_low, model.window_high)), table)
    return found


def _rounded(values: FloatArray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


_OWN: dict[str, Exporter] = {"aihwkit": to_aihwkit, "crosssim": to_crosssim}
