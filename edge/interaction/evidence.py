"""Pictures of the object behind a change: cut out of the fixture as it was and as it is.

Owns the fixture's settled picture in full size, from which the object that has gone can still be
cut, and the seam to what recognises crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.events import Frame, Recognition
from edge.interaction.change import Step
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView
from edge.interaction.looks import Look

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_MARGIN: Final = 0.12
_FOLLOW_S: Final = 1.0


class ItemRecogniser(Protocol):
    """What recognises an object by its crops, ``edge.matching.recogniser.Recogniser`` for one."""

    def recognise(self, crops: Sequence[Picture]) -> Recognition | None:
        """Recognise one object by all its crops, uint8 BGR of any size; ``None`` cannot yet."""
        ...


@dataclass(frozen=True, eq=False)
class ObjectCrops:
    """An object and its place.

    Attributes:
        before: Its place as it was, uint8 BGR.
        after: Its place as it is, of the same size.
        object: The one of the two that shows it.
        look: Its look; ``None`` where it is unclear which picture shows it.
        work_pixels: How many pixels of the work picture it covers.
    """

    before: Picture
    after: Picture
    object: Picture
    look: Look | None
    work_pixels: int


class FixturePicture:
    """The fixture in full size as it was when nothing was in the way.

    Args:
        view: How the camera sees the facings.
    """

    def __init__(self, view: FacingsView) -> None:
        self._view = view
        self._settled: Picture | None = None
        self._followed_at_s = -np.inf

    @property
    def settled(self) -> Picture:
        """The fixture as it was, uint8 BGR ``(H, W, 3)``."""
        assert self._settled is not None, "no frame has been followed yet"
        return self._settled

    def follow(self, frame: Frame, step: Step) -> None:
        """Take over what a frame shows where it differs from nothing that is settled."""
        if step.foreground is None:
            return
        if self._settled is None or self._settled.shape != frame.image.shape:
            self._settled = frame.image.copy()
            return
        due = frame.captured_at_s - self._followed_at_s >= _FOLLOW_S
        if not due and not step.settled:
            return
        self._followed_at_s = frame.captured_at_s
        busy = cv2.dilate(step.foreground.astype(np.uint8), np.ones((9, 9), np.uint8))
        for settled in step.settled:
            busy[cv2.dilate(settled.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
        height, width = frame.image.shape[:2]
        free = cv2.resize(1 - busy, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(frame.image, free, self._settled)

    def crops(self, change: Change, frame: Frame) -> ObjectCrops:
        """The object of a change that a frame has just settled."""
        assert self._settled is not None, "a change needs a picture of what was before"
        rows, columns = np.nonzero(change.mask)
        height, width = frame.image.shape[:2]
        scale = width / self._view.size_px[0]
        top, bottom = rows.min() * scale, (rows.max() + 1) * scale
        left, right = columns.min() * scale, (columns.max() + 1) * scale
        margin = max(4.0, _MARGIN * max(bottom - top, right - left))
        y0, y1 = max(0, int(top - margin)), min(height, int(bottom + margin) + 1)
        x0, x1 = max(0, int(left - margin)), min(width, int(right + margin) + 1)
        before = self._settled[y0:y1, x0:x1].copy()
        after = frame.image[y0:y1, x0:x1].copy()
        shown = before if change.direction == "vanished" else after
        outline = _outline(change.mask)
        inside = cv2.resize(outline, (width, height), interpolation=cv2.INTER_NEAREST)
        look = Look.of(shown, inside[y0:y1, x0:x1] > 0)
        known = look if change.direction != "unclear" else None
        return ObjectCrops(before, after, shown, known, int(np.count_nonzero(outline)))


def _outline(mask: Mask) -> Picture:
    """The convex hull of a mask: a change has holes where what is behind looks the same."""
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled
