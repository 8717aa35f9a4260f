"""What a real camera adds: exposure, colour cast, light that changes, softness, sensor noise.

Pure but for its own random numbers, which depend on the seed, the camera and the frame only.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_TILES = 4
_MARGIN_PX = 64


@dataclass(frozen=True)
class Ambience:
    """How the shop's light changes, the same for all cameras.

    Attributes:
        swing: Strength of the slow change, as a share.
        period_s: Of the slow change.
        cloud_at_s: When a cloud comes.
        cloud: Share of light it takes.
    """

    swing: float
    period_s: float
    cloud_at_s: float
    cloud: float

    def level(self, now_s: float) -> float:
        """Light at a moment, about 1."""
        slow = self.swing * float(np.sin(2 * np.pi * now_s / self.period_s))
        passed = float(np.clip((now_s - self.cloud_at_s) / 2.5, 0, 1))
        return (1 + slow) * (1 - self.cloud * passed)


def ambience(seed: int, seconds: float) -> Ambience:
    """The light of a recording."""
    rng = np.random.default_rng((seed, 41))
    return Ambience(
        float(rng.uniform(0.015, 0.05)),
        float(rng.uniform(25, 70)),
        float(rng.uniform(0.25, 0.9)) * seconds,
        float(rng.uniform(-0.06, 0.10)),
    )


class Sensor:
    """One camera's electronics.

    Args:
        seed: Of the recording.
        camera: Number of the camera.
        size_px: Width and height.
        light: Of the shop.
    """

    def __init__(self, seed: int, camera: int, size_px: tuple[int, int], light: Ambience) -> None:
        rng = np.random.default_rng((seed, 42, camera))
        self._light = light
        self._exposure = float(rng.uniform(0.84, 1.10))
        self._cast = rng.uniform(0.95, 1.05, 3)
        self._contrast = float(rng.uniform(0.92, 1.08))
        self._black = float(rng.uniform(2, 9))
        self._noise = float(rng.uniform(1.4, 2.6))
        self._agile = float(rng.uniform(0.3, 0.8))
        width, height = size_px
        shape = (height + _MARGIN_PX, width + _MARGIN_PX)
        self._tiles = []
        for _ in range(_TILES):
            grey = rng.standard_normal(shape, np.float32)
            colour = rng.standard_normal((*shape, 3), np.float32)
            colour *= 0.35
            colour += grey[..., None]
            self._tiles.append(_split(np.rint(colour * np.float32(self._noise))))
        self._seed = (seed, 43, camera)

    def seen(self, rgb: Picture, index: int, now_s: float) -> Picture:
        """The picture as the camera delivers it.

        Args:
            rgb: uint8 ``(H, W, 3)``, as drawn.
            index: Of the frame.
            now_s: Its moment.

        Returns:
            uint8 BGR ``(H, W, 3)``.
        """
        height, width = rgb.shape[:2]
        rng = np.random.default_rng((*self._seed, index))
        flicker = 1 + float(rng.normal(0, 0.002))
        # Automatic exposure takes back a part of the change.
        level = self._light.level(now_s) ** (1 - self._agile * 0.6) * flicker
        levels = np.arange(256) / 255
        toned = np.clip(levels[:, None] * self._cast * self._exposure * level, 0, 1.3)
        toned = np.clip(toned, 0, None) ** self._contrast
        table = np.clip(self._black + toned * (253 - self._black), 0, 255).astype(np.uint8)
        tile = self._tiles[int(rng.integers(_TILES))]
        top, left = (int(each) for each in rng.integers(0, _MARGIN_PX, 2))
        here = slice(top, top + height), slice(left, left + width)
        planes = []
        red, green, blue = cv2.split(rgb)
        for channel, plane, (lighter, darker) in zip(
            (2, 1, 0), (blue, green, red), tile, strict=True
        ):
            plane = cv2.LUT(plane, np.ascontiguousarray(table[:, channel]))
            plane = cv2.add(plane, lighter[here], dst=plane)
            planes.append(cv2.subtract(plane, darker[here], dst=plane))
        return np.asarray(cv2.merge(planes), np.uint8)


def _split(noise: NDArray[np.float32]) -> list[tuple[Picture, Picture]]:
    """What noise ``(H, W, 3)`` adds to each channel, and what it takes away.

    Bytes are added and taken away many times faster than signed numbers.
    """
    lighter = np.clip(noise, 0, 255).astype(np.uint8)
    darker = np.clip(-noise, 0, 255).astype(np.uint8)
    return [(lighter[..., each].copy(), darker[..., each].copy()) for each in range(3)]
