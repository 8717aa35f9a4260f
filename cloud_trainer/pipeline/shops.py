"""Settled events fetched from shops: ``GET /api/v1/labelled`` of a device, page after page.

A device gives them to a token for ``labelled``. What was taken in before is not fetched again;
where the device has forgotten where we were, its list begins anew, and known events change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import urllib3
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline.crops import MOST_CROPS, LabelledEvents, SettledEvent
from cloud_trainer.pipeline.seams import CropsStatus
from models.bundle.manifest import first_complaint
from models.delivery.wire import Closed

_PAGE: Final = 50
_MOST_PAGES: Final = 200
_MOST_BYTES: Final = 8 * 2**20
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=60.0)


class ShopAddress(Closed):
    """Where a shop's device answers.

    Attributes:
        name: The shop, lower case.
        url: Such as ``https://shelf-1.shop.example:8443``.
        token_file: File with a token of the device, for ``labelled``.
        ca: Who signed its certificate; the machine's authorities by default.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    url: str = Field(pattern=r"^https?://[^/]+/?$")
    token_file: Path
    ca: Path | None = None


class _Loose(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Crop(_Loose):
    name: str


class _Recognised(_Loose):
    sku: str | None
    category: str


class _Event(_Loose):
    event_id: Annotated[str, Field(min_length=1, max_length=300)]
    sku: str | None
    crops: tuple[_Crop, ...] = Field(max_length=MOST_CROPS)
    camera: str | None
    reviewer: str | None
    settled_at: float | None
    recognised: _Recognised | None


class _Page(_Loose):
    items: tuple[_Event, ...]
    next: str | None = None


def read_shops(path: Path) -> tuple[ShopAddress, ...]:
    """Addresses from a YAML list.

    Raises:
        WalkoutTrainerError: It cannot be read, or an address is none.
    """
    try:
        listed = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(listed, list):
            raise WalkoutTrainerError(f"{path} is no list; write '- name: ...' for each shop")
        return tuple(ShopAddress.model_validate(each) for each in listed)
    except OSError as err:
        raise WalkoutTrainerError(f"{path}: {err.strerror or err}") from err
    except yaml.YAMLError as err:
        raise WalkoutTrainerError(f"{path} is no YAML file: {err}") from err
    except ValidationError as err:
        raise WalkoutTrainerError(f"{path}: {first_complaint(err)}; correct it") from err


def collect(shop: ShopAddress, events: LabelledEvents, status: CropsStatus = "waiting") -> int:
    """Take in what people in a shop have settled since the last time; how many events are new.

    Args:
        shop: The shop.
        events: Where they are kept.
        status: How they stand at first.

    Raises:
        WalkoutTrainerError: The shop cannot be reached, or says what cannot be understood; what was
            taken in until then is kept.
    """
    new = 0
    with _Device(shop) as device:
        for event in device.events(after=events.last_id(shop.name)):
            if event.recognised is None or not event.crops:
                continue  # no bundle looked at it, so none can learn from it
            settled = device.settled(event, event.recognised)
            if settled is not None:
                new += events.take_in(shop.name, settled, status)
    return new


class _MissingError(WalkoutTrainerError):
    """The shop has not what was asked for."""


class _Device:
    def __init__(self, shop: ShopAddress) -> None:
        self._shop = shop
        try:
            token = shop.token_file.read_text("utf-8").strip()
        except OSError as err:
            raise WalkoutTrainerError(f"{shop.token_file}: {err.strerror or err}") from err
        secure = urlsplit(shop.url).scheme == "https"
        self._pool = urllib3.PoolManager(
            headers={"Authorization": f"Bearer {token}"},
            retries=False,
            timeout=_TIMEOUT,
            ca_certs=os.fspath(shop.ca) if secure and shop.ca else None,
        )

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def events(self, after: str | None) -> Iterator[_Event]:
        for _ in range(_MOST_PAGES):
            query = f"?limit={_PAGE}" + (f"&after={quote(after, safe='')}" if after else "")
            try:
                page = _Page.model_validate_json(self._get(f"/api/v1/labelled{query}"))
            except ValidationError as err:
                raise WalkoutTrainerError(
                    f"{self._shop.name} tells what cannot be understood: {first_complaint(err)}; "
                    "is its version of Walkout ours?"
                ) from err
            yield from page.items
            if page.next is None or not page.items:
                return
            after = page.next

    def settled(self, event: _Event, recognised: _Recognised) -> SettledEvent | None:
        """The event with its crops; ``None`` where the shop has one of them no more."""
        crops: dict[str, bytes] = {}
        for crop in event.crops:
            try:
                crops[crop.name] = self._get(f"/api/v1/labelled/crops/{quote(crop.name, safe='')}")
            except _MissingError:
                return None
        at_s = event.settled_at
        return SettledEvent(
            event_id=event.event_id,
            category=recognised.category,
            sku=event.sku,
            recognised_sku=recognised.sku,
            camera=event.camera,
            reviewer=event.reviewer,
            settled_at=None if at_s is None else datetime.fromtimestamp(at_s, timezone.utc),
            crops=crops,
        )

    def _get(self, path: str) -> bytes:
        url = self._shop.url.rstrip("/") + path
        try:
            answer = self._pool.request("GET", url, preload_content=False, redirect=False)
            try:
                content = answer.read(_MOST_BYTES + 1)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as err:
            raise WalkoutTrainerError(
                f"shop {self._shop.name} does not answer at {self._shop.url}: {err}"
            ) from err
        if answer.status == 404:
            raise _MissingError(f"shop {self._shop.name} has no {path.partition('?')[0]}")
        if answer.status != 200:
            raise WalkoutTrainerError(
                f"shop {self._shop.name} answers {answer.status} to {path.partition('?')[0]}; "
                "the token must be one of that device, for 'labelled'"
            )
        if len(content) > _MOST_BYTES:
            raise WalkoutTrainerError(f"shop {self._shop.name} sends over {_MOST_BYTES} bytes")
        return bytes(content)
