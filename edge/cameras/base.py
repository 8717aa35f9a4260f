"""The seam between the device and its cameras: ``CameraSource``, whose one method is ``read``.

Owns what every kind of camera has in common: the order of open, read and close, the counters, and
the promise that nothing but ``CameraError`` escapes. How a kind gets its pictures lives in its own
module; threads, reconnecting and watchdogs live in ``edge.cameras.newest``.

``read`` is ``grab`` and ``retrieve`` in one. Whoever looks at some frames only grabs all of them
and retrieves those: a grab takes the next frame off the camera, a retrieve turns it into BGR, and
most of what a frame costs beyond decoding is in the second.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import CameraError, CameraLostError, CameraUnavailableError
from edge.events import Frame

logger: Final = logging.getLogger(__name__)

CameraStatus = Literal["connecting", "running", "stalled", "frozen", "lost", "ended"]


@dataclass(frozen=True)
class Shot:
    """One frame's number and moment, before there is a picture.

    Attributes:
        index: As ``Frame.index``.
        captured_at_s: As ``Frame.captured_at_s``.
        wall_time_s: As ``Frame.wall_time_s``.
    """

    index: int
    captured_at_s: float
    wall_time_s: float


@dataclass(frozen=True)
class SourceCounters:
    """What a camera source did since it was made, over all its connections.

    Attributes:
        frames_grabbed: Frames that came.
        frames_retrieved: Of those, how many were turned into pictures.
        frames_missed: Frames that the camera took and that never came, by the timestamps of their
            neighbours: an estimate. ``Frame.index`` jumps over them.
        decode_errors: Frames that came and had no picture in them. Damage that a decoder conceals
            inside a picture is not seen here.
        connections: How often it was opened with success.
    """

    frames_grabbed: int = 0
    frames_retrieved: int = 0
    frames_missed: int = 0
    decode_errors: int = 0
    connections: int = 0


class CameraSource(ABC):
    """A camera, or a recording of one. Used by one thread at a time.

    It can be opened again after ``close``: a live camera goes on counting its frames, a recording
    begins anew. An implementation writes ``_open``, ``_grab``, ``_retrieve`` and ``_close``.

    Attributes:
        name: Name of the camera in the shop.
        is_live: ``False`` for a recording, whose end is no fault.
    """

    is_live: bool = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._is_open = False
        self._shot: Shot | None = None
        self._grabbed = 0
        self._retrieved = 0
        self._connections = 0
        self._missed = 0
        self._decode_errors = 0

    @property
    def is_open(self) -> bool:
        """Whether it was opened and has not failed or been closed since."""
        return self._is_open

    @property
    def counters(self) -> SourceCounters:
        """What it did so far."""
        return SourceCounters(
            frames_grabbed=self._grabbed,
            frames_retrieved=self._retrieved,
            frames_missed=self._missed,
            decode_errors=self._decode_errors,
            connections=self._connections,
        )

    def open(self) -> None:
        """Connect; does nothing when it is open.

        Raises:
            CameraSetupError: Its settings or software are wrong.
            CameraUnavailableError: It cannot be reached now.
        """
        if self._is_open:
            return
        try:
            self._open()
        except CameraError:
            self.close()
            raise
        except Exception as err:
            # The seam's promise. Logged here, because further up it is one more camera fault.
            logger.exception("camera %s could not be opened", self.name)
            self.close()
            raise CameraUnavailableError(
                f"camera {self.name} could not be opened: {type(err).__name__}; see the log"
            ) from err
        self._is_open = True
        self._shot = None
        self._connections += 1

    def grab(self) -> Shot:
        """Wait for the next frame, without turning it into a picture.

        Raises:
            CameraLostError: No frame came; the source is closed and may be opened again.
            CameraEndedError: A recording is over.
        """
        if not self._is_open:
            raise CameraLostError(f"camera {self.name} is not open; open it before reading")
        try:
            self._shot = self._grab()
        except CameraError:
            self.close()
            raise
        except Exception as err:
            logger.exception("camera %s failed", self.name)
            self.close()
            raise CameraLostError(
                f"camera {self.name} failed: {type(err).__name__}; see the log"
            ) from err
        self._grabbed += 1
        return self._shot

    def retrieve(self) -> Frame:
        """The picture of the frame that was grabbed last.

        Raises:
            CameraLostError: Nothing was grabbed, or the frame has no picture in it.
        """
        if not self._is_open or self._shot is None:
            raise CameraLostError(f"camera {self.name} has no frame; grab one before retrieving")
        try:
            image = self._retrieve()
        except CameraError:
            self._decode_errors += 1
            self.close()
            raise
        except Exception as err:
            logger.exception("a frame of camera %s could not be decoded", self.name)
            self._decode_errors += 1
            self.close()
            raise CameraLostError(
                f"a frame of camera {self.name} could not be decoded: {type(err).__name__}; "
                "see the log"
            ) from err
        image.flags.writeable = False
        self._retrieved += 1
        shot = self._shot
        return Frame(self.name, shot.index, shot.captured_at_s, shot.wall_time_s, image)

    def read(self) -> Frame:
        """Wait for the next frame and give its picture.

        Raises:
            CameraLostError: No frame came; the source is closed and may be opened again.
            CameraEndedError: A recording is over.
        """
        self.grab()
        return self.retrieve()

    def close(self) -> None:
        """Let go of the camera; does nothing when it is not open."""
        self._is_open = False
        self._shot = None
        try:
            self._close()
        except Exception:
            # Closing is what is done about a fault: a second fault changes nothing for the caller.
            logger.exception("camera %s could not be closed cleanly", self.name)

    @abstractmethod
    def _open(self) -> None:
        """Connect; what is half open when it fails is closed by ``_close``."""

    @abstractmethod
    def _grab(self) -> Shot:
        """Wait for the next frame."""

    @abstractmethod
    def _retrieve(self) -> NDArray[np.uint8]:
        """A new array, uint8 BGR, shape ``(H, W, 3)``, of the frame grabbed last."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of whatever is open; nothing may be."""
