"""Crops of several requests through the network in one batch, by one thread.

Owns the queue and its bound. While a batch is computed, the next requests gather and go together:
nobody waits for a batch to fill, and many at once cost less each. The thread stands behind the
shop's own in the scheduler's order, so that searching slows nothing that is charged.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import SearchBusyError, WalkoutEdgeError

_LOGGER: Final = logging.getLogger(__name__)
_NICER_BY: Final = 5

Image = NDArray[np.uint8]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Job(Generic[Asked, Answer]):
    """What one request wants to know.

    Attributes:
        crops: Its crops, at least one.
        asked: What else the answer depends on.
        answer: Where it goes.
    """

    crops: tuple[Image, ...]
    asked: Asked
    answer: Future[Answer]


class Batching(Generic[Asked, Answer]):
    """Gathers jobs and answers them batch by batch.

    Args:
        work: Answers jobs, one answer a job; what it raises, every job of the batch gets.
        most_crops: A batch takes no further job when it would exceed this; a job that exceeds it
            alone makes a batch of its own.
        most_waiting: Crops that may wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job[Asked, Answer]]], Sequence[Answer]],
        most_crops: int = 16,
        most_waiting: int = 256,
    ) -> None:
        self._work = work
        self._most_crops = most_crops
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Job[Asked, Answer]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="visual search", daemon=True)
        self._thread.start()

    def ask(self, crops: Sequence[Image], asked: Asked) -> Future[Answer]:
        """Put a job into the queue; from any thread.

        Raises:
            SearchBusyError: Too much waits already, or nothing is answered any more.
        """
        job: Job[Asked, Answer] = Job(tuple(crops), asked, Future())
        with self._changed:
            if self._closed:
                raise SearchBusyError("the device is being stopped; ask again later")
            waiting = sum(len(each.crops) for each in self._waiting)
            if waiting and waiting + len(job.crops) > self._most_waiting:
                raise SearchBusyError(
                    f"{waiting} pictures wait to be searched already; ask again in a second"
                )
            self._waiting.append(job)
            self._changed.notify()
        return job.answer

    def close(self) -> None:
        """Answer what waits with a refusal and end the thread."""
        with self._changed:
            self._closed = True
            left, self._waiting = list(self._waiting), deque()
            self._changed.notify()
        for job in left:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(SearchBusyError("the device is being stopped"))
        self._thread.join()

    def _run(self) -> None:
        stand_back()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                batch = self._taken()
            # Whoever does not wait any more costs nothing.
            batch = [job for job in batch if job.answer.set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _taken(self) -> list[Job[Asked, Answer]]:
        batch = [self._waiting.popleft()]
        crops = len(batch[0].crops)
        while self._waiting and crops + len(self._waiting[0].crops) <= self._most_crops:
            batch.append(self._waiting.popleft())
            crops += len(batch[-1].crops)
        return batch

    def _answer(self, batch: Sequence[Job[Asked, Answer]]) -> None:
        try:
            answers = self._work(batch)
        except WalkoutEdgeError as err:
            for job in batch:
                job.answer.set_exception(err)
        except Exception as err:
            # The thread must outlive whatever a picture did to a network.
            _LOGGER.exception("a batch of %d searches failed", len(batch))
            for job in batch:
                job.answer.set_exception(err)
        else:
            for job, answer in zip(batch, answers, strict=True):
                job.answer.set_result(answer)


def stand_back() -> None:
    """Let the calling thread run behind the others; where that is not possible, go on."""
    try:
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, 0) + _NICER_BY)
    except OSError as err:
        _LOGGER.debug("searching runs as fast as everything else: %s", err)
