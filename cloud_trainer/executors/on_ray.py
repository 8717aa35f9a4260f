"""Jobs on a Ray cluster (https://docs.ray.io): on one machine or many, a lost worker tried again.

Needs the extra ``ray``. A job's folder and the photos that it names must be at the same path on
every machine of the cluster, such as on a network file system: Ray moves the work, not the files.
Each job has a worker process of its own, which ends with it. Where a worker is lost with its
machine, Ray gives the job to another one, which goes on from the checkpoint in the job's folder.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud_trainer.errors import WalkoutTrainerError
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

# Ray reads these when it is imported. It reports to its makers unless told not to; and where it may
# have several machines, on Linux, it listens on every network even if the only machine is this one.
_NO_REPORTS = {"RAY_USAGE_STATS_ENABLED": "0"}
_LOOPBACK_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class RayExecutor(Executor):
    """Runs jobs on a Ray cluster.

    Args:
        workers: Jobs at a time.
        address: Of a running cluster, such as ``auto``; ``None`` starts one on this machine, on
            loopback and without a dashboard, which ends with this object.
        cpus: Cores of each job; by default this machine's shared among the workers.
        retries: How often a job is given to another worker after its own was lost.
        scratch: Where a cluster on this machine keeps its sockets and logs; a short path.

    Raises:
        WalkoutTrainerError: Ray is not installed, or the cluster is not to be reached.
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        address: str | None = None,
        cpus: int | None = None,
        retries: int = 2,
        scratch: Path | None = None,
    ) -> None:
        self._ray = _imported(alone=address is None)
        self._workers = workers
        self._cpus = cpus or max(1, len(os.sched_getaffinity(0)) // workers)
        self._retries = retries
        options: dict[str, Any] = {"address": address, "log_to_driver": False}
        if address is None:
            options |= {
                "num_cpus": workers * self._cpus,
                "num_gpus": 0,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "object_store_memory": 80 * 2**20,
            }
            if scratch is not None:
                options["_temp_dir"] = str(scratch)
        try:
            self._ray.init(**options)
        except (ConnectionError, OSError, RuntimeError, ValueError) as err:
            raise WalkoutTrainerError(
                f"no Ray cluster at {address or 'this machine'}: {err}; start one by 'ray start "
                "--head', or run jobs as local processes"
            ) from err

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        self._ray.shutdown()

    @property
    def workers(self) -> int:
        """See ``Executor``."""
        return self._workers

    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        """Run the jobs; on an interruption the workers are stopped and the error goes on."""
        waiting = list(jobs)
        running: dict[Any, Job] = {}
        ended: dict[str, Outcome] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._workers:
                    job = waiting.pop(0)
                    running[self._start(job)] = job
                ready, _ = self._ray.wait(list(running), num_returns=1, timeout=POLL_S)
                for job in running.values():
                    watch(job, read_progress(job.folder))
                for reference in ready:
                    job = running.pop(reference)
                    ended[job.name] = self._outcome(job, reference)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)
        return [ended[job.name] for job in jobs]

    def _start(self, job: Job) -> Any:  # noqa: ANN401 - Ray's reference to a result to come
        prepare(job)
        (job.folder / LOG_NAME).write_bytes(b"")
        threads = {"OMP_NUM_THREADS": str(self._cpus)}
        task = self._ray.remote(
            num_cpus=self._cpus,
            max_calls=1,  # a process of its own, as its memory and threads are set up for one job
            max_retries=self._retries,
            runtime_env={"env_vars": {**ALLOCATOR_ENVIRONMENT, **threads}},
        )(_work)
        return task.options(name=job.name).remote(job.module, str(job.folder))

    def _outcome(self, job: Job, reference: Any) -> Outcome:  # noqa: ANN401 - Ray's reference
        try:
            status = self._ray.get(reference)
        except self._ray.exceptions.WorkerCrashedError:
            return Outcome(job.name, "its workers were lost; run the command again to resume")
        except self._ray.exceptions.RayError as err:
            words = str(err).strip().splitlines()
            return Outcome(job.name, words[-1] if words else type(err).__name__)
        if status == 0:
            return Outcome(job.name, None)
        return Outcome(job.name, last_words(job.folder) or f"worker ended with status {status}")


def _imported(*, alone: bool) -> Any:  # noqa: ANN401 - a module
    """Ray, imported the first time it is asked for.

    Raises:
        WalkoutTrainerError: It is not installed, or was imported for another kind of cluster.
    """
    wanted = {**_NO_REPORTS, **(_LOOPBACK_ALONE if alone else {})}
    if "ray" in sys.modules and any(os.environ.get(name) != wanted[name] for name in wanted):
        raise WalkoutTrainerError(
            "this process has begun Ray in another way already; start a new one"
        )
    os.environ.update(wanted)
    try:
        return importlib.import_module("ray")
    except ImportError as err:
        raise WalkoutTrainerError(
            f"Ray is not installed here ({err}): pip install 'walkout[trainer,ray]', or run jobs "
            "as local processes"
        ) from err


def _work(module: str, folder: str) -> int:
    """Do a job in a Ray worker, as ``python -m module folder`` would; its exit status."""
    before = sys.argv
    sys.argv = [module, folder]
    # What an earlier attempt wrote stays: it says where that one was lost.
    with (
        (Path(folder) / LOG_NAME).open("a") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.argv = before
    return 0
