"""What is drawn over a camera's picture: zones, facings, people and decisions. Pure.

Owns where each lies in it, as shares of the picture, 0 to 1, so the drawing fits one of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera
from calibration.planogram import Planogram
from edge.dashboard.views.cameras import DrawnDecision, DrawnFacing, DrawnShopper, DrawnZone
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import ShownShopper
from edge.dashboard.views.shape import Point, Polygon
from edge.interaction.shelf import FacingState

DECISIONS_FOR_S: Final = 20.0
_HEAD_M: Final = 1.7
# Lenses bend straight edges: long ones are drawn by points this far apart.
_STEP_M: Final = 0.25
# What reaches further out of the picture than this is not worth drawing.
_BEYOND: Final = 0.5


class Drawing:
    """What stands still in a camera's picture, worked out once for a calibration.

    Args:
        name: Of the camera.
        calibration: Where everything is.
        planogram: Where facings are on their fixtures.
    """

    def __init__(self, name: str, calibration: Calibration, planogram: Planogram) -> None:
        self.name = name
        self.calibration = calibration
        self.camera = calibration.cameras[name]
        self.zones = zones_of(self.camera, calibration)
        self._facings = {
            facing: polygon_in(self.camera, each.corners_m(calibration.fixtures[each.fixture])[:4])
            for facing, each in planogram.facings.items()
        }

    def facing(self, name: str | None) -> Polygon:
        """Corners of a facing's front; empty where it is not in the picture."""
        return self._facings.get(name or "", ())


def zones_of(camera: Camera, calibration: Calibration) -> tuple[DrawnZone, ...]:
    """The floor's border, its zones and the fixtures' fronts in a camera's picture."""
    floor = calibration.floor
    flat = [
        ("floor", "floor", floor.outline),
        *((zone.name, str(zone.kind), zone.polygon) for zone in floor.zones),
    ]
    drawn = [
        (name, kind, _along([(x, y, 0.0) for x, y in polygon])) for name, kind, polygon in flat
    ]
    for name, fixture in sorted(calibration.fixtures.items()):
        wide, high = fixture.width_m, fixture.height_m
        front = np.array([[0, 0, 0], [wide, 0, 0], [wide, high, 0], [0, high, 0]], np.float64)
        drawn.append((name, "fixture", _along(fixture.to_shop(front).tolist())))
    found = ((name, kind, polygon_in(camera, points)) for name, kind, points in drawn)
    return tuple(
        DrawnZone(name=name, kind=kind, polygon=polygon) for name, kind, polygon in found if polygon
    )


def facings_of(
    states: Sequence[FacingState], size_px: tuple[int, int], name_of: Callable[[str], str]
) -> tuple[DrawnFacing, ...]:
    """A shelf camera's facings in its picture.

    Args:
        states: What the camera knows of them.
        size_px: Width and height that their corners are for.
        name_of: Name of a product.
    """
    return tuple(
        DrawnFacing(
            name=each.name,
            sku=each.sku,
            product=name_of(each.sku),
            pieces=each.pieces,
            capacity=each.capacity,
            strays=tuple(sku if sku == "unknown" else name_of(sku) for sku in each.strays),
            polygon=_shares(np.array(each.polygon_px, np.float64), size_px),
            hand=each.hand,
        )
        for each in states
    )


def shoppers_in(camera: Camera, shoppers: Iterable[ShownShopper]) -> tuple[DrawnShopper, ...]:
    """Who of the people on the floor is in a camera's picture."""
    drawn = []
    for each in shoppers:
        x, y = each.at_m
        feet, head = camera.project(np.array([[x, y, 0.0], [x, y, _HEAD_M]]))
        if not np.isfinite([feet, head]).all():
            continue
        (feet_at,) = _shares(feet[None], camera.image_size_px)
        (head_at,) = _shares(head[None], camera.image_size_px)
        if _is_inside(head_at) or _is_inside(feet_at):
            drawn.append(
                DrawnShopper(
                    track=each.track,
                    shopper=each.shopper,
                    role=each.role,
                    state=each.state,
                    feet=feet_at,
                    head=head_at,
                )
            )
    return tuple(drawn)


def decisions_in(
    drawing: Drawing, events: Iterable[ShownEvent], now_wall_s: float
) -> tuple[DrawnDecision, ...]:
    """What was decided lately before a camera: at its own facings, or at those in its picture.

    Args:
        drawing: Of the camera.
        events: The newest first.
        now_wall_s: Now.
    """
    drawn = []
    for event in events:
        age_s = now_wall_s - event.happened_at
        if age_s > DECISIONS_FOR_S:
            break
        polygon = drawing.facing(event.facing)
        is_shelf = drawing.camera.role == "shelf"
        if event.camera != drawing.name if is_shelf else not polygon:
            continue
        drawn.append(
            DrawnDecision(
                event_id=event.event_id,
                kind=event.kind,
                name=event.name,
                quantity=event.quantity,
                result=event.result,
                facing=event.facing,
                polygon=polygon,
                happened_at=event.happened_at,
                age_s=round(max(0.0, age_s), 2),
            )
        )
    return tuple(drawn)


def polygon_in(camera: Camera, points_m: NDArray[np.float64]) -> Polygon:
    """A polygon of the shop in a camera's picture; empty where it is not in it.

    Args:
        camera: The calibrated camera.
        points_m: Corners in shop metres, ``(N, 3)``.
    """
    pixels = camera.project(points_m)
    width, height = camera.image_size_px
    # A lens model bends back what is far outside of what it was measured for.
    rays = camera.rays(np.nan_to_num(pixels))
    back = points_m - camera.position_m
    back = back / np.maximum(np.linalg.norm(back, axis=1, keepdims=True), 1e-9)
    true = np.isfinite(pixels).all(axis=1) & ((rays * back).sum(axis=1) > 0.999)
    kept = pixels[true]
    if len(kept) < 3:
        return ()
    shares = _shares(kept, (width, height))
    low, high = -_BEYOND, 1 + _BEYOND
    clipped = tuple((min(high, max(low, x)), min(high, max(low, y))) for x, y in shares)
    xs, ys = zip(*clipped, strict=True)
    apart = max(xs) < 0 or min(xs) > 1 or max(ys) < 0 or min(ys) > 1
    return () if apart else clipped


def _along(corners: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """A polygon's border with points close enough to follow a bent edge, ``(N, 3)``."""
    points: list[NDArray[np.float64]] = []
    for place, corner in enumerate(corners):
        start, end = np.array(corner), np.array(corners[(place + 1) % len(corners)])
        steps = max(1, math.ceil(float(np.linalg.norm(end - start)) / _STEP_M))
        points += [start + (end - start) * step / steps for step in range(steps)]
    return np.array(points, np.float64)


def _shares(pixels: NDArray[np.float64], size_px: tuple[int, int]) -> Polygon:
    shares = (pixels + 0.5) / np.array(size_px)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in shares)


def _is_inside(at: Point) -> bool:
    return 0 <= at[0] <= 1 and 0 <= at[1] <= 1
