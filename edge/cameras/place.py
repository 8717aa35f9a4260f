"""Whether a camera is still where it was calibrated: its own watch while the shop is open.

Owns when a camera is looked at for that, what is said about it, and what it was told before the
device started again. How a picture tells is ``calibration.drift``'s business; what becomes of the
decisions of a camera that was moved is decided by whoever uses it (``edge.shop``).

=============  ==================================================================================
``green``      in its place, as far as could be told
``amber``      moved a little, or nothing could be told for a while: look after it soon
``red``        moved: nothing that it shows is charged without a person
``unwatched``  nobody kept what it saw when it was calibrated, so a move would go unnoticed
=============  ==================================================================================
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.drift.watch import DriftState, DriftWatch
from calibration.format import CalibrationError, Matrix3
from edge.events import Frame

PlaceLight = Literal["green", "amber", "red", "unwatched"]
Grey = NDArray[np.uint8]

_SHAPE_WITHIN: Final = 0.02


@dataclass(frozen=True)
class PlaceState:
    """What is known about a camera's place.

    Attributes:
        light: See the module.
        reason: In plain words, with what to do; empty while all is well.
        since_wall_s: When the light came on, seconds since 1970; ``None`` before the first look.
        looked_wall_s: When it was last looked at.
        sure: Whether that look could tell.
        turn_deg: How far the camera had turned when it could last be told.
        floor_m: How far positions on the floor were off then; ``None`` where it sees none.
        facing: The facing that suffered most; ``None`` where it sees none.
        facing_share: By how much of its width it was off.
    """

    light: PlaceLight = "unwatched"
    reason: str = ""
    since_wall_s: float | None = None
    looked_wall_s: float | None = None
    sure: bool = False
    turn_deg: float = 0.0
    floor_m: float | None = None
    facing: str | None = None
    facing_share: float | None = None


class CameraPlace:
    """Watches one camera. One thread looks; any other may read ``state``, or renew the watch.

    Args:
        name: Of the camera.
        watch: Tells whether it was moved; ``None`` where nothing can.
        unwatched: Why nothing can.
    """

    def __init__(self, name: str, watch: DriftWatch | None, unwatched: str = "") -> None:
        self.name = name
        self._guard = threading.Lock()
        self._watch: DriftWatch | None = None
        self._state = PlaceState()
        self._astray = False
        self._turned: Matrix3 | None = None
        self._picture: tuple[float, Grey] | None = None
        self._set(watch, unwatched)

    @property
    def state(self) -> PlaceState:
        """What is known now."""
        return self._state

    @property
    def is_astray(self) -> bool:
        """Whether what it shows is not to be relied on.

        That is so from the first look that shows it displaced, a while before the light is red.
        """
        return self._astray

    @property
    def turned(self) -> Matrix3 | None:
        """How it had turned when a look showed it displaced, as ``drift.registration`` has it.

        ``None`` while it is in its place, or nobody knows.
        """
        return self._turned

    @property
    def picture(self) -> tuple[float, Grey] | None:
        """Wall time and grey picture ``(H, W)`` of the last look; not to be written to."""
        return self._picture

    def renew(self, watch: DriftWatch | None, unwatched: str = "") -> None:
        """Begin anew, after the camera was calibrated; from any thread."""
        with self._guard:
            self._set(watch, unwatched)

    def look(self, frame: Frame) -> bool:
        """Look at a frame if a look is due.

        Returns:
            Whether the light has changed.
        """
        with self._guard:
            watch = self._watch
            if watch is None or not watch.due(frame.captured_at_s):
                return False
            before = self._state
            try:
                grey = self._grey(watch, frame.image)
                told = watch.feed(grey, frame.captured_at_s)
            except CalibrationError as err:
                self._state = PlaceState(
                    "red",
                    f"{self.name}: {err}",
                    before.since_wall_s if before.light == "red" else frame.wall_time_s,
                    frame.wall_time_s,
                )
                self._astray = True
                return before.light != "red"
            self._picture = (frame.wall_time_s, grey)
            self._astray = told.light == "red" or told.displaced
            if told.sure:
                self._turned = told.rotation if told.displaced else None
            self._state = _state_of(told, before, frame.wall_time_s)
            return before.light != told.light

    def shows_it_moved(self, frame: Frame) -> bool:
        """Whether a frame is not to be relied on, looked at now if it need be."""
        with self._guard:
            if self._watch is None or self._astray:
                return self._astray
            try:
                seen = self._watch.glance(self._grey(self._watch, frame.image))
            except CalibrationError:
                return True
            if seen is None or not seen.displaced:
                return False
            # Until the next look says otherwise.
            self._astray, self._turned = True, seen.rotation
            return True

    def _set(self, watch: DriftWatch | None, unwatched: str) -> None:
        self._watch = watch
        self._picture = None
        self._turned = None
        self._astray = watch is not None and bool(watch.red_before)
        self._state = (
            PlaceState(reason=unwatched)
            if watch is None
            else PlaceState("red" if watch.red_before else "green", watch.red_before)
        )

    def _grey(self, watch: DriftWatch, image: NDArray[np.uint8]) -> Grey:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        width, height = watch.size_px
        if grey.shape != (height, width):
            if abs(grey.shape[1] * height / (grey.shape[0] * width) - 1) > _SHAPE_WITHIN:
                raise CalibrationError(
                    f"it was calibrated at {width} x {height} and now gives {grey.shape[1]} x "
                    f"{grey.shape[0]}: set the stream back or calibrate it again"
                )
            grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(grey, np.uint8)


def _state_of(told: DriftState, before: PlaceState, wall_time_s: float) -> PlaceState:
    same = before.light == told.light and before.since_wall_s is not None
    return PlaceState(
        light=told.light,
        reason="" if told.light == "green" else told.reason,
        since_wall_s=before.since_wall_s if same else wall_time_s,
        looked_wall_s=wall_time_s,
        sure=told.sure,
        turn_deg=told.turn_deg,
        floor_m=told.effect.floor_m,
        facing=told.effect.facing,
        facing_share=told.effect.facing_share,
    )
