"""Is the twin like the chip? KS distances on held-out cells, by the commands a user would type.

    PYTHONPATH=.:procedures:instruments:data:gui python tests/benchmarks/closure.py [CHIPS]

Each chip is 64 x 32 cells behind the board bench. `labctl campaign run characterise` measures it,
`labctl fit --hold-out 0.25` fits three quarters of the cells and repeats the campaign on the twin;
the other 512 cells of both are compared, pooled over levels. Half of the chips (`yao`) have the
parameters of the preset that the fit carries where the runs do not tell; in the others (`moved`)
every parameter but commanded pulses and window is moved at random, by 15 % (one standard
deviation), so that what is carried is wrong.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import labctl_data as ld
import labctl_instruments
from labctl_data.model import SoftBoundModel, preset

HELD_OUT = 0.25
MOVED = 0.15
ASKED = 0.1
SHOWN = {
    "level distribution": "level_error",
    "the same, 10 min later": "level_error_later",
    "pulses to target": "pulses_to_target",
    "drift at 1 day": "retention_change",
    "read noise": "read_noise",
    "1e6 reads": "read_disturb_change",
}
KEPT = ("window", "set_voltage", "set_gate", "reset_voltage", "reset_gate", "pulse_width", "gate_t")
"""How the names of parameters begin that are not moved: commanded, or fixing the others."""


def moved(seed: int) -> SoftBoundModel:
    """Return the preset with its parameters moved at random."""
    rng = np.random.default_rng(seed)
    model = preset("yao")
    values = {
        name: np.asarray(value) * np.exp(MOVED * rng.normal())
        for name, value in model.parameters.items()
        if not name.startswith(KEPT)
    }
    # Formed cells lie above the window; the two ends stay in order.
    values["formed_low"] = np.asarray(model.formed_low) * rng.uniform(1.0, 1.05)
    values["formed_high"] = np.asarray(model.formed_high) * rng.uniform(1.0, 1.1)
    values["bound_high"] = np.maximum(values["bound_high"], 25e-6)
    values["gate_slope"] = values["bound_high"] / (model.set_gate - model.gate_threshold)
    values["bound_low"] = np.minimum(values["bound_low"], 1.2e-6)
    return model.with_parameters(**values)


def bench_file(folder: Path, seed: int, truth: str) -> Path:
    """Write a bench of 64 x 32 cells with the chip behind it."""
    text = Path(labctl_instruments.__file__).with_name("benches").joinpath("sim-board.toml")
    shape = {"pes = 8": "pes = 1", "rows = 128": "rows = 64", "columns = 16": "columns = 32"}
    changes = {**shape, "seed = 1": f"seed = {seed}"}
    if truth == "moved":
        ld.write_chip(folder / "truth.h5", moved(seed))
        changes['preset = "yao"'] = 'file = "truth.h5"'
    bench = text.read_text()
    for old, new in changes.items():
        bench = bench.replace(old, new)
    (folder / "bench.toml").write_text(bench)
    return folder / "bench.toml"


def labctl(*arguments: object) -> dict:
    """Run a verb and return what it says."""
    command = [sys.executable, "-m", "labctl", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def held_out(folder: Path, seed: int, truth: str) -> dict:
    """Measure a chip, fit it, and return how far its twin is on held-out cells."""
    bench = bench_file(folder, seed, truth)
    campaign = folder / "campaign"
    labctl("campaign", "run", "characterise", "--bench", bench, "--folder", campaign)
    runs = sorted(campaign.glob("*.h5"))
    return labctl("fit", *runs, "--hold-out", HELD_OUT, "-o", folder / "chip.h5")["quality"]


def main(chips: int) -> None:
    """Print one table of all chips."""
    print("statistic               chip        KS     5 % by chance       p  cells a side")
    worst: dict[str, float] = dict.fromkeys(SHOWN, 0.0)
    for number in range(chips):
        truth, seed = ("yao", "moved")[number % 2], number + 1
        with tempfile.TemporaryDirectory() as folder:
            found = held_out(Path(folder), seed, truth)["held_out"]["ks"]
        for label, statistic in SHOWN.items():
            runs = "004_write.h5" if statistic in ("read_noise", "pulses_to_target") else ""
            name = next(key for key in found if key.startswith(f"{statistic} (") and runs in key)
            each = found[name]
            worst[label] = max(worst[label], each["distance"])
            print(
                f"{label:23s} {truth:5s} {seed:3d} {each['distance']:7.3f} "
                f"{each['noise_floor']:13.3f} {each['p_value']:11.2g}  {each['sizes']}",
                flush=True,
            )
    print(f"asked: {ASKED} at most; worst of {chips} chips:")
    print("; ".join(f"{label} {value:.3f}" for label, value in worst.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
