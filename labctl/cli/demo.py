"""`labctl demo`: the main job, from a bare chip to recognised digits, on the simulated board."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.options import seed_option
from labctl.cli.output import headed, json_option, say, table


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for everything written; by default a dated one in your data folder.",
)
@click.option("--full", is_flag=True, help="All PEs and all images: minutes, not seconds.")
@seed_option
@json_option
def command(out: Path | None, full: bool, seed: int | None, as_json: bool) -> None:
    """Characterise, fit, twin, program a network, infer, train, report: on the simulated board.

    Needs no hardware and no network. Writes run files, a chip file and report.html.
    """
    from labctl.cli.progress import ProgressBar
    from labctl.configuration import load_configuration, output_path
    from labctl.demo import run_demo

    folder = out or output_path(None, "demo", "")
    operator = load_configuration().operator
    with ProgressBar() as progress:
        result = run_demo(folder, full=full, seed=seed, progress=progress, operator=operator)
    accuracies = table(f"accuracy on {result.images}", "")
    for name in ("software", "quantized", "programmed", "trained"):
        accuracies.add_row(name, f"{getattr(result, f'accuracy_{name}'):.2%}")
    distances = table("twin and original", "KS distance")
    for name, each in result.ks.items():
        distances.add_row(name, f"{each.distance:.3f}")
    took = headed(result.report, f" in {result.seconds:.0f} s")
    say(as_json, result.facts(), distances, accuracies, took)
