"""How a picture has moved against a reference: tiles, and the rotation they agree on.

Owns the comparison of two pictures of one camera. Pure. What a rotation means for the shop is
``calibration.drift.effect``'s business, when it is an alarm ``calibration.drift.watch``'s.

A knocked camera turns about its mount, so what tiles tell is joined by a rotation of the camera and
not by a shift of the picture: seen through a wide lens a turn moves the border several times as far
as the middle. People, stock and shadows spoil single tiles; the largest set of tiles that one
rotation explains is believed, if it is large enough. Brightness and slow shading are taken out
before (local mean and deviation), and tiles without texture are not asked.

Phase correlation: Kuglin and Hines 1975, as ``cv2.phaseCorrelate``; rotation from directions:
Wahba's problem by singular values (Markley 1988).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.lens import Lens

Grey = NDArray[np.uint8]

WORKING_WIDTH_PX: Final = 640
_TILE_PX: Final = 128
_STEP_PX: Final = 80
_TEXTURE: Final = 3.0
"""Grey levels of standard deviation, after smoothing, that a tile needs to be asked."""
_NOISE_LEVELS: Final = 3.0
"""Added to the local deviation: flat surfaces must not be blown up to noise."""
_PEAK: Final = 0.04
"""Response of the correlation below which a tile has no answer."""
_AGREE_PX: Final = 0.6
_AGREE_SHARE: Final = 0.06
"""How far a tile may lie off the rotation: so much and this share of its own displacement."""
_COARSE: Final = 4
_FEWEST_TILES: Final = 6
_SEED_PAIRS: Final = 150


@dataclass(frozen=True)
class Registration:
    """What the tiles said.

    Attributes:
        asked: Tiles with texture in both pictures.
        agreeing: Of them, those that the rotation explains.
        share: ``agreeing / asked``; 0 where none was asked.
        rotation: Of the camera since the reference, shape ``(3, 3)``: the direction that was seen
            as ``ray`` is now seen as ``rotation @ ray``; the identity where ``found`` is False.
        found: Whether enough tiles agree to believe it.
        rms_px: Of the agreeing tiles about the rotation, pixels of the picture.
        shift_px: How far the picture moves at its middle, pixels of the picture ``(x, y)``.
        turn_deg: Angle of the rotation.
    """

    asked: int
    agreeing: int
    share: float
    rotation: NDArray[np.float64]
    found: bool
    rms_px: float
    shift_px: tuple[float, float]
    turn_deg: float


class Reference:
    """A picture that later ones are compared with.

    Args:
        grey: uint8 ``(H, W)``, of the calibrated camera.
        lens: Of the camera, at the picture's size.

    Raises:
        CalibrationError: The picture has another size than the lens, or nothing to hold on to.
    """

    def __init__(self, grey: Grey, lens: Lens) -> None:
        height, width = grey.shape
        if (width, height) != lens.image_size_px:
            raise CalibrationError(
                f"the reference is {width} x {height}, the camera was calibrated at "
                f"{lens.image_size_px[0]} x {lens.image_size_px[1]}; take a new reference"
            )
        self._size = (width, height)
        self._scale = WORKING_WIDTH_PX / width
        self._lens = lens
        self._small = _shrunk(grey, self._scale)
        self._flat = _flattened(self._small)
        self._window = cv2.createHanningWindow((_TILE_PX, _TILE_PX), cv2.CV_32F)
        rows, columns = self._flat.shape
        if rows < _TILE_PX:
            raise CalibrationError(f"pictures of {width} x {height} are too flat to be watched")
        corners = [
            (x, y)
            for y in _starts(rows)
            for x in _starts(columns)
            if _texture(self._small[y : y + _TILE_PX, x : x + _TILE_PX]) >= _TEXTURE
        ]
        if len(corners) < _FEWEST_TILES:
            raise CalibrationError(
                "the reference shows too little to hold on to (is it dark, or a bare wall?); "
                "take it with the lights on"
            )
        self._corners = np.array(corners)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of pictures that can be compared."""
        return self._size

    @property
    def tiles(self) -> int:
        """How many tiles can be asked."""
        return len(self._corners)

    def register(self, grey: Grey) -> Registration:
        """How a picture has moved against the reference.

        Args:
            grey: uint8 ``(H, W)`` of the reference's size.

        Raises:
            CalibrationError: It has another size.
        """
        if (grey.shape[1], grey.shape[0]) != self._size:
            raise CalibrationError(
                f"the picture is {grey.shape[1]} x {grey.shape[0]}, the reference "
                f"{self._size[0]} x {self._size[1]}: the stream's settings were changed"
            )
        small = _shrunk(grey, self._scale)
        flat = _flattened(small)
        best = self._by_tiles(small, flat, (0, 0))
        if best.share < 0.6:
            # A large move takes the tiles' contents out of each other: look for it as a whole.
            coarse = self._coarse_shift(flat)
            if max(abs(coarse[0]), abs(coarse[1])) >= _TILE_PX // 8:
                other = self._by_tiles(small, flat, coarse)
                best = max(best, other, key=lambda each: (each.agreeing, each.share))
        return best

    def _coarse_shift(self, flat: NDArray[np.float32]) -> tuple[int, int]:
        sizes = (flat.shape[1] // _COARSE, flat.shape[0] // _COARSE)
        was, now = (
            cv2.resize(each, sizes, interpolation=cv2.INTER_AREA) for each in (self._flat, flat)
        )
        window = cv2.createHanningWindow(sizes, cv2.CV_32F)
        (x, y), _ = cv2.phaseCorrelate(np.ascontiguousarray(was), now, window)
        return round(x * _COARSE), round(y * _COARSE)

    def _by_tiles(
        self, small: Grey, flat: NDArray[np.float32], start: tuple[int, int]
    ) -> Registration:
        """Correlate each tile with the picture, displaced by a first guess."""
        rows, columns = flat.shape
        was, moved = [], []
        asked = 0
        for x, y in self._corners.tolist():
            left, top = x + start[0], y + start[1]
            if not (0 <= left <= columns - _TILE_PX and 0 <= top <= rows - _TILE_PX):
                continue
            now = flat[top : top + _TILE_PX, left : left + _TILE_PX]
            if _texture(small[top : top + _TILE_PX, left : left + _TILE_PX]) < _TEXTURE:
                continue
            asked += 1
            then = self._flat[y : y + _TILE_PX, x : x + _TILE_PX]
            # Copies: OpenCV lays the window over its arguments in place.
            (dx, dy), peak = cv2.phaseCorrelate(then.copy(), now.copy(), self._window)
            if peak < _PEAK:
                continue
            centre = np.array([x, y]) + (_TILE_PX - 1) / 2
            was.append(centre)
            moved.append(centre + start + (dx, dy))
        return self._agreed(asked, np.array(was).reshape(-1, 2), np.array(moved).reshape(-1, 2))

    def _agreed(
        self, asked: int, was: NDArray[np.float64], moved: NDArray[np.float64]
    ) -> Registration:
        """The rotation that explains most tiles; `was` and `moved` are working pixels."""
        nothing = Registration(asked, 0, 0.0, np.eye(3), False, 0.0, (0.0, 0.0), 0.0)
        if len(was) < 2:
            return nothing
        rays, seen = self._rays(was), self._rays(moved)
        allowed = _AGREE_PX + _AGREE_SHARE * np.linalg.norm(moved - was, axis=1)
        focal = self._lens.matrix[0][0] * self._scale
        best = np.zeros(len(was), bool)
        for first, second in _pairs(len(was)):
            both = [first, second]
            kept = _off_px(_wahba(rays[both], seen[both]), rays, seen, focal) <= allowed
            if kept.sum() > best.sum():
                best = kept
        if best.sum() < 2:
            return nothing
        for _ in range(3):
            rotation = _wahba(rays[best], seen[best])
            best = _off_px(rotation, rays, seen, focal) <= allowed
            if best.sum() < 2:
                return nothing
        rotation = _wahba(rays[best], seen[best])
        off = _off_px(rotation, rays[best], seen[best], focal)
        agreeing = int(best.sum())
        share = agreeing / max(asked, 1)
        found = agreeing >= _FEWEST_TILES and _spread(was[best], self._flat.shape)
        middle = np.array([[(self._size[0] - 1) / 2, (self._size[1] - 1) / 2]])
        shift = turned(self._lens, rotation, middle)[0] - middle[0]
        return Registration(
            asked=asked,
            agreeing=agreeing,
            share=share,
            rotation=rotation if found else np.eye(3),
            found=found,
            rms_px=float(np.sqrt((off**2).mean()) / self._scale),
            shift_px=(float(shift[0]), float(shift[1])),
            turn_deg=angle_deg(rotation),
        )

    def _rays(self, working: NDArray[np.float64]) -> NDArray[np.float64]:
        pixels = (working + 0.5) / self._scale - 0.5
        return self._lens.rays(pixels)


def turned(
    lens: Lens, rotation: NDArray[np.float64], pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where what was seen at pixels ``(N, 2)`` is seen after a rotation of the camera."""
    after = lens.rays(pixels) @ rotation.T
    seen, _ = cv2.projectPoints(after, np.zeros(3), np.zeros(3), lens.k, lens.d)
    return np.asarray(seen, np.float64).reshape(-1, 2)


def angle_deg(rotation: NDArray[np.float64]) -> float:
    """Angle of a rotation matrix."""
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(rotation)[0])))


def _starts(length: int) -> list[int]:
    """Left edges of overlapping tiles that cover a length, the last flush with its end."""
    return [*range(0, length - _TILE_PX, _STEP_PX), length - _TILE_PX]


def _shrunk(grey: Grey, scale: float) -> Grey:
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def _flattened(grey: Grey) -> NDArray[np.float32]:
    """Take brightness and slow shading out: local mean 0, local deviation about 1."""
    values = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), 12.0)
    off = values - mean
    deviation = np.sqrt(cv2.GaussianBlur(off * off, (0, 0), 12.0))
    return np.asarray(off / (deviation + _NOISE_LEVELS), np.float32)


def _texture(tile: Grey) -> float:
    """Grey levels of what is left of a tile without its slow shading."""
    values = tile[::2, ::2].astype(np.float32)
    return float((values - cv2.blur(values, (17, 17))).std())


def _pairs(count: int) -> list[tuple[int, int]]:
    """Pairs of tiles to guess a rotation from: all, or evenly picked ones."""
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    step = max(1, len(pairs) // _SEED_PAIRS)
    return pairs[::step]


def _wahba(was: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation that best turns directions ``(N, 3)`` into others."""
    u, _, vt = np.linalg.svd(now.T @ was)
    flip = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return np.asarray(u @ flip @ vt)


def _off_px(
    rotation: NDArray[np.float64],
    was: NDArray[np.float64],
    now: NDArray[np.float64],
    focal: float,
) -> NDArray[np.float64]:
    """How far directions miss each other, as pixels near the picture's middle."""
    return np.asarray(np.linalg.norm(was @ rotation.T - now, axis=1) * focal)


def _spread(places: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether tiles lie apart enough to tell a roll from a shift."""
    extent = places.max(axis=0) - places.min(axis=0)
    return bool(extent[0] >= shape[1] / 4 or extent[1] >= shape[0] / 4)
