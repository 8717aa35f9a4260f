"""Jobs as processes: what goes in, what comes out, and what a lost worker costs."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import (
    Job,
    LocalExecutor,
    read_progress,
    sole_worker,
    write_progress,
)

WORKER = "tests.simulators.worker"


def _job(tmp_path: Path, name: str, **arguments: object) -> Job:
    return Job(name, WORKER, tmp_path / name, arguments)


def _ignore(job: Job, progress: Mapping[str, object]) -> None:
    """Watch nothing."""


def test_outcomes_come_in_the_order_of_the_jobs_and_a_failure_stops_no_other(
    tmp_path: Path,
) -> None:
    jobs = [
        _job(tmp_path, "slow", do="succeed", after_s=0.6),
        _job(tmp_path, "broken", do="fail", message="there are no photos"),
        _job(tmp_path, "fast", do="succeed", after_s=0),
    ]
    outcomes = LocalExecutor(workers=2).run(jobs, _ignore)
    assert [outcome.name for outcome in outcomes] == ["slow", "broken", "fast"]
    assert [outcome.error for outcome in outcomes] == [None, "there are no photos", None]


def test_a_killed_worker_is_named_as_such_and_costs_only_its_own_job(tmp_path: Path) -> None:
    jobs = [_job(tmp_path, "killed", do="hang"), _job(tmp_path, "other", do="succeed", after_s=0)]

    def kill(job: Job, progress: Mapping[str, object]) -> None:
        if job.name == "killed" and "pid" in progress:
            os.kill(int(str(progress["pid"])), signal.SIGKILL)

    killed, other = LocalExecutor(workers=2).run(jobs, kill)
    assert killed.error is not None
    assert "killed by signal 9" in killed.error
    assert "resume" in killed.error
    assert other.error is None


def test_an_interruption_stops_the_workers(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(job: Job, progress: Mapping[str, object]) -> None:
        if "pid" in progress:
            pids.append(int(str(progress["pid"])))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalExecutor().run([_job(tmp_path, "long", do="hang")], interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_workers_share_the_cores_and_keep_their_memory(tmp_path: Path) -> None:
    jobs = [_job(tmp_path, name, do="environment") for name in ("a", "b")]
    LocalExecutor(workers=2).run(jobs, _ignore)
    seen = read_progress(tmp_path / "a")
    assert seen["OMP_NUM_THREADS"] == str(max(1, (os.cpu_count() or 1) // 2))
    assert seen["MALLOC_MMAP_MAX_"] == "0"


def test_progress_is_replaced_whole_and_empty_before_the_first(tmp_path: Path) -> None:
    assert read_progress(tmp_path) == {}
    write_progress(tmp_path, {"step": 1})
    write_progress(tmp_path, {"step": 2})
    assert read_progress(tmp_path) == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


def test_a_folder_has_one_worker_until_that_worker_is_gone(tmp_path: Path) -> None:
    """A worker whose parent alone was killed goes on; a second beside it would tear its files."""
    with (
        sole_worker(tmp_path),
        pytest.raises(WalkoutTrainerError, match=f"process {os.getpid()} still works in"),
        sole_worker(tmp_path),
    ):
        pass
    with sole_worker(tmp_path):
        assert (tmp_path / "worker.lock").read_text() == str(os.getpid())
