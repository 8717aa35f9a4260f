"""A receipt as a page that a shopper can read: one HTML file, nothing loaded from elsewhere.

Owns the page and how amounts and times are written on it. What the receipt says is ``receipt.py``'s
business; where crops lie is the caller's: it hands in addresses for them, relative or ``data:``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, PackageLoader, StrictUndefined

from edge.checkout.receipt import Receipt
from edge.errors import CheckoutError

# Pictures of a line beyond these say nothing new to a shopper.
_PICTURES_A_LINE: Final = 3
_MIME_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def receipt_page(
    receipt: Receipt, picture_address: Callable[[str], str | None] = lambda crop: None
) -> str:
    """The page of a receipt.

    Args:
        receipt: Any version.
        picture_address: Address of a stored crop by its name; ``None`` where there is none (any
            more), the page then goes without.

    Raises:
        CheckoutError: The receipt's time zone is not known on this device.
    """
    zone = _zone(receipt.terms.timezone)
    pictures = {
        key: _addresses(crops, picture_address)
        for key, crops in [
            *(
                (line.sku, [crop for proof in line.proofs for crop in proof.crops])
                for line in receipt.lines
            ),
            *((line.review_id, list(line.crops)) for line in receipt.pending),
        ]
    }
    return (
        _environment()
        .get_template("receipt.html")
        .render(
            receipt=receipt,
            pictures=pictures,
            amount=_amount,
            percent=_percent,
            at=lambda iso: _local(iso, zone),
        )
    )


def embedded_pictures(folder: Path) -> Callable[[str], str | None]:
    """Addresses that hold the pictures themselves, for a page that is sent on its own.

    Args:
        folder: Where crops are stored; nothing outside it is read.
    """

    def address(crop: str) -> str | None:
        path = (folder / crop).resolve()
        mime = _MIME_TYPES.get(path.suffix.lower())
        if mime is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        return f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"

    return address


def check_timezone(name: str) -> None:
    """Check at the start that receipts can show times.

    Raises:
        CheckoutError: The zone is not known on this device.
    """
    _zone(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("edge.checkout"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise CheckoutError(
            f"time zone {name!r} is not known here; write a name such as Europe/Berlin, and see "
            "that the system's package tzdata is installed"
        ) from err


def _addresses(crops: list[str], picture_address: Callable[[str], str | None]) -> list[str]:
    addresses = (picture_address(crop) for crop in crops)
    return [address for address in addresses if address is not None][:_PICTURES_A_LINE]


def _amount(value: Decimal, currency: str) -> str:
    return f"{value:,} {currency}"


def _percent(value: Decimal) -> str:
    return f"{value.normalize():f} %"


def _local(iso: str, zone: ZoneInfo) -> str:
    # Python 3.10 does not read the Z.
    at = datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone(zone)
    return at.strftime("%Y-%m-%d %H:%M:%S")
