"""The update agent put together from its settings: alone, or beside a shop at work.

Example, in a process that decides::

    with beside_a_shop(settings, folder, configured, clock, environment) as (updates, live):
        live.recognise(crops)                 # as a Recogniser would
        crew = Crew([*workers, *updates.workers()], monotonic_s)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge.cameras.backoff import Backoff
from edge.cameras.clock import Clock
from edge.errors import ConfigError
from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from edge.runtime.opening import open_embedder, open_embedders
from edge.runtime.settings import RuntimeSettings
from edge.software.steps import SoftwareSeams
from edge.updates.agent import UpdateAgent
from edge.updates.fetch import BundleFetcher
from edge.updates.installation import Installation
from edge.updates.live import LiveRecogniser, ServingLine
from edge.updates.report import FleetLine
from edge.updates.settings import FleetBrokerSettings, UpdateSettings
from edge.updates.sources import open_fetcher
from edge.updates.status import device_status
from edge.updates.steps import Seams
from edge.updates.trial import ChildTrial, Trial
from edge.updates.trust import SignedStore
from edge.workers import Pulse, Worker
from models.bundle import Bundle
from models.delivery import SOFTWARE, DeviceStatus

_TRUST_FOLDER = "trust"


def install(
    settings: UpdateSettings,
    folder: Path,
    configured: Sequence[Bundle],
    clock: Clock,
    software: SoftwareSeams | None = None,
) -> Installation:
    """Open what is installed and count this start.

    Args:
        settings: What the agent is told.
        folder: Where paths of the settings begin.
        configured: Bundles that the configuration names.
        clock: The device's time.
        software: What updates of the software work with; ``None`` where there are none.

    Raises:
        JournalError: Another process has it, or it cannot be opened.
    """
    installation = Installation(
        folder / settings.folder,
        settings.device_id,
        clock.wall_time_s,
        {bundle.manifest.category: bundle for bundle in configured},
        None if software is None else software.slots,
    )
    installation.count_starts(settings.watch)
    return installation


@contextmanager
def beside_a_shop(
    settings: UpdateSettings,
    folder: Path,
    configured: Sequence[Bundle],
    clock: Clock,
    environment: Mapping[str, str],
    *,
    busy: Callable[[], bool] = lambda: False,
    threads: int = 1,
    runtime: RuntimeSettings | None = None,
    trial: Trial | None = None,
    fetcher: BundleFetcher | None = None,
    software: SoftwareSeams | None = None,
) -> Iterator[tuple[Updates, LiveRecogniser]]:
    """What decides in this process, kept up to date; needs no network to begin.

    Where nothing is installed yet and no bundle is named, nothing is recognised until the first
    release has come; what the shelves tell by themselves is told all the same.

    Args:
        settings: What the agent is told.
        folder: Where paths of the settings begin.
        configured: Bundles that the configuration names.
        clock: The device's time.
        environment: Where secrets are looked up.
        busy: Whether something is being decided that a swap should not come between.
        threads: Of every network.
        runtime: What runs networks, with its cache within the device's state folder.
        trial: Tries releases; in a child process when left out.
        fetcher: Where bytes come from; what the repository's address says when left out.
        software: What updates of the software work with; ``None`` where there are none.

    Raises:
        ConfigError: A file cannot be used, or there is neither a bundle nor a category.
        JournalError: Another process keeps this device up to date.
        TrustError: The root is no signed root.
        RuntimeUnavailableError: Software for the repository is not installed.
    """

    def open_network(bundle: Bundle) -> Embedder:
        return open_embedder(bundle, runtime, threads)

    with closing(install(settings, folder, configured, clock, software)) as installation:
        bundles = installation.open_bundles()
        networks = open_embedders(bundles, runtime, threads, wait=False)
        sharing = runtime.sharing if runtime else None
        recogniser = Recogniser(bundles, networks, sharing=sharing) if bundles else None
        live = LiveRecogniser(recogniser, open_network, sharing)
        updates = Updates(
            settings,
            folder,
            installation,
            live,
            clock,
            environment,
            busy=busy,
            threads=threads,
            runtime=runtime,
            trial=trial,
            fetcher=fetcher,
            software=software,
        )
        yield updates, live


class Updates:
    """The agent and its line to the fleet.

    Args:
        settings: What they are told.
        folder: Where paths of the settings begin.
        installation: What is installed, from ``install``.
        line: What decides.
        clock: The device's time.
        environment: Where secrets are looked up.
        busy: Whether something is being decided that a swap should not come between.
        threads: Of a network that is tried.
        runtime: What runs it.
        trial: Tries releases; in a child process when left out.
        fetcher: Where bytes come from; what the repository's address says when left out.
        software: What updates of the software work with; ``None`` where there are none.

    Raises:
        ConfigError: A file that the settings name cannot be used.
        TrustError: The root is no signed root.
        RuntimeUnavailableError: Software for the repository is not installed.
    """

    def __init__(
        self,
        settings: UpdateSettings,
        folder: Path,
        installation: Installation,
        line: ServingLine,
        clock: Clock,
        environment: Mapping[str, str],
        *,
        busy: Callable[[], bool] = lambda: False,
        threads: int = 1,
        runtime: RuntimeSettings | None = None,
        trial: Trial | None = None,
        fetcher: BundleFetcher | None = None,
        software: SoftwareSeams | None = None,
    ) -> None:
        try:
            ZoneInfo(settings.timezone)
            root = (folder / settings.root).read_bytes()
        except ZoneInfoNotFoundError as err:
            raise ConfigError([f"updates.timezone: there is no {settings.timezone}"]) from err
        except OSError as err:
            raise ConfigError(
                [
                    f"updates.root: {folder / settings.root}: {err.strerror}; copy the fleet's "
                    "root.json there"
                ]
            ) from err
        self.installation = installation
        self._clock = clock
        fetcher = fetcher or open_fetcher(settings.repository, settings.stall_after_s)
        categories = settings.categories or tuple(
            dict.fromkeys([*installation.configured, *installation.pointer.categories])
        )
        if software is not None:
            categories = (*categories, SOFTWARE)
        if not categories:
            raise ConfigError(
                [
                    "updates.categories: there is no configured bundle either, so nothing can "
                    "be kept up to date; name the categories"
                ]
            )
        self.agent = UpdateAgent(
            settings,
            categories,
            Seams(
                installation=installation,
                store=SignedStore(
                    installation.folder / _TRUST_FOLDER,
                    root,
                    fetcher,
                    installation.raise_number,
                ),
                fetcher=fetcher,
                line=line,
                trial=trial or ChildTrial(),
                clock=clock,
                backoff=lambda: Backoff(
                    settings.retry_first_s,
                    settings.retry_longest_s,
                    random.Random(settings.device_id),
                ),
                verified=folder / settings.verified,
                busy=busy,
                on_change=self._changed,
                threads=threads,
                runtime=runtime or RuntimeSettings(),
                software=software,
            ),
        )
        self.fleet_line: FleetLine | None = None
        if settings.mqtt is not None:
            self.fleet_line = FleetLine(
                _resolved(settings.mqtt, folder),
                settings.device_id,
                categories,
                installation.journal,
                self.status,
                self.agent.hint,
                clock.monotonic_s,
                _secret(settings.mqtt.password_env, environment),
            )

    def workers(self) -> tuple[Worker, ...]:
        """The rows of the table of workers."""

        def update(pulse: Pulse) -> None:
            self.agent.run(pulse.stop, pulse.beat)

        rows = [Worker("updates", update)]
        line = self.fleet_line
        if line is not None:

            def report(pulse: Pulse) -> None:
                line.run(pulse.stop, pulse.beat)

            rows.append(Worker("fleet", report))
        return tuple(rows)

    def status(self, online: bool) -> DeviceStatus:
        """How it stands."""
        return device_status(
            self.installation,
            self.agent,
            online=online,
            wall_time_s=self._clock.wall_time_s(),
            walkout_version=_version(),
        )

    def _changed(self) -> None:
        if self.fleet_line is not None:
            self.fleet_line.changed()


def _resolved(broker: FleetBrokerSettings, folder: Path) -> FleetBrokerSettings:
    paths = {
        name: folder / path
        for name in ("ca", "certificate", "key")
        if (path := getattr(broker, name)) is not None
    }
    return broker.model_copy(update=paths)


def _secret(named: str | None, environment: Mapping[str, str]) -> str | None:
    if named is None:
        return None
    if not environment.get(named):
        raise ConfigError([f"updates.mqtt.password_env: the environment has no {named}; set it"])
    return environment[named]


def _version() -> str:
    try:
        return metadata.version("walkout")
    except metadata.PackageNotFoundError:
        return "from a checkout that is not installed"
