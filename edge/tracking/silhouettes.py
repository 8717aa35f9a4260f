"""What the overhead cameras saw that is not the empty shop, kept small, to be asked about later.

Owns the memory of one moment's foreground, a bit a pixel, and where points of the shop lie in it.
What a silhouette tells about an interaction is ``reaching``'s to know. Values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Fixture
from edge.tracking.columns import SLICES, hidden_by, project_within
from edge.tracking.crowds import FILLED_FROM

# Heights along an upright body with its radius there, metres.
_BODY_M: Final = np.array(
    [
        (z_m, radius_m)
        for low_m, high_m, radius_m, _ in SLICES
        for z_m in np.arange(low_m, high_m, 0.12).tolist()
    ]
    + [(SLICES[-1][1], SLICES[-1][2])]
)


@dataclass(frozen=True, eq=False)
class OverheadView:
    """Where an overhead camera's small picture shows points of the shop.

    Attributes:
        camera: The camera.
        fixtures: What stands in its way.
        size_px: Width and height of the small picture.
    """

    camera: Camera
    fixtures: tuple[Fixture, ...]
    size_px: tuple[int, int]

    def pixels_of(
        self, points_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where points are seen.

        Args:
            points_m: Shop metres, shape ``(N, 3)``.

        Returns:
            Column and row, shape ``(N, 2)``, and which points are seen at all, shape ``(N,)``: the
            others are outside of the picture or behind a fixture.
        """
        pixels = self._small(points_m)
        seen: NDArray[np.bool_] = np.asarray(np.isfinite(pixels).all(axis=1))
        places = np.floor(np.where(seen[:, None], pixels, -1.0)).astype(np.intp)
        seen &= ((places >= 0) & (places < self.size_px)).all(axis=1)
        for fixture in self.fixtures:
            seen &= ~hidden_by(fixture, self.camera.position_m, points_m)
        places[~seen] = 0
        return places, seen

    def slants(self, places_m: NDArray[np.float64], height_m: float) -> NDArray[np.float64]:
        """How flatly points above the floor are looked at: along the floor over down, ``(P,)``."""
        eye = self.camera.position_m
        along_m = np.hypot(*(places_m - eye[:2]).T)
        return np.asarray(along_m / max(float(eye[2]) - height_m, 0.05))

    def bodies_px(self, places_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Upright bodies as stacks of circles.

        Args:
            places_m: Where they stand, shop x and y, shape ``(P, 2)``.

        Returns:
            x, y and radius in the small picture, shape ``(P, K, 3)``; NaN where unseen.
        """
        towards = places_m - self.camera.position_m[:2]
        towards = towards / np.maximum(np.hypot(*towards.T), 1e-6)[:, None]
        aside = np.column_stack([-towards[:, 1], towards[:, 0], np.zeros(len(places_m))])
        axis = np.zeros((len(places_m), len(_BODY_M), 3))
        axis[..., :2], axis[..., 2] = places_m[:, None], _BODY_M[:, 0]
        rim = axis + aside[:, None] * _BODY_M[:, 1, None]
        pixels = self._small(np.stack([axis, rim]).reshape(-1, 3)).reshape(2, *axis.shape[:2], 2)
        radii_px = np.hypot(*np.moveaxis(pixels[1] - pixels[0], -1, 0))
        return np.concatenate([pixels[0], radii_px[..., None]], axis=-1)

    def _small(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = self.size_px[0] / self.camera.image_size_px[0]
        return (project_within(self.camera, points_m) + 0.5) * scale


@dataclass(frozen=True, eq=False)
class Silhouettes:
    """The foreground of one moment.

    Attributes:
        views: By camera, where it shows what; shared by all moments.
        bits: By camera, the foreground's rows, packed.
    """

    views: Mapping[str, OverheadView]
    bits: Mapping[str, NDArray[np.uint8]]

    @classmethod
    def of(
        cls, views: Mapping[str, OverheadView], foreground: Mapping[str, NDArray[np.uint8]]
    ) -> Silhouettes:
        """Keep a foreground, by camera how much a pixel is foreground, 0 to 255."""
        return cls(
            views,
            {name: np.packbits(each > FILLED_FROM, axis=1) for name, each in foreground.items()},
        )

    def picture(self, camera: str, grow_px: int = 1) -> NDArray[np.bool_]:
        """The foreground of a camera, ``(H, W)``, grown by what a projection may be off."""
        width = self.views[camera].size_px[0]
        filled = np.unpackbits(self.bits[camera], axis=1, count=width)
        kernel = np.ones((2 * grow_px + 1, 2 * grow_px + 1), np.uint8)
        return np.asarray(cv2.dilate(filled, kernel) > 0)
