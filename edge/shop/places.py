"""All cameras' places: who was moved, who was calibrated again, and what is remembered of it.

Owns the reference pictures' way to the watches, the lights that a restart must not forget, the
record of every change, and taking up a new ``calibration.json`` while the shop is open. What a
light does to the shop's decisions is the business of ``shelves`` and ``floor``.

A camera's lens and pose are taken up at once. What else a calibration says (the floor, its zones,
fixtures, further cameras) is known to too many parts of the device and waits for a restart; so does
a shelf camera that was placed by a fixture that has changed with it.

::

    state/places/shelf-1.json       its light, as long as the calibration it belongs to stands
    state/places/record.jsonl       every change of a light, and every calibration taken up
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from calibration.drift.watch import DriftSettings, DriftWatch
from calibration.format import Calibration, CalibrationError, Fixture, read_calibration
from calibration.history import read_reference, reference_path
from calibration.planogram import Planogram
from edge.cameras.place import CameraPlace, PlaceState
from edge.events import Frame
from edge.updates.files import write_whole

PLACES_NAME: Final = "places"
"""Of the folder in a device's state."""
_LOGGER: Final = logging.getLogger(__name__)
_UNWATCHED: Final = (
    "{} has no picture from when it was calibrated, so it would not be noticed if it was moved: "
    "take one on the calibration page"
)


class Places:
    """The places of all cameras of a device.

    Args:
        path: The ``calibration.json``; references lie beside it.
        calibration: As it was opened.
        planogram: Of the shop.
        cameras: Names of the device's cameras.
        kept: Folder for what a restart must not forget; ``None`` remembers nothing.
        settings: When a camera counts as moved.
    """

    def __init__(
        self,
        path: Path,
        calibration: Calibration,
        planogram: Planogram,
        cameras: tuple[str, ...],
        kept: Path | None = None,
        settings: DriftSettings | None = None,
    ) -> None:
        self.path = path
        self._planogram = planogram
        self._settings = settings
        self._kept = kept
        self._guard = threading.Lock()
        self._calibration = calibration
        self._revision = 0
        self._waiting: tuple[str, ...] = ()
        self._seen_files = self._changing = _stamps(path, cameras)
        self._prints: dict[str, str] = {}
        self._places = {name: CameraPlace(name, *self._watched(name)) for name in cameras}

    @property
    def calibration(self) -> Calibration:
        """The calibration that is in force."""
        return self._calibration

    @property
    def revision(self) -> int:
        """Grows whenever ``calibration`` changes."""
        return self._revision

    @property
    def waiting(self) -> tuple[str, ...]:
        """What a newer ``calibration.json`` says that waits for a restart, in words."""
        return self._waiting

    @property
    def names(self) -> tuple[str, ...]:
        """Of the cameras."""
        return tuple(self._places)

    def place(self, camera: str) -> CameraPlace:
        """One camera's place."""
        return self._places[camera]

    def state(self, camera: str) -> PlaceState:
        """What is known about one camera's place."""
        return self._places[camera].state

    def look(self, frame: Frame) -> None:
        """Look at a camera if a look is due; by the thread that takes its frames."""
        place = self._places[frame.camera]
        if place.look(frame):
            self._tell(place)

    def read_again(self, at_once: bool = False) -> bool:
        """Take up a new calibration or new references, where the files have changed.

        A calibration and its references are several files: they are taken up when none of them has
        changed since the last call.

        Args:
            at_once: Do not wait for that; somebody says that they are complete.

        Returns:
            Whether anything was taken up.
        """
        stamps = _stamps(self.path, tuple(self._places))
        settled, self._changing = stamps == self._changing, stamps
        if stamps == self._seen_files or not (settled or at_once):
            return False
        self._seen_files = stamps
        try:
            new = read_calibration(self.path)
        except CalibrationError as err:
            _LOGGER.error("%s; the calibration stays as it was", err)
            return False
        with self._guard:
            return self._take_up(new)

    def _take_up(self, new: Calibration) -> bool:
        old = self._calibration
        may = {
            name: each
            for name, each in new.cameras.items()
            if name in self._places and _may_be_taken_up(name, old, new)
        }
        cameras = {name: may.get(name, each) for name, each in old.cameras.items()}
        changed = [name for name in may if may[name] != old.cameras[name]]
        self._waiting = _waiting(old, new, tuple(may))
        if changed:
            self._calibration = old.model_copy(update={"cameras": cameras})
            self._revision += 1
        renewed = [
            name
            for name in self._places
            if name in may and self._prints.get(name) != self._print(name, cameras[name])
        ]
        for name in renewed:
            self._places[name].renew(*self._watched(name))
            self._note({"camera": name, "taken_up": name in changed, "reference": True})
        if renewed or changed:
            _LOGGER.info("calibration taken up: %s", ", ".join(sorted({*renewed, *changed})))
        for each in self._waiting:
            _LOGGER.warning("%s", each)
        return bool(renewed or changed)

    def _watched(self, name: str) -> tuple[DriftWatch | None, str]:
        camera = self._calibration.cameras[name]
        self._prints[name] = self._print(name, camera)
        if not reference_path(self.path, name).exists():
            return None, _UNWATCHED.format(name)
        try:
            reference = read_reference(self.path, name)
            watch = DriftWatch(
                name,
                self._calibration,
                self._planogram,
                reference,
                self._settings,
                red_before=self._remembered(name),
            )
        except CalibrationError as err:
            _LOGGER.warning("camera %s is not watched for moves: %s", name, err)
            return None, f"{name} is not watched for moves: {err}"
        return watch, ""

    def _print(self, name: str, camera: object) -> str:
        """What a light belongs to: this calibration of the camera and this reference."""
        picture = reference_path(self.path, name)
        content = picture.read_bytes() if picture.exists() else b""
        return hashlib.sha256(repr(camera).encode() + content).hexdigest()

    def _tell(self, place: CameraPlace) -> None:
        state = place.state
        level = {"red": logging.ERROR, "amber": logging.WARNING}.get(state.light, logging.INFO)
        words = state.reason or f"{place.name} is where it was calibrated"
        _LOGGER.log(level, "camera %s: %s: %s", place.name, state.light, words)
        self._note(
            {
                "camera": place.name,
                "light": state.light,
                "reason": state.reason,
                "turn_deg": round(state.turn_deg, 3),
                "at": state.since_wall_s,
            }
        )
        if self._kept is None:
            return
        kept = {"light": state.light, "reason": state.reason, "print": self._prints[place.name]}
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            path = self._kept / f"{place.name}.json"
            write_whole(path, (json.dumps(kept) + "\n").encode())
        except OSError as err:
            _LOGGER.error("%s: cannot be written: %s", self._kept, err.strerror)

    def _remembered(self, name: str) -> str:
        """Why the camera was red when the device ended; empty where it was not."""
        if self._kept is None:
            return ""
        try:
            kept = json.loads((self._kept / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        if not isinstance(kept, dict) or kept.get("print") != self._prints[name]:
            return ""
        return str(kept.get("reason") or "") if kept.get("light") == "red" else ""

    def _note(self, line: Mapping[str, object]) -> None:
        if self._kept is None:
            return
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            with (self._kept / "record.jsonl").open("a", encoding="utf-8") as record:
                record.write(json.dumps(line) + "\n")
        except OSError as err:
            _LOGGER.error("%s: cannot be written: %s", self._kept, err.strerror)


def _may_be_taken_up(name: str, old: Calibration, new: Calibration) -> bool:
    if name not in old.cameras or old.cameras[name].role != new.cameras[name].role:
        return False
    return all(
        key in new.fixtures and _same_front(fixture, new.fixtures[key])
        for key, fixture in old.fixtures.items()
        if name in fixture.cameras
    )


def _same_front(one: Fixture, other: Fixture) -> bool:
    ignored = {"markers", "cameras"}
    return one.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


def _waiting(old: Calibration, new: Calibration, taken_up: tuple[str, ...]) -> tuple[str, ...]:
    words = []
    if new.floor != old.floor:
        words.append("the floor or its zones")
    fixtures = sorted(
        name
        for name in old.fixtures.keys() | new.fixtures.keys()
        if name not in old.fixtures
        or name not in new.fixtures
        or not _same_front(old.fixtures[name], new.fixtures[name])
        or old.fixtures[name].cameras != new.fixtures[name].cameras
    )
    words += [f"fixture {name}" for name in fixtures]
    words += [
        f"camera {name}"
        for name in sorted(old.cameras.keys() | new.cameras.keys())
        if name not in taken_up and old.cameras.get(name) != new.cameras.get(name)
    ]
    return tuple(f"{each} changed in calibration.json and waits for a restart" for each in words)


def _stamps(path: Path, cameras: tuple[str, ...]) -> tuple[tuple[int, int] | None, ...]:
    return tuple(_stamp(each) for each in (path, *(reference_path(path, c) for c in cameras)))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
