"""Putting a moved camera right again without calibrating it anew.

Owns when a camera may be corrected by what it sees, and the corrected camera. Pure; saving it with
its record is ``calibration.history``'s business. Two ways:

- by fixture markers: the camera is placed anew by markers that did not move. Safe enough to be done
  without a person where the move is small and the markers fit.
- by the turn that drift has measured: a person must confirm that the mount only turned; distances
  on the floor are then kept, and no marker is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.drift.effect import turned_camera
from calibration.drift.registration import Registration, angle_deg
from calibration.format import Calibration, CalibrationError, Camera
from calibration.lens import lens_of
from calibration.plane import place_by_markers

LARGEST_TURN_DEG: Final = 5.0
LARGEST_MOVE_M: Final = 0.15
WORST_RMS_PX: Final = 1.5
WORST_HELD_OUT_M: Final = 0.005
_FEWEST_MARKERS: Final = 3


@dataclass(frozen=True)
class Repair:
    """A camera put right.

    Attributes:
        camera: As it is now.
        turn_deg: How far it had turned.
        moved_m: How far it had moved.
        by: What it was put right by, in words, for the record.
    """

    camera: Camera
    turn_deg: float
    moved_m: float
    by: str


def repair_by_markers(
    name: str, calibration: Calibration, found: Mapping[int, NDArray[np.float64]]
) -> Repair:
    """Place a shelf camera anew by the markers of a fixture it watches.

    Args:
        name: Of the camera.
        calibration: Of the shop.
        found: Of each marker, its corners' pixels ``(4, 2)``, as `find_markers` gives them.

    Raises:
        CalibrationError: Too few markers, a bad fit, or a move too large to be done by itself.
    """
    watched = {key: each for key, each in calibration.fixtures.items() if name in each.cameras}
    if not any(each.markers for each in watched.values()):
        raise CalibrationError(
            f"{name} watches no fixture with markers; calibrate it again by hand, and stick "
            "markers to the fixture for the next time"
        )
    key = max(watched, key=lambda each: sum(m.id in found for m in watched[each].markers))
    fixture = watched[key]
    used = [marker.id for marker in fixture.markers if marker.id in found]
    if len(used) < _FEWEST_MARKERS:
        raise CalibrationError(
            f"{name}: {len(used)} markers of {key} are seen, {_FEWEST_MARKERS} are needed to put "
            "it right; clear the view of them"
        )
    before = calibration.cameras[name]
    placed = place_by_markers(lens_of(before), fixture, fixture.markers, found)
    if placed.rms_px > WORST_RMS_PX or (placed.held_out_p95_m or 0.0) > WORST_HELD_OUT_M:
        raise CalibrationError(
            f"{name}: the markers of {key} do not fit each other any more ({placed.rms_px:.1f} px, "
            f"{(placed.held_out_p95_m or 0.0) * 1000:.0f} mm): was one moved, or the fixture bent? "
            "Calibrate it again"
        )
    turn = np.array(placed.camera.rotation) @ np.array(before.rotation).T
    moved_m = float(np.linalg.norm(placed.camera.position_m - before.position_m))
    if angle_deg(turn) > LARGEST_TURN_DEG or moved_m > LARGEST_MOVE_M:
        raise CalibrationError(
            f"{name} turned by {angle_deg(turn):.1f} degrees and moved by {moved_m * 100:.0f} cm: "
            "too far to be put right by itself; look at its mount and calibrate it again"
        )
    names = ", ".join(str(each) for each in used)
    return Repair(placed.camera, angle_deg(turn), moved_m, f"markers {names} of {key}")


def repair_by_turn(name: str, calibration: Calibration, seen: Registration) -> Repair:
    """Turn a camera back by what drift has measured; a person has confirmed that it only turned.

    Raises:
        CalibrationError: The measurement is not sure, or the turn too large.
    """
    if not seen.found:
        raise CalibrationError(
            f"{name}: its picture does not show enough of what it was calibrated on; wait until "
            "nobody stands in front of it, or calibrate it again"
        )
    if seen.turn_deg > LARGEST_TURN_DEG:
        raise CalibrationError(
            f"{name} turned by {seen.turn_deg:.1f} degrees: too far; calibrate it again"
        )
    camera = turned_camera(calibration.cameras[name], seen.rotation)
    tiles = f"{seen.agreeing} of {seen.asked} parts of the picture"
    return Repair(camera, seen.turn_deg, 0.0, f"the turn that {tiles} agree on")
