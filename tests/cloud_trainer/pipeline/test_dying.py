"""Killed anywhere, the pipeline goes on: nothing is lost, nothing is published twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline.records import PipelineRecords
from tests.cloud_trainer.pipeline.kills import die_and_finish, finish, writes_of
from tests.cloud_trainer.pipeline.scene import Scene, copied, open_pipeline


def test_whatever_write_was_the_last_one_the_next_pipeline_finishes_the_work(
    tmp_path: Path, published: Path
) -> None:
    """Every fifth write here, every one by ``tests.cloud_trainer.pipeline.kills``."""
    writes = writes_of(published, tmp_path / "whole")
    assert writes > 20
    assert die_and_finish(published, tmp_path, range(1, writes + 1, 5)) >= 5


@pytest.mark.parametrize("step", ["enrol", "examine", "gate", "publish", "roll_out"])
def test_killed_at_a_step_for_real_another_process_goes_on_with_it(
    tmp_path: Path, published: Path, step: str
) -> None:
    """The process is gone between having done the step and having written that down."""
    copied(published, tmp_path / "cloud")
    run = subprocess.run(
        [sys.executable, "-m", "tests.cloud_trainer.pipeline.dying", str(tmp_path), step],
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    with PipelineRecords(tmp_path / "pipeline") as records:
        (left,) = records.runs()
        assert left.current is not None
        assert left.current.name == step
        assert left.current.status == "under_way"
    finish(tmp_path)


def test_one_pipeline_works_in_a_folder_at_a_time(scene: Scene) -> None:
    with (
        pytest.raises(WalkoutTrainerError, match="still works in"),
        open_pipeline(scene.folder, scene.keeper, scene.cloud, scene.clock),
    ):
        pass
