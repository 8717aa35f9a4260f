"""A portal that answers, with goods in it: real records, photos and releases, nothing at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cloud_trainer.fleet.records import FleetRecords, HeardStatus
from cloud_trainer.portal.assembly import PortalServer
from cloud_trainer.portal.config import PageSettings, PortalConfig, PortalPlaces
from cloud_trainer.portal.serve import Standing
from cloud_trainer.portal.signing import open_keys
from cloud_trainer.portal.views.fleet import AskedRollout
from cloud_trainer.portal.views.products import ProductFields
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.running import open_records
from cloud_trainer.store import open_store
from models.delivery import CategoryStatus, DeviceStatus
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud
from tests.simulators.photos import draw_photo, sku_of, write_photo
from web.access import Asking

PASSWORDS: Final = {
    "provider": "provider-hands-in",
    "operator": "operator-approves",
    "developer": "developer-compares",
    "admin": "admin-does-it-all",
}
CATEGORY: Final = "groceries"
KNOWN: Final = 6
"""Products that the published bundle knows: carton-00 to carton-05."""
WAITING: Final = (6, 7, 8)
"""Products that wait for an operator; 7 is another edition of 6."""
_MIRA: Final = Asking("mira", "provider", organisation="dairy")
_OLE: Final = Asking("ole", "operator")
_PHOTO_PX: Final = 256


@dataclass(frozen=True)
class PortalSite:
    """A portal that answers.

    Attributes:
        url: Where, ending with a slash.
        server: What answers.
        folder: With photos to be handed in.
    """

    url: str
    server: PortalServer
    folder: Path

    def photos(self, product: int, count: int = 5, first: int = 0) -> list[Path]:
        """Photos of a drawn product as files."""
        return [
            write_photo(
                self.folder / sku_of(product) / f"{each}.png",
                draw_photo(product, each, size_px=_PHOTO_PX),
            )
            for each in range(first, first + count)
        ]

    def blurred(self, product: int) -> Path:
        """A photo that nobody can use."""
        image = cv2.GaussianBlur(draw_photo(product, 9, size_px=_PHOTO_PX), (0, 0), 12)
        file = self.folder / f"{sku_of(product)}-blurred.png"
        return write_photo(file, np.asarray(image, np.uint8))

    def hand_in(self, product: int, name: str | None = None) -> str:
        """A provider has handed a product in; its SKU."""
        sku, portal = sku_of(product), self.server.portal
        fields = ProductFields(
            name=name or f"Carton {product}", price="1.99", currency="EUR", category=CATEGORY
        )
        portal.put_product(_MIRA, sku, fields)
        for file in self.photos(product, 3):
            portal.add_photo(_MIRA, sku, file.name, file.read_bytes())
        portal.hand_in(_MIRA, sku)
        return sku


@contextmanager
def served(folder: Path) -> Iterator[PortalSite]:
    """A portal with people, two releases, a rollout, two devices and products that wait."""
    config = PortalConfig(works=False, page=PageSettings(port=0))
    places = PortalPlaces(config, folder / "portal")
    places.state.mkdir(parents=True)
    server = PortalServer(places)
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(Standing(stop),))
    thread.start()
    try:
        for role, password in PASSWORDS.items():
            organisation = "dairy" if role == "provider" else ""
            server.books.accounts.add(role, role, password, organisation)
        site = PortalSite(server.server.address, server, folder)
        _publish(places, folder)
        _speak(places)
        server.portal.start_rollout(_OLE, AskedRollout(category=CATEGORY, release=2))
        for product in WAITING:
            site.hand_in(product)
        server.portal.approve(_OLE, site.hand_in(9))
        yield site
    finally:
        stop.set()
        thread.join()
        server.close()


def _publish(places: PortalPlaces, folder: Path) -> None:
    """Release 1 serves everywhere, release 2 nowhere yet."""
    cloud = Cloud(Repository(open_store(places.releases), open_keys(places)))
    cloud.repository.create(cloud.now)
    for products in (KNOWN - 1, KNOWN):
        cloud.publish(make_bundle(folder / f"{products}", products, category=CATEGORY).path)


def _speak(places: PortalPlaces) -> None:
    """Two devices have been heard: one is well, the other has refused a release."""
    now = datetime.now(timezone.utc)
    heard = []
    for name, state, reason in (
        ("shelf-1", "done", ""),
        ("shelf-2", "quarantined", "golden crops differ"),
    ):
        agent = CategoryStatus(
            category=CATEGORY,
            serving_release=1,
            state=state,  # type: ignore[arg-type]
            reason=reason,
            accepts=180,
            reviews=15,
            rejects=5,
        )
        status = DeviceStatus(
            device_id=name,
            sent_at=now,
            boot=1,
            online=True,
            walkout_version="0.1.0",
            disk_free_bytes=20_000_000_000,
            agents=(agent,),
        )
        heard.append(HeardStatus(status, now))
    with open_records(places.fleet_records) as file:
        FleetRecords(file).hear(heard)
