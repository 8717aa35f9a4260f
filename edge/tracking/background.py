"""What a camera sees when nobody is there, learned while it looks.

A running mean and variance a pixel, as in Wren et al., "Pfinder" (1997), with what a shop needs:
one gain a channel takes a camera's exposure and white balance out before anything is compared, soft
shadows count half (after Horprasert, Harwood and Davis 1999: same chromaticity, less light), and
followed people are never learned, however long they stand. Owns one camera's model; knows pixels,
not people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_OFFSET: Final = 8.0  # grey levels; keeps the ratio of two dark pixels from being noise alone
_FIRST_SD: Final = 6.0
_LEAST_SD: Final = 2.0


@dataclass(frozen=True)
class BackgroundSettings:
    """How quickly the background follows and what counts as different.

    Attributes:
        learns_within_s: Time constant of the running mean where nobody is.
        absorbs_after_s: What changed and is nobody, such as a moved basket, is background after so
            long.
        different_by: Grey levels beyond the noise from which a pixel is somebody for certain.
        noise_sds: Standard deviations of its noise that a pixel may always be off.
        shadow_from: Share of the light that a shadow leaves at least.
        shadow_weight: How much a pixel counts that may be shadow, 0 to 1.
    """

    learns_within_s: float = 12.0
    absorbs_after_s: float = 25.0
    different_by: float = 18.0
    noise_sds: float = 3.0
    shadow_from: float = 0.5
    shadow_weight: float = 0.45


class Background:
    """The background of one camera, at the size of the pictures it is given."""

    def __init__(self, settings: BackgroundSettings | None = None) -> None:
        self._settings = settings or BackgroundSettings()
        self._mean: NDArray[np.float32] | None = None
        self._variance: NDArray[np.float32] = np.empty(0, np.float32)
        self._deviation: NDArray[np.float32] = np.empty(0, np.float32)
        self._changed_since_s: NDArray[np.float32] = np.empty(0, np.float32)
        self._busy: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._even: NDArray[np.float32] = np.empty(0, np.float32)
        self._seen = 0
        self._at_s = 0.0

    def observe(
        self, picture: Picture, at_s: float, people: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Compare a picture with the background and learn from it.

        Args:
            picture: uint8 BGR, shape ``(H, W, 3)``, always of the same size.
            at_s: When it was taken.
            people: Where somebody is followed, shape ``(H, W)``; not learned there.

        Returns:
            How much a pixel is foreground, 0 to 255, shape ``(H, W)``.
        """
        # Channels first: sums and maxima over the three of them are then whole planes.
        current = np.stack(cv2.split(cv2.GaussianBlur(picture, (3, 3), 0))).astype(np.float32)
        if self._mean is None:
            self._mean = current.copy()
            self._variance = np.full_like(current, _FIRST_SD**2)
            self._deviation = np.full_like(current, _FIRST_SD)
            self._changed_since_s = np.full(current.shape[1:], np.inf, np.float32)
            self._busy = np.zeros(current.shape[1:], np.bool_)
        self._even = self._evened(current, self._mean)
        difference = self._even - self._mean
        weight = self._weigh(difference, self._mean)
        self._learn(difference, weight, at_s, people)
        self._seen += 1
        self._at_s = at_s
        return weight

    def learn_at_once(self, where: NDArray[np.bool_]) -> None:
        """Take the last picture for background in some pixels: somebody left, who was learned."""
        assert self._mean is not None, "there is no last picture yet"
        self._mean[:, where] = self._even[:, where]
        self._changed_since_s[where] = np.inf

    def outline_contrast(self, outline: NDArray[np.bool_]) -> tuple[float, float]:
        """Mean gradient along pixels, in the last picture and in the background.

        Who stands before a background brings their outline into the picture. Where the outline is
        in the background instead, the background holds somebody who has walked away.
        """
        assert self._mean is not None, "there is no last picture yet"
        if not outline.any():
            return 0.0, 0.0
        rows, columns = np.nonzero(outline)
        around = (
            slice(None),
            slice(max(0, rows.min() - 2), rows.max() + 3),
            slice(max(0, columns.min() - 2), columns.max() + 3),
        )
        inner = outline[around[1:]]
        now, then = (_gradient(picture[around])[inner] for picture in (self._even, self._mean))
        return float(now.mean()), float(then.mean())

    def _evened(
        self, current: NDArray[np.float32], mean: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The picture as it would be with the exposure of the background."""
        quiet = ~self._busy[::5, ::5]
        if quiet.mean() < 0.3:
            quiet = np.ones_like(quiet)
        now, then = current[:, ::5, ::5][:, quiet], mean[:, ::5, ::5][:, quiet]
        usable = (now.max(axis=0) < 250) & (then.min(axis=0) > 12)
        if usable.sum() < 50:
            return current
        ratios = (then[:, usable] + _OFFSET) / (now[:, usable] + _OFFSET)
        gain = np.median(ratios, axis=1).astype(np.float32)[:, None, None]
        return np.asarray((current + _OFFSET) * gain - _OFFSET, np.float32)

    def _weigh(
        self, difference: NDArray[np.float32], mean: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        settings = self._settings
        beyond = np.abs(difference) - settings.noise_sds * self._deviation
        certain = beyond.max(axis=0) * np.float32(1 / settings.different_by)
        np.clip(certain, 0, 1, out=certain)
        # Only what differs at all can be a shadow: the rest of the picture need not be looked at.
        rows, columns = np.nonzero(certain)
        there, change = mean[:, rows, columns] + _OFFSET, difference[:, rows, columns]
        light = 1 + change.sum(axis=0) / there.sum(axis=0)
        off_colour = np.abs(change - (light - 1) * there).max(axis=0)
        may_be_light = (light > settings.shadow_from) & (light < 1.35) & (off_colour < 9.0)
        certain[rows[may_be_light], columns[may_be_light]] *= settings.shadow_weight
        whole = np.asarray(certain * 255, np.uint8)
        return np.asarray(cv2.medianBlur(whole, 5), np.uint8)

    def _learn(
        self,
        difference: NDArray[np.float32],
        weight: NDArray[np.uint8],
        at_s: float,
        people: NDArray[np.bool_] | None,
    ) -> None:
        assert self._mean is not None
        settings = self._settings
        self._busy = weight > 60
        free = ~self._busy if people is None else ~(self._busy | people)
        elapsed_s = max(0.0, at_s - self._at_s) if self._seen else 0.0
        share = max(1 / (self._seen + 2), 1 - np.exp(-elapsed_s / settings.learns_within_s))
        step = free.astype(np.float32) * np.float32(share)
        self._mean += step * difference
        self._variance += step * (difference * difference - self._variance)
        np.maximum(self._variance, _LEAST_SD**2, out=self._variance)
        self._deviation = np.sqrt(self._variance)

        changed = self._busy if people is None else self._busy & ~people
        self._changed_since_s[~changed] = np.inf
        begins = changed & np.isinf(self._changed_since_s)
        self._changed_since_s[begins] = at_s
        stale = at_s - self._changed_since_s > settings.absorbs_after_s
        if stale.any():
            self.learn_at_once(stale)


def _gradient(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    grey = np.asarray(picture.sum(axis=0) / 3, np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down), np.float32)
