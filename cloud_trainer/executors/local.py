"""Jobs as processes of this machine, one a job."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from cloud_trainer.executors.seam import (
    ALLOCATOR_ENVIRONMENT,
    LOG_NAME,
    POLL_S,
    Executor,
    Job,
    Outcome,
    Watch,
    last_words,
    prepare,
    read_progress,
)


class LocalExecutor(Executor):
    """Runs jobs as processes of this machine, ``workers`` at a time, cores shared between them.

    Args:
        workers: Jobs at a time.
        threads: Threads of each; by default the cores are shared among as many as there are.
    """

    def __init__(self, workers: int = 1, threads: int | None = None) -> None:
        self._workers, self._threads = workers, threads

    @property
    def workers(self) -> int:
        """See ``Executor``."""
        return self._workers

    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        """Run the jobs; on an interruption the workers are stopped and the error goes on."""
        waiting = list(jobs)
        running: dict[str, tuple[Job, subprocess.Popen[bytes]]] = {}
        ended: dict[str, Outcome] = {}
        cores = len(os.sched_getaffinity(0))
        threads = self._threads or max(1, cores // min(self._workers, max(len(jobs), 1)))
        try:
            while waiting or running:
                while waiting and len(running) < self._workers:
                    job = waiting.pop(0)
                    running[job.name] = (job, _start(job, threads))
                time.sleep(POLL_S)
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
    prepare(job)
    environment = {**ALLOCATOR_ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": str(threads)}
    with (job.folder / LOG_NAME).open("wb") as log:
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
    if returncode < 0:
        return Outcome(
            job.name, f"worker was killed by signal {-returncode}; run the command again to resume"
        )
    return Outcome(job.name, last_words(job.folder) or f"worker ended with status {returncode}")
