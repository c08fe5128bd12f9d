"""A network's run: cut short anywhere and gone on with, asked again as time passes."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labctl.cli.root import run_command_line
from labctl.engine import Control
from labctl.inference import InferenceRequest, resume_inference, run_inference
from labctl.inference_file import Stage, stage_predictions
from labctl.report import write_report
from labctl_data.run_file import open_run
from labctl_instruments import load_bench, open_bench
from labctl_procedures.network import load_images
from labctl_procedures.network.training_checkpoint import checkpoint_path

ASKED = InferenceRequest("mcnn", "digits", count=40, train=True, fraction=0.3, settle=60.0)


def interrupt() -> None:
    raise KeyboardInterrupt


class Cut:
    """A progress sink that acts when a step has come far enough: it ends the run."""

    def __init__(self, label: str, steps: int, act: Callable[[], object] = interrupt) -> None:
        self.label, self.left, self.inside = label, steps, False
        self.act = act

    def start(self, label: str, total: int) -> None:
        self.inside = self.label in label

    def advance(self, n: int) -> None:
        if self.inside:
            self.left -= 1
            if self.left == -1:
                self.act()

    def finish(self) -> None:
        self.inside = False


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A board whose chip is saved when it is closed, 2 % of its cells stuck."""
    path = tmp_path / "bench.toml"
    text = load_bench("sim-board-stuck").text.replace('state = "formed"', 'state = "chip.h5"')
    path.write_text(text, encoding="utf-8")
    return path


def cut_short(bench: Path, path: Path, cut: Cut) -> None:
    with open_bench(bench, seed=2) as station, pytest.raises(KeyboardInterrupt):
        run_inference(ASKED, station, path, progress=cut, operator="")
    assert open_run(path).status == "aborted"


def test_a_network_run_cut_short_in_training_goes_on_from_its_checkpoint(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.h5"
    cut_short(bench, path, Cut("training images", 20))
    before = open_run(path)
    assert checkpoint_path(path).is_file()
    programmed = {e.text for e in before.events if e.kind == "write-failed"}

    assert run_command_line(["infer", "--resume", str(path), "--json"]) == 0

    facts, after = json.loads(capsys.readouterr().out), open_run(path)
    assert after.status == "complete"
    assert facts["programming_pulses"] == json.loads(facts_of(before)[0])["programming_pulses"]
    assert {e.text for e in after.events if e.kind == "write-failed"} == programmed
    assert len(stage_predictions(after, Stage.PROGRAMMED)[0]) == 40
    assert len(stage_predictions(after, Stage.TRAINED)[0]) == 40
    assert after.rows == 80  # nothing was asked twice
    assert facts["accuracy_trained"] > facts["accuracy_programmed"]
    assert not checkpoint_path(path).exists()


def test_every_pulse_of_a_resumed_network_run_is_in_its_ledger(bench: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    cut_short(bench, path, Cut("cells", 3))

    with open_bench(bench, seed=2) as station:
        facts = resume_inference(path, station, progress=Cut("nothing", 0))
        plan_cells = open_run(path).map("pulse_count")[1]
        run = open_run(path)

    given = int(run.ledger["count"].sum())
    assert given == facts["programming_pulses"] + facts["training_pulses"]
    assert plan_cells[0].sum() < given


def facts_of(run) -> list[str]:
    return [event.text for event in run.events if event.kind == "facts"]


def test_run_resume_takes_a_network_run_too_and_refuses_a_complete_one(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.h5"
    cut_short(bench, path, Cut("training images", 2))

    assert run_command_line(["run", "--resume", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    again = run_command_line(["infer", "--resume", str(path)])

    assert (facts["status"], facts["rows"]) == ("complete", 80)
    assert again == 2
    assert "nothing to resume" in capsys.readouterr().err


def test_the_network_is_asked_again_at_the_bench_times_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.h5"
    words = "infer mcnn --count 30 --settle 1min --again 1h,1d --json -o"

    assert run_command_line([*words.split(), str(path)]) == 0

    facts, run = json.loads(capsys.readouterr().out), open_run(path)
    assert [each["after"] for each in facts["accuracy_over_time"]] == [3600, 86400]
    times = np.unique(run.record("time")) - run.record("time")[0]
    assert times == pytest.approx([0, 3600, 86400], rel=0.01)
    page = write_report([path], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Accuracy over time" in page


def test_the_report_shows_the_images_that_were_taken_for_another_class(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with open_bench("sim-board-stuck", seed=3) as station:
        asked = InferenceRequest("mcnn", "digits", count=60)
        run_inference(asked, station, path, progress=Cut("nothing", 0), operator="")
    images, labels, predictions = stage_predictions(open_run(path), Stage.PROGRAMMED)
    wrong = int(np.count_nonzero(labels != predictions))

    page = write_report([path], tmp_path / "page.html").read_text(encoding="utf-8")

    assert wrong > 3
    assert f"{wrong} of 60" in page
    assert np.array_equal(labels, load_images("digits").test_labels[images])


STEPS = [": cells", ": images", "training images"]
"""What a network is told to do here: in the midst of its writes, of its images, of its training."""


@pytest.mark.parametrize("step", STEPS)
def test_a_network_run_that_is_aborted_anywhere_says_so_and_can_be_gone_on_with(
    bench: Path, tmp_path: Path, step: str
) -> None:
    path, control = tmp_path / "net.h5", Control()
    with open_bench(bench, seed=2) as station:
        cut = Cut(step, 0, control.abort)
        facts = run_inference(ASKED, station, path, progress=cut, operator="", control=control)

        aborted = open_run(path)
        assert facts["status"] == aborted.status == "aborted"
        assert ("stopped", "asked to stop") in {(e.kind, e.text) for e in aborted.events}
        assert ("accuracy_programmed" in facts) == (step == "training images")

        facts = resume_inference(path, station, progress=Cut("nothing", 0))

    assert facts["status"] == open_run(path).status == "complete"
    assert open_run(path).rows == 80


def test_a_network_run_that_is_paused_says_what_an_unpaused_one_says(tmp_path: Path) -> None:
    asked, control = replace(ASKED, train=False), Control()
    releasing = threading.Thread(target=release, args=(control,))

    def pause() -> None:
        control.pause()
        releasing.start()

    found = []
    for name, act in (("plain", lambda: None), ("paused", pause)):
        cut = Cut(": images", 0, act)
        path = tmp_path / f"{name}.h5"
        with open_bench("sim-board-stuck", seed=2) as station:
            facts = run_inference(asked, station, path, progress=cut, operator="", control=control)
        found.append({k: v for k, v in facts.items() if k not in ("file", "images_per_second")})
    releasing.join()

    plain, paused = (open_run(tmp_path / f"{name}.h5") for name in ("plain", "paused"))
    assert found[0] == found[1]
    assert np.array_equal(plain.record("predicted"), paused.record("predicted"))
    kinds = [event.kind for event in paused.events]
    assert [kind for kind in kinds if kind in ("paused", "resumed")] == ["paused", "resumed"]


def release(control: Control) -> None:
    """Let a run that waits go on, once it waits."""
    if control.await_waiting(60.0):
        control.resume()


def test_a_signal_ends_a_network_run_at_its_next_pulse_boundary(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    cut = Cut(": cells", 0, lambda: signal.raise_signal(signal.SIGTERM))

    with open_bench("sim-board-stuck", seed=2) as station:
        facts = run_inference(ASKED, station, path, progress=cut, operator="")

    assert facts["status"] == "aborted"
    assert ("stopped", "SIGTERM") in {(e.kind, e.text) for e in open_run(path).events}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("infer", "missing argument 'MODEL'"),
        ("infer mcnn --fraction 0.5", "add --train"),
        ("infer mcnn --train --layers c9", "no layer 'c9'; it has C1, C3, FC"),
        ("infer mcnn --again 1h,1min", "expected rising times"),
        ("infer mcnn --settle 3V", "not in s"),
        ("infer mcnn --input-scale 1/0", "expected a number or 1/255"),
        ("infer mcnn --input-scale -1", "expected more than 0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run_command_line([*words.split(), "-o", "net.h5"]) == 2

    assert message in capsys.readouterr().err
    assert not Path("net.h5").exists()
