"""What the device's application says of itself, and what the shop's errors become.

How routers stand behind one gate is ``web.app``'s business.
"""

from __future__ import annotations

from typing import Final

from edge.dashboard.access import WORDS
from edge.errors import (
    CheckoutError,
    LedgerConflictError,
    LedgerError,
    NotThereError,
    WalkoutEdgeError,
)
from web.app import About

ABOUT: Final = About(
    "Walkout device",
    "The shop as this device sees it. Sign in (a session's cookie) or show a token "
    "(`Authorization: Bearer ...`). Money is text with its currency beside it, moments are seconds "
    'since 1970, lists are paged by `next`. Every refusal is `{"error": "what and what to do"}`.',
    WORDS,
    readers=("read",),
    statuses={
        NotThereError: 404,
        LedgerConflictError: 409,
        LedgerError: 503,
        CheckoutError: 409,
        WalkoutEdgeError: 503,
    },
)
