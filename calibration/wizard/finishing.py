"""From the wizard's work to files in force: the calibration, the planogram, references, reports.

Owns what the work amounts to, whether it holds together, and the order in which it is saved. The
checks are those of ``walkout-calibrate check``; what is replaced stays in the history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.consistency import agreement, overlaps, unseen_floor
from calibration.format import Calibration, CalibrationError
from calibration.grid import facings, positions
from calibration.history import save_calibration, save_planogram, save_reference
from calibration.planogram import Facing, Planogram
from calibration.sight import sights
from calibration.wizard.work import Grid, ShopWork

_UNSEEN_SHARE: Final = 0.05


@dataclass(frozen=True)
class Finding:
    """One thing that the check found.

    Attributes:
        about: Step that it belongs to, see ``calibration.wizard.steps``.
        light: ``red`` must be put right before anything is saved.
        text: What is wrong and what to do, or what is good.
    """

    about: str
    light: str
    text: str


def calibration_of(work: ShopWork) -> Calibration:
    """The calibration that the work amounts to, of all cameras that are placed.

    Raises:
        CalibrationError: There is no floor yet, or it does not hold together.
    """
    if work.floor is None:
        raise CalibrationError("say how large the floor is first")
    cameras = {
        name: placed for name, each in work.cameras.items() if (placed := each.placed) is not None
    }
    fixtures = {
        name: each.model_copy(
            update={
                "cameras": tuple(
                    camera
                    for camera in sorted(cameras)
                    if work.cameras[camera].role == "shelf"
                    and (work.cameras[camera].fixture == name or camera in each.cameras)
                )
            }
        )
        for name, each in work.fixtures.items()
    }
    return Calibration(floor=work.floor, cameras=cameras, fixtures=fixtures)


def grid_facings(work: ShopWork, fixture: str, grid: Grid) -> dict[str, Facing]:
    """The facings of a front that was split.

    Raises:
        CalibrationError: The grid does not fit the front.
    """
    front = work.fixtures[fixture]
    cells = positions(front, grid.boards_m, grid.columns_m)
    return facings(fixture, front, cells, {(each.row, each.column): each for each in grid.skus})


def planogram_of(work: ShopWork) -> Planogram:
    """The planogram that the work amounts to.

    Raises:
        CalibrationError: A grid does not fit its front.
    """
    found = {
        name: each
        for name, each in work.facings.items()
        if each.fixture in work.fixtures and each.fixture not in work.grids
    }
    for fixture, grid in work.grids.items():
        if fixture in work.fixtures:
            found |= grid_facings(work, fixture, grid)
    return Planogram(facings=found)


def check_work(work: ShopWork, skus: Collection[str]) -> tuple[Finding, ...]:
    """Everything that the check finds, the worst first.

    Args:
        work: What has been done.
        skus: That the catalogue has.
    """
    found: list[Finding] = []
    for name, each in work.cameras.items():
        about = f"camera/{name}"
        if each.placed is None:
            found.append(Finding(about, "red", f"{name} is not placed yet"))
        elif each.lens is not None and each.lens.light != "green":
            found.append(Finding(about, each.lens.light, f"{name}: {'; '.join(each.lens.reasons)}"))
        if each.place is not None and each.place.light != "green":
            off = each.place.expected_p95_m * 1000
            found.append(
                Finding(about, "amber", f"{name} is placed to {off:.0f} mm: more points do better")
            )
    try:
        calibration, planogram = calibration_of(work), planogram_of(work)
        planogram.check(calibration, skus)
    except CalibrationError as err:
        return _sorted([*found, Finding("facings", "red", str(err))])
    found += _zones(calibration)
    found += _facings(calibration, planogram)
    found += _floor(calibration, work)
    return _sorted(found)


def save_work_as(
    path: Path,
    planogram_path: Path,
    work: ShopWork,
    skus: Collection[str],
    stills: Mapping[str, NDArray[np.uint8]],
    at: str,
    by: str,
) -> Calibration:
    """Save the work as the calibration and the planogram in force.

    Args:
        path: The ``calibration.json``.
        planogram_path: The ``planogram.json``.
        work: What has been done.
        skus: That the catalogue has.
        stills: Of cameras that were placed anew, what they saw then: grey ``(H, W)``.
        at: When, ISO 8601 with its zone.
        by: Who.

    Raises:
        CalibrationError: The check finds something red, or a file cannot be written.
    """
    red = [each.text for each in check_work(work, skus) if each.light == "red"]
    if red:
        raise CalibrationError(f"nothing was saved: {red[0]}")
    calibration, planogram = calibration_of(work), planogram_of(work)
    anew = sorted(name for name, each in work.cameras.items() if each.place is not None)
    why = f"by the wizard: {', '.join(anew) or 'floor and facings'}"
    save_planogram(planogram_path, planogram)
    save_calibration(path, calibration, at, by, why)
    for name, grey in stills.items():
        save_reference(path, name, grey)
    return calibration


def _zones(calibration: Calibration) -> list[Finding]:
    kinds = {zone.kind for zone in calibration.floor.zones}
    found = []
    if "entry" not in kinds:
        found.append(
            Finding("zones", "red", "there is no entry zone: draw where shoppers check in")
        )
    if "exit" not in kinds:
        found.append(
            Finding("zones", "amber", "there is no exit zone: nobody would be seen to leave")
        )
    return found


def _facings(calibration: Calibration, planogram: Planogram) -> list[Finding]:
    found = []
    overlap = planogram.overlap()
    if overlap is not None:
        found.append(
            Finding("facings", "red", f"facings {overlap[0]} and {overlap[1]} lie over each other")
        )
    for name, each in calibration.fixtures.items():
        if each.cameras and not planogram.of_fixture(name):
            found.append(Finding("facings", "red", f"{name} has no facings: say what stands there"))
    seen = sights(calibration, planogram)
    bad = [each for each in seen if not each.good]
    found += [Finding("facings", "amber", f"{each.facing}: {each.complaint}") for each in bad]
    if seen and not bad:
        found.append(Finding("facings", "green", f"all {len(seen)} facings are seen well"))
    return found


def _floor(calibration: Calibration, work: ShopWork) -> list[Finding]:
    overhead = [name for name, each in calibration.cameras.items() if each.role == "overhead"]
    if not overhead:
        return []
    found = []
    unseen = unseen_floor(calibration)
    if unseen > _UNSEEN_SHARE:
        text = f"{unseen * 100:.0f} % of the floor is seen by no overhead camera"
        found.append(Finding("floor", "amber", text))
    else:
        found.append(Finding("floor", "green", "the floor is seen by the overhead cameras"))
    seen = {
        name: {f"{m.floor_m[0]:.2f} {m.floor_m[1]:.2f}": m.pixel for m in work.cameras[name].marks}
        for name in overhead
    }
    for pair in agreement(calibration, seen):
        names = " and ".join(pair.cameras)
        text = f"{names} agree to {pair.p95_m * 100:.1f} cm at {pair.spots} marks that both see"
        found.append(Finding("floor", "green" if pair.good else "red", text))
    for (one, other), share in overlaps(calibration).items():
        if share == 0.0:
            text = f"{one} and {other} share no floor: whoever walks from one to the other is lost"
            found.append(Finding("floor", "amber", text))
    return found


def _sorted(found: list[Finding]) -> tuple[Finding, ...]:
    order = {"red": 0, "amber": 1, "green": 2}
    return tuple(sorted(dict.fromkeys(found), key=lambda each: order[each.light]))
