"""What works beside the pages, in a process of its own: pipeline, rollouts, the fleet's broker.

``python -m cloud_trainer.portal.working PORTAL.YAML`` is started and watched by ``serve``, and may
be run on another machine instead. Owns the order of a pass: hear devices, carry rollouts on, let
the pipeline do what follows, tell devices of plans that others signed meanwhile. May be killed
anywhere.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import LocalExecutor
from cloud_trainer.fleet.link import BrokerAddress, FleetLink, Tls
from cloud_trainer.pipeline.running import Pipeline
from cloud_trainer.pipeline.settings import PipelineSettings, read_settings
from cloud_trainer.pipeline.view import PipelineView
from cloud_trainer.portal.config import PortalPlaces, read_portal
from cloud_trainer.portal.curves import Curves
from cloud_trainer.portal.errors import PortalUnusableError
from cloud_trainer.portal.photos import PhotoShelf
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.signing import open_keys
from cloud_trainer.portal.todo import PortalToDo
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.store import open_store

_LOGGER: Final = logging.getLogger(__name__)
_CURVES_EVERY_S: Final = 5.0


class _Link(Protocol):
    def announce(self, category: str, serial: int) -> bool: ...


class Work:
    """One pass after the other.

    Args:
        rollouts: Carries rollouts on.
        pipeline: Does what follows from approved products.
        link: The fleet's broker; ``None`` where there is none.
        signer: Reads the plans that are signed.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        pipeline: Pipeline,
        link: FleetLink | None,
        signer: RepositorySigner,
    ) -> None:
        self._rollouts = rollouts
        self._pipeline = pipeline
        self._link = link
        self._signer = signer
        self._told: dict[str, int] = {}

    def once(self) -> None:
        """One pass; what fails is logged and tried again with the next."""
        link = self._link
        if link is not None:
            self._rollouts.hear(*link.take())
        for category in self._rollouts.categories():
            self._try(category, partial(self._rollouts.look, category))
        self._try("pipeline", self._pipeline.advance)
        if link is not None and link.is_connected:
            for category in self._rollouts.categories():
                self._try(category, partial(self._tell, link, category))
        elif link is not None:
            self._told.clear()

    def _tell(self, link: _Link, category: str) -> None:
        """Hint at a plan that devices may not have heard of."""
        # Whoever presses a button on a page signs, and has no line to the broker.
        plan = self._signer.current(category)
        if plan is None or self._told.get(category) == plan.serial:
            return
        if link.announce(category, plan.serial):
            self._told[category] = plan.serial

    @staticmethod
    def _try(what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except WalkoutTrainerError as err:
            _LOGGER.warning("%s: %s", what, err)


def work(places: PortalPlaces, stop: threading.Event) -> None:
    """Work until told to stop.

    Raises:
        WalkoutTrainerError: Something cannot be opened.
    """
    repository = Repository(open_store(places.releases), open_keys(places))
    signer = RepositorySigner(repository, _now)
    with ExitStack() as opened:
        database = opened.enter_context(Database(places.database, connections=2))
        shelf = PhotoShelf(open_store(places.photos))
        todo = PortalToDo(database, shelf, places.cache, time.time)
        address = broker_of(places)
        link = None if address is None else opened.enter_context(FleetLink(address, _now))
        file = opened.enter_context(open_records(places.fleet_records))
        rollouts = Rollouts(file, signer, link, _now)
        pipeline = opened.enter_context(
            Pipeline(
                places.pipeline,
                todo,
                repository,
                rollouts,
                _settings(places),
                LocalExecutor(),
                _now,
            )
        )
        view = opened.enter_context(PipelineView(places.pipeline))
        curves = Curves(view, database, time.time)
        drawing = threading.Thread(target=curves.run, args=(stop, _CURVES_EVERY_S), daemon=True)
        drawing.start()
        opened.callback(drawing.join, 20)
        passes = Work(rollouts, pipeline, link, signer)
        while not stop.is_set():
            try:
                passes.once()
            except Exception:
                _LOGGER.exception("a pass failed; the next one tries again")
            stop.wait(places.config.works_every_s)


def broker_of(places: PortalPlaces) -> BrokerAddress | None:
    """The fleet's broker, where there is one.

    Raises:
        PortalUnusableError: It cannot be one.
    """
    broker = places.config.broker
    if broker is None:
        return None
    kind, _, rest = broker.url.partition("://")
    host, _, port = rest.rstrip("/").rpartition(":")
    if kind not in ("mqtt", "mqtts") or not host or not port.isdecimal():
        raise PortalUnusableError(
            f"{broker.url!r} is no broker: give mqtts://host:8884 or mqtt://host:1883"
        )

    def of(path: Path | None) -> Path | None:
        return None if path is None else places.folder / path

    tls = Tls(of(broker.ca), of(broker.certificate), of(broker.key)) if kind == "mqtts" else None
    return BrokerAddress(host, int(port), broker.name, tls=tls, keeps_session=True)


def _settings(places: PortalPlaces) -> PipelineSettings:
    path = places.config.pipeline_settings
    return PipelineSettings() if path is None else read_settings(places.folder / path)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _end_with_parent(parent: int, stop: threading.Event) -> None:
    """A server that is killed leaves nobody working: the lock of the pipeline is for the next."""
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()


def main(arguments: list[str]) -> int:
    """Run; ``--under PID`` ends with the process of that number."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, told)
    if "--under" in arguments:
        at = arguments.index("--under")
        parent = int(arguments.pop(at + 1))
        arguments.pop(at)
        threading.Thread(target=_end_with_parent, args=(parent, stop), daemon=True).start()
    try:
        work(read_portal(Path(arguments[0]) if arguments else None), stop)
    except WalkoutTrainerError as err:
        sys.stderr.write(f"walkout-trainer: {err}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
