"""Where training jobs run: one process a category on this machine, or another engine by this seam.

A job is a line of JSON in and a folder of results out, so that an executor needs to know nothing
about training and a lost worker costs one category's step, which resumes from its checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud_trainer.errors import WalkoutTrainerError

# glibc hands blocks of over 32 MB back to the kernel when they are freed, and every activation of
# the next step is then paged in again: keeping them doubles the speed of training on a CPU.
# Transparent huge pages for the heap add a little more. Both must be set before a process starts.
_ALLOCATOR_ENVIRONMENT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
_POLL_S = 0.5


@dataclass(frozen=True)
class Job:
    """One piece of work for a worker.

    Attributes:
        name: Unique name, shown to people.
        module: Module run as ``python -m module FOLDER``.
        folder: The job's own folder: ``job.json`` in, ``progress.json`` while it runs.
        arguments: Written to ``job.json``; JSON values only.
    """

    name: str
    module: str
    folder: Path
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        name: The job's name.
        error: ``None``, or why it failed, for a person to read.
    """

    name: str
    error: str | None


Watch = Callable[[Job, Mapping[str, object]], None]


class Executor(ABC):
    """Runs jobs and reports on them."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        """Run ``jobs`` to their ends.

        Args:
            jobs: What to do; jobs do not depend on each other.
            watch: Called now and then with a running job and the progress it last wrote.

        Returns:
            One outcome a job, in the order given. A failed job does not stop the others.
        """


class LocalExecutor(Executor):
    """Runs jobs as processes of this machine, ``workers`` at a time, cores shared between them."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        """Run the jobs; on an interruption the workers are stopped and the error goes on."""
        waiting = list(jobs)
        running: dict[str, tuple[Job, subprocess.Popen[bytes]]] = {}
        ended: dict[str, Outcome] = {}
        cores = len(os.sched_getaffinity(0))
        threads = max(1, cores // min(self._workers, max(len(jobs), 1)))
        try:
            while waiting or running:
                while waiting and len(running) < self._workers:
                    job = waiting.pop(0)
                    running[job.name] = (job, _start(job, threads))
                time.sleep(_POLL_S)
                for name, (job, process) in list(running.items()):
                    watch(job, read_progress(job.folder))
                    if process.poll() is not None:
                        ended[name] = _outcome(job, process.returncode)
                        del running[name]
        finally:
            for _, process in running.values():
                process.terminate()
            for _, process in running.values():
                process.wait()
        return [ended[job.name] for job in jobs]


def _start(job: Job, threads: int) -> subprocess.Popen[bytes]:
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "progress.json").unlink(missing_ok=True)
    (job.folder / "job.json").write_text(json.dumps(dict(job.arguments), indent=1))
    environment = {**_ALLOCATOR_ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": str(threads)}
    with (job.folder / "worker.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", job.module, str(job.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def _outcome(job: Job, returncode: int) -> Outcome:
    if returncode == 0:
        return Outcome(job.name, None)
    lines = [line for line in _tail(job.folder / "worker.log") if line.strip()]
    if returncode < 0:
        return Outcome(
            job.name, f"worker was killed by signal {-returncode}; run the command again to resume"
        )
    return Outcome(job.name, lines[-1] if lines else f"worker ended with status {returncode}")


def _tail(path: Path) -> Iterator[str]:
    yield from path.read_text(errors="replace").splitlines()[-20:]


@contextlib.contextmanager
def sole_worker(folder: Path) -> Iterator[None]:
    """Hold a job's folder, so that no second worker writes to it.

    A worker outlives a parent that was killed; the lock is the kernel's and ends with its process.

    Raises:
        WalkoutTrainerError: Another worker holds the folder.
    """
    with (folder / "worker.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            lock.seek(0)
            raise WalkoutTrainerError(
                f"process {lock.read().strip() or 'unknown'} still works in {folder}: wait for it, "
                "or stop it, and run the command again"
            ) from err
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def write_progress(folder: Path, progress: Mapping[str, object]) -> None:
    """Replace the job's progress, whole, so that a reader never sees half of it."""
    fresh = folder / "progress.json.new"
    fresh.write_text(json.dumps(dict(progress)))
    fresh.replace(folder / "progress.json")


def read_progress(folder: Path) -> dict[str, object]:
    """The progress a job last wrote; empty before it wrote any."""
    try:
        progress = json.loads((folder / "progress.json").read_text())
    except FileNotFoundError:
        return {}
    return dict(progress)
