"""Where training jobs run: processes of this machine, or a Ray cluster, behind one seam.

The parts: ``seam`` what a job is and what every executor does, ``local`` processes, ``on_ray`` a
cluster; the last needs the extra ``ray`` and is imported only where it is asked for.
"""

from cloud_trainer.executors.local import LocalExecutor
from cloud_trainer.executors.seam import (
    Executor,
    Job,
    Outcome,
    Watch,
    read_progress,
    sole_worker,
    worker_of,
    write_progress,
)

__all__ = [
    "Executor",
    "Job",
    "LocalExecutor",
    "Outcome",
    "Watch",
    "read_progress",
    "sole_worker",
    "worker_of",
    "write_progress",
]
