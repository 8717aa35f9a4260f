"""What the live page shows, as JSON values: the floor, the baskets, events, cameras.

Pure: frozen values in, values for a page out. How they get there is ``edge.dashboard.page``'s.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

import numpy as np

from calibration.format import Calibration
from edge.checkout.desk import Desk
from edge.checkout.receipt import Receipt
from edge.checkout.shop import Shop
from edge.health import Health
from edge.tracking.session import Session
from edge.tracking.watch import FloorMoment

_EVENTS_SHOWN: Final = 12
_RECEIPTS_SHOWN: Final = 12


def floor_plan(calibration: Calibration) -> dict[str, Any]:
    """What stands still: the floor's outline, its zones and the fixtures, in shop metres."""
    fixtures = []
    for name, fixture in sorted(calibration.fixtures.items()):
        left = fixture.to_shop(np.array([[0.0, 0.0, 0.0], [fixture.width_m, 0.0, 0.0]]))
        back = fixture.inward * fixture.depth_m
        corners = [left[0], left[1], left[1] + back, left[0] + back]
        fixtures.append(
            {"name": name, "polygon": [[round(x, 3), round(y, 3)] for x, y, _ in corners]}
        )
    return {
        "outline": [list(point) for point in calibration.floor.outline],
        "zones": [
            {"name": zone.name, "kind": zone.kind, "polygon": [list(p) for p in zone.polygon]}
            for zone in calibration.floor.zones
        ],
        "fixtures": fixtures,
    }


def live_state(
    desk: Desk, moment: FloorMoment | None, sessions: tuple[Session, ...], health: Health
) -> dict[str, Any]:
    """What changes, at one moment."""
    shop = desk.shop
    return {
        "at_s": round(moment.scan.at_s, 2) if moment is not None else None,
        "shoppers": _shoppers(moment, sessions),
        "baskets": [_basket(desk.preview(each.session_id)) for each in _baskets(shop)],
        "events": _events(desk),
        "receipts": _receipts(shop),
        "cameras": _cameras(health),
        "devices": [
            {"name": each.device, "status": each.status, "reason": each.reason}
            for each in health.devices
        ],
        "trouble": list(health.not_ready),
        "open_reviews": health.open_reviews,
    }


def shelf_state(health: Health) -> dict[str, Any]:
    """What changes on a shelf device; floor, baskets and receipts are the hub's to show."""
    return {
        "at_s": None,
        "shoppers": [],
        "baskets": [],
        "events": [],
        "receipts": [],
        "cameras": _cameras(health),
        "devices": [],
        "trouble": list(health.not_ready),
        "open_reviews": 0,
    }


def _cameras(health: Health) -> list[dict[str, Any]]:
    return [
        {"name": each.camera, "status": each.status, "reason": each.reason}
        for each in health.cameras
    ]


def _shoppers(moment: FloorMoment | None, sessions: tuple[Session, ...]) -> list[dict[str, Any]]:
    if moment is None:
        return []
    who = {
        member.track_id: (member.checkin.shopper, session)
        for session in sessions
        for member in session.members
        if member.track_id is not None
    }
    shown = []
    for track in moment.tracks:
        if track.state in ("left", "lost"):
            continue
        label, session = who.get(track.track_id, (None, None))
        shown.append(
            {
                "track": track.track_id,
                "x_m": round(track.position_m[0], 2),
                "y_m": round(track.position_m[1], 2),
                "state": track.state,
                "shopper": label,
                "session": session.session_id if session is not None else None,
                "role": session.role if session is not None else None,
            }
        )
    return shown


def _baskets(shop: Shop) -> list[Any]:
    return [basket for basket in shop.open_baskets() if basket.role == "shopper"]


def _basket(receipt: Receipt) -> dict[str, Any]:
    return {
        "session": receipt.session_id,
        "shoppers": list(receipt.shoppers),
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "total": str(line.total),
            }
            for line in receipt.lines
        ],
        "pending": len(receipt.pending),
        "total": str(receipt.total),
        "currency": receipt.terms.currency,
    }


def _events(desk: Desk) -> list[dict[str, Any]]:
    shop = desk.shop
    newest = islice(reversed(list(shop.interactions.values())), _EVENTS_SHOWN)
    return [
        {
            "event": recorded.event.event_id,
            "at_s": round(recorded.event.ended_at_s, 2),
            "kind": recorded.event.kind,
            "sku": recorded.event.sku,
            "name": recorded.event.sku and desk.name_of(recorded.event.sku),
            "quantity": recorded.event.quantity,
            "where": recorded.event.facing or recorded.event.fixture,
            "outcome": "review" if _in_review(shop, recorded.event.event_id) else "settled",
            "sessions": list(recorded.sessions),
            "reason": recorded.event.evidence.reason,
            "crops": list(recorded.event.evidence.crops),
        }
        for recorded in newest
    ]


def _in_review(shop: Shop, event_id: str) -> bool:
    review = shop.reviews.get(event_id)
    return review is not None and review.settlement is None


def _receipts(shop: Shop) -> list[dict[str, Any]]:
    newest = islice(reversed(list(shop.receipts.items())), _RECEIPTS_SHOWN)
    return [
        _basket(versions[-1])
        | {"version": versions[-1].version, "closed_at": versions[-1].closed_at}
        for session, versions in newest
        if shop.baskets[session].role == "shopper"
    ]
