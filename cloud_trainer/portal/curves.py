"""How trainings go, written down while they do: what they say of themselves becomes curves.

Owns which of a training's figures are kept, and how many points a curve has at the most.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline.view import PipelineView
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.notes import read_note, write_note

_LOGGER: Final = logging.getLogger(__name__)
_MOST_POINTS: Final = 2000
_COUNTS: Final = frozenset({"step", "steps", "fold", "folds", "phase"})


class Curves:
    """Writes curves of trainings that are under way.

    Args:
        view: What the pipeline does.
        database: Where curves are kept.
        wall_time_s: Seconds since 1970.
    """

    def __init__(
        self, view: PipelineView, database: Database, wall_time_s: Callable[[], float]
    ) -> None:
        self._view = view
        self._database = database
        self._wall_time_s = wall_time_s

    def run(self, stop: threading.Event, every_s: float) -> None:
        """Look again and again until told to stop; the body of a thread."""
        while not stop.wait(every_s):
            try:
                self.look()
            except WalkoutTrainerError as err:
                _LOGGER.warning("curves wait: %s", err)
            except Exception:
                _LOGGER.exception("curves failed; they go on with the next look")

    def look(self) -> int:
        """Write down what trainings say now; how many points were new."""
        added = 0
        for run in self._view.runs(limit=20):
            if run.status == "under_way" and run.kind == "train":
                added += self._draw(run.number)
        return added

    def _draw(self, number: int) -> int:
        said = self._view.live(number)
        step = said.get("step")
        if not isinstance(step, (int, float)):
            return 0
        fold = f" (fold {said['fold']})" if "fold" in said else ""
        values = {
            f"{name}{fold}": float(value)
            for name, value in said.items()
            if name not in _COUNTS and isinstance(value, (int, float)) and value == value
        }
        if not values:
            return 0
        added = 0
        with self._database.writing() as connection:
            curves: dict[str, list[list[float]]] = read_note(connection, f"curves/{number}") or {}
            for name, value in values.items():
                points = curves.setdefault(name, [])
                if (not points or points[-1][0] != step) and len(points) < _MOST_POINTS:
                    points.append([float(step), value])
                    added += 1
            if added:
                document: dict[str, object] = dict(curves)
                write_note(connection, f"curves/{number}", document, self._wall_time_s())
        return added
