"""What stood before the fixture a moment ago: to show the hand at a piece, and to count in it.

Owns a short memory of reduced pictures and what of one may be shown: the piece and what is right at
it. Whoever else is in the picture is coarsened, so that faces are not kept. When a hand was at a
piece is known elsewhere (``reach``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

_EVERY_S: Final = 0.2
_REMEMBER_S: Final = 25.0
_WITHIN_S: Final = 0.4
_QUALITY: Final = 80
_AT_PIECE_PX: Final = 18  # around a piece, in work pixels, what is at it is shown as it is
_COARSE: Final = 14  # work pixels that become one elsewhere


@dataclass(frozen=True, eq=False)
class Glance:
    """What stood before the fixture at a moment.

    Attributes:
        at_s: When.
        picture: The work picture, uint8 BGR ``(H, W, 3)``.
        foreground: Where it differed from the settled picture, bool ``(H, W)``.
    """

    at_s: float
    picture: Picture
    foreground: Mask


@dataclass(frozen=True, eq=False)
class _Packed:
    at_s: float
    jpeg: NDArray[np.uint8]
    foreground: NDArray[np.uint8]


class Glances:
    """Reduced pictures of the frames gone by, compressed.

    Args:
        view: How the camera sees the facings.
    """

    def __init__(self, view: FacingsView) -> None:
        self._view = view
        self._glances: deque[_Packed] = deque()

    def add(self, at_s: float, picture: Picture, foreground: Mask) -> None:
        """Remember a frame, when it is time for one and something is before the fixture.

        Args:
            at_s: When it was taken.
            picture: The work picture, uint8 BGR ``(H, W, 3)``.
            foreground: Where it differed from the settled picture, bool ``(H, W)``.
        """
        while self._glances and at_s - self._glances[0].at_s > _REMEMBER_S:
            self._glances.popleft()
        due = not self._glances or at_s - self._glances[-1].at_s >= _EVERY_S - 1e-6
        if due and foreground.any():
            _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            self._glances.append(_Packed(at_s, coded.ravel(), np.packbits(foreground)))

    def between(self, from_s: float, to_s: float) -> tuple[Glance, ...]:
        """What was seen in a while, in the order of time."""
        return tuple(_unpacked(each) for each in self._glances if from_s <= each.at_s <= to_s)

    def hand(self, change: Change, at_s: float) -> Picture | None:
        """The facing of a change when a hand was there, whoever was there coarsened.

        Args:
            change: The change.
            at_s: When the hand was at it.

        Returns:
            uint8 BGR; ``None`` where no picture of about then is kept.
        """
        near = min(self._glances, key=lambda each: abs(each.at_s - at_s), default=None)
        if near is None or abs(near.at_s - at_s) > _WITHIN_S:
            return None
        glance = _unpacked(near)
        picture = glance.picture
        people = cv2.dilate(glance.foreground.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        across = 2 * _AT_PIECE_PX + 1
        at_piece = cv2.dilate(change.mask.astype(np.uint8), np.ones((across, across), np.uint8)) > 0
        hidden = people & ~at_piece
        picture[hidden] = _coarsened(picture)[hidden]
        return facing_in(self._view, change, picture)


def _unpacked(packed: _Packed) -> Glance:
    picture = np.asarray(cv2.imdecode(packed.jpeg, cv2.IMREAD_COLOR), np.uint8)
    shape = picture.shape[:2]
    bits = np.unpackbits(packed.foreground, count=shape[0] * shape[1])
    return Glance(packed.at_s, picture, bits.reshape(shape).view(np.bool_))


def facing_in(view: FacingsView, change: Change, picture: Picture) -> Picture:
    """The part of a picture that shows a change and the front of its facing.

    Args:
        view: How the camera sees the facings.
        change: The change.
        picture: uint8 BGR of any size, the whole of what the camera sees.
    """
    height, width = picture.shape[:2]
    rows, columns = np.nonzero(change.mask)
    to_picture = width / change.mask.shape[1]
    own = view.polygons[change.facing] * (width / view.camera.image_size_px[0])
    left, top = np.minimum(own.min(axis=0), [columns.min() * to_picture, rows.min() * to_picture])
    right, bottom = np.maximum(
        own.max(axis=0), [(columns.max() + 1) * to_picture, (rows.max() + 1) * to_picture]
    )
    x0, y0 = max(0, int(left)), max(0, int(top))
    x1, y1 = min(width, int(right) + 1), min(height, int(bottom) + 1)
    return picture[y0:y1, x0:x1].copy()


def _coarsened(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    small = cv2.resize(
        picture,
        (max(1, width // _COARSE), max(1, height // _COARSE)),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
