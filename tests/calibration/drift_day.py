"""Try the drift watch on a recorded shop: a day without a knock, and knocks on busy pictures.

    python -m tests.calibration.drift_day SHOP --hours 24 --every 20 --cameras shelf-1,overhead-1

Prints one JSON line a camera: false alarms over the day, and for every knock how long red took. The
short form of both runs among the tests.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.drift.effect import Outlook
from calibration.drift.watch import DriftSettings, DriftWatch
from calibration.format import Calibration, read_calibration
from calibration.lens import lens_of
from calibration.planogram import Planogram, read_planogram
from tests.simulators.busy_day import Day, Grey

KNOCKS_DEG = (0.25, 0.5, 1.0, 2.0)
SHIFTS_PX = (2.0, 4.0, 6.0, 8.0, 10.0)
AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def frames_of(path: Path, count: int) -> list[Grey]:
    """Pictures spread over a video."""
    video = cv2.VideoCapture(str(path))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(np.linspace(0, total - 1, count).astype(int).tolist())
    found: list[Grey] = []
    for number in range(total):
        if not video.grab():
            break
        if number in wanted:
            _, frame = video.retrieve()
            found.append(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8))
    video.release()
    return found


def quiet_day(
    name: str,
    calibration: Calibration,
    planogram: Planogram | None,
    frames: list[Grey],
    hours: float,
    every_s: float,
    seed: int = 0,
    start_s: float = 0.0,
) -> dict[str, object]:
    """A day without a knock: what lights came on, and how often a look could not tell."""
    day = Day(frames, lens_of(calibration.cameras[name]), seed)
    settings = replace(DriftSettings(), look_every_s=every_s)
    watch = DriftWatch(name, calibration, planogram, frames[0], settings)
    looks = unsure = 0
    alarms: list[tuple[float, str, str]] = []
    before = "green"
    for at_s in np.arange(start_s, start_s + hours * 3600, every_s).tolist():
        state = watch.feed(day.picture(at_s), at_s)
        looks += 1
        unsure += not state.sure
        if state.light != before and state.light != "green":
            alarms.append((at_s, state.light, state.reason))
        before = state.light
    return {
        "camera": name,
        "hours": hours,
        "looks": looks,
        "unsure_share": unsure / looks,
        "amber": sum(light == "amber" for _, light, _ in alarms),
        "red": sum(light == "red" for _, light, _ in alarms),
        "alarms": alarms[:5],
    }


def knocks(width_focal: float) -> list[tuple[str, NDArray[np.float64]]]:
    """Turns about each axis, and turns that shift the middle of the picture."""
    made = []
    for deg in KNOCKS_DEG:
        for axis in AXES:
            turn = cv2.Rodrigues(np.radians(deg) * np.array(axis))[0]
            made.append((f"{deg} deg about {'xyz'[AXES.index(axis)]}", np.asarray(turn)))
    for px in SHIFTS_PX:
        for axis in AXES[:2]:
            turn = cv2.Rodrigues(np.arctan(px / width_focal) * np.array(axis))[0]
            made.append((f"{px:g} px {'vertically' if axis[0] else 'across'}", np.asarray(turn)))
    return made


def knocked(
    name: str,
    calibration: Calibration,
    planogram: Planogram | None,
    frames: list[Grey],
    turn: NDArray[np.float64],
    at_s: float = 10 * 3600.0,
    seed: int = 0,
) -> dict[str, object]:
    """Knock a camera that was green, and see when it turns red."""
    camera = calibration.cameras[name]
    day = Day(frames, lens_of(camera), seed)
    watch = DriftWatch(name, calibration, planogram, frames[0])
    for look in range(6):
        state = watch.feed(day.picture(at_s), at_s + 4.0 * look)
    before = state.light
    start_s = at_s + 24.0
    day.knock(turn)
    red_after: float | None = None
    for look in range(12):
        now_s = start_s + 4.0 * look
        if watch.feed(day.picture(at_s), now_s).light == "red":
            red_after = now_s - start_s
            break
    true = Outlook(name, calibration, planogram).effect(turn)
    return {
        "before": before,
        "red_after_s": red_after,
        "floor_m": true.floor_m,
        "facing_share": true.facing_share,
        "must": (true.floor_m or 0) >= 0.03 or (true.facing_share or 0) >= 0.25,
    }


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", type=Path)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--every", type=float, default=20.0)
    parser.add_argument("--cameras", default="")
    parser.add_argument("--only", choices=("day", "knocks", "both"), default="both")
    arguments = parser.parse_args()
    calibration = read_calibration(arguments.shop / "calibration.json")
    planogram = read_planogram(arguments.shop / "planogram.json")
    for name in arguments.cameras.split(",") if arguments.cameras else calibration.cameras:
        frames = frames_of(arguments.shop / f"{name}.mp4", 24)
        if arguments.only != "knocks":
            day = quiet_day(name, calibration, planogram, frames, arguments.hours, arguments.every)
            print(json.dumps(day), flush=True)
        if arguments.only != "day":
            for words, turn in knocks(calibration.cameras[name].matrix[0][0]):
                result = knocked(name, calibration, planogram, frames, turn)
                print(json.dumps({"camera": name, "knock": words, **result}), flush=True)


if __name__ == "__main__":
    main()
