"""What the portal's application says of itself, and what its errors become.

How routers stand behind one gate is ``web.app``'s business.
"""

from __future__ import annotations

from typing import Final

from cloud_trainer.errors import RolloutError, WalkoutTrainerError
from cloud_trainer.portal.access import WORDS
from cloud_trainer.portal.errors import (
    PortalMissingError,
    PortalRefusedError,
    PortalUnusableError,
)
from cloud_trainer.publishing import PlanRefusedError, ReleaseRefusedError
from models.bundle import BundleError
from models.delivery import DeliveryFormatError
from web.app import About

ABOUT: Final = About(
    "Walkout portal",
    "Products, releases and the fleet. Sign in (a session's cookie) or show a token "
    "(`Authorization: Bearer ...`). Money is text with its currency beside it, moments are seconds "
    'since 1970, lists are paged by `next`. Every refusal is `{"error": "what and what to do"}`.',
    WORDS,
    readers=("read", "provide", "operate"),
    statuses={
        PortalMissingError: 404,
        PortalRefusedError: 409,
        PortalUnusableError: 422,
        RolloutError: 409,
        PlanRefusedError: 409,
        ReleaseRefusedError: 404,
        DeliveryFormatError: 422,
        BundleError: 503,
        WalkoutTrainerError: 503,
    },
)
