"""A real portal on a real port, with people of every role and a published release of cartons."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import yaml

from cloud_trainer.portal.assembly import PortalServer
from cloud_trainer.portal.config import PortalPlaces, read_portal
from cloud_trainer.portal.keeping import KeptPortal
from cloud_trainer.portal.serve import Standing
from cloud_trainer.portal.todo import PortalToDo
from tests.simulators.photos import draw_photo
from tests.web.client import Client
from web.access import Asking

CATEGORY: Final = "soda"
PASSWORDS: Final = {
    "provider": "provider-hands-in",
    "operator": "operator-approves",
    "developer": "developer-compares",
    "admin": "admin-does-it-all",
    "rival": "rival-hands-in-too",
}
DAIRY: Final = Asking("provider", "provider", organisation="dairy")
RIVAL: Final = Asking("rival", "provider", organisation="bakery")
OPERATOR: Final = Asking("operator", "operator")
FIELDS: Final = {"name": "Oat milk", "price": "1.99", "currency": "EUR", "category": CATEGORY}


@dataclass
class Clock:
    """The portal's time."""

    at_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at_s


@dataclass
class Site:
    """A portal that answers.

    Attributes:
        url: Where, ending with a slash.
        server: What answers.
        places: Where everything of it is.
        clock: Its time.
    """

    url: str
    server: PortalServer
    places: PortalPlaces
    clock: Clock
    _opened: ExitStack = field(default_factory=ExitStack)

    @property
    def portal(self) -> KeptPortal:
        """Its desks."""
        return self.server.portal

    def client(self, name: str | None = None) -> Client:
        """Somebody signed in, or nobody; closed with the site."""
        client = self._opened.enter_context(Client(self.url))
        if name is not None:
            answer = client.post(
                "/api/v1/session", json={"name": name, "password": PASSWORDS[name]}
            )
            assert answer.status_code == 200, answer.text
        return client

    def app(self, *scopes: str, organisation: str = "") -> Client:
        """An application with a token; closed with the site."""
        tokens = self.server.books.tokens
        name = f"app {len(tokens.all())}"
        secret = tokens.create(name, scopes, organisation=organisation)[1]
        return self._opened.enter_context(Client(self.url, secret))

    def todo(self) -> PortalToDo:
        """What the pipeline is told."""
        ground = self.portal._ground
        return PortalToDo(ground.database, ground.shelf, self.places.cache, self.clock)


@cache
def photo(product: int, number: int) -> bytes:
    """A drawn photo as a PNG file."""
    done, content = cv2.imencode(".png", draw_photo(product, number))
    assert done
    return content.tobytes()


def picture(content: Any, suffix: str = ".png") -> bytes:  # noqa: ANN401 -- pixels
    """Pixels as a file."""
    done, encoded = cv2.imencode(suffix, content)
    assert done
    return encoded.tobytes()


def hand_in(portal: KeptPortal, sku: str, product: int, photos: int = 5, **fields: object) -> None:
    """A product with drawn photos, handed in by its provider."""
    from cloud_trainer.portal.views.products import ProductFields

    portal.put_product(DAIRY, sku, ProductFields.model_validate({**FIELDS, **fields}))
    for number in range(photos):
        portal.add_photo(DAIRY, sku, f"{number}.png", photo(product, 10 + 2 * number))
    portal.hand_in(DAIRY, sku)


def make_portal(folder: Path, published: Path | None, **settings: object) -> PortalPlaces:
    """A portal's file, and what it begins with.

    Args:
        folder: Of the portal; made.
        published: Folder of a cloud with a release, copied; ``None`` begins without one.
        settings: Of the file, beside those below.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, object] = {
        "works": False,
        "page": {"port": 0, "names": ["portal.example"]},
        **settings,
    }
    if published is not None:
        shutil.copytree(published / "store", folder / "releases")
        shutil.copytree(published / "keys", folder / "keys")
        document["keys"] = "keys"
    (folder / "portal.yaml").write_text(yaml.safe_dump(document), "utf-8")
    return read_portal(folder)


@contextmanager
def served(places: PortalPlaces) -> Iterator[Site]:
    """A portal that is served until the block ends; everybody in ``PASSWORDS`` may sign in."""
    stop, clock = threading.Event(), Clock()
    with closing(PortalServer(places, wall_time_s=clock)) as server:
        known = {each.name for each in server.books.accounts.people()}
        for name, password in PASSWORDS.items():
            if name not in known:
                role = "provider" if name == "rival" else name
                organisation = {"provider": "dairy", "rival": "bakery"}.get(name, "")
                server.books.accounts.add(name, role, password, organisation)
        serving = threading.Thread(target=server.run, args=(Standing(stop),))
        serving.start()
        try:
            with ExitStack() as opened:
                yield Site(server.server.address, server, places, clock, opened)
        finally:
            stop.set()
            serving.join(30)
            assert not serving.is_alive()


def until(condition: Callable[[], object], patience_s: float = 60.0) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until_s, "it did not come to hold"
        time.sleep(0.02)
