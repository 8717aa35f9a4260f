"""Trainings beside the pipeline: adopted when it was killed, begun again when they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cloud_trainer.executors import worker_of
from cloud_trainer.pipeline.seams import RunProgress, StepProgress
from tests.cloud_trainer.pipeline.dying import StandIn, untrained
from tests.cloud_trainer.pipeline.scene import CATEGORY, Scene, open_scene
from tests.simulators.cloud import Cloud
from tests.simulators.slow_trainer import GO_NAME

JOB = Path("pipeline") / "runs" / "000001" / "training"


def _training(scene: Scene) -> tuple[RunProgress, StepProgress]:
    (run,) = scene.records.runs()
    step = run.step("train")
    assert step is not None
    return run, step


def _approve(scene: Scene) -> None:
    for sku, photos in untrained(scene.folder).files.items():
        scene.keeper.approve(sku, photos)


def _advance_until(scene: Scene, condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < until_s, f"waited for {what}"
        scene.pipeline.advance()
        scene.clock.pass_s(1.0)
        time.sleep(0.05)


def test_a_training_outlives_the_pipeline_that_was_killed_and_is_taken_over(
    tmp_path: Path,
) -> None:
    Cloud.make(tmp_path / "cloud", categories=(CATEGORY,))
    killed = subprocess.run(
        [sys.executable, "-m", "tests.cloud_trainer.pipeline.dying", str(tmp_path), "train"],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    worker = worker_of(tmp_path / JOB)
    assert worker
    with open_scene(tmp_path, None, executor=StandIn()) as scene:
        _approve(scene)
        scene.pipeline.advance()
        _, step = _training(scene)
        assert step.reason == f"process {worker}, which an earlier pipeline began, trains"
        (tmp_path / JOB / GO_NAME).touch()
        scene.work()
        run, step = _training(scene)
        assert (run.status, run.release, step.attempts) == ("done", 1, 1)
        assert scene.serving().skus == ("carton-00", "carton-01", "carton-02")
    assert (tmp_path / JOB / "attempts").read_text() == "begun\n"


def test_a_training_that_is_killed_is_begun_again_after_a_pause(tmp_path: Path) -> None:
    with open_scene(tmp_path, None, executor=StandIn()) as scene:
        _approve(scene)
        _advance_until(scene, lambda: bool(worker_of(tmp_path / JOB)), "a worker")
        process = worker_of(tmp_path / JOB)
        assert process
        os.kill(process, signal.SIGKILL)
        _advance_until(scene, lambda: _training(scene)[1].not_before is not None, "the failure")
        assert "killed by signal 9" in _training(scene)[1].reason
        (tmp_path / JOB / GO_NAME).touch()
        scene.clock.pass_s(60.0)
        scene.work()
        run, step = _training(scene)
        assert (run.status, step.attempts) == ("done", 2)
