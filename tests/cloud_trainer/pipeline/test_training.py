"""A category is trained again by itself: caught, trained, compared, rolled out, or stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud_trainer.pipeline.making import Gathered
from cloud_trainer.pipeline.settings import (
    Attempts,
    Bounds,
    ComparisonRule,
    PipelineSettings,
    TrainingSettings,
)
from cloud_trainer.pipeline.view import PipelineView, run_folder
from models.bundle import open_bundle
from models.preprocess import Preprocessing, photo_region
from tests.cloud_trainer.pipeline.drift import Pictures, Played, play
from tests.cloud_trainer.pipeline.scene import (
    AT_ONCE,
    drawn_photos,
    open_scene,
    publish_first,
)
from tests.simulators.photos import draw_photo, sku_of

PRODUCTS = 5
# Drawn cartons, few and easy: margins as wide as so small samples make bounds.
SETTINGS = PipelineSettings(
    bounds=Bounds(
        rest_s=0.0, fresh_events=10, least_events=20, least_crops=10, verified_error_percent=15.0
    ),
    rule=ComparisonRule(
        least_queries=12,
        photos_margin_points=35.0,
        wrong_margin_points=20.0,
        settled_margin_points=100.0,
    ),
    training=TrainingSettings(
        backbone="efficientnet-lite0",
        input_size_px=64,
        steps=8,
        folds=1,
        refit=False,
        batch_products=4,
        batch_photos=3,
        evaluate_every=4,
    ),
    attempts=Attempts(first_pause_s=1.0),
    enrolment_course=AT_ONCE,
    training_course=AT_ONCE,
    held_out_percent=40.0,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drift")


@pytest.fixture(scope="module")
def played(folder: Path) -> Played:
    """The whole play with drawn cartons, from a small network that somebody has published."""
    publish_first(folder / "published", PRODUCTS)
    pictures = Pictures(
        {sku_of(p): drawn_photos(folder / "photos", p, 10) for p in range(PRODUCTS)},
        {
            sku_of(product): [
                photo_region(draw_photo(product, 100 + photo), Preprocessing())
                for photo in range(32)
            ]
            for product in range(PRODUCTS)
        },
    )
    with open_scene(folder, folder / "published", SETTINGS) as scene:
        return play(scene, pictures, print)


def test_a_drifted_look_is_caught_trained_gated_and_rolled_out(played: Played) -> None:
    assert played.calm[0] / played.calm[1] < 0.1
    assert played.drifted[0] / played.drifted[1] > 0.2
    assert played.mended[0] / played.mended[1] < played.drifted[0] / played.drifted[1] / 2
    assert played.trained.reason.startswith("error: ")
    assert played.trained.release == played.serving == 2
    gate = played.trained.step("gate")
    assert gate is not None
    assert "held: human-verified events must be better" in gate.reason


def test_a_worse_bundle_is_stopped_at_the_gate_with_its_figures(played: Played) -> None:
    assert played.stopped.status == "stopped"
    assert "NOT HELD" in played.stopped.outcome
    assert played.stopped.current is not None
    assert played.stopped.current.name == "gate"


def test_what_is_compared_on_was_never_trained_on(played: Played, folder: Path) -> None:
    place = run_folder(folder / "pipeline", played.trained.number)
    gathered = Gathered.read(place)
    learned = {photo.path for photo in gathered.photos}
    assert gathered.held_out
    assert not learned & {photo.path for photo in gathered.held_out}
    figures = played.trained.step("gather")
    assert figures is not None
    assert 0 < len(gathered.events) < int(str(figures.figures["events"]))
    trained = open_bundle(place / "trained")
    assert trained.skus == tuple(sorted(gathered.editions))


def test_people_see_what_was_done_and_why(played: Played, folder: Path) -> None:
    with PipelineView(folder / "pipeline") as view:
        (category,) = view.categories()
        assert category.release == 2
        assert [run.status for run in view.runs()] == ["stopped", "done"]
        assert view.bundle(played.trained.number) is not None
        assert view.live(played.trained.number)["phase"] == "exporting"
