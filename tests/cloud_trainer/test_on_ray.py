"""Jobs on a real Ray of this machine: the same results as local ones, also after a lost worker.

Real trainings take minutes and are compared by ``tests.cloud_trainer.on_ray``.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from cloud_trainer.executors import Job, LocalExecutor, read_progress
from cloud_trainer.executors.on_ray import RayExecutor
from tests.cloud_trainer.on_ray import open_cluster

WORKER = "tests.simulators.worker"
LEARNER = "tests.simulators.learner"
CATEGORIES = ("oats", "tea", "milk")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayExecutor]:
    with open_cluster() as executor:
        yield executor


def _ignore(job: Job, progress: Mapping[str, object]) -> None:
    """Watch nothing."""


def _learning(folder: Path) -> list[Job]:
    return [
        Job(name, LEARNER, folder / name, {"seed": seed, "steps": 60})
        for seed, name in enumerate(CATEGORIES)
    ]


def test_a_lost_worker_costs_its_step_alone_and_the_results_are_those_of_local_workers(
    cluster: RayExecutor, tmp_path: Path
) -> None:
    killed: list[int] = []

    def watch(job: Job, progress: Mapping[str, object]) -> None:
        if job.name == "tea" and not killed and int(str(progress.get("step", 0))) >= 10:
            killed.append(int(str(progress["pid"])))
            os.kill(killed[0], signal.SIGKILL)

    outcomes = cluster.run(_learning(tmp_path / "ray"), watch)
    assert [(each.name, each.error) for each in outcomes] == [(name, None) for name in CATEGORIES]
    attempts = (tmp_path / "ray" / "tea" / "attempts").read_text().splitlines()
    assert len(attempts) == 2
    assert attempts[0] == f"{killed[0]} from 0"
    assert int(attempts[1].rpartition(" ")[2]) >= 10
    LocalExecutor(2).run(_learning(tmp_path / "local"), _ignore)
    for name in CATEGORIES:
        ours, local = (np.load(tmp_path / where / name / "weights.npy") for where in
                       ("ray", "local"))  # fmt: skip
        assert np.allclose(ours, local, atol=1e-9)
        if name != "tea":
            assert len((tmp_path / "ray" / name / "attempts").read_text().splitlines()) == 1


def test_failures_are_told_in_words_and_other_jobs_have_a_process_set_up_for_training(
    cluster: RayExecutor, tmp_path: Path
) -> None:
    jobs = [
        Job("bad", WORKER, tmp_path / "bad", {"do": "fail", "message": "there are no photos"}),
        Job("good", WORKER, tmp_path / "good", {"do": "environment"}),
    ]
    bad, good = cluster.run(jobs, _ignore)
    assert (bad.name, bad.error) == ("bad", "there are no photos")
    assert good.error is None
    seen = read_progress(tmp_path / "good")
    assert (seen["OMP_NUM_THREADS"], seen["MALLOC_MMAP_MAX_"]) == ("1", "0")


def test_it_listens_on_loopback_alone(cluster: RayExecutor) -> None:
    (node,) = importlib.import_module("ray").nodes()
    assert node["NodeManagerAddress"] == "127.0.0.1"


def test_an_interruption_stops_the_workers(cluster: RayExecutor, tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(job: Job, progress: Mapping[str, object]) -> None:
        if "pid" in progress:
            pids.append(int(str(progress["pid"])))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster.run([Job("long", WORKER, tmp_path / "long", {"do": "hang"})], interrupt)
    assert _is_gone(pids[0])


def _is_gone(process: int) -> bool:
    until_s = time.monotonic() + 30.0
    while time.monotonic() < until_s:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
