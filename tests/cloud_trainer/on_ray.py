"""Ray trains categories, a worker is lost under way, and the bundles are those of local workers.

``python -m tests.cloud_trainer.on_ray`` trains three small categories of drawn cartons on a Ray of
this machine with two workers, kills one by SIGKILL, trains the same as local processes, and says
how the bundles differ.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cloud_trainer.category import CategoryJob
from cloud_trainer.executors import Executor, Job, LocalExecutor, worker_of
from cloud_trainer.executors.on_ray import RayExecutor
from cloud_trainer.train import TrainingPlan
from models.bundle import open_bundle
from models.catalogue import load_catalogue
from models.decision import ErrorBudget
from models.embedder import NetworkShape
from tests.simulators.photos import make_catalogue

CATEGORIES = ("oats", "tea", "milk")
LOST = "tea"
PLAN = TrainingPlan(
    network=NetworkShape(backbone="efficientnet-lite0", input_size_px=64),
    steps=24,
    batch_products=3,
    folds=1,
    refit=False,
    evaluate_every=8,
    checkpoint_every=4,
)


@contextmanager
def open_cluster(workers: int = 2) -> Iterator[RayExecutor]:
    """Ray on loopback, one core a worker; sockets of a cluster need a short path."""
    scratch = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    executor = RayExecutor(workers, cpus=1, scratch=scratch)
    try:
        yield executor
    finally:
        executor.close()
        shutil.rmtree(scratch, ignore_errors=True)


def trainings(folder: Path) -> list[Job]:
    """A job a category, each with its own cartons."""
    jobs = []
    for seed, name in enumerate(CATEGORIES):
        catalogue = load_catalogue(make_catalogue(folder / "photos" / name, 3, 8, seed))
        job = CategoryJob(
            category=name,
            root=catalogue.root,
            products=tuple(p.model_copy(update={"category": name}) for p in catalogue.products),
            photos=catalogue.photos,
            plan=replace(PLAN, seed=seed),
            budget=ErrorBudget(),
            target=folder / "bundles" / name,
            licence="drawn",
            replace=True,
        )
        jobs.append(Job(name, "cloud_trainer.category", folder / "jobs" / name, job.to_json()))
    return jobs


def train(executor: Executor, folder: Path, lost: str | None = None) -> list[str]:
    """Train every category.

    Args:
        executor: Where.
        folder: An empty folder.
        lost: The category whose worker is killed once it has a checkpoint.

    Returns:
        What was done to workers, and how each job ended.
    """
    told: list[str] = []

    def watch(job: Job, progress: Mapping[str, object]) -> None:
        checkpoint = job.folder / "held-out-1" / "checkpoint.pt"
        if job.name == lost and not told and checkpoint.exists():
            process = worker_of(job.folder)
            if process:
                told.append(f"{job.name}: worker {process} killed at step {progress.get('step')}")
                os.kill(process, signal.SIGKILL)

    outcomes = executor.run(trainings(folder), watch)
    return told + [f"{outcome.name}: {outcome.error or 'done'}" for outcome in outcomes]


def differences(first: Path, second: Path) -> dict[str, float]:
    """By category, the smallest cosine between the centroids of two bundles."""
    found = {}
    for name in CATEGORIES:
        ours, other = (open_bundle(folder / "bundles" / name) for folder in (first, second))
        found[name] = float((ours.vectors.centroids * other.vectors.centroids).sum(1).min())
    return found


def main() -> int:
    """Train both ways and compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for word, where in (("ray", open_cluster()), ("local", LocalExecutor(2, threads=1))):
            began_s = time.monotonic()
            with where as executor:
                told = train(executor, folder / word, LOST if word == "ray" else None)
            lines = "\n  ".join(told)
            sys.stdout.write(f"{word}, {time.monotonic() - began_s:.0f} s\n  {lines}\n")
        cosines = differences(folder / "ray", folder / "local")
    for name, cosine in cosines.items():
        sys.stdout.write(f"{name}: centroids differ by a cosine of {1 - cosine:.6f} at the most\n")
    return 0 if min(cosines.values()) > 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
