"""The pipeline at work: one pass after the other over all categories, each step a row.

Owns the order of things: what is decided is written down, then done, then written down again.
Killed anywhere, the next pass finds the step that was under way and does it once more; each step
bears that. One pipeline works in a folder at a time. Trainings run beside the passes, several
categories at once, wherever the executor has them run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import Executor, sole_worker
from cloud_trainer.pipeline.background import Background
from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.examining import Examiner
from cloud_trainer.pipeline.going_out import publish_step, roll_out_step
from cloud_trainer.pipeline.judging import examine_step, gate_step
from cloud_trainer.pipeline.looking import Looker, progress_of
from cloud_trainer.pipeline.plan import Next, Situation, next_steps
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.releases import LocalReleases
from cloud_trainer.pipeline.seams import (
    CategoryProgress,
    ProductsToDo,
    RunProgress,
    StepName,
)
from cloud_trainer.pipeline.settings import PipelineSettings
from cloud_trainer.pipeline.steps import enrol_step, gather_step, train_step
from cloud_trainer.pipeline.view import run_folder
from cloud_trainer.pipeline.work import Result, Work
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.running import Rollouts
from models.bundle import BundleError
from models.catalogue import CatalogueError
from models.photos import PhotoError

_LOGGER = logging.getLogger(__name__)
_STEPS_AT_ONCE = 20  # of a category in one pass; far more than a run has

_TROUBLE = (WalkoutTrainerError, BundleError, CatalogueError, PhotoError, OSError)


class Pipeline:
    """Works for every category that products are approved in. A context manager.

    Args:
        folder: Its own folder: records, crops, runs with their bundles, releases.
        products: Keeps products.
        repository: Where releases are published; the keys that publishing takes must be at hand.
        rollouts: Lets devices have releases. Whoever hears devices (``rollout run``, or the portal)
            keeps the same records.
        settings: What a person decided.
        executor: Where trainings run.
        clock: The cloud's time, with its time zone.
        records: The open record file; by default that of the folder.

    Raises:
        WalkoutTrainerError: Another pipeline works in the folder, or its records cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        products: ProductsToDo,
        repository: Repository,
        rollouts: Rollouts,
        settings: PipelineSettings,
        executor: Executor,
        clock: Callable[[], datetime],
        *,
        records: PipelineRecords | None = None,
    ) -> None:
        with ExitStack() as stack:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(sole_worker(folder))
            self._records = stack.enter_context(records or PipelineRecords(folder))
            self._background = Background(executor)
            stack.callback(self._background.close)
            self._stack = stack.pop_all()
        self._folder, self._clock, self._settings = folder, clock, settings
        self._products, self._repository, self._rollouts = products, repository, rollouts
        self._releases = LocalReleases(repository, folder / "releases")
        self._examiner = Examiner(self._records)
        self.events = LabelledEvents(self._records.file, folder)
        self._looker = Looker(
            products,
            self._releases,
            rollouts,
            self._records,
            self.events,
            self._examiner,
            settings,
        )

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop trainings, which go on from their checkpoints the next time, and let go."""
        self._stack.close()

    def look(self) -> tuple[CategoryProgress, ...]:
        """How every category stands and what is next; nothing is done about it.

        Raises:
            WalkoutTrainerError: Products, store or records cannot be read.
        """
        now = self._clock()
        return tuple(
            self._progress(self._looker.situation(category, now))
            for category in self._products.categories()
        )

    def advance(self) -> bool:
        """One pass: do for every category what can be done now; whether anything was.

        What fails for one category is written down and tried again; the others go on.

        Raises:
            WalkoutTrainerError: It is not even known which categories there are, or nothing can be
                written down.
        """
        moved = False
        for category in self._products.categories():
            try:
                moved |= self._advance(category)
            except _TROUBLE:
                _LOGGER.exception("%s: it is not known how it stands; looked at again", category)
        return moved

    def _advance(self, category: str) -> bool:
        moved = False
        for _ in range(_STEPS_AT_ONCE):
            done = [self._one(category, which) for which in (0, 1)]
            if not any(done):
                break
            moved = True
        situation = self._looker.situation(category, self._clock())
        self._looker.tell(situation)
        self._records.show(self._progress(situation))
        return moved

    def _one(self, category: str, which: int) -> bool:
        """Do what is next for one of a category's two runs; whether there may be more."""
        situation = self._looker.situation(category, self._clock())
        following = next_steps(situation, self._settings.bounds)[which]
        return following.kind != "wait" and self._do(situation, following)

    def _progress(self, situation: Situation) -> CategoryProgress:
        return progress_of(situation, next_steps(situation, self._settings.bounds))

    def _do(self, situation: Situation, following: Next) -> bool:
        """Do what is next; whether there may be more to do at once."""
        run = situation.enrol_run if following.run == "enrol" else situation.train_run
        now = situation.now
        if following.kind == "begin":
            begun = self._records.begin(
                situation.category, following.run, following.reason, following.subject, now
            )
            _LOGGER.info("%s: run %d begins, %s", situation.category, begun.number, begun.reason)
            return True
        if run is None:
            return False
        if following.kind == "stop":
            self._records.end(run.number, "done", following.reason, now)
        elif following.kind == "back":
            self._records.back(run.number, following.reason)
        elif following.step is not None:
            return self._step(run, following.step, following.reason)
        return True

    def _step(self, run: RunProgress, step: StepName, reason: str) -> bool:
        current = run.step(step)
        if current is not None and current.status == "waiting":
            self._records.attempt(run.number, step, reason, self._clock())
        # Asked anew: another run of this category may have gone out in the same pass.
        situation = self._looker.situation(run.category, self._clock())
        approved, withdrawn = self._looker.wanted(run.category)
        work = Work(
            run=self._records.run(run.number),
            folder=run_folder(self._folder, run.number),
            serving=situation.serving,
            approved=approved,
            withdrawn=withdrawn,
            now=situation.now,
        )
        try:
            work.folder.mkdir(parents=True, exist_ok=True)
            result = self._result(step, work)
        except _TROUBLE as err:
            self._failed(work.run, step, err)
            return True
        if result.kind == "under_way":
            self._records.going_on(run.number, step, result.reason)
            return False
        _LOGGER.info("%s: run %d, %s: %s", run.category, run.number, step, result.reason)
        if result.kind == "stopped":
            self._records.end(run.number, "stopped", result.reason, self._clock(), step=step)
            return True
        self._records.done(
            run.number, step, result.reason, result.figures, self._clock(), release=result.release
        )
        if step == "roll_out":
            self._records.end(run.number, "done", result.reason, self._clock())
        return True

    def _result(self, step: StepName, work: Work) -> Result:
        settings, records, products = self._settings, self._records, self._products
        if step == "gather":
            return gather_step(work, products, self.events, settings)
        if step == "train":
            return train_step(work, self._background, settings.training)
        if step == "enrol":
            return enrol_step(work, products, self._releases, records)
        if step == "examine":
            return examine_step(
                work, products, self.events, self._releases, self._examiner, settings
            )
        if step == "gate":
            return gate_step(work, products, records, settings.rule)
        if step == "publish":
            return publish_step(work, self._repository, records)
        return roll_out_step(work, self._rollouts, settings)

    def _failed(self, run: RunProgress, step: StepName, err: Exception) -> None:
        """Write down that a step failed: it is tried again a while later, or the run has failed."""
        current, attempts = run.step(step), self._settings.attempts
        count = current.attempts if current else 1
        reason = str(err) or type(err).__name__
        if count >= attempts.most:
            _LOGGER.error("%s: run %d failed at %s: %s", run.category, run.number, step, reason)
            self._records.end(run.number, "failed", reason, self._clock(), step=step)
            return
        pause = timedelta(seconds=attempts.first_pause_s * 4 ** (count - 1))
        _LOGGER.warning("%s: run %d, %s: %s", run.category, run.number, step, reason)
        self._records.again(run.number, step, reason, self._clock() + pause)
