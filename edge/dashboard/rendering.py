"""The device's pages: its templates, scripts and words, and what its people may do.

Owns what a device tells every page of itself. How pages are rendered is ``web.rendering``'s
business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge.dashboard.access import ADMINS, STAFF, TECHNICIANS, WORDS
from edge.dashboard.views.floor import StoreCard
from web.rendering import Place, Rendering

FOLDER: Final = Path(__file__).parent


def rendering_of(card: StoreCard) -> Rendering:
    """Renders the pages of one shop."""
    place = Place(card.name, card.locale, card.currency, card.timezone)
    return Rendering(FOLDER, place, WORDS, _can)


def _can(role: str | None) -> dict[str, bool]:
    return {"settle": role in STAFF, "repair": role in TECHNICIANS, "admin": role in ADMINS}
