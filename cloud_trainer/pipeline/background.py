"""Jobs of an executor beside whoever asked for them: started, looked at, stopped together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cloud_trainer.executors import Executor, Job, Outcome


class _StoppedError(Exception):
    """Whoever asked for the job has gone."""


class Background:
    """Runs jobs of an executor, as many at a time as it has workers. A context manager.

    Args:
        executor: Where they run.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._threads = ThreadPoolExecutor(executor.workers, thread_name_prefix="job")
        self._jobs: dict[Path, Future[list[Outcome]]] = {}
        self._stop = threading.Event()

    def start(self, job: Job) -> None:
        """Let a job run as soon as a worker is free; one with the same folder must have ended."""
        self._jobs[job.folder] = self._threads.submit(self._executor.run, [job], self._watch)

    def is_started(self, folder: Path) -> bool:
        """Whether a job with this folder was started and its outcome not yet taken."""
        return folder in self._jobs

    def outcome(self, folder: Path) -> Outcome | None:
        """How a job ended, told once; ``None`` while it waits or runs."""
        job = self._jobs[folder]
        if not job.done():
            return None
        del self._jobs[folder]
        failure = job.exception()
        if failure is not None:
            return Outcome(folder.name, f"{type(failure).__name__}: {failure}")
        return job.result()[0]

    def close(self) -> None:
        """Stop all of them; what they have done so far stays in their folders."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)

    def _watch(self, job: Job, progress: Mapping[str, object]) -> None:
        if self._stop.is_set():
            raise _StoppedError
