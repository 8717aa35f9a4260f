"""What a training job is, and the seam to wherever jobs run.

A job is a line of JSON in and a folder of results out, so that an executor needs to know nothing
about training and a lost worker costs one category's step, which resumes from its checkpoint. The
folder's files are all that passes between a job and whoever asked for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cloud_trainer.errors import WalkoutTrainerError

# glibc hands blocks of over 32 MB back to the kernel when they are freed, and every activation of
# the next step is then paged in again: keeping them doubles the speed of training on a CPU.
# Transparent huge pages for the heap add a little more. Both must be set before a process starts.
ALLOCATOR_ENVIRONMENT: Mapping[str, str] = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
POLL_S = 0.5
LOG_NAME = "worker.log"
LOCK_NAME = "worker.lock"


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
    """Runs jobs and reports on them. May be asked from several threads. A context manager."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of whatever it holds; jobs must have ended."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many jobs it runs at a time."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        """Run ``jobs`` to their ends.

        Args:
            jobs: What to do; jobs do not depend on each other.
            watch: Called now and then with a running job and the progress it last wrote.

        Returns:
            One outcome a job, in the order given. A failed job does not stop the others.
        """


def prepare(job: Job) -> None:
    """Write a job's folder, with nothing left of an earlier attempt's progress."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "progress.json").unlink(missing_ok=True)
    (job.folder / "job.json").write_text(json.dumps(dict(job.arguments), indent=1))


def last_words(folder: Path) -> str | None:
    """The last line that a worker wrote, which says why it failed."""
    text = (folder / LOG_NAME).read_text(errors="replace")
    return next((line for line in reversed(text.splitlines()[-20:]) if line.strip()), None)


def worker_of(folder: Path) -> int | None:
    """Process that works in a job's folder now; ``None`` where none does.

    A worker outlives a parent that was killed: whoever comes after asks before it starts another.
    """
    try:
        with (folder / LOCK_NAME).open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read().strip() or 0)
    except FileNotFoundError:
        pass
    return None


@contextlib.contextmanager
def sole_worker(folder: Path) -> Iterator[None]:
    """Hold a job's folder, so that no second worker writes to it.

    A worker outlives a parent that was killed; the lock is the kernel's and ends with its process.

    Raises:
        WalkoutTrainerError: Another worker holds the folder.
    """
    with (folder / LOCK_NAME).open("a+") as lock:
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
