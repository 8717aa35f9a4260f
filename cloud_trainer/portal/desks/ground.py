"""What every desk of the portal stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud_trainer.pipeline.view import PipelineView
from cloud_trainer.portal.access import must_see, no_product
from cloud_trainer.portal.config import PortalPlaces
from cloud_trainer.portal.looks import Looks
from cloud_trainer.portal.photos import PhotoShelf
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.products import ProductRow, product_row
from cloud_trainer.portal.releases import ReleaseShelf
from cloud_trainer.record_file import RecordFile
from cloud_trainer.rollout.running import Announcer
from cloud_trainer.rollout.signing import PlanSigner
from web.access import Asking
from web.shape import API


@dataclass(frozen=True)
class Ground:
    """Records, photos, looks and the time.

    Attributes:
        places: What the portal was told, and where everything is.
        database: Its records.
        shelf: Its photos.
        releases: Published releases.
        looks: How products look to what serves.
        pipeline: What the pipeline does and did.
        fleet_file: The open record file of fleet and rollouts.
        signer: Signs rollout plans.
        announcer: Hints at them; ``None`` leaves it to the devices to look.
        wall_time_s: Seconds since 1970.
        new_id: A name that nothing else has.
    """

    places: PortalPlaces
    database: Database
    shelf: PhotoShelf
    releases: ReleaseShelf
    looks: Looks
    pipeline: PipelineView
    fleet_file: RecordFile
    signer: PlanSigner
    announcer: Announcer | None
    wall_time_s: Callable[[], float]
    new_id: Callable[[], str]


class Desk:
    """Answers for one subject; several make one when a class inherits them.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground


def seen_product(
    connection: Connection, asking: Asking, sku: str, *, lock: bool = False
) -> ProductRow:
    """A product that whoever asks sees.

    Args:
        connection: An open transaction.
        asking: Who asks.
        sku: The product.
        lock: Whether nobody else may change it until the transaction ends.

    Raises:
        PortalMissingError: There is none, or it is another organisation's.
    """
    row = product_row(connection, sku, lock=lock)
    if row is None:
        raise no_product(sku)
    must_see(asking, row.organisation, sku)
    return row


def photo_url(sku: str, photo_id: str | None) -> str | None:
    """Where a photo is."""
    return None if photo_id is None else f"{API}/products/{sku}/photos/{photo_id}/picture.jpg"
