"""A device whose updates run in the test's own time: real files, signatures and networks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from edge.cameras.clock import Clock
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from edge.software.steps import SoftwareSeams
from edge.updates.assembly import beside_a_shop
from edge.updates.fetch import BundleFetcher
from edge.updates.progress import Progress
from edge.updates.settings import UpdateSettings
from edge.updates.trial import Trial, TrialRequest, run_trial
from models.bundle import Bundle
from models.delivery import CategoryStatus, State, UpdateEvent
from tests.simulators.bundles import reseal
from tests.simulators.cloud import Cloud

NOON_S = 1_793_000_000.0


@dataclass
class TurnedClock:
    """A clock that goes only as far as somebody waits."""

    at_s: float = 0.0
    wall_zero_s: float = field(default_factory=time.time)

    def monotonic_s(self) -> float:
        return self.at_s

    def wall_time_s(self) -> float:
        return self.wall_zero_s + self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += max(0.0, seconds)


def try_here(
    request: TrialRequest, tell: Callable[[State, str], None], permit: Callable[[], None]
) -> str:
    """A trial without a child process, which would take a second each."""
    return run_trial(request, tell)


def open_embedder(bundle: Bundle) -> OnnxRuntimeEmbedder:
    return OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)


class Device:
    """One device from its start to its end; ``close`` it, and make another for a restart."""

    def __init__(
        self,
        folder: Path,
        repository: str,
        root: bytes,
        configured: Sequence[Bundle] = (),
        clock: Clock | None = None,
        trial: Trial = try_here,
        busy: Callable[[], bool] = lambda: False,
        fetcher: BundleFetcher | None = None,
        software: SoftwareSeams | None = None,
        slower_at_most: float = 1000.0,  # tests of anything else must not hang on a busy machine
        **settings: object,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "root.json").write_bytes(root)
        self.folder = folder
        self.turned = clock if isinstance(clock, TurnedClock) else TurnedClock()
        self.clock = self.turned if clock is None else clock
        self.settings = UpdateSettings.model_validate(
            {
                "device_id": "shelf-1",
                "repository": repository,
                "root": "root.json",
                "poll_s": 60,
                "ballast_bytes": 0,
                "watch": {"watch_s": 100},
                "trial": {"slower_at_most": slower_at_most},
                **settings,
            }
        )
        self._opened = ExitStack()
        self.updates, self.live = self._opened.enter_context(
            beside_a_shop(
                self.settings,
                folder,
                configured,
                self.clock,
                {},
                busy=busy,
                trial=trial,
                fetcher=fetcher,
                software=software,
            )
        )
        self.agent = self.updates.agent
        self.installation = self.updates.installation

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def go(self, seconds: float = 1000.0) -> Device:
        """Let the agent work for some of its time."""
        until_s = self.turned.at_s + seconds
        while self.turned.at_s < until_s:
            wait_s = self.agent.step()
            # Downloads sleep on this clock too; it never goes back.
            next_s = min(until_s, self.turned.at_s + max(wait_s, 0.01))
            self.turned.at_s = max(self.turned.at_s, next_s)
        return self

    def go_until(self, state: State, seconds: float = 1000.0) -> Device:
        until_s = self.turned.at_s + seconds
        while self.progress.state != state:
            assert self.turned.at_s < until_s, f"{self.progress} instead of {state}"
            self._step()
        return self

    def update_to(self, release: int, seconds: float = 1000.0) -> Device:
        """Let the agent work until a release serves and was watched to the end."""
        until_s = self.turned.at_s + seconds
        while (self.progress.state, self.release) != ("done", release):
            assert self.turned.at_s < until_s, f"{self.progress} instead of release {release}"
            self._step()
        return self

    def _step(self) -> None:
        wait_s = self.agent.step()  # downloads sleep on this clock too
        self.turned.at_s += min(max(wait_s, 0.01), 10.0)

    @property
    def category(self) -> str:
        return self.agent.categories[0]

    @property
    def progress(self) -> Progress:
        return self.installation.journal.progress(self.category)

    @property
    def release(self) -> int | None:
        """What serves after the next start."""
        return self.installation.served(self.category).release

    @property
    def status(self) -> CategoryStatus:
        return self.updates.status(True).agents[0]

    @property
    def deciding(self) -> str:
        """Version of the bundle that decides now, by its folder."""
        return self.live.paths()[self.category].name

    def events(self) -> tuple[UpdateEvent, ...]:
        return self.installation.journal.events(1000)

    def outcomes(self) -> list[tuple[int, str, str | None]]:
        return [(e.release, e.outcome, e.kind) for e in self.events() if e.outcome is not None]


def device(cloud: Cloud, folder: Path, bundle: Bundle, **settings: object) -> Device:
    """A device that trusts a cloud, below ``folder``."""
    return Device(folder / "device", cloud.url, cloud.root, [bundle], **settings)  # type: ignore[arg-type]


def edited(bundle: Bundle, folder: Path, **thresholds: float) -> Path:
    """The same bundle with other thresholds and another version."""
    copy = Path(shutil.copytree(bundle.path, folder))

    def edit(document: dict) -> None:  # type: ignore[type-arg]
        document["version"] = folder.name
        for pair in document["thresholds"]["pairs"]:
            pair.update(thresholds)

    reseal(copy, edit)
    return copy
