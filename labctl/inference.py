"""A network on the array, from its file to its accuracies, kept as a run file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.engine import Control, attended
from labctl.engine.provenance import station_attributes
from labctl.engine.rest import at_rest_if_it_fails
from labctl.engine.runner import pulse_counts
from labctl.engine.settling import settle
from labctl.errors import NotResumableError
from labctl.guardian.record import guardian_events
from labctl.inference_file import COLUMNS, LAYER, LAYER_NAMES, PROCEDURE, TARGET
from labctl.inference_stages import FACTS, Stages, Task
from labctl_data.run_file import (
    PULSE_COUNT,
    MapSpec,
    Run,
    RunStatus,
    RunWriter,
    open_run,
    recover,
)
from labctl_data.run_file import resume_writer as reopened
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    Progress,
    TrainSettings,
    load_images,
    load_network,
    map_network,
)
from labctl_procedures.network.training import chosen_layers
from labctl_procedures.network.training_checkpoint import checkpoint_path

LEAST_TRAINING_IMAGES = 1000
"""A tenth of the training images is enough, if it is not fewer than this (see docs)."""


@dataclass(frozen=True)
class InferenceRequest:
    """What to run on the array."""

    model: str
    """Name of a shipped network, or path of an .onnx file."""
    images: str
    """Name of an image set."""
    count: int | None = None
    """Test images to use, a fixed random choice; None for all."""
    train: bool = False
    """Whether to train layers on the array afterwards."""
    seed: int = 0
    """Seed of the choice and order of training images."""
    layers: tuple[str, ...] = ()
    """Layers that are trained; none for the last."""
    fraction: float | None = None
    """Share of the training images, 0-1; None for a tenth, and at least `LEAST_TRAINING_IMAGES`."""
    settle: float = 0.0
    """Bench time between programming and inference, in s."""
    again: tuple[float, ...] = ()
    """Bench times after the last step at which the network is asked again, rising, in s."""
    input_scale: float | None = None
    """What a foreign model was trained to see for one step of an 8-bit pixel; None for what the
    file says, else 1/255."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> InferenceRequest:
        """Return the request that a run file keeps as its parameters."""
        lists = {key: tuple(v) for key, v in parameters.items() if isinstance(v, list)}
        return cls(**{**parameters, **lists})


def run_inference(
    asked: InferenceRequest,
    station: Station,
    path: Path,
    *,
    progress: Progress,
    operator: str,
    control: Control | None = None,
) -> dict[str, Any]:
    """Map a network on the station's chip, program it, run it, and train it where asked.

    SIGINT, SIGTERM, SIGHUP and `control` end it at its next pulse boundary: its file says
    `aborted`, and can be gone on with. A second signal does not wait and raises KeyboardInterrupt.

    Parameters
    ----------
    asked : InferenceRequest
        Network, images, how many, whether to train.
    station : Station
        The bench; it is at rest afterwards, and stays open.
    path : Path
        The run file of the predictions; must not exist.
    progress : Progress
        Is told how far each step has come.
    operator : str
        Name to keep in the file.
    control : Control, optional
        Pauses, resumes and aborts the work from another thread; events of the run tell of it.

    Returns
    -------
    dict
        The facts of `labctl infer`: accuracies (0-1), images a second, faults, the file; and
        `status`, complete or aborted: then the facts are those of the stages that had ended.

    Raises
    ------
    LabctlError
        If the network or the images cannot be had, or the network does not fit the chip.
    """
    task = _load(asked, station)
    with at_rest_if_it_fails(station):
        counts = pulse_counts(station)
    maps = [
        MapSpec(LAYER, "", station.geometry, "Number of the layer, -1 for none"),
        MapSpec(TARGET, "S", station.geometry, "Conductance wanted"),
    ]
    if counts is not None:
        maps.append(MapSpec(PULSE_COUNT, "", station.geometry, "Programming pulses received"))
    attributes = {
        "procedure": PROCEDURE,
        "parameters": asdict(asked),
        **station_attributes(station, operator),
    }
    with RunWriter.create(path, columns=COLUMNS, maps=maps, attributes=attributes) as run:
        run.append_map(LAYER, station.now(), task.plan.layer_map)
        run.append_map(TARGET, station.now(), task.plan.target_map)
        run.event(station.now(), "mapped", task.plan.describe())
        names = [layer.layer.name for layer in task.plan.layers]
        run.event(station.now(), LAYER_NAMES, json.dumps(names))
        if counts is not None:
            run.append_map(PULSE_COUNT, station.now(), counts)
        return _carry_out(Stages(task, station, run, progress, counts), control)


def resume_inference(
    path: Path, station: Station, *, progress: Progress, control: Control | None = None
) -> dict[str, Any]:
    """Go on with a network's run that ended early, on the bench that holds its chip.

    What was asked of the network is not asked again. Cells are read and written on from what they
    hold; training goes on from the checkpoint beside the run.

    Parameters
    ----------
    path : Path
        The run file.
    station : Station
        The bench, with the chip as the run left it.
    progress : Progress
        Is told how far each step has come.
    control : Control, optional
        As for `run_inference`.

    Returns
    -------
    dict
        As `run_inference`.

    Raises
    ------
    NotResumableError
        If the run is complete, or the chip is not as the run left it.
    """
    recover(path)
    run = open_run(path)
    if run.status == "complete":
        raise NotResumableError(f"{path}: the run is complete; there is nothing to resume")
    task = _load(InferenceRequest.of(run.parameters), station)
    with at_rest_if_it_fails(station):
        counts = pulse_counts(station)
    settlement = settle(run, counts, station.geometry)
    began = _counts_at_first(run)
    done, facts = run.points, _facts_so_far(run)
    lost = settlement.message if settlement.delivered is False else None
    with reopened(path, undelivered=lost) as writer:
        if counts is not None and began is not None:
            writer.append_map(PULSE_COUNT, station.now(), counts)
        for kind, text in guardian_events(path):
            writer.event(station.now(), kind, text)
        told = f"{len(done)} stages are finished; {settlement.text}"
        writer.event(station.now(), "resumed", told)
        stages = Stages(task, station, writer, progress, began)
        stages.take_up(facts, done)
        return _carry_out(stages, control)


def _counts_at_first(run: Run) -> npt.NDArray[np.int64] | None:
    return run.map(PULSE_COUNT)[1][0].astype(np.int64) if PULSE_COUNT in run.maps else None


def _facts_so_far(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in run.events:
        if event.kind == FACTS:
            found |= json.loads(event.text)
    return found


def _carry_out(stages: Stages, control: Control | None) -> dict[str, Any]:
    """Carry out the stages that are left, the bench guarded, and end the run file."""
    station, run = stages.station, stages.run
    with attended(station, run, control) as boundary:
        before, station.ledger = station.ledger, run.ledger
        try:
            stages.carry_out(boundary)
        except KeyboardInterrupt:
            run.finish(RunStatus.ABORTED, stages.facts)
            raise
        finally:
            station.ledger = before
        status = RunStatus.COMPLETE if boundary.reason is None else RunStatus.ABORTED
        if status == RunStatus.ABORTED:
            run.event(station.now(), "stopped", str(boundary.reason))
        run.finish(status, stages.facts)
    if status == RunStatus.COMPLETE:
        checkpoint_path(run.path).unlink(missing_ok=True)
    return {"file": run.path, "status": str(status), **stages.facts}


def chosen_tests(images: ImageSet, count: int | None) -> npt.NDArray[np.int64]:
    """Return the numbers of `count` test images, a fixed random choice; of all for None."""
    n = len(images.test_labels)
    return np.sort(np.random.default_rng(0).permutation(n)[:count])


def _load(asked: InferenceRequest, station: Station) -> Task:
    """Load what a request names, and refuse what cannot be before anything is begun."""
    images = load_images(asked.images)
    network = load_network(asked.model, asked.images)
    if asked.input_scale is not None:
        network = replace(network, input_scale=asked.input_scale)
    plan = map_network(
        network, station.geometry, images.train_images, known_stuck=station.known_stuck
    )
    chosen_layers(plan, asked.layers)
    share = max(0.1, min(1.0, LEAST_TRAINING_IMAGES / len(images.train_labels)))
    settings = TrainSettings(
        layers=asked.layers,
        fraction=share if asked.fraction is None else asked.fraction,
        seed=asked.seed,
    )
    return Task(
        images,
        plan,
        chosen_tests(images, asked.count),
        asked.settle,
        settings if asked.train else None,
        asked.again,
    )
