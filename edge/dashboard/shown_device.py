"""What every kind of device shows: its cameras, shelves, products, models and how it is.

Owns what a hub, a shelf device and a device that does everything have in common.
"""

from __future__ import annotations

import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import cv2

from calibration.format import Calibration
from edge.cameras.newest import CameraState
from edge.dashboard.config_shown import config_shown
from edge.dashboard.overlays import Drawing, decisions_in, facings_of, shoppers_in
from edge.dashboard.pictures import CameraPictures, is_known, scaled
from edge.dashboard.rates import FrameRates
from edge.dashboard.views.cameras import CameraOverlay, CameraRates, ShownCamera, camera_shape
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import Plan, ShownShopper, plan_of, store_card
from edge.dashboard.views.health import ShownHealth, health_shape
from edge.dashboard.views.products import ShownProduct, photo_urls, product_shape
from edge.dashboard.views.reviews import Offers
from edge.dashboard.views.serving import ShownModels, category_shape, without_updates
from edge.dashboard.views.stats import Stats, stats_shape
from edge.errors import NotThereError
from edge.events import Frame
from edge.health import Health, UpdatesHealth
from edge.shop.shelf_device import ShelfDevice
from edge.shop.store import Store
from edge.tracking.watch import FloorMoment
from edge.updates.assembly import Updates
from edge.updates.status import category_status
from edge.workers import WorkerState
from models.bundle import Bundle, BundleError
from models.catalogue import Catalogue, CatalogueError, load_catalogue
from models.photos import PhotoError, read_photo
from web.shape import Listed, money, page_of

_PHOTO_QUALITY: Final = 85
_PHOTOS_KEPT: Final = 256
_WIDEST_PHOTO_PX: Final = 1280


class ShownDevice(ABC):
    """A device as its pages see it; see ``shown.ShownShop``.

    Args:
        device: The device.
        workers: How its workers are.
        updates: What keeps its bundles up to date; ``None`` without.
    """

    def __init__(
        self,
        device: Store | ShelfDevice,
        workers: Callable[[], tuple[WorkerState, ...]],
        updates: Updates | None = None,
    ) -> None:
        self.card = store_card(device.config)
        self._device = device
        self._premises = device.premises
        self._workers = workers
        self._updates = updates
        self._pictures = CameraPictures()
        self._rates = FrameRates()
        self._drawings: dict[str, Drawing] = {}
        self._began_s = time.monotonic()
        self._products = {product.sku: product for product in device.premises.products}
        self._opening = threading.Lock()
        self._opened: Catalogue | None = None
        self._bundles: dict[tuple[str, int | None], Bundle] = {}
        self._photo = lru_cache(maxsize=_PHOTOS_KEPT)(self._make_photo)
        self.offers = Offers(
            name_of=self.name_of,
            price_of=self._price_of,
            photos_of=self._photos_of,
            currency=self.card.currency,
        )

    @abstractmethod
    def health(self) -> Health:
        """How the device is, for machines."""

    def _disk_bytes(self) -> tuple[int, int]:
        """Size and free room of the disk that state is on."""
        disk = shutil.disk_usage(self._device.state)
        return disk.total, disk.free

    def _updates_health(self) -> UpdatesHealth | None:
        """How the update agent is."""
        if self._updates is None:
            return None
        installation, agent = self._updates.installation, self._updates.agent
        trouble = "; ".join(filter(None, (agent.store_trouble, agent.clock_trouble)))
        return UpdatesHealth(
            trouble=trouble or None,
            serving={each: installation.served(each).release for each in agent.categories},
            quarantined={
                each: len(installation.journal.quarantined(each)) for each in agent.categories
            },
        )

    @abstractmethod
    def _moment(self) -> FloorMoment | None:
        """The newest look at the floor."""

    @abstractmethod
    def _shoppers(self) -> tuple[ShownShopper, ...]:
        """Who is where."""

    @abstractmethod
    def _latest(self) -> Iterable[ShownEvent]:
        """Interaction events, newest first."""

    @abstractmethod
    def _asked_about(self) -> tuple[int, int]:
        """Interactions that a person was asked about, and open disputes."""

    def plan(self) -> Plan:
        """What stands still."""
        return plan_of(self._device.config, self._calibration, self._premises.planogram)

    def health_shown(self) -> ShownHealth:
        """How the device is, in plain words and with what to do."""
        return health_shape(self.health())

    def stats(self) -> Stats:
        """The device in numbers."""
        reviewed, disputes = self._asked_about()
        return stats_shape(
            self.health(),
            self.cameras(),
            version=walkout_version(),
            at=self._now_wall_s(),
            uptime_s=time.monotonic() - self._began_s,
            open_disputes=disputes,
            reviewed=reviewed,
        )

    def config_shown(self) -> dict[str, Any]:
        """The configuration as JSON values, without any secret."""
        return config_shown(self._device.config)

    def models(self) -> ShownModels:
        """What recognises, how far an update is, what was rolled back."""
        if self._updates is None:
            shown = [without_updates(each) for each in self._premises.bundles]
            return ShownModels(updated=False, trouble="", categories=tuple(shown))
        installation, agent = self._updates.installation, self._updates.agent
        trouble = "; ".join(filter(None, (agent.store_trouble, agent.clock_trouble)))
        categories = []
        for category in agent.categories:
            status = category_status(installation.journal, installation.served(category), category)
            bundle = self._bundle_of(category, status.serving_release)
            failed = installation.journal.quarantined(category)
            categories.append(category_shape(status, bundle, failed))
        return ShownModels(updated=True, trouble=trouble, categories=tuple(categories))

    def cameras(self) -> tuple[ShownCamera, ...]:
        """How the cameras are, by name."""
        states = self._device.camera_states()
        rates = self._rates.of(states, time.monotonic())
        return tuple(self._camera(each, rates[each.camera]) for each in states)

    def camera_picture(self, camera: str, width_px: int = 1280) -> bytes:
        """A camera's newest picture as JPEG, at most so wide, nobody's head to be recognised."""
        kept, frame = self._device.eyes.camera(camera), self.camera_frame(camera)
        calibrated = self._calibration.cameras[camera]
        made = self._pictures.picture(frame, width_px, calibrated, self._moment(), kept.quiet)
        return made.jpeg

    def camera_frame(self, camera: str) -> Frame:
        """A camera's newest frame as it came."""
        frame = self._device.eyes.newest(camera)
        if frame is None:
            raise NotThereError(f"camera {camera} has given no picture yet; see whether it runs")
        return frame

    def camera_overlay(self, camera: str) -> CameraOverlay:
        """What is drawn over a camera's picture."""
        kept, drawing = self._device.eyes.camera(camera), self._drawing(camera)
        calibrated = drawing.camera
        frame, moment = kept.last, self._moment()
        (state,) = (each for each in self._device.camera_states() if each.camera == camera)
        rates = self._rates.of((state,), time.monotonic())[camera]
        known = frame is not None and (
            kept.quiet is frame or (moment is not None and is_known(moment, frame.captured_at_s))
        )
        return CameraOverlay(
            camera=self._camera(state, rates),
            frame=None if frame is None else frame.index,
            taken_at=None if frame is None else frame.wall_time_s,
            hidden="heads" if known else "everybody",
            zones=drawing.zones,
            facings=facings_of(
                self._device.eyes.facings(camera), calibrated.image_size_px, self.name_of
            ),
            shoppers=shoppers_in(calibrated, self._shoppers()) if known else (),
            decisions=decisions_in(drawing, self._latest(), self._now_wall_s()),
        )

    def products(
        self, *, query: str = "", after: str | None = None, limit: int = 50
    ) -> Listed[ShownProduct]:
        """Products by name; with a query, those whose name, SKU or GTIN holds all its words."""
        words = query.casefold().split()
        found = sorted(
            (
                each
                for each in self._products.values()
                if all(w in f"{each.name} {each.sku} {each.gtin or ''}".casefold() for w in words)
            ),
            key=lambda product: (product.name.casefold(), product.sku),
        )
        part, following = page_of(found, (each.sku for each in found), after, limit)
        return Listed[ShownProduct](
            items=tuple(
                product_shape(each, self.card.currency, len(self._photo_paths(each.sku)))
                for each in part
            ),
            next=following,
        )

    def product_photo(self, sku: str, number: int, width_px: int = 320) -> bytes:
        """A photo of the catalogue as JPEG, at most so wide."""
        if sku not in self._products:
            raise NotThereError(f"the catalogue has no product {sku}")
        photos = self._photo_paths(sku)
        if not 0 <= number < len(photos):
            raise NotThereError(f"product {sku} has {len(photos)} photos, counted from 0")
        return self._photo(str(photos[number]), max(16, min(width_px, _WIDEST_PHOTO_PX)))

    def name_of(self, sku: str) -> str:
        """What people call a product; one that is not sold here has only its SKU."""
        product = self._products.get(sku)
        return sku if product is None else product.name

    @property
    def _calibration(self) -> Calibration:
        return self._device.places.calibration

    def _drawing(self, camera: str) -> Drawing:
        """What stands still in a camera's picture; worked out anew with a new calibration."""
        drawing, calibration = self._drawings.get(camera), self._calibration
        if drawing is None or drawing.calibration is not calibration:
            drawing = Drawing(camera, calibration, self._premises.planogram)
            self._drawings[camera] = drawing
        return drawing

    def _camera(self, state: CameraState, rates: CameraRates) -> ShownCamera:
        camera = self._calibration.cameras[state.camera]
        return camera_shape(state, camera.role, camera.image_size_px, rates)

    def _now_wall_s(self) -> float:
        return self._device.wall_time_s(self._device.now_s())

    def _price_of(self, sku: str) -> str | None:
        product = self._products.get(sku)
        return None if product is None or product.price is None else money(product.price)

    def _photos_of(self, sku: str) -> tuple[str, ...]:
        return photo_urls(sku, len(self._photo_paths(sku)))

    def _photo_paths(self, sku: str) -> tuple[Path, ...]:
        return tuple(each.path for each in self._catalogue().photos_of(sku) if not each.negative)

    def _catalogue(self) -> Catalogue:
        with self._opening:
            if self._opened is None:
                path = self._premises.folder / self._device.config.catalogue
                try:
                    self._opened = load_catalogue(path)
                except CatalogueError as err:
                    raise NotThereError(f"the catalogue cannot be read any more: {err}") from err
            return self._opened

    @staticmethod
    def _make_photo(path: str, width_px: int) -> bytes:
        try:
            photo = read_photo(Path(path))
        except PhotoError as err:
            raise NotThereError(f"this photo cannot be shown: {err}") from err
        quality = [cv2.IMWRITE_JPEG_QUALITY, _PHOTO_QUALITY]
        return cv2.imencode(".jpg", scaled(photo, width_px), quality)[1].tobytes()

    def _bundle_of(self, category: str, release: int | None) -> Bundle | None:
        """A release that is installed, opened once: opening verifies every byte of it."""
        if self._updates is None:
            return None
        if (category, release) not in self._bundles:
            try:
                bundle = self._updates.installation.open_release(category, release)
            except BundleError:
                return None
            self._bundles[category, release] = bundle
        return self._bundles[category, release]


def walkout_version() -> str:
    """Version of this software."""
    try:
        return metadata.version("walkout")
    except metadata.PackageNotFoundError:
        return "from a checkout that is not installed"
