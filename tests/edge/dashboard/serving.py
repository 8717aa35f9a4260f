"""A real dashboard on a real port, before a recorded shop that was played and whose desk works on.

The shop's recording was replayed into the state folder, so baskets, reviews and receipts are there
at once; then the shop is opened on that state, joins its recording near the end, and its desk goes
on answering people.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

import yaml

from edge.calibrating.at_work import make_bench
from edge.cameras.clock import SystemClock
from edge.config import PageSettings
from edge.config_file import load_config
from edge.dashboard.access import Role, Scope
from edge.dashboard.assembly import Dashboard, Surroundings
from edge.dashboard.shown import ShownShop
from edge.dashboard.shown_store import ShownStore
from edge.search.searching import VisualSearch
from edge.shop import playing
from edge.shop.premises import open_premises
from edge.shop.replay import replay
from edge.shop.store import Store
from edge.updates.assembly import Updates
from edge.workers import Crew, Worker
from tests.web.client import PASSWORDS, Client

# Cameras show this much of the end of their recordings.
_END_S: Final = 3.0


@dataclass
class Site:
    """A dashboard that answers.

    Attributes:
        url: Where, ending with a slash.
        dashboard: What answers.
        store: The shop behind it.
        shop: The shop as routers see it.
        folder: Of the recorded shop.
        state: Of its ledger and evidence.
    """

    url: str
    dashboard: Dashboard
    store: Store
    shop: ShownShop
    folder: Path
    state: Path
    _opened: ExitStack = field(default_factory=ExitStack)

    def client(self, role: Role | None = None) -> Client:
        """Somebody signed in as a role, or nobody; closed with the site."""
        client = self._opened.enter_context(Client(self.url))
        if role is not None:
            asked = {"name": role, "password": PASSWORDS[role]}
            answer = client.post("/api/v1/session", json=asked)
            assert answer.status_code == 200, answer.text
        return client

    def token(self, *scopes: Scope) -> str:
        """A new token of an application."""
        made = len(self.dashboard.tokens.all())
        return self.dashboard.tokens.create(f"app {made}", scopes)[1]

    def app(self, *scopes: Scope) -> Client:
        """An application with a token; closed with the site."""
        return self._opened.enter_context(Client(self.url, self.token(*scopes)))

    def link(self, role: Role) -> str:
        """An address by which a browser signs in once."""
        return f"{self.url}enter/{self.dashboard.accounts.make_link(role)}"

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()


def make_doubtful(folder: Path, copy: Path) -> None:
    """Copy a recorded shop so that its people's reach explains nothing: all goes to review."""
    shutil.copytree(folder, copy)
    file = copy / "store.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    values.setdefault("floor", {})["reach"] = {"least": 1e9}
    file.write_text(yaml.safe_dump(values), encoding="utf-8")


def play(folder: Path, state: Path) -> None:
    """Play a recorded shop into a state folder, to be opened by ``served``."""
    premises = open_premises(load_config(folder), folder)
    played = replay(premises, state)
    ran_s = max(each.seconds for each in played.cost.cameras)
    (state / "ran_s").write_text(repr(ran_s), encoding="ascii")


@contextmanager
def served(
    folder: Path,
    state: Path,
    settings: PageSettings | None = None,
    *,
    works: bool = True,
    updates: Updates | None = None,
    from_the_start: bool = False,
) -> Iterator[Site]:
    """A dashboard before a shop that ``play`` has played; everybody in ``PASSWORDS`` may sign in.

    Args:
        folder: The recorded shop.
        state: What ``play`` wrote, or a copy of it: it is written to.
        settings: Of the dashboard; loopback and any free port when left out.
        works: Whether the shop's workers run, cameras too; else nothing but the pages answers.
        updates: What keeps the device up to date.
        from_the_start: The recording begins now, in a state folder that is empty.
    """
    config = load_config(folder)
    clock = SystemClock()
    premises = open_premises(config, folder).with_recogniser()
    if not from_the_start:
        ran_s = float((state / "ran_s").read_text(encoding="ascii"))
        playing.begin(state, config.store.opened_at.timestamp(), clock, _END_S - ran_s)
    with ExitStack() as opened:
        store = Store(premises, state, clock, {}, stays_open=True)
        opened.callback(store.close)
        crew: Crew | None = None
        shop = ShownStore(store, lambda: crew.states if crew else (), updates)
        search: VisualSearch | None = None
        recogniser = premises.searched_with
        if recogniser is not None:
            search = opened.enter_context(
                VisualSearch(recogniser, premises.products, config.store.currency)
            )
        bench = make_bench(store, shop, state)
        around = Surroundings(state, folder, clock.wall_time_s, search=search, bench=bench)
        dashboard = Dashboard(shop, settings or PageSettings(port=0), around)
        opened.callback(dashboard.close)
        for role, password in PASSWORDS.items():
            dashboard.accounts.add(role, role, password)
        crew = Crew(
            [
                *(store.workers() if works else ()),
                dashboard.worker(),
                Worker("calibrating", bench.run),
            ],
            time.monotonic,
        )
        crew.start()
        opened.callback(lambda: crew.stop(20) if crew else None)
        site = opened.enter_context(
            Site(dashboard.server.address, dashboard, store, shop, folder, state)
        )
        yield site
