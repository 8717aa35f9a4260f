"""The dashboard of one device put together: accounts, routers, gate, server.

Owns which parts there are, and what is said when they begin: on the first run the admin's password
and a link that signs in once.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from edge.calibrating import setting_up
from edge.calibrating.bench import Bench
from edge.config import PageSettings
from edge.dashboard import calibrating, pages, seeing, shopper
from edge.dashboard.access import WORDS
from edge.dashboard.api import (
    cameras,
    device,
    disputes,
    events,
    labelled,
    products,
    receipts,
    reviews,
    search,
    sessions,
)
from edge.dashboard.api import live as live_api
from edge.dashboard.app import ABOUT
from edge.dashboard.basket_links import BasketLinks, read_or_make_key
from edge.dashboard.live import LiveFeed
from edge.dashboard.rendering import rendering_of
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.floor import StoreCard
from edge.errors import NotThereError
from edge.search.product_sets import ProductSets
from edge.search.searching import VisualSearch
from edge.workers import Pulse, Worker
from web import assets, entering, entrance, people
from web.accounts import Accounts, SessionLimits
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.app import Routed, Site, make_app
from web.audit import AuditLog
from web.entering import CookieSettings, SignInLimits
from web.gate import Doorkeeping
from web.origins import OwnNames
from web.serve import Encryption, WebServer
from web.tokens import Tokens

_LOGGER: Final = logging.getLogger(__name__)
_LINKS_KEY: Final = "basket-links.key"
_SETS: Final = "product-sets.json"


@dataclass(frozen=True)
class Surroundings:
    """What a dashboard stands in.

    Attributes:
        state: The device's folder; people, tokens and keys are kept there.
        folder: What paths in the settings are relative to.
        wall_time_s: Seconds since 1970.
        search: Searches pictures; ``None`` where nothing recognises products.
        bench: A technician's calibration work; ``None`` where there is none.
        sign_in: How often signing in may be tried.
    """

    state: Path
    folder: Path
    wall_time_s: Callable[[], float]
    search: VisualSearch | None = None
    bench: Bench | None = None
    sign_in: SignInLimits | None = None


class Dashboard:
    """A device's dashboard; its server listens from the beginning and answers once it runs.

    Args:
        shop: What it shows; of a device that is being set up only which shop it is.
        settings: Where it listens, what it is called, how it is encrypted.
        around: What it stands in.

    Raises:
        AccountsFileError: People and tokens cannot be read.
        ConfigError: The key of basket links is damaged.
        OSError: The address is taken, or certificate or key cannot be read.
    """

    def __init__(
        self, shop: ShownShop | StoreCard, settings: PageSettings, around: Surroundings
    ) -> None:
        self._shop = shop
        card = shop if isinstance(shop, StoreCard) else shop.card
        self._around = around
        with ExitStack() as opened:
            file = AccountsFile(around.state / ACCOUNTS_NAME)
            opened.callback(file.close)
            self._limits = SessionLimits(settings.idle_s, settings.longest_s)
            self.accounts: Final = Accounts(file, WORDS, around.wall_time_s, self._limits)
            self.tokens: Final = Tokens(file, WORDS, around.wall_time_s)
            self.audit: Final = AuditLog(file, around.wall_time_s)
            self._is_encrypted = settings.certificate is not None
            self._names = OwnNames((*settings.names, *_machine_names()))
            self.links: Final = BasketLinks(read_or_make_key(around.state / _LINKS_KEY))
            self._sets = ProductSets(around.state / _SETS)
            self._rendering = rendering_of(card)
            self.server: Final = WebServer(
                self._application,
                settings.host,
                settings.port,
                _encryption(settings, around.folder),
            )
            opened.callback(self.server.close)
            self._opened = opened.pop_all()

    def worker(self) -> Worker:
        """Its row in the table of workers; without a watchdog, so that it ends no shop."""
        return Worker("dashboard", self.run, restart="always")

    def run(self, pulse: Pulse) -> None:
        """Serve until told to stop."""
        self.server.run(pulse)

    def close(self) -> None:
        """Let go of everything; after ``run`` has returned."""
        self._opened.close()

    def welcome(self) -> tuple[str, ...]:
        """What the terminal says: where it is, and on the first run how to get in."""
        server = self.server
        said = [f"dashboard: {server.address}"]
        first = self.accounts.first_run()
        if first is not None:
            name, password = first
            link = self.accounts.make_link(name)
            said.append(f"sign in as {name} with {password} (shown this once)")
            said.append(f"or by this link, once, within 15 minutes: {server.address}enter/{link}")
        if server.is_open_to_others and not self._is_encrypted:
            _LOGGER.warning(
                "the dashboard is open to other machines at %s without encryption: passwords can "
                "be read on the way; name page.certificate and page.key",
                server.address,
            )
        return tuple(said)

    def site(self, is_closing: Callable[[], bool] = lambda: False) -> Site:
        """The application, its rules and its OpenAPI document."""
        # Another port is another device, also on the same machine: cookies know no ports.
        name = f"walkout-{self.server.port}"
        cookie = CookieSettings(
            f"__Host-{name}" if self._is_encrypted else name, self._is_encrypted, self._limits
        )
        keeping = Doorkeeping(
            self.accounts, self.tokens, self.audit, self._names, cookie.name, is_closing
        )
        return make_app([*self._doors(cookie), *self._rooms(), *self._workshop()], keeping, ABOUT)

    def _doors(self, cookie: CookieSettings) -> tuple[Routed, ...]:
        """Who comes in, and the people behind it."""
        return (
            (
                entering.router(self.accounts, self.audit, cookie, self._around.sign_in),
                entering.rules_for(WORDS),
            ),
            (
                people.router(self.accounts, self.tokens, self.audit, WORDS),
                people.rules_for(WORDS),
            ),
        )

    def _rooms(self) -> tuple[Routed, ...]:
        """What there is to see."""
        shop, rendering = self._shop, self._rendering
        if isinstance(shop, StoreCard):
            here = (
                (setting_up.router(), setting_up.RULES)
                if self._around.search is None
                else (
                    search.router(self._around.search, self._sets, _no_camera),
                    search.RULES,
                )
            )
            return (
                here,
                (entrance.router(rendering), entrance.RULES),
                (assets.router(rendering.assets), assets.RULES),
            )
        return (
            (device.router(shop), device.RULES),
            (live_api.router(shop, LiveFeed(shop.state)), live_api.RULES),
            (events.router(shop), events.RULES),
            (reviews.router(shop), reviews.RULES),
            (receipts.router(shop), receipts.RULES),
            (disputes.router(shop), disputes.RULES),
            (sessions.router(shop, self.links.address), sessions.RULES),
            (cameras.router(shop), cameras.RULES),
            (products.router(shop), products.RULES),
            (labelled.router(shop), labelled.RULES),
            (
                search.router(self._around.search, self._sets, shop.camera_picture),
                search.RULES,
            ),
            (entrance.router(rendering), entrance.RULES),
            (pages.router(shop, rendering), pages.RULES),
            (seeing.router(rendering), seeing.RULES),
            (shopper.router(shop, self.links, rendering), shopper.RULES),
            (assets.router(rendering.assets), assets.RULES),
        )

    def _workshop(self) -> tuple[Routed, ...]:
        """Where cameras are calibrated."""
        bench = self._around.bench
        if bench is None:
            return ()
        return ((calibrating.router(bench, self._rendering), calibrating.RULES),)

    def _application(self, is_closing: Callable[[], bool]) -> ASGIApp:
        return self.site(is_closing).asgi


def _no_camera(name: str, width_px: int) -> bytes:
    """Pictures are handed in where there is no shop."""
    raise NotThereError(f"there is no camera {name} here; send a picture")


def _machine_names() -> tuple[str, ...]:
    name = socket.gethostname()
    return name, f"{name.partition('.')[0]}.local"


def _encryption(settings: PageSettings, folder: Path) -> Encryption | None:
    if settings.certificate is None or settings.key is None:
        return None
    return Encryption(folder / settings.certificate, folder / settings.key)
