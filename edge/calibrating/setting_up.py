"""A device that is being set up: cameras and the wizard, and no shop yet.

Owns what works before there is a calibration: ``walkout-edge run`` refuses a shop without one. The
same ``store.yaml``, the same people, the same pages; when the work is saved, the shop can be run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from edge.calibrating.bench import Bench
from edge.calibrating.workpiece import FOLDER_NAME, Ground
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.newest import NewestFrame
from edge.cameras.settings import open_camera
from edge.config import StoreConfig
from edge.dashboard.access import VIEWERS
from edge.errors import CameraEndedError, CameraStalledError, ConfigError, NotThereError
from edge.events import Frame
from edge.workers import Pulse, Worker
from models.catalogue import Catalogue, CatalogueError, load_catalogue
from models.photos import PhotoError, read_photo
from web.access import Rule, rules

_IDLE_S: Final = 0.04
_PHOTO_PX: Final = 240
RULES: Final[tuple[Rule, ...]] = rules("GET", "/", VIEWERS)


def router() -> APIRouter:
    """The only page that there is leads to the wizard."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def begin() -> RedirectResponse:
        return RedirectResponse("/calibration", 303)

    return routes


class SettingUp:
    """Cameras and a bench.

    Args:
        config: Of the shop.
        folder: Where its file lies.
        state: The device's folder.

    Raises:
        ConfigError: The catalogue cannot be read.
        CalibrationError: Work that was put down, or a calibration, cannot be read.
    """

    def __init__(self, config: StoreConfig, folder: Path, state: Path) -> None:
        clock = SystemClock()
        start = RecordingStart(clock.monotonic_s(), clock.wall_time_s())
        self._cameras = {
            name: NewestFrame(
                open_camera(name, settings, clock, folder=folder, start=start),
                clock,
                settings.watch,
            )
            for name, settings in sorted(config.cameras.items())
        }
        self._newest: dict[str, Frame] = {}
        catalogue = _catalogue(folder / config.catalogue)
        self.bench: Final = Bench(
            Ground(
                cameras=tuple(self._cameras),
                frame_of=self._frame_of,
                calibration=folder / config.calibration,
                planogram=folder / config.planogram,
                products=catalogue.products,
                photo=_photo_of(catalogue),
                folder=state / FOLDER_NAME,
                wall_time_s=time.time,
                take_up=lambda: ("the shop begins with it: walkout-edge run",),
            )
        )

    def workers(self) -> tuple[Worker, ...]:
        """A worker a camera, one that takes their pictures, and the bench's."""
        cameras = (
            Worker(f"camera {name}", self._body(newest)) for name, newest in self._cameras.items()
        )
        return (
            *cameras,
            Worker("pictures", self._take),
            Worker("calibrating", self.bench.run),
        )

    def _frame_of(self, name: str) -> Frame:
        if name not in self._cameras:
            raise NotThereError(f"this device has no camera {name}")
        frame = self._newest.get(name)
        if frame is None:
            state = self._cameras[name].state
            raise NotThereError(f"{name} has no picture: it is {state.status}: {state.reason}")
        return frame

    def _take(self, pulse: Pulse) -> None:
        while not pulse.stop.wait(_IDLE_S):
            pulse.beat()
            for name, newest in self._cameras.items():
                try:
                    self._newest[name] = newest.take(0.0)
                except (CameraStalledError, CameraEndedError):
                    continue

    @staticmethod
    def _body(newest: NewestFrame) -> Callable[[Pulse], None]:
        def body(pulse: Pulse) -> None:
            newest.run(pulse.stop)

        return body


def _catalogue(path: Path) -> Catalogue:
    try:
        return load_catalogue(path)
    except CatalogueError as err:
        raise ConfigError([f"catalogue: {err}"]) from err


def _photo_of(catalogue: Catalogue) -> Callable[[str], bytes]:
    def photo(sku: str) -> bytes:
        photos = [each.path for each in catalogue.photos_of(sku) if not each.negative]
        if not photos:
            raise NotThereError(f"product {sku} has no photo")
        try:
            image = read_photo(photos[0])
        except PhotoError as err:
            raise NotThereError(str(err)) from err
        scale = min(1.0, _PHOTO_PX / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
        return bytes(encoded.tobytes())

    return photo
