"""Whether every facing is seen well enough: pixels per centimetre and angle, by the best camera.

Owns the check of a planogram against the cameras. Pure. Goods hidden behind goods are not its
business: a front that is seen at a low angle or from too far cannot be recognised by anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.format import Calibration, Camera, Fixture
from calibration.lens import in_picture
from calibration.planogram import Facing, Planogram

GOOD_PX_PER_CM: Final = 2.5
"""A can is then 16 pixels wide, seen from the side that is foreshortened most."""
LARGEST_ANGLE_DEG: Final = 65.0
WHOLE_SHARE: Final = 0.95
_STEPS: Final = 5


@dataclass(frozen=True)
class Sight:
    """How one facing is seen by the camera that sees it best.

    Attributes:
        facing: Its name.
        camera: That camera; None if none sees any of it.
        share: Of its front that is in the picture.
        px_per_cm: In the direction that is seen worse.
        angle_deg: Between the line of sight and the front's normal.
        good: Whether all of it is good enough.
        complaint: What is wrong and what to do; empty if it is good.
    """

    facing: str
    camera: str | None
    share: float
    px_per_cm: float
    angle_deg: float
    good: bool
    complaint: str


def sights(calibration: Calibration, planogram: Planogram) -> tuple[Sight, ...]:
    """How every facing is seen, in the order of their names."""
    found = []
    for name, facing in sorted(planogram.facings.items()):
        fixture = calibration.fixtures[facing.fixture]
        looks = [
            _sight(name, facing, fixture, camera, calibration.cameras[camera])
            for camera in fixture.cameras
        ]
        nothing = Sight(
            name, None, 0.0, 0.0, 90.0, False, f"no camera watches {facing.fixture}: name one in it"
        )
        found.append(
            max(looks, key=lambda each: (each.good, each.share, each.px_per_cm), default=nothing)
        )
    return tuple(found)


def _sight(name: str, facing: Facing, fixture: Fixture, key: str, camera: Camera) -> Sight:
    steps = np.linspace(0.02, 0.98, _STEPS)
    u, v = (
        each.ravel()
        for each in np.meshgrid(
            facing.u_m + steps * facing.width_m, facing.v_m + steps * facing.height_m
        )
    )
    points = fixture.to_shop(np.column_stack([u, v, np.zeros(len(u))]))
    inside = in_picture(camera, points)
    share = float(inside.mean())
    middle = points.mean(axis=0)
    sight = middle - camera.position_m
    cosine = float(sight @ fixture.inward / np.linalg.norm(sight))
    angle_deg = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    step_m = 0.01
    around = middle + np.array(
        [np.zeros(3), step_m * np.array(fixture.right), step_m * np.array(fixture.up)]
    )
    pixels = camera.project(around)
    slopes = (pixels[1:] - pixels[0]).T
    worst = float(np.linalg.svd(slopes, compute_uv=False)[1]) if np.isfinite(slopes).all() else 0.0
    complaint = ""
    if cosine <= 0:
        complaint = f"{key} looks at the back of {facing.fixture}: hang it on the other side"
    elif share < WHOLE_SHARE:
        complaint = f"{key} sees {share * 100:.0f} % of it: turn the camera or move it back"
    elif angle_deg > LARGEST_ANGLE_DEG:
        complaint = f"{key} sees it at {angle_deg:.0f} degrees: hang the camera further in front"
    elif worst < GOOD_PX_PER_CM:
        complaint = (
            f"{key} gives it {worst:.1f} pixels per cm, {GOOD_PX_PER_CM:g} are needed: hang the "
            "camera nearer or raise its resolution"
        )
    return Sight(name, key, share, worst, angle_deg, not complaint, complaint)
