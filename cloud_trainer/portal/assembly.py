"""A portal put together: records, photos, releases, desks, gate, server.

Owns which parts there are, and what is said when they begin: on the first run the admin's password
and a link that signs in once.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from cloud_trainer.pipeline.view import PipelineView
from cloud_trainer.portal import pages
from cloud_trainer.portal.access import WORDS
from cloud_trainer.portal.api import cost, fleet, imports, products, training
from cloud_trainer.portal.api import portal as portal_api
from cloud_trainer.portal.app import ABOUT
from cloud_trainer.portal.config import PortalPlaces
from cloud_trainer.portal.desks.ground import Ground
from cloud_trainer.portal.keeping import KeptPortal
from cloud_trainer.portal.looks import Looks
from cloud_trainer.portal.photos import PhotoShelf
from cloud_trainer.portal.records.accounts import AccountsRecords
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.products import looks_in
from cloud_trainer.portal.releases import ReleaseShelf
from cloud_trainer.portal.signing import open_keys
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.running import open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.store import open_store
from web import assets, entering, entrance, people
from web.accounts import Accounts, SessionLimits
from web.app import Routed, Site, make_app
from web.audit import AuditLog
from web.entering import CookieSettings, SignInLimits
from web.gate import Doorkeeping
from web.origins import OwnNames
from web.rendering import Place, Rendering
from web.serve import Encryption, Pace, Pulse, WebServer
from web.tokens import Tokens

_LOGGER: Final = logging.getLogger(__name__)
_FOLDER: Final = Path(__file__).parent


class OpenedBooks:
    """People, tokens and the audit log of a portal, without anything else of it.

    Args:
        places: Where the database is.
    """

    def __init__(self, places: PortalPlaces) -> None:
        page = places.config.page
        self.database: Final = Database(places.database)
        self.limits: Final = SessionLimits(page.idle_s, page.longest_s)
        file = AccountsRecords(self.database)
        self.accounts: Final = Accounts(file, WORDS, time.time, self.limits)
        self.tokens: Final = Tokens(file, WORDS, time.time)
        self.audit: Final = AuditLog(file, time.time)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def open_ground(
    places: PortalPlaces, database: Database, wall_time_s: Callable[[], float] = time.time
) -> tuple[Ground, ExitStack]:
    """What the desks stand on, and what closes it.

    Args:
        places: What the portal was told.
        database: Its records.
        wall_time_s: Seconds since 1970.

    Raises:
        WalkoutTrainerError: Keys, stores or record files cannot be opened.
    """
    with ExitStack() as opened:
        releases_store = open_store(places.releases)
        repository = Repository(releases_store, open_keys(places))

        def now() -> datetime:
            return datetime.fromtimestamp(wall_time_s(), timezone.utc)

        def kept(space: str) -> list[tuple[str, bytes]]:
            with database.reading() as connection:
                return looks_in(connection, space)

        releases = ReleaseShelf(repository, releases_store, places.cache / "releases")
        places.pipeline.mkdir(parents=True, exist_ok=True)
        ground = Ground(
            places=places,
            database=database,
            shelf=PhotoShelf(open_store(places.photos)),
            releases=releases,
            looks=Looks(releases, kept),
            pipeline=opened.enter_context(PipelineView(places.pipeline)),
            fleet_file=opened.enter_context(open_records(places.fleet_records)),
            signer=RepositorySigner(repository, now),
            announcer=None,
            wall_time_s=wall_time_s,
            new_id=lambda: secrets.token_hex(8),
        )
        return ground, opened.pop_all()


class PortalServer:
    """A portal; its server listens from the beginning and answers once it runs.

    Args:
        places: What it was told, and where everything is.
        port: Instead of the configuration's.
        sign_in: How often signing in may be tried.
        wall_time_s: Seconds since 1970.

    Raises:
        WalkoutTrainerError: Database, keys or stores cannot be opened.
        OSError: The address is taken, or certificate or key cannot be read.
    """

    def __init__(
        self,
        places: PortalPlaces,
        port: int | None = None,
        sign_in: SignInLimits | None = None,
        wall_time_s: Callable[[], float] = time.time,
    ) -> None:
        config, page = places.config, places.config.page
        self._sign_in = sign_in
        with ExitStack() as opened:
            self.books: Final = OpenedBooks(places)
            opened.callback(self.books.close)
            ground, ground_opened = open_ground(places, self.books.database, wall_time_s)
            opened.enter_context(ground_opened)
            self.portal: Final = KeptPortal(ground)
            self._is_encrypted = page.certificate is not None
            self._names = OwnNames((*page.names, *_machine_names()))
            place = Place(config.name, config.locale, config.currency, config.timezone)
            self.rendering: Final = Rendering(_FOLDER, place, WORDS, pages.can)
            self._name = config.name
            self.works: Final = config.works
            self.server: Final = WebServer(
                lambda is_closing: self.site(is_closing).asgi,
                page.host,
                page.port if port is None else port,
                _encryption(places),
                Pace(threads=page.threads, niceness=0),
            )
            opened.callback(self.server.close)
            self._opened = opened.pop_all()

    def run(self, pulse: Pulse) -> None:
        """Serve, and work imports off, until told to stop."""
        importing = threading.Thread(
            target=self.portal.work_imports_off, args=(pulse.stop,), name="imports"
        )
        importing.start()
        try:
            self.server.run(pulse)
        finally:
            pulse.stop.set()
            importing.join()

    def close(self) -> None:
        """Let go of everything; after ``run`` has returned."""
        self._opened.close()

    def welcome(self) -> tuple[str, ...]:
        """What the terminal says: where it is, and on the first run how to get in."""
        address = self.server.address
        said = [f"portal: {address}"]
        first = self.books.accounts.first_run()
        if first is not None:
            name, password = first
            link = self.books.accounts.make_link(name)
            said.append(f"sign in as {name} with {password} (shown this once)")
            said.append(f"or by this link, once, within 15 minutes: {address}enter/{link}")
        if self.server.is_open_to_others and not self._is_encrypted:
            _LOGGER.warning(
                "the portal is open to other machines at %s without encryption: passwords can be "
                "read on the way; name page.certificate and page.key",
                address,
            )
        return tuple(said)

    def site(self, is_closing: Callable[[], bool] = lambda: False) -> Site:
        """The application, its rules and its OpenAPI document."""
        name = f"walkout-portal-{self.server.port}"
        cookie = CookieSettings(
            f"__Host-{name}" if self._is_encrypted else name,
            self._is_encrypted,
            self.books.limits,
        )
        books = self.books
        keeping = Doorkeeping(
            books.accounts, books.tokens, books.audit, self._names, cookie.name, is_closing
        )
        return make_app(self._routed(cookie), keeping, ABOUT)

    def _routed(self, cookie: CookieSettings) -> tuple[Routed, ...]:
        books, portal, rendering = self.books, self.portal, self.rendering
        return (
            (
                entering.router(books.accounts, books.audit, cookie, self._sign_in),
                entering.rules_for(WORDS),
            ),
            (
                people.router(books.accounts, books.tokens, books.audit, WORDS),
                people.rules_for(WORDS),
            ),
            (portal_api.router(portal, self._name), portal_api.RULES),
            (products.router(portal), products.RULES),
            (imports.router(portal), imports.RULES),
            (training.router(portal), training.RULES),
            (fleet.router(portal), fleet.RULES),
            (cost.router(portal), cost.RULES),
            (entrance.router(rendering), entrance.RULES),
            (pages.router(rendering), pages.RULES),
            (assets.router(rendering.assets), assets.RULES),
        )


def _machine_names() -> tuple[str, ...]:
    name = socket.gethostname()
    return name, f"{name.partition('.')[0]}.local"


def _encryption(places: PortalPlaces) -> Encryption | None:
    page = places.config.page
    if page.certificate is None or page.key is None:
        return None
    return Encryption(places.folder / page.certificate, places.folder / page.key)
