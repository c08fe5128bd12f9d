"""Write a PE to 32 levels on the board bench, and 512 cells on both benches.

Run as `python tests/benchmarks/write_verify.py [CELLS]`, with the number of cells of the comparison
(512 by default; the SMU bench pulses and reads them one by one). Prints one line a figure.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labctl.engine import run
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import two_sample_test, wilson_interval
from labctl_instruments import open_bench
from labctl_instruments.virtual import rack
from labctl_procedures import WriteVerify
from labctl_procedures.closed_loop import Stage

LEVEL = 0.01
"""Level of significance at which the benches are held to agree."""
PE = 2048


@dataclass(frozen=True)
class Written:
    """One run of WriteVerify, and what it took."""

    run: Run
    seconds: float
    processor: float
    """Processor time, in s: what other work on the machine does not change much."""
    messages: int
    bench_seconds: float

    @property
    def pulses(self) -> np.ndarray:
        records = self.run.records()
        return records["pulses"][records["stage"] == Stage.FRESH]

    @property
    def misses(self) -> np.ndarray:
        """Fresh reads less targets, in S."""
        records = self.run.records()
        fresh = records["stage"] == Stage.FRESH
        return records["conductance"][fresh] - records["target"][fresh]

    @property
    def round_time(self) -> float:
        """Median bench time of one pulse and verify, in s."""
        records = self.run.records()
        verify = records["stage"] == Stage.VERIFY
        return float(np.median(np.diff(np.unique(records["time"][verify]))))


def write(bench: str, path: Path, cells: str, seed: int = 1) -> Written:
    with open_bench(bench, seed=seed) as station:
        log = list(rack._racks.values())[-1].log
        sent, began = log.n_exchanges, station.now()
        began_wall, began_processor = time.perf_counter(), time.process_time()
        run(WriteVerify(cells=cells, levels=32), station, path)
        seconds = time.perf_counter() - began_wall
        processor = time.process_time() - began_processor
        waited = 600.0
        return Written(
            open_run(path),
            seconds,
            processor,
            log.n_exchanges - sent,
            station.now() - began - waited,
        )


def tell_pe(bench: str, written: Written) -> None:
    summary = written.run.summary
    n = summary["cells"]
    low, high = wilson_interval(round(summary["within_half_pitch_fresh"] * n), n)
    maps = ", ".join(
        f"{m['fraction']:.1%} after {m['after']:g} s" for m in summary["within_half_pitch_map"]
    )
    print(
        f"{bench}: {n} cells in {written.seconds:.2f} s, {written.messages} messages, "
        f"{written.bench_seconds:.3f} bench seconds; converged {summary['converged']:.2%}; "
        f"within half a pitch {summary['within_half_pitch_fresh']:.2%} ({low:.2%}-{high:.2%}); "
        f"maps {maps}; pulses mean {summary['pulses_mean']:.1f}, most {summary['pulses_max']}"
    )
    means = " ".join(f"{level['pulses_mean']:.0f}" for level in summary["levels"])
    print(f"{bench}: mean pulses of the 32 levels from 2 to 20 uS: {means}")


def tell_comparison(board: Written, smu: Written) -> None:
    test = two_sample_test(board.pulses, smu.pulses)
    verdict = "agree" if test.agrees(level=LEVEL) else "DIFFER"
    print(
        f"pulses to target, {test.sizes[0]} cells a bench: KS {test.distance:.3f}, "
        f"p {test.p_value:.3f}: they {verdict} at the level {LEVEL}; "
        f"means {board.pulses.mean():.1f} and {smu.pulses.mean():.1f}"
    )
    later = two_sample_test(board.misses, smu.misses)
    print(
        f"read after the write: a round takes {board.round_time:.2e} s on the board and "
        f"{smu.round_time:.2e} s on the SMU bench; spread around the target "
        f"{board.misses.std() * 1e9:.0f} and {smu.misses.std() * 1e9:.0f} nS "
        f"(KS {later.distance:.3f}, p {later.p_value:.2g})"
    )
    cells, steps = len(smu.pulses), smu.pulses.sum()
    print(
        f"sim-smu: {steps} write-verify steps, stored and with their ledger: "
        f"{steps / smu.seconds:.0f}/s, {steps / smu.processor:.0f} a second of processor, "
        f"{smu.messages / steps:.2f} messages a step"
    )
    print(
        f"sim-smu: {cells} cells in {smu.seconds:.1f} s, {smu.messages} messages, "
        f"{smu.bench_seconds / 3600:.2f} bench hours; a full PE of {PE}: "
        f"{smu.seconds * PE / cells:.0f} s, {smu.messages * PE // cells} messages, "
        f"{smu.bench_seconds * PE / cells / 3600:.2f} bench hours"
    )


def main(cells: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write("sim-board", home / "warm.h5", "0/0/0")  # compiles and imports
        for bench in ("sim-board", "sim-board-quiet"):
            tell_pe(bench, write(bench, home / f"{bench}.h5", "0/:/:"))
        some = f"0/0:{cells // 16}/:"
        board = write("sim-board", home / "board.h5", some)
        tell_comparison(board, write("sim-smu", home / "smu.h5", some))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 512)
