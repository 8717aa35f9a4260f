"""What a technician works on: one piece of work at a time, every step of it on the disk at once.

Owns where the work begins, that a step is kept before it is answered, and the steps that concern
the shop as a whole. Cameras are ``bench``'s. May be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibration.format import (
    CalibrationError,
    Fixture,
    Floor,
    Point2,
    Zone,
    read_calibration,
)
from calibration.planogram import read_planogram
from calibration.wizard.finishing import grid_facings
from calibration.wizard.work import (
    CameraWork,
    Grid,
    ShopWork,
    begin_work,
    read_work,
    save_work,
)
from edge.cameras.place import PlaceState
from edge.errors import NotThereError
from edge.events import Frame
from models.catalogue import Product

FOLDER_NAME: Final = "calibrating"


@dataclass(frozen=True, eq=False)
class Ground:
    """What the bench stands on.

    Attributes:
        cameras: Names of the device's cameras.
        frame_of: A camera's newest frame; raises ``NotThereError`` where there is none.
        calibration: The ``calibration.json``.
        planogram: The ``planogram.json``.
        products: What the shop sells.
        photo: A product's photo as JPEG, by SKU; raises ``NotThereError`` where there is none.
        folder: Where the work is kept.
        wall_time_s: Seconds since 1970, now.
        take_up: Takes up what was saved; what of it waits for a restart, in words.
        place_of: Whether a camera is where it was calibrated; ``None`` where nobody watches.
    """

    cameras: tuple[str, ...]
    frame_of: Callable[[str], Frame]
    calibration: Path
    planogram: Path
    products: tuple[Product, ...]
    photo: Callable[[str], bytes]
    folder: Path
    wall_time_s: Callable[[], float]
    take_up: Callable[[], tuple[str, ...]]
    place_of: Callable[[str], PlaceState | None] = lambda name: None


class Workpiece:
    """The work.

    Args:
        ground: What it stands on.

    Raises:
        CalibrationError: Work that was put down, or what is in force, cannot be read.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._guard = threading.RLock()
        self._file = ground.folder / "work.json"
        self._work = self._opened()

    @property
    def work(self) -> ShopWork:
        """The work as it is."""
        with self._guard:
            return self._work

    def set_floor(self, outline: tuple[Point2, ...]) -> None:
        """The floor's corners; zones stay."""
        with self._guard:
            zones = () if self._work.floor is None else self._work.floor.zones
            self._set(self._work.changed_to(floor=Floor(outline=outline, zones=zones)))

    def set_zones(self, zones: tuple[Zone, ...]) -> None:
        """All zones.

        Raises:
            CalibrationError: There is no floor yet, or two have one name.
        """
        with self._guard:
            if self._work.floor is None:
                raise CalibrationError("say how large the floor is first")
            if len({each.name for each in zones}) < len(zones):
                raise CalibrationError("two zones have one name: give another")
            floor = Floor(outline=self._work.floor.outline, zones=zones)
            self._set(self._work.changed_to(floor=floor))

    def set_fixture(self, name: str, fixture: Fixture) -> None:
        """A fixture; shelf cameras that were placed by it are to be placed anew if it has moved."""
        with self._guard:
            before = self._work.fixtures.get(name)
            work = self._work.changed_to(fixtures={**self._work.fixtures, name: fixture})
            if before is not None and _front(before) != _front(fixture):
                for camera, each in work.cameras.items():
                    if each.fixture == name and each.place is not None:
                        work = work.with_camera(camera, place=None)
            self._set(work)

    def remove_fixture(self, name: str) -> None:
        """Take a fixture away, and what stands on it."""
        with self._guard:
            work = self._work
            self._set(
                work.changed_to(
                    fixtures={k: each for k, each in work.fixtures.items() if k != name},
                    grids={k: each for k, each in work.grids.items() if k != name},
                    facings={k: each for k, each in work.facings.items() if each.fixture != name},
                    cameras={
                        k: each.model_copy(update={"fixture": None, "place": None})
                        if each.fixture == name
                        else each
                        for k, each in work.cameras.items()
                    },
                )
            )

    def set_grid(self, fixture: str, grid: Grid) -> None:
        """How a front is split, and what stands where.

        Raises:
            CalibrationError: It does not fit the front, or a SKU is unknown.
        """
        with self._guard:
            if fixture not in self._work.fixtures:
                raise NotThereError(f"there is no fixture {fixture}")
            grid_facings(self._work, fixture, grid)
            unknown = sorted({each.sku for each in grid.skus} - self._skus)
            if unknown:
                raise CalibrationError(f"SKU {unknown[0]} is not in the catalogue: choose another")
            self._set(self._work.changed_to(grids={**self._work.grids, fixture: grid}))

    @property
    def _skus(self) -> set[str]:
        return {each.sku for each in self.ground.products}

    def _set(self, work: ShopWork) -> None:
        save_work(self._file, work)
        self._work = work

    def _opened(self) -> ShopWork:
        found = read_work(self._file)
        if found is None:
            return self._in_force()
        cameras = {name: found.cameras.get(name) or CameraWork() for name in self.ground.cameras}
        return found.model_copy(update={"cameras": cameras})

    def _in_force(self) -> ShopWork:
        ground = self.ground
        calibration = read_calibration(ground.calibration) if ground.calibration.exists() else None
        planogram = read_planogram(ground.planogram) if ground.planogram.exists() else None
        return begin_work(ground.cameras, calibration, planogram)

    def _camera(self, name: str) -> CameraWork:
        with self._guard:
            found = self._work.cameras.get(name)
        if found is None:
            raise NotThereError(f"this device has no camera {name}")
        return found


def _front(fixture: Fixture) -> object:
    return fixture.model_dump(exclude={"cameras", "markers"})
