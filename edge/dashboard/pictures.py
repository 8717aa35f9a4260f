"""Cameras' pictures for people to see, in which nobody can be recognised.

Owns what is made unrecognisable, and that a picture is made once for however many look. The floor
says where people are; their heads are hidden wherever a camera can see them. What stands on the
floor and belongs to nobody known is hidden whole. Where the floor says nothing, everything is
hidden that was not there while nobody was.

The pixels themselves are changed: what is hidden does not leave the device.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera
from edge.events import Frame
from edge.tracking.watch import FloorMoment

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Hidden = Literal["heads", "everybody"]

WIDTHS_PX: Final = (320, 640, 960, 1280)
_QUALITY: Final = 82
# The floor is looked at several times a second; older than this it says nothing about a picture.
_KNOWN_FOR_S: Final = 1.0
# From a child's chin to a tall person's hair.
_HEAD_M: Final = np.arange(1.1, 2.01, 0.1)
_BODY_M: Final = np.arange(0.0, 2.01, 0.2)
_HEAD_RADIUS_M: Final = 0.24
_BODY_RADIUS_M: Final = 0.42
_SPREAD_AT_MOST_M: Final = 0.5
# Heads are at least so many cells wide once hidden: too few for a face.
_COARSE_PX: Final = 40
_LEAST_BODY_PX: Final = 30
_DIFFERS_BY: Final = 24
_COMPARED_PX: Final = 320


@dataclass(frozen=True)
class Place:
    """Where somebody may stand.

    Attributes:
        at_m: Shop x and y.
        spread_m: How far from there they may be by now.
    """

    at_m: tuple[float, float]
    spread_m: float


@dataclass(frozen=True)
class ShownPicture:
    """A picture as it leaves the device.

    Attributes:
        frame: Number of the frame it was made of.
        jpeg: Its bytes.
        hidden: What cannot be recognised in it.
    """

    frame: int
    jpeg: bytes
    hidden: Hidden


class CameraPictures:
    """Makes the pictures of all cameras; safe to use from several threads.

    Args:
        every_s: How often at most one of a camera is made, in each of its sizes.
        monotonic_s: A clock that never jumps.
    """

    def __init__(
        self, every_s: float = 0.4, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._monotonic_s = monotonic_s
        self._making: dict[str, threading.Lock] = {}
        self._made: dict[tuple[str, int], tuple[float, ShownPicture]] = {}
        self._guard = threading.Lock()

    def picture(
        self,
        frame: Frame,
        width_px: int,
        camera: Camera,
        moment: FloorMoment | None,
        quiet: Frame | None = None,
    ) -> ShownPicture:
        """A camera's frame for people to see.

        Args:
            frame: The frame.
            width_px: At most so wide; one of ``WIDTHS_PX`` is taken.
            camera: The calibrated camera.
            moment: The newest look at the floor; ``None`` where there is none.
            quiet: The camera's last frame that showed nothing but goods; ``None`` where nobody
                knows of one.
        """
        width = next((each for each in WIDTHS_PX if each >= width_px), WIDTHS_PX[-1])
        with self._guard:
            making = self._making.setdefault(frame.camera, threading.Lock())
        with making:
            now_s = self._monotonic_s()
            made_at_s, made = self._made.get((frame.camera, width), (now_s, None))
            is_fresh = made is not None and now_s - made_at_s < self._every_s
            if made is None or (made.frame != frame.index and not is_fresh):
                made = self._make(frame, width, camera, moment, quiet)
                self._made[frame.camera, width] = (now_s, made)
            return made

    @staticmethod
    def _make(
        frame: Frame,
        width: int,
        camera: Camera,
        moment: FloorMoment | None,
        quiet: Frame | None,
    ) -> ShownPicture:
        small = scaled(frame.image, width)
        if quiet is frame:
            return ShownPicture(frame.index, _jpeg(small), "heads")
        if moment is None or not is_known(moment, frame.captured_at_s):
            hidden = hide(small, not_goods(small, quiet))
            return ShownPicture(frame.index, _jpeg(hidden), "everybody")
        where = heads(camera, small, places_of(moment, frame.captured_at_s))
        if quiet is not None:
            # Where the picture is as it was with nobody there, there is no head.
            where &= not_goods(small, quiet)
        strangers = unexplained(moment, frame.camera)
        if strangers is not None:
            where |= _fitted(strangers, small)
        elif any(unexplained(moment, name) is not None for name in moment.cameras):
            # Whom another camera sees may stand before this one.
            where |= not_goods(small, quiet)
        return ShownPicture(frame.index, _jpeg(hide(small, where)), "heads")


def is_known(moment: FloorMoment, captured_at_s: float) -> bool:
    """Whether a look at the floor says where people were when a frame was taken."""
    return abs(moment.scan.at_s - captured_at_s) <= _KNOWN_FOR_S


def places_of(moment: FloorMoment, captured_at_s: float) -> tuple[Place, ...]:
    """Everywhere somebody may stand when a frame was taken: who is followed, and who was seen."""
    since_s = captured_at_s - moment.scan.at_s
    places = []
    for track in moment.tracks:
        (x_m, y_m), (across, along) = track.position_m, track.velocity_m_s
        moved_m = math.hypot(across, along) * abs(since_s)
        places.append(
            Place((x_m + across * since_s, y_m + along * since_s), min(moved_m, _SPREAD_AT_MOST_M))
        )
    seen = (each.position_m for view in moment.scan.views for each in view)
    return (*places, *(Place(at_m, 0.1) for at_m in seen))


def heads(camera: Camera, picture: Picture, places: Sequence[Place]) -> Mask:
    """Where heads may be in a picture, uint8 ``(H, W)``, 1 there.

    Args:
        camera: The calibrated camera.
        picture: Its picture, of any size.
        places: Where people may stand.
    """
    height, width = picture.shape[:2]
    return _columns(camera, (width, height), places, _HEAD_M, _HEAD_RADIUS_M)


def unexplained(moment: FloorMoment, camera: str) -> Mask | None:
    """What an overhead camera sees on the floor that is nobody who is followed.

    Returns:
        uint8 ``(H, W)`` of the camera's small picture; ``None`` where there is nothing, or where
        the camera does not watch the floor.
    """
    silhouettes = moment.scan.silhouettes
    if silhouettes is None or camera not in silhouettes.bits:
        return None
    view = silhouettes.views[camera]
    places = places_of(moment, moment.scan.at_s)
    known = _columns(view.camera, view.size_px, places, _BODY_M, _BODY_RADIUS_M)
    rest = silhouettes.picture(camera, grow_px=0) & (known == 0)
    cleaned = cv2.morphologyEx(rest.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if np.count_nonzero(cleaned) < _LEAST_BODY_PX:
        return None
    return np.asarray(cv2.dilate(cleaned, np.ones((9, 9), np.uint8)), np.uint8)


def hide(picture: Picture, where: Mask) -> Picture:
    """The same picture, unrecognisable where the mask says so."""
    if not where.any():
        return picture
    height, width = picture.shape[:2]
    cells = (_COARSE_PX, max(1, round(_COARSE_PX * height / width)))
    coarse = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    # Feathered outwards, so that what must be hidden is hidden whole.
    feather = max(3, width // 80) | 1
    grown = cv2.dilate(where, np.ones((feather, feather), np.uint8))
    left, top, wide, high = cv2.boundingRect(cv2.dilate(grown, np.ones((feather, feather))))
    part = np.s_[top : top + high, left : left + wide]
    share = cv2.blur(grown[part].astype(np.float32), (feather, feather))
    share = cv2.max(share, where[part].astype(np.float32))
    hidden = picture.copy()
    hidden[part] = cv2.blendLinear(
        np.ascontiguousarray(picture[part]), np.ascontiguousarray(soft[part]), 1 - share, share
    )
    return hidden


def scaled(picture: Picture, width_px: int) -> Picture:
    """A picture no wider than that; never a wider one than it is."""
    height, width = picture.shape[:2]
    if width <= width_px:
        return picture
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def not_goods(picture: Picture, quiet: Frame | None) -> Mask:
    """Whatever was not there while nobody was, uint8 ``(H, W)``, 1 there.

    Args:
        picture: A camera's picture, of any size.
        quiet: A frame of the same camera with nobody in it; without one everything is meant.
    """
    height, width = picture.shape[:2]
    everything = np.full((height, width), 1, np.uint8)
    if quiet is None:
        return everything
    size = (_COMPARED_PX, max(1, round(_COMPARED_PX * height / width)))
    then = cv2.resize(quiet.image, size, interpolation=cv2.INTER_AREA)
    now = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    # Cameras follow the light: what is brighter everywhere has not changed.
    ratios = (now[2::4, 2::4] + 8.0) / (then[2::4, 2::4] + 8.0)
    gains = np.median(ratios.reshape(-1, 3), axis=0)
    levels = np.arange(256.0)[:, None]
    table = np.clip((levels + 8.0) * gains - 8.0, 0, 255).astype(np.uint8)
    apart = cv2.absdiff(now, cv2.LUT(then, np.ascontiguousarray(table[None])))
    blue, green, red = cv2.split(apart)
    differs = np.asarray(cv2.max(cv2.max(blue, green), red) > _DIFFERS_BY, np.uint8)
    grown = cv2.dilate(differs, np.ones((13, 13), np.uint8))
    return _fitted(np.asarray(grown, np.uint8), picture)


def _columns(
    camera: Camera,
    size_px: tuple[int, int],
    places: Sequence[Place],
    heights_m: NDArray[np.float64],
    radius_m: float,
) -> Mask:
    """Upright columns in a camera's picture scaled to a size, uint8 ``(H, W)``."""
    drawn = np.zeros((size_px[1], size_px[0]), np.uint8)
    scale = size_px[0] / camera.image_size_px[0]
    eye = camera.position_m
    for place in places:
        x, y = place.at_m
        away = np.array([x - eye[0], y - eye[1]])
        away = away / max(float(np.hypot(*away)), 1e-6)
        radius = radius_m + place.spread_m
        axis = np.array([(x, y, z) for z in heights_m])
        rim = axis + np.array([-away[1] * radius, away[0] * radius, 0.0])
        # Near the camera a head is as wide along its line of sight as across it.
        for middle, edge in zip(camera.project(axis), camera.project(rim), strict=True):
            reach = float(np.hypot(*(edge - middle))) * scale
            if not (np.isfinite(middle).all() and np.isfinite(reach)) or reach > 2 * size_px[0]:
                continue
            at = (middle + 0.5) * scale
            if (np.abs(at) > 4 * size_px[0]).any():
                continue
            cv2.circle(drawn, (round(at[0]), round(at[1])), math.ceil(reach) + 1, 1, cv2.FILLED)
    return drawn


def _fitted(mask: Mask, picture: Picture) -> Mask:
    height, width = picture.shape[:2]
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _jpeg(picture: Picture) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
