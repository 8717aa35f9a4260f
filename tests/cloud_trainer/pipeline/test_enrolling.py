"""Approved products go out by themselves: enrolled, examined, gated, published, rolled out."""

from __future__ import annotations

import numpy as np

from cloud_trainer.inference import NetworkSession
from models.preprocess import prepare_batch
from tests.cloud_trainer.pipeline.scene import Scene, crop_of, drawn_photos, settled, take_in
from tests.simulators.photos import draw_photo, write_photo


def test_an_approved_product_is_served_by_every_device_without_training(scene: Scene) -> None:
    scene.keeper.approve("carton-04", drawn_photos(scene.folder, 4), name="Tea, 20 bags")
    scene.work()
    bundle = scene.serving()
    assert "carton-04" in bundle.skus
    product = next(p for p in bundle.manifest.products if p.sku == "carton-04")
    assert (product.name, product.enrolled, product.photos) == ("Tea, 20 bags", True, 5)
    assert bundle.manifest.version == "1+1"
    assert {device.serving for device in scene.devices} == {2}
    assert scene.keeper.told[-1] == (2, {"carton-04": "1"})
    (run,) = scene.records.runs()
    assert (run.kind, run.status, run.release) == ("enrol", "done", 2)
    assert [step.status for step in run.steps] == ["done"] * 5
    assert "carton-04 is approved and not yet served" in run.reason


def test_a_withdrawn_product_is_no_longer_recognised(scene: Scene) -> None:
    scene.keeper.withdraw("carton-01")
    scene.work()
    assert scene.serving().skus == ("carton-00", "carton-02", "carton-03")
    assert {device.serving for device in scene.devices} == {2}
    (run,) = scene.records.runs()
    assert "withdrawn and still served" in run.reason


def test_nothing_happens_twice(scene: Scene) -> None:
    scene.keeper.approve("carton-04", drawn_photos(scene.folder, 4))
    scene.work()
    assert not scene.pipeline.advance()
    assert len(scene.records.runs()) == 1
    (progress,) = scene.pipeline.look()
    assert progress.doing == "waiting"
    assert "everything approved is served" in progress.following


def test_what_a_bundle_from_elsewhere_has_is_taken_as_it_is(scene: Scene) -> None:
    """Vectors of a training are not replaced by an enrolment because somebody approved photos."""
    before = scene.serving().vectors.centroids.copy()
    scene.keeper.approve("carton-00", drawn_photos(scene.folder, 0), "photos-1")
    scene.work()
    assert not scene.records.runs()
    assert scene.keeper.told[-1] == (1, {"carton-00": "photos-1"})
    scene.keeper.approve("carton-00", drawn_photos(scene.folder, 0, 6, first=5), "photos-2")
    scene.work()
    (run,) = scene.records.runs()
    bundle = scene.serving()
    row = bundle.skus.index("carton-00")
    assert not np.allclose(bundle.vectors.centroids[row], before[0])
    assert scene.keeper.told[-1] == (2, {"carton-00": "photos-2"})
    assert run.status == "done"


def test_a_new_price_or_name_changes_no_vector(scene: Scene) -> None:
    scene.keeper.approve("carton-00", drawn_photos(scene.folder, 0), name="Oats")
    scene.work()
    bundle = scene.serving()
    assert bundle.manifest.products[0].name == "Oats"
    assert not bundle.manifest.products[0].enrolled
    assert scene.cloud.plan("soda").stable == 2


def test_a_product_without_a_usable_photo_is_refused_and_keeps_no_other(scene: Scene) -> None:
    dark = write_photo(scene.folder / "dark.png", np.zeros((200, 200, 3), np.uint8))
    scene.keeper.approve("carton-04", drawn_photos(scene.folder, 4))
    scene.keeper.approve("night", [dark])
    scene.work()
    assert "carton-04" in scene.serving().skus
    assert "night" not in scene.serving().skus
    assert "no usable photo of night" in scene.keeper.told_refusals["night"]
    assert len(scene.records.runs()) == 1
    scene.keeper.approve("night", drawn_photos(scene.folder, 5), "2")
    scene.work()
    assert "night" in scene.serving().skus


def test_photos_that_do_not_know_each_other_are_stopped_at_the_gate(scene: Scene) -> None:
    """Each photo shows another product of the bundle: whoever sees them is told so."""
    mixed = [write_photo(scene.folder / f"mixed-{n}.png", draw_photo(n, 9)) for n in range(4)]
    scene.keeper.approve("mixed", mixed)
    scene.keeper.approve("carton-04", drawn_photos(scene.folder, 4))
    scene.work()
    assert "mixed" not in scene.serving().skus
    assert "carton-04" in scene.serving().skus
    assert "recognised by the others" in scene.keeper.told_refusals["mixed"]
    done, stopped = scene.records.runs()
    assert (done.status, stopped.status) == ("done", "stopped")
    assert "NOT HELD: photos of a product must know each other" in stopped.outcome


def test_an_enrolment_that_takes_from_others_is_stopped(scene: Scene) -> None:
    """Events that people verified say what the new product would cost."""
    for event in range(60):
        product = event % 2
        crops = [crop_of(product, 100 + event)]
        take_in(scene.pipeline.events, settled(f"e-{event}", f"carton-0{product}", *crops))
    copy = [
        write_photo(scene.folder / f"copy-{n}.png", draw_photo(0, 100 + 2 * n)) for n in range(30)
    ]
    scene.keeper.approve("copy", copy)
    scene.work()
    (run,) = scene.records.runs()
    assert run.status == "stopped"
    assert "NOT HELD: other products' human-verified events" in run.outcome
    assert "events of other products are taken for it" in scene.keeper.told_refusals["copy"]
    assert "copy" not in scene.serving().skus


def test_the_enrolled_product_is_recognised_by_the_published_network(scene: Scene) -> None:
    scene.keeper.approve("carton-04", drawn_photos(scene.folder, 4))
    scene.work()
    bundle = scene.serving()
    size = bundle.manifest.preprocessing.input_size_px
    queries = NetworkSession(bundle, 1).embed(
        prepare_batch([draw_photo(4, photo)[32:224, 32:224] for photo in range(20, 30)], size)
    )
    nearest = (queries @ bundle.vectors.centroids.T).argmax(1)
    assert (nearest == bundle.skus.index("carton-04")).mean() >= 0.8
