"""What has changed at a fixture for good: the settled picture, and where it differs now.

Owns the pictures of one shelf camera: a *reference* of the fixture as it stood, a *steady* picture
of what each pixel has shown since it last changed, and the foreground, where the two differ. A
person, a hand and the goods in it are foreground that moves or that reaches out of the fixture; a
change of the goods is foreground that has come to rest inside it. Only the second is ever taken
over into the reference, as a change, so nobody is learned however long they stand.

Two backgrounds of different speed are the method of Porikli, Ivanov and Haga, "Robust abandoned
object detection using dual foregrounds" (2008), here with connectedness to what is outside of the
fixture in place of time. Knows pixels and the zone of the fixture, not facings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_LEVELS: Final = np.arange(256, dtype=np.float32)
_JOINS: Final = np.ones((7, 7), np.uint8)
_GAIN_OFFSET: Final = 8.0  # grey levels; keeps the ratio of two dark pixels from being noise alone


@dataclass(frozen=True)
class ChangeSettings:
    """What counts as a change and when it has settled.

    Attributes:
        thumb_px: Width of the picture that shows whether anything moves at all.
        thumb_by: Grey levels that a pixel of it must change by.
        differs_by: Grey levels from which a pixel is foreground.
        moves_by: Grey levels from which a pixel counts as moving.
        settled_s: How long a change must have been at rest.
        least_px: Smallest changed area, in work pixels.
        clear_px: Nothing that has not settled may be nearer to a change, in work pixels.
        refresh_s: The reference follows the light at this interval.
        absorbs_after_s: What rests outside of the goods for so long belongs to the picture.
    """

    thumb_px: int = 160
    thumb_by: int = 14
    differs_by: int = 17
    moves_by: int = 12
    settled_s: float = 0.45
    least_px: int = 24
    clear_px: int = 9
    refresh_s: float = 1.0
    absorbs_after_s: float = 45.0


@dataclass(frozen=True, eq=False)
class Settled:
    """A change that has come to rest.

    Attributes:
        mask: Its pixels in the work picture, bool ``(H, W)``.
        before: The work picture as it was, BGR, in the exposure of ``after``.
        after: The work picture as it is.
        rest_since_s: Since when it has not moved.
    """

    mask: Mask
    before: Picture
    after: Picture
    rest_since_s: float


@dataclass(frozen=True, eq=False)
class Step:
    """What one frame showed.

    Attributes:
        active: Whether the whole of it was looked at; else nothing moved and it cost next to
            nothing, and the masks are ``None``.
        foreground: Where the picture differs from the reference, bool ``(H, W)``.
        moving: Where it differs from the steady picture.
        picture: The work picture itself, uint8 BGR ``(H, W, 3)``.
        settled: Changes that have come to rest with this frame.
    """

    active: bool
    foreground: Mask | None
    moving: Mask | None
    picture: Picture | None
    settled: tuple[Settled, ...]


class Scene:
    """The pictures of one shelf camera over time.

    Args:
        size_px: Width and height of the work picture.
        zone: Where goods are, bool ``(H, W)`` of the work picture.
        settings: Thresholds.
    """

    def __init__(
        self, size_px: tuple[int, int], zone: Mask, settings: ChangeSettings | None = None
    ) -> None:
        self._settings = settings or ChangeSettings()
        self._size_px = size_px
        self._zone = cv2.dilate(zone.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        self._thumb: Picture | None = None
        self._reference: Picture | None = None
        self._steady: Picture = np.empty(0, np.uint8)
        self._since_s: NDArray[np.float64] = np.empty(0)
        self._known: Mask = np.empty(0, np.bool_)
        self._all_known = False
        self._foreground: Mask = np.empty(0, np.bool_)
        self._calm = False
        self._full_at_s = -np.inf
        self._refreshed_at_s = -np.inf

    @property
    def calm(self) -> bool:
        """Whether the fixture looks as it did when it was last settled."""
        return self._calm

    def observe(self, image: Picture, at_s: float) -> Step:
        """Look at a frame.

        Args:
            image: uint8 BGR ``(H, W, 3)``, always of the same size.
            at_s: When it was taken.
        """
        thumb = self._thumbnail(image)
        if self._calm and at_s - self._full_at_s < self._settings.refresh_s:
            assert self._thumb is not None
            changed = cv2.absdiff(thumb, self._thumb) > self._settings.thumb_by
            if np.count_nonzero(changed) <= 2:
                return Step(False, None, None, None, ())
        self._thumb, self._full_at_s = thumb, at_s
        small = cv2.resize(image, self._size_px, interpolation=cv2.INTER_AREA)
        current = np.asarray(small, np.uint8)
        if self._reference is None:
            self._begin(current, at_s)
        moving = self._follow(current, at_s)
        return self._compare(current, moving, at_s)

    def _thumbnail(self, image: Picture) -> Picture:
        step = max(1, image.shape[1] // self._settings.thumb_px)
        return np.ascontiguousarray(image[step // 2 :: step, step // 2 :: step, 1])

    def _begin(self, current: Picture, at_s: float) -> None:
        self._reference = current.copy()
        self._steady = current.copy()
        self._since_s = np.full(current.shape[:2], at_s)
        self._known = np.zeros(current.shape[:2], np.bool_)
        self._foreground = np.zeros(current.shape[:2], np.bool_)

    def _follow(self, current: Picture, at_s: float) -> Mask:
        """Bring the steady picture up to date; where something moves."""
        moving = (
            _largest(np.asarray(cv2.absdiff(current, self._steady), np.uint8))
            > self._settings.moves_by
        )
        blended = cv2.addWeighted(current, 0.3, self._steady, 0.7, 0.0)
        self._steady = np.asarray(cv2.copyTo(current, moving.view(np.uint8), blended), np.uint8)
        np.copyto(self._since_s, at_s, where=moving)
        return moving

    def _compare(self, current: Picture, moving: Mask, at_s: float) -> Step:
        assert self._reference is not None
        settings = self._settings
        if not self._all_known:
            fresh = ~self._known & (at_s - self._since_s >= settings.settled_s)
            self._reference[fresh] = self._steady[fresh]
            self._known |= fresh
            self._all_known = bool(self._known.all())
        gain = self._gain(current)
        expected = _scaled(self._reference, gain)
        difference = np.asarray(cv2.absdiff(current, expected), np.uint8)
        raw = (_largest(difference) > settings.differs_by) & self._known
        foreground = _cleaned(raw)
        self._foreground = foreground
        settled = self._settled(foreground, expected, gain, at_s)
        self._calm = self._all_known and not foreground.any() and not moving.any()
        if at_s - self._refreshed_at_s >= settings.refresh_s:
            self._refresh(gain, at_s)
        return Step(True, foreground, moving, current, settled)

    def _gain(self, current: Picture) -> NDArray[np.float32]:
        """By how much each channel is brighter than the reference, shape ``(3,)``."""
        assert self._reference is not None
        now, then = current[3::8, 3::8], self._reference[3::8, 3::8]
        usable = self._known[3::8, 3::8] & ~self._foreground[3::8, 3::8]
        usable &= (now.max(axis=2) < 250) & (then.max(axis=2) < 250) & (then.min(axis=2) > 12)
        if np.count_nonzero(usable) < 50:
            return np.ones(3, np.float32)
        ratio = (now[usable] + _GAIN_OFFSET) / (then[usable] + _GAIN_OFFSET)
        return np.asarray(np.median(np.ascontiguousarray(ratio.T), axis=1), np.float32)

    def _settled(
        self, foreground: Mask, expected: Picture, gain: NDArray[np.float32], at_s: float
    ) -> tuple[Settled, ...]:
        """The changes at rest, which thereby become part of the reference."""
        settings = self._settings
        x, y, wide, high = cv2.boundingRect(foreground.view(np.uint8))
        x, y, right, bottom = max(0, x - 8), max(0, y - 8), x + wide + 8, y + high + 8
        joined = cv2.morphologyEx(
            foreground[y:bottom, x:right].astype(np.uint8), cv2.MORPH_CLOSE, _JOINS
        )
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        resting: list[tuple[Mask, float]] = []
        for label in range(1, count):
            left, top, width, height, _ = (int(each) for each in boxes[label])
            own_label = labels[top : top + height, left : left + width] == label
            left, top = left + x, top + y
            window = np.s_[top : top + height, left : left + width]
            own = own_label & foreground[window]
            area = np.count_nonzero(own)
            outside = np.count_nonzero(own & ~self._zone[window])
            since_s = self._since_s[window][own]
            rest_s = at_s - since_s
            if outside > max(12, 0.15 * area):
                if float(rest_s.min()) >= settings.absorbs_after_s:
                    whole = np.zeros_like(foreground)
                    whole[window] = own_label
                    self._learn(whole, gain)
                continue
            if np.count_nonzero(rest_s < settings.settled_s) > 0.02 * area:
                continue
            whole = np.zeros_like(foreground)
            whole[window] = own
            if area < settings.least_px:
                if float(rest_s.min()) >= 4 * settings.settled_s:
                    self._learn(whole, gain)
                continue
            resting.append((whole, float(np.percentile(since_s, 90))))
        return self._take_over(resting, foreground, expected, gain)

    def _take_over(
        self,
        resting: list[tuple[Mask, float]],
        foreground: Mask,
        expected: Picture,
        gain: NDArray[np.float32],
    ) -> tuple[Settled, ...]:
        if not resting:
            return ()
        every = np.any([mask for mask, _ in resting], axis=0)
        clear = 2 * self._settings.clear_px + 1
        unsettled = (foreground & ~every).astype(np.uint8)
        near = cv2.dilate(unsettled, np.ones((clear, clear), np.uint8)) > 0
        settled = [
            Settled(mask, expected, self._steady.copy(), since_s)
            for mask, since_s in resting
            if not (mask & near).any()
        ]
        for each in settled:
            self._learn(each.mask, gain)
        return tuple(settled)

    def _learn(self, where: Mask, gain: NDArray[np.float32]) -> None:
        """The steady picture becomes the reference somewhere, and a little around it."""
        assert self._reference is not None
        around = cv2.dilate(where.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        evened = _scaled(self._steady, np.float32(1) / gain)
        self._reference[around] = evened[around]

    def _refresh(self, gain: NDArray[np.float32], at_s: float) -> None:
        """Follow the light where nothing is in the way and nothing has moved for a while."""
        assert self._reference is not None
        self._refreshed_at_s = at_s
        busy = cv2.dilate(self._foreground.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        free = ~busy & (at_s - self._since_s >= 1.0)
        evened = cv2.addWeighted(_scaled(self._reference, gain), 0.75, self._steady, 0.25, 0.0)
        if np.count_nonzero(free) > 0.5 * free.size:
            # Most of the picture is free: the reference moves on to today's exposure as a whole.
            self._reference = np.where(
                free[..., None], evened, _scaled(self._reference, gain)
            ).astype(np.uint8)


def _largest(difference: Picture) -> Picture:
    """The largest of three channels at each pixel, ``(H, W)``."""
    blue, green, red = cv2.split(difference)
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)


def _scaled(picture: Picture, gain: NDArray[np.float32]) -> Picture:
    """A picture as it would be with other gains of its channels."""
    if np.abs(gain - 1).max() < 0.002:
        return picture.copy()
    table = (_LEVELS[:, None] + _GAIN_OFFSET) * gain - _GAIN_OFFSET
    rounded = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, np.ascontiguousarray(rounded[None])), np.uint8)


def _cleaned(mask: Mask) -> Mask:
    """Without single pixels of noise."""
    return np.asarray(
        cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    )
