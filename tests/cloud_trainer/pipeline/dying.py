"""A pipeline that dies in the middle of its work, in the test's own process or for real.

``python -m tests.cloud_trainer.pipeline.dying FOLDER STEP`` works in a scene's folder and is killed
by SIGKILL when it has done a step and is about to write that down; with the step ``train``, while a
worker trains, who outlives it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

from cloud_trainer.executors import Job, LocalExecutor, Outcome, Watch, worker_of
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.seams import StepName
from cloud_trainer.record_file import RecordFile
from cloud_trainer.store import FolderStore, Sent
from tests.cloud_trainer.pipeline.scene import (
    Clock,
    Keeper,
    drawn_photos,
    open_pipeline,
    reopened_cloud,
)


class DiedError(BaseException):
    """What stands for the death of the process in the test's own."""


@dataclass
class Fate:
    """Counts durable writes; the one numbered ``at`` never happens.

    Attributes:
        at: Which, from 1; 0: none.
        writes: What was written so far.
    """

    at: int
    writes: int = 0

    def write(self) -> None:
        self.writes += 1
        if self.writes == self.at:
            raise DiedError


class DyingFile(RecordFile):
    """A record file whose transactions are counted."""

    def __init__(self, file: RecordFile, fate: Fate) -> None:
        self.path, self._file, self._fate, self._depth = file.path, file, fate, 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._file.transaction() as connection:
            self._depth += 1
            changes = connection.total_changes
            try:
                yield connection
                if self._depth == 1 and connection.total_changes != changes:
                    self._fate.write()
            finally:
                self._depth -= 1

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return self._file.rows(query, values)

    def close(self) -> None:
        self._file.close()


class DyingStore(FolderStore):
    """A store whose puts are counted."""

    def __init__(self, root: Path, fate: Fate) -> None:
        super().__init__(root)
        self._fate = fate

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        self._fate.write()
        return super().put(key, content, if_absent=if_absent, if_match=if_match)

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        self._fate.write()
        super().put_file(key, path, sha256, sent)


class KilledRecords(PipelineRecords):
    """Records whose process is killed when it would write down how a step went."""

    def __init__(self, folder: Path, step: str) -> None:
        super().__init__(folder)
        self._step = step

    def done(
        self,
        run: int,
        step: StepName,
        reason: str,
        figures: Mapping[str, object],
        now: datetime,
        *,
        release: int | None = None,
    ) -> None:
        self._die_at(step)
        super().done(run, step, reason, figures, now, release=release)

    def going_on(self, run: int, step: StepName, reason: str) -> None:
        self._die_at(step)
        super().going_on(run, step, reason)

    def _die_at(self, step: StepName) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def work_until_fate(folder: Path, fate: Fate) -> None:
    """One product is approved, and a pipeline works at it until it dies or is through.

    Args:
        folder: With a cloud that has a release; no device is there to be waited for.
        fate: When it dies.
    """
    records = PipelineRecords(folder / "pipeline")
    records.file = DyingFile(records.file, fate)
    store = DyingStore(folder / "cloud" / "store", fate)
    work(folder, records, store)


def work(folder: Path, records: PipelineRecords, store: FolderStore) -> None:
    """A few passes of a pipeline in a scene's folder."""
    cloud, clock, keeper = reopened_cloud(folder / "cloud"), Clock(), approved(folder)
    with open_pipeline(folder, keeper, cloud, clock, store=store, records=records) as opened:
        for _ in range(3):
            opened[0].advance()
            clock.pass_s(1.0)


class StandIn(LocalExecutor):
    """Processes of this machine; in the place of a training something that waits for a word."""

    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        return super().run([replace(job, module="tests.simulators.slow_trainer") for job in jobs],
                           watch)  # fmt: skip


def die_in_training(folder: Path) -> None:
    """A first bundle is to be trained; the pipeline is killed once a worker is at it."""
    cloud, clock, keeper = reopened_cloud(folder / "cloud"), Clock(), untrained(folder)
    with open_pipeline(folder, keeper, cloud, clock, executor=StandIn()) as (pipeline, _):
        while True:
            pipeline.advance()
            for progress in (folder / "pipeline" / "runs").glob("*/training/progress.json"):
                if worker_of(progress.parent):
                    os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.05)


def untrained(folder: Path) -> Keeper:
    """Three cartons, approved, of which no network knows."""
    keeper = Keeper()
    for product in range(3):
        photos = drawn_photos(folder / "photos", product, 4)
        keeper.approve(photos[0].parent.name, photos)
    return keeper


def approved(folder: Path) -> Keeper:
    """A fifth carton, approved."""
    keeper = Keeper()
    keeper.approve("carton-04", drawn_photos(folder / "photos", 4, 2))
    return keeper


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if sys.argv[2] == "train":
        die_in_training(place)
    killed = KilledRecords(place / "pipeline", sys.argv[2])
    work(place, killed, FolderStore(place / "cloud" / "store"))
