"""``walkout-edge search-service``: visual search without a shop, for apps and web pages.

The same search, API, accounts and tokens as on a shop's device; no cameras, no checkout. It keeps
nothing but people and tokens, so as many of it run behind a balancer as are needed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console

from edge.cli.errors import plain_errors
from edge.cli.logs import log_to_stderr
from edge.config import PageSettings
from edge.dashboard.assembly import Dashboard, Surroundings
from edge.dashboard.views.floor import StoreCard
from edge.errors import ConfigError
from edge.matching.recogniser import Recogniser
from edge.runtime.opening import open_embedders
from edge.search.searching import VisualSearch
from edge.supervision import Supervision
from edge.workers import Crew
from models.bundle import open_bundle
from models.catalogue import Catalogue, CatalogueError, load_catalogue

_CHECKS_EVERY_S: Final = 0.2
_ENDS_WITHIN_S: Final = 10.0
_STUCK: Final = 3


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("search-service")(search_service)


@plain_errors
def search_service(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="What products are recognised by.")
    ],
    catalogue: Annotated[
        Path, typer.Option(metavar="DIR", help="Catalogue: names, prices, photos.")
    ],
    state: Annotated[Path, typer.Option(metavar="DIR", help="Folder of people and tokens.")],
    name: Annotated[str, typer.Option(help="For people.")] = "Walkout visual search",
    currency: Annotated[str, typer.Option(help="Of prices that name none.")] = "EUR",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    called: Annotated[
        list[str] | None, typer.Option(help="Host name by which others call it; repeatable.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file; encrypts.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each network; every core by default.")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Answer which products pictures show, over HTTP; no shop and no cameras."""
    log_to_stderr(log_json)
    state.mkdir(parents=True, exist_ok=True)
    settings = PageSettings(
        host=host, port=port, names=tuple(called or ()), certificate=certificate, key=key
    )
    products = _catalogue(catalogue).products
    opened_bundles = [open_bundle(path) for path in bundles]
    with ExitStack() as opened:
        recogniser = Recogniser(opened_bundles, open_embedders(opened_bundles, threads=threads))
        search = opened.enter_context(VisualSearch(recogniser, products, currency))
        dashboard = Dashboard(
            StoreCard(
                id="search",
                name=name,
                currency=currency,
                locale="en",
                timezone="UTC",
                role="all",
                device=None,
                recorded=False,
            ),
            settings,
            Surroundings(state, Path(), time.time, search=search),
        )
        opened.callback(dashboard.close)
        console = Console(soft_wrap=True)
        for line in dashboard.welcome():
            console.print(line, highlight=False)
        problem = _serve(dashboard)
    if problem is not None:
        raise typer.Exit(_STUCK)


def _serve(dashboard: Dashboard) -> str | None:
    """Serve until told to stop; why it should be started again, or ``None``."""
    told_to_stop = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told_to_stop.set()

    crew = Crew([dashboard.worker()], time.monotonic)
    before = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    with Supervision(os.environ, time.monotonic) as supervision:
        crew.start()
        try:
            while not told_to_stop.wait(_CHECKS_EVERY_S) and crew.failed is None:
                crew.check()
                supervision.look(crew.states)
            return crew.failed
        finally:
            crew.stop(_ENDS_WITHIN_S)
            for number, handler in before.items():
                signal.signal(number, handler)


def _catalogue(path: Path) -> Catalogue:
    try:
        return load_catalogue(path)
    except CatalogueError as err:
        raise ConfigError([f"catalogue: {err}"]) from err
