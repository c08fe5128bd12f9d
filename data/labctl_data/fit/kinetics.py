"""What maps of single pulses tell, measured here or imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.errors import FitError
from labctl_data.fit.observations import addressed
from labctl_data.fit.pulse_map import PulseMap, fit_pulse_maps
from labctl_data.fit.result import Estimates
from labctl_data.importing import PROCEDURE
from labctl_data.model import TABLE_BINS
from labctl_data.pulse import PulseKind
from labctl_data.run_file.reader import Run

AXES = ("amplitude", "width", "gate", "before", "after")


def tell_kinetics(estimates: Estimates, runs: Sequence[Run], quality: dict[str, Any]) -> None:
    """Let the maps among the runs replace the prior's laws of amplitude, width and gate."""
    maps = [(run, pulse_map_of(run)) for run in runs if is_pulse_map(run)]
    if not maps:
        return
    source = ", ".join(run.path.name for run, _ in maps)
    steps = {
        kind: estimates.error(f"{kind.name.lower()}_step")
        for kind in PulseKind
        if estimates.known(f"{kind.name.lower()}_step")
    }
    bounds = ("bound_low", "bound_high")
    known = {name: float(estimates.error(name)) for name in bounds if estimates.known(name)}
    pulses = PulseMap.joined([each for _, each in maps])
    kinetics = fit_pulse_maps(pulses, estimates.model, steps_known=steps, known=known)
    for kind, (volts, step) in kinetics.steps.items():
        name = kind.name.lower()
        table = np.full(TABLE_BINS, step if kind == PulseKind.SET else -step)
        reason = f"as seen in {source}, at one conductance"
        implied: dict[str, npt.ArrayLike] = {f"{name}_voltage": volts, f"{name}_step": table}
        estimates.imply(reason, **implied)
    for name, (value, error) in kinetics.told.items():
        estimates.tell(name, value, error, source)
    quality["pulse_maps"] = {
        "conditions": kinetics.conditions,
        "responding": kinetics.responding,
        "misfit": kinetics.misfit,
        "untold": dict(kinetics.untold),
    }


def is_pulse_map(run: Run) -> bool:
    """Tell whether a run is a map of single pulses."""
    imported = run.procedure == PROCEDURE and run.parameters["measurement"] == "pulse"
    return imported or run.procedure == "PulseMap"


def pulse_map_of(run: Run) -> PulseMap:
    """Return the pulses of a run, measured here or imported."""
    if run.procedure == PROCEDURE:
        rows, _ = addressed(run, AXES)
        kind = np.full(len(rows["gate"]), int(PulseKind[str(run.parameters["pulse"])]))
        return PulseMap(kind, *(rows[name] for name in AXES))
    rows, _ = addressed(run, ("kind", "target", *AXES))
    if not len(rows["kind"]):
        raise FitError(f"{run.path}: a run of PulseMap without pulses")
    # A pulse acts on the conductance that the write left; what the read before it saw has relaxed.
    before = np.where(np.isfinite(rows["target"]), rows["target"], rows["before"])
    axes = {**{name: rows[name] for name in AXES}, "before": before}
    return PulseMap(rows["kind"].astype(np.int64), **axes)
