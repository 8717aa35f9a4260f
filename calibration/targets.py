"""Finding a calibration target in a picture: ChArUco boards, also in part, and plain chessboards.

Owns what is found and why a picture is refused. Pure: grey pictures in, corners or a reason out.

The window of the sub-pixel search is a fifth of the distance between neighbouring corners. A fixed
one is a trap: on OpenCV's published pictures a half-window of 11 pixels gives an RMS of 0.41 px and
one of 5 gives 0.195, because the larger reaches into the next squares where the board is far away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, charuco_board
from calibration.format import CalibrationError

Grey = NDArray[np.uint8]

FEWEST_CORNERS: Final = 8
WINDOW_SHARE: Final = 0.2
_SMALLEST_HALF_PX: Final = 3
_LARGEST_EDGE_PX: Final = 5.0
_EDGE_WIDTH_PX: Final = 1280
_EXPLAIN_WIDTH_PX: Final = 480
_ACCURACY: Final = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
_COMMON_CHESSBOARDS: Final = ((9, 6), (8, 6), (7, 6), (8, 5), (7, 5))


@dataclass(frozen=True)
class View:
    """A target as one picture shows it.

    Attributes:
        name: Of the picture.
        ids: Which corners, ``(N,)``.
        points_m: Their places on the target ``(N, 3)``, z 0.
        pixels: Where they are seen ``(N, 2)``.
        size_px: Width and height of the picture.
        edge_px: How wide an edge of black and white is: 1 to 3 px is sharp.
    """

    name: str
    ids: NDArray[np.int64]
    points_m: NDArray[np.float64]
    pixels: NDArray[np.float64]
    size_px: tuple[int, int]
    edge_px: float


@dataclass(frozen=True)
class Missed:
    """A picture without a usable target, and why, with what to do."""

    name: str
    reason: str


class Target(Protocol):
    """Something that can be looked for."""

    def find(self, grey: Grey, name: str) -> View | Missed:
        """Look for the target in a picture, uint8 ``(H, W)``."""
        ...

    def lines(self) -> tuple[tuple[int, ...], ...]:
        """Corner ids that lie on straight lines, a tuple a line."""
        ...


class Charuco:
    """A ChArUco board of `calibration.board`; it may be seen in part."""

    def __init__(self, spec: BoardSpec) -> None:
        self._spec = spec
        board = charuco_board(spec)
        settings = cv2.aruco.CharucoParameters()
        settings.tryRefineMarkers = True
        self._detector = cv2.aruco.CharucoDetector(board, settings)
        self._places = np.asarray(board.getChessboardCorners(), np.float64)
        self._markers = len(board.getIds())

    def find(self, grey: Grey, name: str) -> View | Missed:
        """Look for the board in a picture, uint8 ``(H, W)``."""
        corners, ids, _, marker_ids = self._detector.detectBoard(grey)
        seen = [] if marker_ids is None else np.asarray(marker_ids).ravel().tolist()
        if any(each >= self._markers for each in seen):
            return Missed(
                name,
                f"another board: marker {max(seen)} is not on a board of {self._spec.squares_x} x "
                f"{self._spec.squares_y} squares; name the squares of the board you printed",
            )
        count = 0 if ids is None else len(ids)
        if count < FEWEST_CORNERS:
            if count == 0 and self._mirrored(grey):
                return Missed(name, "the picture is mirrored; switch mirroring off in the camera")
            if len(seen) >= 4 and count == 0:
                return Missed(
                    name,
                    "markers are seen but no corners between them: it is another board (name the "
                    "squares of the one you printed), or tilted too much, or bent",
                )
            return Missed(
                name,
                f"only {count} of {self._spec.corners} corners are seen, {FEWEST_CORNERS} are "
                "needed; bring the board nearer, turn it to the camera, light it evenly",
            )
        which = np.asarray(ids, np.int64).ravel()
        rough = np.asarray(corners, np.float64).reshape(-1, 2)
        if np.linalg.matrix_rank(self._places[which] - self._places[which[0]], tol=1e-6) < 2:
            return Missed(name, "all seen corners lie on one line; show more of the board")
        pixels, edge_px = _refined(grey, rough, _spacing_px(self._places[which], rough))
        return _sharp(View(name, which, self._places[which], pixels, _size(grey), edge_px))

    def lines(self) -> tuple[tuple[int, ...], ...]:
        """Corner ids that lie on straight lines, a tuple a line."""
        return _grid_lines(self._spec.squares_x - 1, self._spec.squares_y - 1)

    def _mirrored(self, grey: Grey) -> bool:
        flipped, _, _, _ = self._detector.detectBoard(np.ascontiguousarray(grey[:, ::-1]))
        return flipped is not None and len(flipped) >= FEWEST_CORNERS


class Chessboard:
    """A plain chessboard; all of it must be seen.

    Args:
        columns: Inner corners in a row.
        rows: Inner corners in a column.
        square_m: Side of a square.

    Raises:
        CalibrationError: Numbers that make no board.
    """

    def __init__(self, columns: int, rows: int, square_m: float) -> None:
        if min(columns, rows) < 3 or not square_m > 0:
            raise CalibrationError(
                f"a chessboard of {columns} x {rows} inner corners of {square_m * 1000:g} mm "
                "cannot be used; count the inner corners (at least 3 x 3) and measure a square"
            )
        self._size = (columns, rows)
        places = np.zeros((columns * rows, 3))
        places[:, :2] = np.mgrid[:columns, :rows].T.reshape(-1, 2) * square_m
        self._places = places

    def find(self, grey: Grey, name: str) -> View | Missed:
        """Look for the board in a picture, uint8 ``(H, W)``."""
        rough = _chessboard(grey, self._size)
        if rough is None:
            return Missed(name, self._why(grey))
        rough = self._turned(grey, rough)
        pixels, edge_px = _refined(grey, rough, _spacing_px(self._places, rough))
        ids = np.arange(len(self._places))
        return _sharp(View(name, ids, self._places, pixels, _size(grey), edge_px))

    def lines(self) -> tuple[tuple[int, ...], ...]:
        """Corner ids that lie on straight lines, a tuple a line."""
        return _grid_lines(*self._size)

    def _turned(self, grey: Grey, rough: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corners in the order in which the square between the first four is dark.

        Two cameras on opposite sides find the same corners in opposite order. One even and one odd
        number of corners leave a single order that begins at a dark square; others stay ambiguous.
        """
        columns, rows = self._size
        if (columns + rows) % 2 == 0:
            return rough
        grid = rough.reshape(rows, columns, 2)

        def level(corner: NDArray[np.float64]) -> float:
            x, y = np.rint(corner.reshape(-1, 2).mean(axis=0)).astype(int)
            return float(grey[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean())

        first, last = level(grid[:2, :2]), level(grid[-2:, -2:])
        return rough if first <= last else rough[::-1]

    def _why(self, grey: Grey) -> str:
        columns, rows = self._size
        small = _no_wider(grey, _EXPLAIN_WIDTH_PX)
        for other in _COMMON_CHESSBOARDS:
            if sorted(other) != sorted(self._size) and _chessboard(small, other) is not None:
                if other[0] < columns or other[1] < rows:
                    break  # a part of the right board looks like a smaller one
                return (
                    f"another board: {other[0]} x {other[1]} inner corners are seen, not "
                    f"{columns} x {rows}"
                )
        return (
            f"no chessboard of {columns} x {rows} inner corners: all of it must be in the picture, "
            "with a white border, sharp and evenly lit (a ChArUco board may be seen in part)"
        )


def _chessboard(grey: Grey, size: tuple[int, int]) -> NDArray[np.float64] | None:
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, corners = cv2.findChessboardCorners(grey, size, flags=flags)
    return np.asarray(corners, np.float64).reshape(-1, 2) if found else None


def _no_wider(grey: Grey, width_px: int) -> Grey:
    scale = min(1.0, width_px / grey.shape[1])
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _refined(
    grey: Grey, rough: NDArray[np.float64], spacing_px: float
) -> tuple[NDArray[np.float64], float]:
    """Corners to a fraction of a pixel, and how wide the edges at them are."""
    half = max(_SMALLEST_HALF_PX, int(spacing_px * WINDOW_SHARE))
    start = np.asarray(rough, np.float32).reshape(-1, 1, 2)
    fine = cv2.cornerSubPix(grey, start, (half, half), (-1, -1), _ACCURACY)
    pixels = np.asarray(fine, np.float64).reshape(-1, 2)
    return pixels, _edge_px(grey, pixels, half)


def _edge_px(grey: Grey, pixels: NDArray[np.float64], half: int) -> float:
    """Contrast over steepest slope around each corner, the median: the width of an edge."""
    values = grey.astype(np.float32)
    slope = cv2.magnitude(
        cv2.Scharr(values, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(values, cv2.CV_32F, 0, 1) / 32
    )
    widths = []
    for x, y in np.rint(pixels).astype(int).tolist():
        rows, columns = slice(max(y - half, 0), y + half + 1), slice(max(x - half, 0), x + half + 1)
        patch = values[rows, columns]
        if patch.size:
            contrast = float(np.percentile(patch, 95) - np.percentile(patch, 5))
            widths.append(contrast / max(float(slope[rows, columns].max()), 1e-3))
    return float(np.median(widths)) if widths else np.inf


def _sharp(view: View) -> View | Missed:
    limit = _LARGEST_EDGE_PX * max(1.0, view.size_px[0] / _EDGE_WIDTH_PX)
    if view.edge_px > limit:
        return Missed(
            view.name,
            f"blurred: edges are {view.edge_px:.1f} px wide, at most {limit:.0f} px are good; hold "
            "the board still, focus the lens, add light",
        )
    return view


def _spacing_px(places: NDArray[np.float64], pixels: NDArray[np.float64]) -> float:
    """The smallest distance in the picture between corners that are neighbours on the target."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    pitch = apart.min()
    first, second = np.nonzero(apart < pitch * 1.01)
    return float(np.linalg.norm(pixels[first] - pixels[second], axis=1).min())


def _grid_lines(columns: int, rows: int) -> tuple[tuple[int, ...], ...]:
    grid = np.arange(columns * rows).reshape(rows, columns)
    return tuple(tuple(int(each) for each in line) for line in (*grid, *grid.T))


def _size(grey: Grey) -> tuple[int, int]:
    return grey.shape[1], grey.shape[0]
