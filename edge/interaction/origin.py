"""Where on the floor a reach came from, by the arm that a shelf camera saw. Pure.

An arm leads from the piece to a body. What moved before the fixture around the moment of contact is
followed from the piece outwards, along itself and not through the air; where it is about an arm's
length away, the shoulder is near. That place, on a plane in front of the fixture, and the place of
the piece itself are two measurements of where somebody stood, each with its spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView
from edge.interaction.sleeves import Sleeve

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

_BODY_M: Final = 0.5  # how far from the front people stand
_ARM_PLANE_M: Final = 0.3  # how far before the front the arm is on its way
_ALONG_M: Final = (0.35, 0.6)  # the part of the arm that tells, from the piece
_SLEEVE_M: Final = ((0.1, 0.35), (0.35, 0.7))  # hand and sleeve, then sleeve and shoulder
_FACING_SD_M: Final = 0.24  # of standing beside the piece that one takes
_ARM_SD_M: Final = 0.15
_LEAST_CELLS: Final = 6
_SURELY_M: Final = 0.2  # an arm that spreads wider is more than one body's


@dataclass(frozen=True)
class Origin:
    """Where a reach came from.

    Attributes:
        floor_m: Shop metres.
        sd_m: Standard deviation along the fixture's front.
    """

    floor_m: tuple[float, float]
    sd_m: float


class ArmView:
    """How a camera sees arms before the fixtures.

    Args:
        view: How it sees the facings.
    """

    def __init__(self, view: FacingsView) -> None:
        self._view = view
        self._planes: dict[tuple[str, tuple[int, int]], tuple[NDArray[np.float64], float]] = {}

    def origin(self, change: Change, reaching: Sequence[Mask]) -> Origin:
        """Where the reach behind a change came from.

        Args:
            change: The change.
            reaching: What moved before the fixture around the moment of contact, a mask a frame
                of one size, ``ReachLog.reaching``.
        """
        arms = [self._arm(change, mask) for mask in reaching]
        places = [each for each in arms if each is not None]
        u_m, sd_m = change.u_m, _FACING_SD_M
        if places:
            u_m, sd_m = _combined(
                (change.u_m, _FACING_SD_M),
                (
                    float(np.median([place for place, _ in places])),
                    float(np.median([spread for _, spread in places])),
                ),
            )
        return Origin(self._view.before_front(change.fixture, u_m, _BODY_M), sd_m)

    def sleeve(
        self, camera: str, change: Change, seen: Sequence[tuple[Mask, Picture]]
    ) -> Sleeve | None:
        """What the arm behind a change looks like.

        Args:
            camera: Its name.
            change: The change.
            seen: What moved before the fixture around the moment of contact, and a picture of it,
                uint8 BGR of any size, a pair a frame.

        Returns:
            ``None`` where too little of an arm was seen.
        """
        pixels = []
        for mask, picture in seen:
            height, width = mask.shape
            along_m, cell_m = self._plane(change.fixture, (width, height))
            piece, arm = self._piece(change, mask), mask & np.isfinite(along_m)
            for least_m, most_m in _SLEEVE_M:
                ring = _ring(arm, piece, least_m / cell_m, most_m / cell_m)
                size_px = picture.shape[1], picture.shape[0]
                where = cv2.resize(ring.astype(np.uint8), size_px, interpolation=cv2.INTER_NEAREST)
                pixels.append(np.asarray(picture[where > 0], np.uint8))
        return Sleeve.of(camera, pixels)

    def _arm(self, change: Change, mask: Mask) -> tuple[float, float] | None:
        """Where an arm is along the front, an arm's length from the piece, and its spread."""
        height, width = mask.shape
        along_m, cell_m = self._plane(change.fixture, (width, height))
        piece = self._piece(change, mask)
        ring = _ring(mask & np.isfinite(along_m), piece, *(each / cell_m for each in _ALONG_M))
        if np.count_nonzero(ring) < _LEAST_CELLS:
            return None
        return float(np.median(along_m[ring])), float(along_m[ring].std())

    @staticmethod
    def _piece(change: Change, mask: Mask) -> Mask:
        """Where the piece is, in cells of a mask."""
        height, width = mask.shape
        small = cv2.resize(
            change.mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.dilate((small > 60).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)

    def _plane(self, fixture: str, size_px: tuple[int, int]) -> tuple[NDArray[np.float64], float]:
        """Where cells meet the plane that arms are in, along the front, and how wide a cell is."""
        key = fixture, size_px
        if key not in self._planes:
            along_m = self._view.along_front(fixture, -_ARM_PLANE_M, size_px)
            self._planes[key] = along_m, float(np.nanmedian(np.abs(np.diff(along_m, axis=1))))
        return self._planes[key]


def _ring(mask: Mask, seed: Mask, least: float, most: float) -> Mask:
    """Cells of a mask so far from a seed along the mask, in cells."""
    allowed, kernel = mask.astype(np.uint8), np.ones((3, 3), np.uint8)
    reached = np.asarray((mask & seed).astype(np.uint8))
    near = reached
    for step in range(1, round(most) + 1):
        grown = np.asarray(cv2.bitwise_and(cv2.dilate(reached, kernel), allowed), np.uint8)
        if step <= least:
            near = grown
        if np.array_equal(grown, reached):
            break
        reached = grown
    return np.asarray((reached > 0) & (near == 0))


def _combined(beside: tuple[float, float], arm: tuple[float, float]) -> tuple[float, float]:
    """The place of the piece and that of the arm as one, and its standard deviation.

    Two that lie further apart than both spreads explain say that one of them is wrong; then the
    spread of the result covers both.
    """
    arm_sd_m = float(np.hypot(_ARM_SD_M, max(0.0, arm[1] - _SURELY_M / 2)))
    weights = np.array([beside[1] ** -2, arm_sd_m**-2])
    place = float(np.average([beside[0], arm[0]], weights=weights))
    sd_m = float(weights.sum() ** -0.5)
    apart = abs(beside[0] - arm[0]) / float(np.hypot(beside[1], arm_sd_m))
    return place, sd_m * max(1.0, apart)
