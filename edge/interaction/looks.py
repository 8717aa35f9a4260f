"""What goods looked like on this shop's shelves: a small gallery by SKU, compared by colour.

A product photo is taken elsewhere, in other light; the piece that was taken from a shelf a minute
ago is the best picture there is of the piece that is put onto one now, and it tells recoloured
variants apart, which networks trained on photos often do not. Pure: crops and masks in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_CELLS: Final = 6
_BINS: Final = (5, 10, 10)
_RANGE: Final = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))
_KEEP: Final = 4


@dataclass(frozen=True, eq=False)
class Look:
    """An object by its colours.

    Attributes:
        colours: Share of its pixels by lightness and colour, sums to 1, ``(5, 10, 10)``.
        layout: Mean CIE L*a*b* colour of its parts, ``(6, 6, 3)``; NaN where it has no pixels.
    """

    colours: NDArray[np.float32]
    layout: NDArray[np.float32]

    @classmethod
    def of(cls, crop: Picture, mask: Mask) -> Look:
        """The look of an object.

        Args:
            crop: uint8 BGR ``(H, W, 3)``.
            mask: Which of its pixels show the object, at least one, bool ``(H, W)``.
        """
        lab = _lab(crop)
        colours = _counts(lab[mask])
        return cls(colours / colours.sum(), _layout(lab, mask))

    def alike(self, other: Look) -> float:
        """How alike two looks are, 0 to 1."""
        shared = float(np.sqrt(self.colours * other.colours).sum())
        both = np.isfinite(self.layout[..., 0]) & np.isfinite(other.layout[..., 0])
        if not both.any():
            return shared * 0.5
        apart = np.linalg.norm((self.layout - other.layout)[both] * [0.6, 1.0, 1.0], axis=1)
        return 0.5 * shared + 0.5 * float(np.exp(-apart.mean() / 18))


@dataclass(frozen=True, eq=False)
class Palette:
    """The colours that goods of a facing show, counted where they stand.

    Attributes:
        counts: Pixels by lightness and colour, ``(5, 10, 10)``.
    """

    counts: NDArray[np.float32]

    @classmethod
    def of(cls, picture: Picture, where: Mask) -> Palette:
        """The palette of a part of a picture.

        Args:
            picture: uint8 BGR ``(H, W, 3)``.
            where: Which part, bool ``(H, W)``.
        """
        return cls(_counts(_lab(picture)[where]))

    def holds(self, look: Look, pixels: int) -> float:
        """How much of an object's colours is there as often as it needs them, 0 to 1.

        Args:
            look: The object.
            pixels: How many pixels it has at this palette's scale.
        """
        needed = look.colours * pixels
        return float(np.minimum(needed, self.counts).sum() / max(needed.sum(), 1e-6))


@dataclass(frozen=True)
class Gallery:
    """Looks of goods by SKU, the newest few of each.

    Attributes:
        looks: By SKU, newest last.
    """

    looks: Mapping[str, tuple[Look, ...]]

    @classmethod
    def empty(cls) -> Gallery:
        """Nothing seen yet."""
        return cls({})

    def with_look(self, sku: str, look: Look) -> Gallery:
        """The same with one more."""
        kept = (*self.looks.get(sku, ()), look)[-_KEEP:]
        return Gallery({**self.looks, sku: kept})

    def alike(self, look: Look) -> dict[str, float]:
        """How alike an object is to each SKU that was seen, 0 to 1."""
        return {sku: max(look.alike(each) for each in looks) for sku, looks in self.looks.items()}


def colours_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of pixels, uint8 BGR ``(N, 3)``, by lightness and colour, ``(5, 10, 10)``."""
    counts = _counts(_lab(np.ascontiguousarray(pixels[None]))[0])
    return np.asarray(counts / counts.sum(), np.float32)


def shares_at(picture: Picture, colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """How often the colour of each pixel is.

    Args:
        picture: uint8 BGR ``(H, W, 3)``.
        colours: As ``colours_of`` gives them.

    Returns:
        ``(H, W)``.
    """
    lab, cells = _lab(picture), []
    for axis, ((low, high), bins) in enumerate(zip(_RANGE, _BINS, strict=True)):
        at = ((lab[..., axis] - low) * (bins / (high - low))).astype(np.int32)
        cells.append(np.clip(at, 0, bins - 1))
    return np.asarray(colours[tuple(cells)], np.float32)


def _lab(picture: Picture) -> NDArray[np.float32]:
    """CIE L*a*b* of a BGR picture, L 0 to 100."""
    scaled = picture.astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2Lab), np.float32)


def _counts(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels ``(N, 3)`` counted by lightness and colour."""
    clipped = np.clip(lab, [low for low, _ in _RANGE], [high - 0.01 for _, high in _RANGE])
    counts, _ = np.histogramdd(clipped, bins=_BINS, range=_RANGE)
    return _smoothed(counts)


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float32]:
    """A histogram in which neighbouring bins share a little, so that a border does not matter."""
    spread = counts.astype(np.float32)
    for axis in range(3):
        rolled = [np.roll(spread, shift, axis) for shift in (-1, 1)]
        edge = [slice(None)] * 3
        for roll, at in zip(rolled, (-1, 0), strict=True):
            edge[axis] = at  # type: ignore[call-overload]
            roll[tuple(edge)] = 0
        spread = 0.5 * spread + 0.25 * (rolled[0] + rolled[1])
    return np.asarray(spread + 1e-9, np.float32)


def _layout(lab: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    rows, columns = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    own, picture = mask[window].astype(np.float32), lab[window]
    size = (_CELLS, _CELLS)
    weight = cv2.resize(own, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(picture * own[..., None], size, interpolation=cv2.INTER_AREA)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((weight > 0.3)[..., None], total / weight[..., None], np.nan).astype(
            np.float32
        )
