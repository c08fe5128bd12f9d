"""`labctl infer`: a network on the array."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import (
    Share,
    Whole,
    bench_options,
    existing_file,
    is_given,
    output_option,
    refuse_beside_resume,
)
from labctl.cli.output import facts_table, headed, json_option, say
from labctl.configuration import load_configuration, output_path
from labctl.errors import FailedError


@click.command("infer")
@click.argument("model", required=False)
@bench_options
@click.option(
    "--images",
    default="digits",
    metavar="SET",
    show_default=True,
    help="digits, mnist or cifar10.",
)
@click.option(
    "--count",
    type=Whole(min=1),
    metavar="N",
    help="Test images to use, a fixed random choice; default: all.",
)
@click.option("--train", is_flag=True, help="Then train on the array (hybrid).")
@click.option(
    "--layers",
    metavar="NAMES",
    help="Layers to train, by name: --layers fc or --layers c3,fc; default: the last.",
)
@click.option(
    "--fraction",
    type=Share(0, 1, min_open=True),
    metavar="F",
    help="Share of the training images, 0-1; default: a tenth, and at least 1000 images.",
)
@click.option(
    "--settle",
    default="0",
    metavar="TIME",
    help="Bench time between programming and inference: 10min.",
)
@click.option(
    "--again",
    metavar="TIMES",
    help="Ask again at bench times after the last step: --again 10min,1h,30d.",
)
@click.option(
    "--input-scale",
    metavar="SCALE",
    help="What the model was trained to see for one step of an 8-bit pixel; default 1/255.",
)
@output_option
@click.option(
    "--resume",
    type=existing_file,
    metavar="FILE",
    help="Go on with the run stored in FILE, on the bench that holds its chip.",
)
@json_option
def command(
    model: str | None,
    where: BenchChoice,
    images: str,
    count: int | None,
    train: bool,
    layers: str | None,
    fraction: float | None,
    settle: str,
    again: str | None,
    input_scale: str | None,
    output: Path | None,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Map MODEL (an .onnx file or a shipped name) on the array, program it and run it there.

    \b
    labctl infer mcnn --bench sim-board --images mnist --train
    labctl infer my.onnx --images mnist --input-scale 1 --settle 10min --again 1h,1d
    labctl infer --resume night.h5
    """  # noqa: D301  (click reads the \b)
    if resume is not None:
        refuse_beside_resume()
        go_on(resume, where.bench if is_given("bench") else None, as_json)
        return
    if model is None:
        raise click.UsageError("missing argument 'MODEL': name a network, or --resume FILE")
    if not train and (layers is not None or fraction is not None):
        raise click.UsageError("--layers and --fraction say how to train; add --train")
    settings = load_configuration()
    from labctl.cli.progress import ProgressBar
    from labctl.inference import InferenceRequest, run_inference

    asked = InferenceRequest(
        model,
        images,
        count=count,
        train=train,
        seed=where.seed or 0,
        layers=tuple(part.strip() for part in (layers or "").split(",") if part.strip()),
        fraction=fraction,
        settle=_time("--settle", settle),
        again=_times(again),
        input_scale=None if input_scale is None else _scale(input_scale),
    )
    path = output_path(output, "Inference")
    with where.open() as station, ProgressBar() as progress:
        facts = run_inference(asked, station, path, progress=progress, operator=settings.operator)
    _tell(facts, as_json)


def go_on(path: Path, bench: str | None, as_json: bool) -> None:
    """Resume the network's run stored at `path`, with its bench file where `bench` says."""
    from labctl.cli.progress import ProgressBar
    from labctl.inference import resume_inference
    from labctl.resumption import bench_of
    from labctl_data.run_file import open_run

    with bench_of(open_run(path), bench).open() as station, ProgressBar() as progress:
        facts = resume_inference(path, station, progress=progress)
    _tell(facts, as_json)


def _tell(facts: dict[str, Any], as_json: bool) -> None:
    say(as_json, facts, headed(facts["file"], f": {facts['status']}"), facts_table(facts))
    if facts["status"] != "complete":
        ended = f"{facts['file']}: the run ended as '{facts['status']}'"
        raise FailedError(f"{ended}; --resume goes on with it", said=True)


def _time(option: str, text: str) -> float:
    from labctl_procedures.errors import ParameterError
    from labctl_procedures.quantities import parse_quantity

    try:
        seconds = parse_quantity(text, "s")
    except (ParameterError, ValueError) as error:
        raise click.UsageError(f"{option} '{text}': {error}") from error
    if not (math.isfinite(seconds) and seconds >= 0):
        raise click.UsageError(f"{option} '{text}': expected a time, 0 or more")
    return seconds


def _times(text: str | None) -> tuple[float, ...]:
    times = tuple(_time("--again", part.strip()) for part in (text or "").split(",") if part)
    if list(times) != sorted(set(times)):
        raise click.UsageError(f"--again '{text}': expected rising times")
    return times


def _scale(text: str) -> float:
    """Return a scale given as a number or as a quotient, `1/255`."""
    above, _, below = text.partition("/")
    try:
        value = float(above) / float(below or "1")
    except (ValueError, ZeroDivisionError) as error:
        raise click.UsageError(f"--input-scale '{text}': expected a number or 1/255") from error
    if not (math.isfinite(value) and value > 0):
        raise click.UsageError(f"--input-scale '{text}': expected more than 0")
    return value
