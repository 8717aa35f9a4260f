"""What people in this shop have said that a crop shows, for whoever trains."""

from __future__ import annotations

from urllib.parse import quote

from edge.checkout.entries import InteractionRecorded
from edge.checkout.shop import Shop
from edge.events import InteractionKind
from edge.updates.shadow import VerifiedEvent
from models.decision import Outcome
from web.shape import API, Shape


class LabelledCrop(Shape):
    """A picture and what it shows.

    Attributes:
        name: File name.
        url: Where to get it, as PNG.
    """

    name: str
    url: str


class Recognised(Shape):
    """What the network had made of it.

    Attributes:
        outcome: ``accept``, ``reject`` or ``review``.
        sku: Its best guess.
        distance: Cosine distance to the nearest product.
        category: Category of the bundle.
        bundle_version: Its version.
        space_id: Its embedding space.
    """

    outcome: Outcome
    sku: str | None
    distance: float
    category: str
    bundle_version: str
    space_id: str


class LabelledEvent(Shape):
    """An interaction event that a person has settled.

    Attributes:
        event_id: Of the interaction event; the name to go on after.
        kind: Taken or put back.
        sku: What it is; ``None`` for an object that the shop does not sell.
        crops: What shows it.
        camera: Camera that saw it; ``None`` where the ledger does not know the event.
        facing: Where.
        happened_at: When.
        reviewer: Who settled it.
        settled_at: When.
        recognised: What the network had made of it; ``None`` where none was asked.
    """

    event_id: str
    kind: InteractionKind
    sku: str | None
    crops: tuple[LabelledCrop, ...]
    camera: str | None
    facing: str | None
    happened_at: float | None
    reviewer: str | None
    settled_at: float | None
    recognised: Recognised | None


def labelled_shape(event: VerifiedEvent, shop: Shop) -> LabelledEvent:
    """A settled event as trainers see it.

    Args:
        event: What is kept of it.
        shop: All of the ledger.
    """
    recorded, review = shop.interactions.get(event.event_id), shop.reviews.get(event.event_id)
    settlement = None if review is None else review.settlement
    return LabelledEvent(
        event_id=event.event_id,
        kind=event.kind,
        sku=event.sku,
        crops=tuple(
            LabelledCrop(name=name, url=f"{API}/labelled/crops/{quote(name)}")
            for name in event.crops
        ),
        camera=None if recorded is None else recorded.event.camera,
        facing=None if recorded is None else recorded.event.facing,
        happened_at=None if recorded is None else recorded.wall_time_s,
        reviewer=None if settlement is None else settlement.reviewer,
        settled_at=None if settlement is None else settlement.settled_at.wall_time_s,
        recognised=None if recorded is None else _recognised(recorded),
    )


def _recognised(recorded: InteractionRecorded) -> Recognised | None:
    recognition = recorded.event.evidence.recognition
    if recognition is None:
        return None
    return Recognised(
        outcome=recognition.decision.outcome,
        sku=recognition.decision.sku,
        distance=recognition.decision.distance,
        category=recognition.category,
        bundle_version=recognition.bundle_version,
        space_id=recognition.space_id,
    )
