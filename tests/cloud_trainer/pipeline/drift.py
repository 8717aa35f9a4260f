"""A camera's look drifts: caught by what people verify, trained, gated, rolled out.

``python -m tests.cloud_trainer.pipeline.drift PHOTOS`` plays it on photos of real products, a
catalogue folder such as the training photos of the Grocery Store Dataset: some photos of each
product are what its provider handed in, the others are what a shop's camera sees. The short form
with drawn cartons is ``test_training.py``.

Nobody touches the pipeline: it trains the first bundle, sees that verified events are fine, sees
them go wrong when the look drifts, waits for their approval, trains, compares, publishes and rolls
out. Then somebody settles events wrong for a day and somebody else approves them: what is trained
for that reason has some products mixed up, and the gate stops it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from cloud_trainer.enrol import write_revision
from cloud_trainer.executors import Executor, Job, Outcome, Watch
from cloud_trainer.pipeline.crops import EventName
from cloud_trainer.pipeline.seams import RunProgress
from cloud_trainer.pipeline.settings import (
    Attempts,
    Bounds,
    ComparisonRule,
    PipelineSettings,
    TrainingSettings,
)
from models.bundle import Bundle
from models.catalogue import load_catalogue
from models.photos import read_photo
from models.preprocess import Preprocessing, photo_region
from tests.cloud_trainer.pipeline.scene import (
    AT_ONCE,
    Scene,
    as_it_is,
    open_pipeline,
    open_scene,
    settled,
)
from tests.simulators.photos import Image

Look = Callable[[Image], Image]

GROCERIES = PipelineSettings(
    bounds=Bounds(rest_s=0.0, fresh_events=20),
    rule=ComparisonRule(),
    training=TrainingSettings(
        backbone="efficientnet-lite0",
        input_size_px=112,
        steps=150,
        folds=1,
        refit=False,
        batch_products=8,
        evaluate_every=50,
    ),
    attempts=Attempts(first_pause_s=1.0),
    enrolment_course=AT_ONCE,
    training_course=AT_ONCE,
    held_out_percent=33.0,
)
MISTAKEN_BOUNDS = {"verified_error_percent": 1.0, "fresh_events": 1, "least_crops": 5}
_SHOP_PHOTOS = 0.5  # of a product's photos; the others were handed in
_PHASES = 4  # calm, twice drifted, settled wrong


@dataclass(frozen=True)
class Pictures:
    """What is played with.

    Attributes:
        handed_in: Photo files by SKU.
        seen: What a shop's camera sees, by SKU: crops of events, without a fault of the camera.
    """

    handed_in: Mapping[str, Sequence[Path]]
    seen: Mapping[str, Sequence[Image]]


@dataclass(frozen=True)
class Played:
    """What came of it.

    Attributes:
        calm: Verified events wrong, of so many, before the drift.
        drifted: The same after it, with the same bundle.
        mended: The same of the retrained bundle, on events that it did not learn from.
        trained: The run that mended it.
        stopped: The run of the worse bundle.
        serving: The release that serves at the end.
    """

    calm: tuple[int, int]
    drifted: tuple[int, int]
    mended: tuple[int, int]
    trained: RunProgress
    stopped: RunProgress
    serving: int


def drifted(image: Image) -> Image:
    """A lens out of focus under another lamp: blur, a colour cast, too little light."""
    blurred = cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) / 90)
    cast = blurred.astype(np.float32) / 255 * np.array([1.25, 0.75, 0.5], np.float32)
    return np.asarray(255 * np.clip(cast, 0, 1) ** 1.5, np.uint8)


def play(
    scene: Scene,
    pictures: Pictures,
    say: Callable[[str], None],
) -> Played:
    """Play it to the end; whatever should happen and does not ends the play.

    Args:
        scene: Its keeper knows nothing yet.
        pictures: At least one event for each of four phases and product.
        say: Told how it goes.
    """
    for sku, photos in sorted(pictures.handed_in.items()):
        scene.keeper.approve(sku, photos)
    scene.work(1800.0)
    assert scene.is_published(), "the pipeline has made no bundle by itself"
    first = scene.cloud.plan(scene.keeper.category).stable
    say(f"release {first} serves: {scene.serving().manifest.evaluation}")

    parts = {
        sku: np.array_split(np.arange(len(seen)), _PHASES) for sku, seen in pictures.seen.items()
    }

    skus = sorted(pictures.seen)
    another = dict(zip(skus, (*skus[1:], skus[0]), strict=True))

    def happen(phase: int, name: str, look: Look, *, wrong: bool = False) -> list[EventName]:
        names = []
        for sku, seen in sorted(pictures.seen.items()):
            label = another[sku] if wrong else sku
            for place in parts[sku][phase]:
                event = f"{name}-{sku}-{place}"[-120:]
                scene.pipeline.events.take_in(
                    "shop-1",
                    settled(event, label, _png(look(seen[place])), category=scene.keeper.category),
                )
                names.append(("shop-1", event))
        return names

    scene.pipeline.events.decide(happen(0, "calm", as_it_is), "approved", "ada")
    before = len(scene.records.runs())
    scene.work()
    calm = _verified(scene)
    assert len(scene.records.runs()) == before, "something was trained without a reason"
    say(f"calm: {calm[0]} of {calm[1]} verified events wrong, nothing is trained")

    names = happen(1, "drift", drifted) + happen(2, "drift", drifted)
    scene.work()
    worse = _verified(scene)
    assert len(scene.records.runs()) == before, "trained on what nobody approved"
    (progress,) = scene.pipeline.look()
    say(f"drifted: {worse[0]} of {worse[1]} wrong; {progress.following}")
    assert "wait for approval" in progress.following, "the drift was not seen"
    scene.pipeline.events.decide(names, "approved", "ada")
    scene.work(1800.0)
    trained = scene.records.runs(kind="train", limit=1)[0]
    _tell(trained, say)
    assert trained.number > before, "the drift was not caught"
    assert trained.status == "done", trained.outcome
    mended = _verified(scene)
    say(f"mended: {mended[0]} of {mended[1]} events that it did not learn from are wrong")

    names = happen(3, "mistaken", as_it_is, wrong=True)
    scene.pipeline.events.decide(names, "approved", "eve")
    stopped = _worse(scene)
    _tell(stopped, say)
    assert stopped.status == "stopped", stopped.outcome
    assert stopped.release is None
    serving = scene.cloud.plan(scene.keeper.category).stable
    assert serving == trained.release, "the worse bundle went out"
    return Played(calm, worse, mended, trained, stopped, serving)


class MixedUp(Executor):
    """Whatever is to be trained, its workers hand in an earlier bundle with products mixed up."""

    def __init__(self, earlier: Bundle) -> None:
        self._earlier = earlier

    @property
    def workers(self) -> int:
        return 1

    def run(self, jobs: Sequence[Job], watch: Watch) -> list[Outcome]:
        bundle = self._earlier
        centroids = bundle.vectors.centroids.copy()
        some = np.arange(0, len(centroids), 2)
        centroids[some] = np.roll(centroids[some], 1, axis=0)
        mixed = replace(bundle, vectors=replace(bundle.vectors, centroids=centroids))
        for job in jobs:
            write_revision(mixed, bundle.manifest.version, Path(str(job.arguments["target"])))
        return [Outcome(job.name, None) for job in jobs]


def _worse(scene: Scene) -> RunProgress:
    """What another pipeline in the same folder makes of events that were settled wrong."""
    bounds = scene.settings.bounds.model_copy(update=MISTAKEN_BOUNDS)
    settings = scene.settings.model_copy(update={"bounds": bounds})
    executor = MixedUp(scene.serving())
    scene.pipeline.close()
    with open_pipeline(
        scene.folder, scene.keeper, scene.cloud, scene.clock, settings, executor=executor
    ) as (scene.pipeline, scene.rollouts):
        scene.clock.pass_s(60.0)
        scene.work(1800.0)
        return scene.records.runs(kind="train", limit=1)[0]


def _verified(scene: Scene) -> tuple[int, int]:
    (progress,) = scene.pipeline.look()
    return progress.verified_wrong, progress.verified_events


def _tell(run: RunProgress, say: Callable[[str], None]) -> None:
    say(f"run {run.number}, {run.status}: {run.reason}")
    for step in run.steps:
        took = f"{(step.ended_at - step.began_at).total_seconds():.0f} s, " if (
            step.ended_at and step.began_at) else ""  # fmt: skip
        say(f"  {step.name}: {took}{step.reason}")


def _png(crop: Image) -> bytes:
    done, content = cv2.imencode(".png", crop)
    assert done
    return content.tobytes()


def pictures_of(photos: Path, products: int, most: int) -> Pictures:
    """Photos of a catalogue, half handed in, half seen by a camera.

    Args:
        photos: A catalogue folder.
        products: So many, those with the most photos.
        most: At most so many photos of each.
    """
    catalogue = load_catalogue(photos)
    of = {p.sku: [photo.path for photo in catalogue.photos_of(p.sku)] for p in catalogue.products}
    chosen = sorted(of, key=lambda sku: (-len(of[sku]), sku))[:products]
    handed_in, seen = {}, {}
    for sku in chosen:
        mine = of[sku][:most]
        kept = max(8, round(len(mine) * (1 - _SHOP_PHOTOS)))
        handed_in[sku] = mine[:kept]
        seen[sku] = [photo_region(read_photo(path), Preprocessing()) for path in mine[kept:]]
    return Pictures(handed_in, seen)


def main() -> int:
    """Play it on photos named on the command line."""
    parser = argparse.ArgumentParser(description="A camera's look drifts.")
    parser.add_argument("photos", type=Path, help="catalogue folder")
    parser.add_argument("--products", type=int, default=16)
    parser.add_argument("--most-photos", type=int, default=56)
    chosen = parser.parse_args()
    pictures = pictures_of(chosen.photos, chosen.products, chosen.most_photos)
    began_s = time.monotonic()

    def say(words: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began_s:6.0f} s  {words}\n")
        sys.stdout.flush()

    count = sum(map(len, pictures.handed_in.values()))
    events = sum(map(len, pictures.seen.values()))
    say(f"{len(pictures.handed_in)} products, {count} photos handed in, {events} to be seen; "
        f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        open_scene(Path(folder), None, GROCERIES, category="groceries") as scene,
    ):
        played = play(scene, pictures, say)
    say(
        f"wrong: {played.calm} calm, {played.drifted} drifted, {played.mended} mended; release "
        f"{played.serving} serves; load {os.getloadavg()[0]:.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
