"""A pipeline with all that it works between: products, a signed cloud, rollouts, devices.

Everything but the devices is the real thing; those obey signed plans as real ones do
(``tests.simulators.fleet.device``). The clock is the test's.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2

from cloud_trainer.executors import Executor, LocalExecutor
from cloud_trainer.fleet.records import HeardStatus
from cloud_trainer.pipeline.crops import LabelledEvents, SettledEvent
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.running import Pipeline
from cloud_trainer.pipeline.seams import ApprovedProduct, CropsStatus
from cloud_trainer.pipeline.settings import Attempts, PipelineSettings
from cloud_trainer.publishing import KeyRing, Repository
from cloud_trainer.rollout.course import Course, make_steps
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.store import FolderStore, ObjectStore
from models.bundle import Bundle, open_bundle
from models.catalogue import Product
from models.preprocess import Preprocessing, photo_region
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import PASSPHRASE, Cloud
from tests.simulators.fleet.device import Character, SimulatedDevice
from tests.simulators.photos import Image, draw_photo, sku_of, write_photo

CATEGORY = "soda"
FIRST_MOMENT = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
AT_ONCE = Course(steps=make_steps([], [100.0]), wait_s=0.0)
SETTINGS = PipelineSettings(
    enrolment_course=AT_ONCE, training_course=AT_ONCE, attempts=Attempts(first_pause_s=10.0)
)


@dataclass
class Clock:
    """The cloud's time."""

    now: datetime = FIRST_MOMENT

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Keeper:
    """Keeps products as values; see ``ProductsToDo``."""

    category: str = CATEGORY
    approved_products: dict[str, ApprovedProduct] = field(default_factory=dict)
    withdrawn_skus: set[str] = field(default_factory=set)
    files: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    told: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    told_refusals: dict[str, str] = field(default_factory=dict)

    def approve(self, sku: str, photos: Sequence[Path], edition: str = "1", name: str = "") -> None:
        product = Product(sku=sku, name=name, category=self.category)
        self.approved_products[sku] = ApprovedProduct(product, edition)
        self.files[sku] = tuple(photos)
        self.withdrawn_skus.discard(sku)

    def withdraw(self, sku: str) -> None:
        self.approved_products.pop(sku, None)
        self.withdrawn_skus.add(sku)

    def categories(self) -> tuple[str, ...]:
        return (self.category,)

    def approved(self, category: str) -> tuple[ApprovedProduct, ...]:
        return tuple(self.approved_products[sku] for sku in sorted(self.approved_products))

    def withdrawn(self, category: str) -> tuple[str, ...]:
        return tuple(sorted(self.withdrawn_skus))

    def photos(self, sku: str) -> tuple[Path, ...]:
        return self.files[sku]

    def served(self, category: str, release: int, editions: Mapping[str, str]) -> None:
        self.told.append((release, dict(editions)))

    def refused(self, sku: str, edition: str, reason: str) -> None:
        self.told_refusals[sku] = reason


def drawn_photos(folder: Path, product: int, photos: int = 5, first: int = 0) -> list[Path]:
    """Photos of a carton as files."""
    return [
        write_photo(folder / sku_of(product) / f"{photo:03d}.png", draw_photo(product, photo))
        for photo in range(first, first + photos)
    ]


def as_it_is(image: Image) -> Image:
    """The look of a camera without a fault."""
    return image


def crop_of(product: int, photo: int, look: Callable[[Image], Image] = as_it_is) -> bytes:
    """A crop as a device stores it: what it looks at of a photo, as PNG."""
    region = photo_region(look(draw_photo(product, photo)), Preprocessing())
    done, content = cv2.imencode(".png", region)
    assert done
    return content.tobytes()


def settled(
    event_id: str, sku: str | None, *crops: bytes, category: str = CATEGORY
) -> SettledEvent:
    """An event as a shop tells it."""
    return SettledEvent(
        event_id=event_id,
        category=category,
        sku=sku,
        recognised_sku=sku,
        camera="shelf-1",
        reviewer="ada",
        settled_at=FIRST_MOMENT,
        crops={f"{event_id}-{number}.png": crop for number, crop in enumerate(crops)},
    )


def take_in(events: LabelledEvents, *those: SettledEvent, status: CropsStatus = "approved") -> None:
    """Labelled events of a shop."""
    for event in those:
        events.take_in("shop-1", event, status)


@dataclass
class Scene:
    """Everything at hand; ``pipeline`` is opened anew by ``reopen``."""

    folder: Path
    keeper: Keeper
    cloud: Cloud
    rollouts: Rollouts
    clock: Clock
    devices: tuple[SimulatedDevice, ...]
    settings: PipelineSettings
    executor: Executor
    pipeline: Pipeline

    @property
    def records(self) -> PipelineRecords:
        return self.pipeline._records

    def live(self) -> None:
        """Devices do what is signed, and say so."""
        now = self.clock()
        now_s = now.timestamp()
        if not self.is_published():
            return
        plan = self.cloud.plan(self.keeper.category)
        events = [
            event
            for device in self.devices
            for event in (*device.obey(plan, now_s, now), *device.go_on(now_s, now))
        ]
        statuses = [HeardStatus(device.status(now_s, now), now) for device in self.devices]
        self.rollouts.hear(statuses, events)

    def work(self, patience_s: float = 60.0) -> None:
        """Passes of the pipeline among devices that live on, until there is nothing to do."""
        until_s = time.monotonic() + patience_s
        while time.monotonic() < until_s:
            self.live()
            moved = self.pipeline.advance()
            self.clock.pass_s(1.0)
            under_way = any(run.status == "under_way" for run in self.records.runs())
            if not moved and not under_way and not any(each.is_busy for each in self.devices):
                return
            if not moved and self.is_training():
                time.sleep(0.5)
        shown = [(r.number, r.current) for r in self.records.runs() if r.status == "under_way"]
        raise AssertionError(f"still at work after {patience_s:g} s: {shown}")

    def is_training(self) -> bool:
        """Whether a network is being trained, which takes real time."""
        current = [run.current for run in self.records.runs() if run.status == "under_way"]
        return any(step is not None and step.name == "train" for step in current)

    def is_published(self) -> bool:
        """Whether there is anything that devices may run."""
        return self.pipeline._releases.plan(self.keeper.category) is not None

    def serving(self) -> Bundle:
        """The bundle that every device may run."""
        category = self.keeper.category
        return self.pipeline._releases.bundle(category, self.cloud.plan(category).stable)


@contextmanager
def open_pipeline(
    folder: Path,
    keeper: Keeper,
    cloud: Cloud,
    clock: Clock,
    settings: PipelineSettings = SETTINGS,
    *,
    store: ObjectStore | None = None,
    executor: Executor | None = None,
    records: PipelineRecords | None = None,
) -> Iterator[tuple[Pipeline, Rollouts]]:
    """A pipeline over a cloud, with rollout records in the same folder."""
    repository = Repository(store, cloud.repository.keys) if store else cloud.repository
    with open_records(folder / "fleet.sqlite") as file:
        rollouts = Rollouts(file, RepositorySigner(repository, clock), None, clock)
        with Pipeline(
            folder / "pipeline",
            keeper,
            repository,
            rollouts,
            settings,
            executor or LocalExecutor(threads=1),
            clock,
            records=records,
        ) as pipeline:
            yield pipeline, rollouts


@contextmanager
def open_scene(
    folder: Path,
    published: Path | None,
    settings: PipelineSettings = SETTINGS,
    *,
    executor: Executor | None = None,
    characters: Sequence[Character] = (Character(), Character(), Character()),
    category: str = CATEGORY,
) -> Iterator[Scene]:
    """A scene whose devices serve release 1.

    Args:
        folder: An empty folder.
        published: Folder of a cloud that is copied; ``None`` goes on with the scene's own, or makes
            an empty one.
        settings: Of the pipeline.
        executor: Where trainings run.
        characters: One for each device.
        category: The only category.
    """
    clock = Clock()
    if published is not None:
        cloud = copied(published, folder / "cloud")
    elif (folder / "cloud").exists():
        cloud = reopened_cloud(folder / "cloud")
    else:
        cloud = Cloud.make(folder / "cloud", categories=(category,))
    cloud.now = clock()
    keeper = Keeper(category)
    devices = tuple(
        SimulatedDevice(f"shelf-{number}", category, 1, character)
        for number, character in enumerate(characters)
    )
    place = executor or LocalExecutor(threads=1)
    with open_pipeline(folder, keeper, cloud, clock, settings, executor=place) as (
        pipeline,
        rollouts,
    ):
        yield Scene(folder, keeper, cloud, rollouts, clock, devices, settings, place, pipeline)


def copied(published: Path, folder: Path) -> Cloud:
    """A copy of a cloud, to be changed."""
    shutil.copytree(published, folder)
    return reopened_cloud(folder)


def reopened_cloud(folder: Path) -> Cloud:
    """A cloud that was made before."""
    ring = KeyRing([folder / "keys"], lambda _: PASSPHRASE)
    return Cloud(Repository(FolderStore(folder / "store"), ring))


def publish_first(folder: Path, products: int = 4) -> Bundle:
    """A cloud with one release of drawn cartons, which every device may run."""
    cloud = Cloud.make(folder, categories=(CATEGORY,))
    bundle = make_bundle(folder / "bundle", products, category=CATEGORY)
    cloud.publish(bundle.path)
    return open_bundle(bundle.path)
