"""`labctl infer`: a network on the array."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import bench_options, output_option
from labctl.cli.output import facts_table, headed, json_option, say
from labctl.configuration import load_configuration, output_path


@click.command("infer")
@click.argument("model")
@bench_options
@click.option("--images", default="digits", show_default=True, help="digits, mnist or cifar10.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="Test images to use, a fixed random choice; default: all.",
)
@click.option("--train", is_flag=True, help="Then train the last layer on the array (hybrid).")
@output_option
@json_option
def command(
    model: str,
    where: BenchChoice,
    images: str,
    count: int | None,
    train: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Map MODEL (an .onnx file or a shipped name) on the array, program it and run it there.

    \b
    labctl infer mcnn --bench sim-board --images mnist --train
    """  # noqa: D301  (click reads the \b)
    settings = load_configuration()
    from labctl.cli.progress import ProgressBar
    from labctl.inference import InferenceRequest, run_inference

    path = output_path(output, "Inference")
    asked = InferenceRequest(model, images, count=count, train=train, seed=where.seed or 0)
    with where.open() as station, ProgressBar() as progress:
        facts = run_inference(asked, station, path, progress=progress, operator=settings.operator)
    say(as_json, facts, headed(path), facts_table(facts))
