"""``walkout-edge run``: one shop, until it is told to stop or its recording is over.

Owns the process: signals, the log, and how it ends. SIGTERM and SIGINT end it cleanly, open baskets
stay open in the ledger; SIGHUP reads ``store.yaml`` again and takes up what can change.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import cv2
import typer
from rich.console import Console

from calibration.format import CalibrationError
from edge.calibrating.at_work import make_bench
from edge.calibrating.bench import Bench
from edge.cameras.clock import SystemClock
from edge.cli.errors import complain, plain_errors
from edge.cli.logs import log_to_stderr
from edge.cli.replay import print_receipt
from edge.config_file import load_config
from edge.dashboard.assembly import Dashboard, Surroundings
from edge.dashboard.shown import ShownShop
from edge.dashboard.shown_shelf import ShownShelfDevice
from edge.dashboard.shown_store import ShownStore
from edge.errors import ConfigError, WalkoutEdgeError
from edge.queues import SIGHTINGS
from edge.score.scoring import print_scoreboard, scored
from edge.score.truth import read_truth
from edge.search.searching import VisualSearch
from edge.shop.premises import Premises, open_premises
from edge.shop.replay import Replayed
from edge.shop.shelf_device import ShelfDevice
from edge.shop.store import Store
from edge.software.assembly import software_updates
from edge.software.steps import SoftwareSeams
from edge.supervision import Supervision
from edge.updates.assembly import Updates, beside_a_shop
from edge.workers import Crew, Worker, WorkerState
from web.errors import WebError

_LOGGER: Final = logging.getLogger(__name__)
_CHECKS_EVERY_S: Final = 0.2
_ENDS_WITHIN_S: Final = 10.0
_STUCK: Final = 3
_BEGIN_ANEW: Final = 75
_WELL: Final = ("running", "ended")
_NOT_CHARGED: Final = "; nothing it shows is charged without a person"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("run")(run)


@plain_errors
def run(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")],
    for_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after so long.")
    ] = None,
    page: Annotated[bool, typer.Option(help="Serve the dashboard.")] = True,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the dashboard instead of the file's."),
    ] = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the dashboard when a recording is over.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of ledger and evidence instead of the file's; a recording without one "
            "keeps nothing.",
        ),
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Run a shop: cameras in, receipts out."""
    log_to_stderr(log_json)
    file = store / "store.yaml" if store.is_dir() else store
    config = load_config(file)
    premises = open_premises(config, file.parent)
    cv2.setNumThreads(1)  # the workers are the threads; more would only be in each other's way
    console = Console(soft_wrap=True)
    with ExitStack() as opened:
        if state is None and config.is_recorded:
            state = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="walkout-")))
        kept = state or file.parent / config.state
        device: Store | ShelfDevice
        updates: Updates | None = None
        restart = _Restart()
        if config.updates is not None:
            software: SoftwareSeams | None = None
            if config.updates.software is not None:
                software = software_updates(
                    config.updates.software,
                    file,
                    kept,
                    os.environ,
                    # Asked by a worker, so the device is there by then.
                    occupied=lambda: _is_occupied(device),
                    unwell=lambda: _unwell(device),
                    restart=restart.ask,
                )
            updates, live = opened.enter_context(
                beside_a_shop(
                    config.updates,
                    file.parent,
                    premises.bundles,
                    SystemClock(),
                    os.environ,
                    # Asked by a worker, so the device is there by then.
                    busy=lambda: _decides(device),
                    threads=config.threads,
                    runtime=config.runtime.within(kept),
                    software=software,
                )
            )
            premises = replace(premises, recogniser=live)
        premises = premises.with_recogniser()
        if config.role == "shelf":
            device = ShelfDevice(premises, kept, SystemClock(), os.environ)
        else:
            device = Store(
                premises,
                kept,
                SystemClock(),
                os.environ,
                on_receipt=lambda receipt: print_receipt(receipt, console),
                stays_open=stay and page,
            )
        opened.callback(device.close)
        process = _Process(device, premises, updates, file, for_s, stay and page, console, restart)
        if page:
            process.open_dashboard(opened, kept, port)
        problem = process.live()
        if problem is not None:
            complain(f"{problem}; what was recorded is safe, start again")
            # Not typer.Exit: a stuck thread would be waited for.
            raise typer.Exit(_STUCK)
        if restart.reason is not None:
            raise typer.Exit(_BEGIN_ANEW)
        process.print_result()


def _decides(device: Store | ShelfDevice) -> bool:
    """Whether something that was seen waits to be charged."""
    return any(each.spec is SIGHTINGS and each.waiting for each in device.queue_states())


def _is_occupied(device: Store | ShelfDevice) -> bool:
    """Whether a restart would cost somebody a review."""
    return _decides(device) or (isinstance(device, Store) and bool(device.desk.shop.open_baskets()))


def _unwell(device: Store | ShelfDevice) -> frozenset[str]:
    """What does not work now."""
    cameras = (each for each in device.camera_states() if each.status not in _WELL)
    return frozenset(f"camera {each.camera}" for each in cameras)


class _Restart:
    """Somebody's wish that the process ends and is started anew.

    Attributes:
        reason: Why; ``None`` while nobody wishes it.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def ask(self, reason: str) -> None:
        """Wish it; from any thread."""
        self.reason = reason


class _Process:
    """The running device between its first and its last moment."""

    def __init__(
        self,
        device: Store | ShelfDevice,
        premises: Premises,
        updates: Updates | None,
        file: Path,
        for_s: float | None,
        stays: bool,
        console: Console,
        restart: _Restart,
    ) -> None:
        self._device = device
        self._premises = premises
        self._updates = updates
        self._file = file
        self._for_s = for_s
        self._stays = stays
        self._console = console
        self._restart = restart
        self._dashboard: Dashboard | None = None
        self._bench: Bench | None = None
        self._crew: Crew | None = None
        self._told_to_stop = threading.Event()
        self._told_to_reload = threading.Event()
        self._said: dict[str, str] = {}
        self._has_result = False

    def open_dashboard(self, opened: ExitStack, state: Path, port: int | None) -> None:
        """Let people see the device; without it the shop works as well, so it says why not."""
        config = self._device.config
        if config.page is None:
            return
        search: VisualSearch | None = None
        recogniser = self._premises.searched_with
        if recogniser is not None:
            search = opened.enter_context(
                VisualSearch(recogniser, self._premises.products, config.store.currency)
            )
        settings = config.page if port is None else config.page.model_copy(update={"port": port})
        shown = self._shown()
        try:
            self._bench = make_bench(self._device, shown, state)
        except CalibrationError as err:
            _LOGGER.error("cameras cannot be calibrated at the dashboard: %s", err)
        around = Surroundings(state, self._file.parent, time.time, search=search, bench=self._bench)
        try:
            dashboard = Dashboard(shown, settings, around)
        except (WalkoutEdgeError, WebError, OSError) as err:
            _LOGGER.error("the dashboard is not served, the shop works without it: %s", err)
            return
        opened.callback(dashboard.close)
        for line in dashboard.welcome():
            self._console.print(line, highlight=False)
        self._dashboard = dashboard

    def live(self) -> str | None:
        """Run until the end; why it should be started again, or ``None``."""
        workers = [*self._device.workers()]
        if self._updates is not None:
            workers += self._updates.workers()
        if self._dashboard is not None:
            workers.append(self._dashboard.worker())
        if self._dashboard is not None and self._bench is not None:
            workers.append(Worker("calibrating", self._bench.run, restart="always"))
        crew = self._crew = Crew(workers, time.monotonic)
        with self._signals(), Supervision(os.environ, time.monotonic) as supervision:
            crew.start()
            try:
                return self._watch(crew, supervision)
            finally:
                crew.stop(_ENDS_WITHIN_S)

    def print_result(self) -> None:
        """What a recording's receipts were worth, once it was played."""
        if self._device.config.is_recorded and isinstance(self._device, Store):
            if not self._has_result:
                _print_result(self._device, self._premises, self._console)
            self._has_result = True

    def _is_over(self) -> bool:
        return isinstance(self._device, Store) and self._device.over

    def _shown(self) -> ShownShop:
        def workers() -> tuple[WorkerState, ...]:
            return self._crew.states if self._crew is not None else ()

        device = self._device
        if isinstance(device, Store):
            return ShownStore(device, workers, self._updates)
        return ShownShelfDevice(device, workers, self._updates)

    def _watch(self, crew: Crew, supervision: Supervision) -> str | None:
        began_s = time.monotonic()
        while not self._told_to_stop.wait(_CHECKS_EVERY_S):
            crew.check()
            supervision.look(crew.states)
            self._say_changes()
            if crew.failed is not None:
                return crew.failed
            if crew.has_ended(self._device.ends_with):
                self._device.finished()
                return None
            if self._stays and not self._has_result and self._is_over():
                self._device.finished()
                self.print_result()
                self._console.print("the recording is over; the dashboard stays until Ctrl-C")
            if self._restart.reason is not None:
                _LOGGER.info("starting anew: %s", self._restart.reason)
                return None
            if self._for_s is not None and time.monotonic() - began_s >= self._for_s:
                _LOGGER.info("%g s are over", self._for_s)
                return None
            if self._told_to_reload.is_set():
                self._told_to_reload.clear()
                self._reload()
        _LOGGER.info("told to stop; %s", self._device.parting_words())
        return None

    def _say_changes(self) -> None:
        """A camera or a shelf device that is not well is loud once, and so is its recovery."""
        for camera in self._device.camera_states():
            self._say(
                f"camera {camera.camera}",
                camera.status,
                camera.status in _WELL,
                camera.reason + _NOT_CHARGED,
            )
        if isinstance(self._device, Store):
            for each in self._device.device_states():
                self._say(
                    f"device {each.device}",
                    each.status,
                    each.status == "well",
                    each.reason + _NOT_CHARGED,
                )
        else:
            trouble = self._device.link_trouble()
            self._say("the hub", "away" if trouble else "there", trouble is None, trouble or "")

    def _say(self, name: str, status: str, well: bool, reason: str) -> None:
        before = self._said.get(name, "connecting")
        if status in (before, "awaited"):
            return
        self._said[name] = status
        _LOGGER.log(
            logging.INFO if well else logging.ERROR,
            "%s is %s%s",
            name,
            status,
            "" if well else f": {reason}",
        )

    def _reload(self) -> None:
        try:
            config = load_config(self._file)
        except ConfigError as err:
            for complaint in err.complaints:
                _LOGGER.error("%s; the configuration stays as it was", complaint)
            return
        waiting = self._device.reload(config)
        _LOGGER.info("%s was read again", self._file)
        if waiting:
            _LOGGER.warning("%s changed too and wait for a restart", ", ".join(waiting))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            self._told_to_stop.set()

        def reload(number: int, frame: FrameType | None) -> None:
            self._told_to_reload.set()

        before = {
            number: signal.signal(number, act)
            for number, act in (
                (signal.SIGTERM, stop),
                (signal.SIGINT, stop),
                (signal.SIGHUP, reload),
            )
        }
        try:
            yield
        finally:
            for number, act in before.items():
                signal.signal(number, act)


def _print_result(shop: Store, premises: Premises, console: Console) -> None:
    truth = read_truth(premises.folder)
    replayed = Replayed(
        tuple(shop.ledger.entries()), shop.ledger.digest(), shop.departures, shop.cost()
    )
    print_scoreboard([scored(premises.folder.resolve().name, replayed, truth)], console)
