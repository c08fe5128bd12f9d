"""What each measured table tells, what it cannot tell and why, and how it does on held-out data.

    PYTHONPATH=.:procedures:instruments:data:gui python tests/benchmarks/measured_tables.py TABLES

TABLES is the folder of the measured tables; the mappings stand in tests/data/measured. Every table
is imported and fitted alone. KS: distance of held-out cells (every fifth; of one cell read ten
thousand times the last fifth of its reads; of SET pulses the conductances after them) to draws of
the law that the others told, beside what chance alone exceeds in one of twenty comparisons.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from labctl.chips import held_out_distances
from labctl_data.errors import FitError
from labctl_data.fit import fit
from labctl_data.fit.kinetics import pulse_map_of
from labctl_data.fit.pulse_map import PulseMap, fit_pulse_maps
from labctl_data.importing import import_table
from labctl_data.model import preset, vectors
from labctl_data.pulse import PulseKind
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import TwoSampleTest, two_sample_test

MAPPINGS = Path(__file__).parents[1] / "data" / "measured"
PRIOR = "neurram"


def main(tables: Path) -> None:
    """Print one block a table."""
    with tempfile.TemporaryDirectory() as folder:
        for mapping in sorted(MAPPINGS.glob("*.toml")):
            file = Path(folder) / f"{mapping.stem}.h5"
            import_table(mapping, file, folder=tables)
            describe(open_run(file))


def describe(run: Run) -> None:
    """Print what one table tells."""
    print(f"{run.path.stem}: {run.rows} rows")
    try:
        result = fit([run], prior=PRIOR)
    except FitError as error:
        print(f"  not identifiable: {str(error).partition(': ')[2]}")
        return
    for each in result.parameters:
        if each.identifiable:
            value, error = np.atleast_1d(each.value), np.atleast_1d(each.uncertainty)
            texts = ", ".join(f"{v:.4g} +- {e:.1g}" for v, e in zip(value, error, strict=True))
            print(f"  {each.name} = {texts} {each.unit}")
    for reason in untold(result.quality):
        print(f"  not identifiable: {reason}")
    for name, found in held_out_distances(result.quality).items():
        show(name, found)
    if "pulse_maps" in result.quality:
        show("conductance after a SET", held_out_pulses(run).facts())


def show(name: str, found: Mapping[str, Any]) -> None:
    """Print a distance."""
    print(
        f"  KS {name}: {found['distance']:.3f} (5 % by chance {found['noise_floor']:.3f}; "
        f"n {found['sizes'][0]})"
    )


def untold(quality: Mapping[str, Any]) -> list[str]:
    """Return what the quality says of what is not told."""
    notes = [note.get("untold", {}) for note in quality.values() if isinstance(note, Mapping)]
    return [
        f"{name}: {reason}"
        for note in notes
        for name, reason in (note if isinstance(note, Mapping) else {"more": note}).items()
    ]


def held_out_pulses(run: Run) -> TwoSampleTest:
    """Fit four fifths of a map of SETs; draw what the others' pulses leave."""
    pulses, rng = pulse_map_of(run), np.random.default_rng(1)
    held = np.arange(len(pulses.before)) % 5 == 0
    names = PulseMap.__dataclass_fields__
    known, rest = (
        PulseMap(**{name: getattr(pulses, name)[rows] for name in names}) for rows in (~held, held)
    )
    found = fit_pulse_maps(known, preset(PRIOR))
    volts, step = found.steps[PulseKind.SET]
    told = {name: value for name, (value, _) in found.told.items()}
    gate = told["gate_threshold"] + 1.0
    model = preset(PRIOR).with_parameters(
        set_voltage=volts, set_step=np.full(10, step), set_gate=gate, reset_gate=gate, **told
    )
    shape = {"amplitude": rest.amplitude, "gate": rest.gate}
    mean, sigma = vectors.pulse_step(model, rest.before, rest.kind, width=rest.width, **shape)
    bound = vectors.bounds(model, rest.kind, **shape)[1]
    mean = np.clip(np.nan_to_num(mean, posinf=1.0), 0.0, 1.0)
    n = len(mean)
    moved = rest.before + mean * np.exp(model.rate_spread * rng.normal(size=n))
    stopped = bound * np.exp(model.bound_high_spread * rng.normal(size=n))
    after = np.minimum(moved + sigma * rng.normal(size=n), np.maximum(stopped, rest.before))
    # Below these hardly a cell moves, and the law has nothing to be judged by.
    rows = (rest.amplitude >= 1.0) & (rest.gate >= 0.8)
    return two_sample_test(rest.after[rows], np.where(mean > 0, after, rest.before)[rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
