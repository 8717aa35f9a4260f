"""What each stage of the work costs: processor seconds by stage, each second counted once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.events import Recognition
from edge.interaction.evidence import ItemRecogniser

Stage = Literal["decode", "shelf", "floor", "recognise", "desk"]
STAGES: Final[tuple[Stage, ...]] = ("decode", "shelf", "floor", "recognise", "desk")


class StageClock:
    """Counts processor seconds; safe to use from several threads.

    A stage within a stage counts for itself and not for the outer one.
    """

    def __init__(self) -> None:
        self._spent_s: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._counting = threading.Lock()
        self._own = threading.local()

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Whatever this thread does within counts for a stage."""
        outer_inner_s: float = getattr(self._own, "inner_s", 0.0)
        self._own.inner_s = 0.0
        began_s = time.thread_time()
        try:
            yield
        finally:
            took_s = time.thread_time() - began_s
            with self._counting:
                self._spent_s[name] += max(0.0, took_s - self._own.inner_s)
            self._own.inner_s = outer_inner_s + took_s

    def spent_s(self) -> dict[Stage, float]:
        """Processor seconds so far, by stage."""
        with self._counting:
            return dict(self._spent_s)


class TimedRecogniser:
    """A recogniser whose cost counts as a stage of its own.

    Args:
        recogniser: Does the work.
        stages: Counts.
    """

    def __init__(self, recogniser: ItemRecogniser, stages: StageClock) -> None:
        self._recogniser = recogniser
        self._stages = stages

    def recognise(self, crops: Sequence[NDArray[np.uint8]]) -> Recognition | None:
        """Recognise one object by all its crops."""
        with self._stages.stage("recognise"):
            return self._recogniser.recognise(crops)
