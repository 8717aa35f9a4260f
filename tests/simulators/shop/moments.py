"""Films one interaction alone: the shelf camera that watches it, for some seconds around it.

A whole recorded shop takes minutes to render, a moment of it seconds. What a shelf camera makes of
an interaction can so be tried on many shops; who did it, and what the receipt says, cannot. Nothing
is known then of what was taken before.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from calibration.planogram import Planogram
from edge.events import Frame, InteractionEvent
from edge.interaction.shelf import ShelfWatch
from tests.simulators.shop.acts import Interaction
from tests.simulators.shop.motion import Piece
from tests.simulators.shop.record import Shot, record
from tests.simulators.shop.recording import Staged

_BEFORE_S = 3.5
_AFTER_S = 6.0
_ONE_COLUMN_M = 0.03


def held_before(staged: Staged, take: Interaction) -> int | None:
    """How many pieces stood in the column that a shopper took from.

    Returns:
        ``None`` where what went was not that facing's goods, or of several columns.
    """
    before = _standing(staged, take.facing, take.at_s - 0.05)
    taken = [
        (piece.model, u_m) for piece, u_m in before if piece.at(take.at_s + 0.05).where == "hand"
    ]
    places_m = [u_m for _, u_m in taken]
    strange = any(model != take.sku for model, _ in taken)
    if strange or len(taken) != take.quantity or np.ptp(places_m) > _ONE_COLUMN_M:
        return None
    return sum(abs(u_m - places_m[0]) < _ONE_COLUMN_M for _, u_m in before)


def film(staged: Staged, take: Interaction, path: Path) -> None:
    """Write the video of the camera that watches an interaction.

    Args:
        staged: The shop.
        take: What happens.
        path: The file to write.
    """
    until_s = min(staged.story.seconds, take.ended_at_s + _AFTER_S)
    calibrated = staged.shop.calibration.cameras[take.camera]
    shot = Shot(path, calibrated, staged.sensor(take.camera))
    record(
        [shot], staged.scene(), replace(staged.film(), seconds=until_s), first=_first(staged, take)
    )


def watched(staged: Staged, take: Interaction, path: Path) -> list[InteractionEvent]:
    """What the shelf camera makes of a film.

    Args:
        staged: The shop.
        take: What happens.
        path: The film.
    """
    first, fps = _first(staged, take), staged.plan.fps
    planogram = _planogram_at(staged, first / fps)
    watch = ShelfWatch(take.camera, staged.shop.calibration, planogram)
    events: list[InteractionEvent] = []
    video = cv2.VideoCapture(str(path))
    try:
        for index in count(first):
            read, image = video.read()
            if not read:
                return events
            frame = Frame(take.camera, index, index / fps, index / fps, np.asarray(image, np.uint8))
            events += watch.feed(frame)
    finally:
        video.release()
    return events


def _first(staged: Staged, take: Interaction) -> int:
    return int(max(0.0, take.started_at_s - _BEFORE_S) * staged.plan.fps)


def _planogram_at(staged: Staged, at_s: float) -> Planogram:
    """The planogram with the stock of a moment."""
    facings = {}
    for name, facing in staged.shop.planogram.facings.items():
        own = sum(piece.model == facing.sku for piece, _ in _standing(staged, name, at_s))
        facings[name] = facing.model_copy(update={"stock": min(own, facing.capacity)})
    return Planogram(facings=facings)


def _standing(staged: Staged, facing: str, at_s: float) -> list[tuple[Piece, float]]:
    """The pieces on a facing, each with its place along the front."""
    fixture = staged.shop.calibration.fixtures[staged.shop.planogram.facings[facing].fixture]
    found = []
    for piece in staged.story.pieces:
        key = piece.at(at_s)
        if key.where == "shelf" and key.facing == facing:
            away = np.array(key.place_m) - np.array(fixture.origin_m)
            found.append((piece, float(away @ np.array(fixture.right))))
    return found
