"""What a configuration names, opened and checked against each other: one shop, ready to be watched.

Owns that everything fits: cameras are calibrated, facings stand on fixtures and hold products that
have a price, bundles open. Does not own what the parts do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from calibration.drift.watch import DriftSettings
from calibration.format import Calibration, CalibrationError, CameraRole, Point2, read_calibration
from calibration.lens import in_picture
from calibration.planogram import Planogram, read_planogram
from edge.checkout.receipt import check_prices
from edge.config import StoreConfig
from edge.errors import ConfigError, PriceError, WalkoutEdgeError
from edge.interaction.evidence import ItemRecogniser
from edge.interaction.shelf import SharedShelves, ShelfWatch
from edge.matching.recogniser import Recogniser
from edge.runtime.opening import open_embedders
from edge.shop.checkin import RecordedCheckIn, read_checkins
from edge.shop.floor import FloorCameras
from edge.shop.places import Places
from edge.shop.shelves import ShelfCamera
from edge.stages import StageClock, TimedRecogniser
from edge.tracking.foreground import ForegroundFloor
from edge.tracking.sessions import Sessions
from edge.tracking.watch import FloorWatch
from edge.updates.live import LiveRecogniser
from models.bundle import Bundle, BundleError, open_bundle
from models.catalogue import CatalogueError, Product, load_catalogue

_Opened = TypeVar("_Opened")
_TORSO_M: Final = 1.0
"""Height of a body that a camera must see to say where somebody stands."""


@dataclass(frozen=True, eq=False)
class Premises:
    """A shop by its files.

    Attributes:
        folder: What paths are relative to.
        config: Its configuration.
        calibration: Its geometry.
        planogram: What should stand where.
        products: What it sells.
        bundles: What its products are recognised with; none recognises nothing.
        checkins: Recorded check-ins by their times; none with live cameras.
        recogniser: What recognises its products, where something else keeps it up to date; by
            default one is made of ``bundles``.
    """

    folder: Path
    config: StoreConfig
    calibration: Calibration
    planogram: Planogram
    products: tuple[Product, ...]
    bundles: tuple[Bundle, ...]
    checkins: tuple[RecordedCheckIn, ...]
    recogniser: ItemRecogniser | None = None

    def cameras_of(self, role: CameraRole) -> tuple[str, ...]:
        """Names of the configured cameras of a role, sorted."""
        return tuple(
            name
            for name in sorted(self.config.cameras)
            if self.calibration.cameras[name].role == role
        )

    def with_recogniser(self) -> Premises:
        """The same shop with its recogniser made, so that all who recognise share one network."""
        if self.recogniser is not None or not self.bundles:
            return self
        return replace(self, recogniser=self._made_recogniser())

    @property
    def searched_with(self) -> Recogniser | None:
        """What answers questions about products that charge nobody; ``None`` before it is made."""
        made = self.recogniser
        if isinstance(made, LiveRecogniser):
            return made.recogniser
        return made if isinstance(made, Recogniser) else None

    def make_shelves(self, stages: StageClock) -> dict[str, ShelfWatch]:
        """Watches of all shelf cameras, by name, sharing one live planogram.

        Args:
            stages: Counts what recognising costs.
        """
        config, cameras = self.config, self.cameras_of("shelf")
        recogniser = (self.recogniser or self._made_recogniser()) if cameras else None
        timed = None if recogniser is None else TimedRecogniser(recogniser, stages)
        shared = SharedShelves(self.planogram)
        return {
            name: ShelfWatch(
                name,
                self.calibration,
                self.planogram,
                timed,
                shelves=shared,
                settings=config.interaction_overrides.get(name, config.interaction),
            )
            for name in cameras
        }

    def make_places(self, kept: Path | None = None) -> Places:
        """The places of all cameras.

        Args:
            kept: Folder for what a restart must not forget; ``None`` remembers nothing.
        """
        return Places(
            self.folder / self.config.calibration,
            self.calibration,
            self.planogram,
            tuple(sorted(self.config.cameras)),
            kept,
            DriftSettings(look_every_s=self.config.drift.look_every_s),
        )

    def make_shelf_cameras(
        self, watches: Mapping[str, ShelfWatch], run: str, places: Places
    ) -> dict[str, ShelfCamera]:
        """All shelf cameras by name.

        Args:
            watches: As `make_shelves` makes them.
            run: Name of the run; see ``evidence.named_for``.
            places: Where the cameras are.
        """
        return {
            name: ShelfCamera(
                watch,
                run,
                self.config.cameras[name].stall_after_s,
                places,
                partial(self._made_anew, watch),
            )
            for name, watch in watches.items()
        }

    def make_floor_cameras(self, places: Places) -> FloorCameras:
        """All overhead cameras.

        Args:
            places: Where the cameras are.
        """
        return FloorCameras(
            self.make_floor(),
            self.cameras_of("overhead"),
            places,
            ForegroundFloor.from_calibration,
        )

    def overlooked_by(self, place_m: Point2) -> frozenset[str]:
        """Names of the overhead cameras that see somebody who stands at a place."""
        body = np.array([[*place_m, _TORSO_M]])
        return frozenset(
            name
            for name in self.cameras_of("overhead")
            if in_picture(self.calibration.cameras[name], body)[0]
        )

    def make_floor(self) -> FloorWatch:
        """The watch of all overhead cameras."""
        floor = self.config.floor
        return FloorWatch(
            ForegroundFloor.from_calibration(self.calibration),
            self.calibration.floor,
            self.cameras_of("overhead"),
            rate_hz=floor.rate_hz,
            silent_after_s=floor.silent_after_s,
            settings=floor.tracks,
        )

    def make_sessions(self) -> Sessions:
        """Who is who on the floor, nobody so far."""
        floor = self.config.floor
        return Sessions(self.calibration.floor, floor.reader_m, floor.sessions)

    def _made_anew(self, watch: ShelfWatch, calibration: Calibration) -> ShelfWatch:
        config = self.config
        return ShelfWatch(
            watch.camera,
            calibration,
            self.planogram,
            watch.recogniser,
            shelves=watch.shelves,
            settings=config.interaction_overrides.get(watch.camera, config.interaction),
        )

    def _made_recogniser(self) -> Recogniser | None:
        if not self.bundles:
            return None
        runtime = self.config.runtime.within(self.folder / self.config.state)
        # A recording is played again to the same ledger only by the same network.
        wait = self.config.is_recorded
        return Recogniser(
            self.bundles,
            open_embedders(self.bundles, runtime, self.config.threads, wait=wait),
            sharing=runtime.sharing,
        )


def open_premises(config: StoreConfig, folder: Path) -> Premises:
    """Open everything that a configuration names.

    Args:
        config: The configuration.
        folder: Where its file lies.

    Raises:
        ConfigError: Something is not there or does not fit; all complaints are in it.
    """
    complaints: list[str] = []

    def tried(field: str, open_it: Callable[[Path], _Opened], path: Path) -> _Opened | None:
        try:
            return open_it(folder / path)
        except (CalibrationError, CatalogueError, BundleError, WalkoutEdgeError) as err:
            complaints.append(f"{field}: {err}")
        except OSError as err:
            complaints.append(f"{field}: {err.filename or path}: {err.strerror}; check the path")
        return None

    calibration = tried("calibration", read_calibration, config.calibration)
    planogram = tried("planogram", read_planogram, config.planogram)
    catalogue = tried("catalogue", load_catalogue, config.catalogue)
    bundles = [tried(f"bundles.{i}", open_bundle, path) for i, path in enumerate(config.bundles)]
    checkins = tried("checkins", read_checkins, config.checkins) if config.checkins else None
    if calibration is None or planogram is None or catalogue is None or complaints:
        raise ConfigError(complaints)
    products = catalogue.products
    complaints += _misfits(config, calibration, planogram, products)
    if complaints:
        raise ConfigError(complaints)
    return Premises(
        folder=folder,
        config=config,
        calibration=calibration,
        planogram=planogram,
        products=products,
        bundles=tuple(each for each in bundles if each is not None),
        checkins=checkins or (),
    )


def _misfits(
    config: StoreConfig,
    calibration: Calibration,
    planogram: Planogram,
    products: Sequence[Product],
) -> list[str]:
    found = [
        f"cameras.{name}: it is not in {config.calibration}; calibrate it, or use one of "
        f"{', '.join(sorted(calibration.cameras))}"
        for name in config.cameras
        if name not in calibration.cameras
    ]
    roles = _roles(config, calibration)
    if config.role == "shelf" and roles.get("overhead"):
        found.append(
            f"cameras.{roles['overhead'][0]}: an overhead camera is the hub's; take it out of a "
            "shelf device's file"
        )
    if config.role != "shelf" and not roles.get("overhead"):
        found.append("cameras: none is calibrated as overhead, so nobody can be followed; add one")
    if config.role != "hub" and not roles.get("shelf"):
        found.append("cameras: none is calibrated as shelf, so no product can be seen; add one")
    if not any(zone.kind == "entry" for zone in calibration.floor.zones):
        found.append("calibration: the floor has no entry zone for check-ins; draw one")
    try:
        planogram.check(calibration, {product.sku for product in products})
    except CalibrationError as err:
        found.append(f"planogram: {err}")
    try:
        check_prices(products, config.store.currency)
    except PriceError as err:
        found.append(f"catalogue: {err}")
    return found


def _roles(config: StoreConfig, calibration: Calibration) -> Mapping[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for name in config.cameras:
        if name in calibration.cameras:
            roles.setdefault(calibration.cameras[name].role, []).append(name)
    return roles
