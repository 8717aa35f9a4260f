"""Products join and leave a bundle while its network stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cloud_trainer.enrol import (
    confusion_reach,
    enrol,
    enrolment_vectors,
    next_revision,
    photo_paths,
    withdraw,
)
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession, prepare_photo
from models.bundle import (
    EMBEDDER_NAME,
    Bundle,
    BundleWriteError,
    Golden,
    open_bundle,
    require_same_space,
)
from models.catalogue import Product
from models.decision import Thresholds
from tests.simulators.bundles import make_bundle, plausible_thresholds
from tests.simulators.photos import draw_photo, sku_of, write_photo

NEW = 7


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Four drawn cartons; nobody changes it."""
    return make_bundle(tmp_path_factory.mktemp("base") / "bundle")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Photos of a carton that the bundle does not know."""
    return photos_of(NEW, tmp_path_factory.mktemp("photos"), 5)


def photos_of(product: int, folder: Path, count: int, first: int = 0) -> tuple[Path, ...]:
    return tuple(
        write_photo(folder / f"{photo:03d}.png", draw_photo(product, photo))
        for photo in range(first, first + count)
    )


def nearest(bundle: Bundle, path: Path) -> str:
    """The product whose centroid a photo is nearest to."""
    crop = prepare_photo(path, bundle.manifest.preprocessing)
    embedding = NetworkSession(bundle).embed(crop[None])[0]
    return bundle.skus[int(np.argmax(bundle.vectors.centroids @ embedding))]


def test_an_enrolled_product_is_recognised_on_other_photos(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    other_photos = photos_of(NEW, tmp_path / "later", 2, first=5)
    assert all(nearest(bundle, photo) != sku_of(NEW) for photo in other_photos)

    report = enrol(bundle, Product(sku=sku_of(NEW)), photos, tmp_path / "out")

    assert report.used == photos
    assert report.set_aside == ()
    opened = open_bundle(tmp_path / "out")
    assert [nearest(opened, photo) for photo in other_photos] == [sku_of(NEW)] * 2


def test_enrolment_changes_nothing_but_the_vectors(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    product = Product.model_validate(
        {"sku": sku_of(NEW), "name": "Kale", "price": "2.49", "currency": "EUR"}
    )

    enrolled = enrol(bundle, product, photos, tmp_path / "out").bundle

    require_same_space([bundle, enrolled])
    old, new = bundle.manifest, enrolled.manifest
    assert new.files[EMBEDDER_NAME] == old.files[EMBEDDER_NAME]
    assert new.thresholds == old.thresholds
    assert new.provenance == old.provenance
    assert (old.version, new.version) == ("1", "1+1")
    assert new.products[:-1] == old.products
    last = new.products[-1]
    assert (last.sku, last.name, str(last.price)) == (sku_of(NEW), "Kale", "2.49")
    assert (last.enrolled, last.photos) == (True, 5)
    np.testing.assert_array_equal(enrolled.vectors.centroids[:-1], bundle.vectors.centroids)
    np.testing.assert_array_equal(enrolled.vectors.anchors[:-5], bundle.vectors.anchors)
    np.testing.assert_array_equal(enrolled.vectors.negatives, bundle.vectors.negatives)
    np.testing.assert_array_equal(enrolled.golden.crops, bundle.golden.crops)


def test_enrolling_and_withdrawing_again_restores_the_vectors(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    enrolled = enrol(bundle, Product(sku=sku_of(NEW)), photos, tmp_path / "more").bundle

    restored = withdraw(enrolled, sku_of(NEW), tmp_path / "less")

    assert restored.manifest.version == "1+2"
    assert restored.manifest.products == bundle.manifest.products
    for name in ("centroids", "anchors", "anchor_products", "negatives", "negative_products"):
        np.testing.assert_array_equal(
            getattr(restored.vectors, name), getattr(bundle.vectors, name), err_msg=name
        )


def test_a_bundle_with_weights_in_their_own_file_keeps_its_space(
    photos: tuple[Path, ...], tmp_path: Path
) -> None:
    base = make_bundle(tmp_path / "base", external_weights=True)

    enrolled = enrol(base, Product(sku=sku_of(NEW)), photos, tmp_path / "out").bundle

    require_same_space([base, enrolled])
    assert enrolled.manifest.space_id == base.manifest.space_id


def test_broken_and_blurred_photos_are_set_aside_with_their_reasons(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    blurred = cv2.GaussianBlur(draw_photo(NEW, 8), (0, 0), 12)
    bad = (
        write_photo(tmp_path / "blurred.png", np.asarray(blurred, np.uint8)),
        tmp_path / "empty.jpg",
        tmp_path / "text.jpg",
    )
    bad[1].write_bytes(b"")
    bad[2].write_text("not a photo")

    report = enrol(bundle, Product(sku=sku_of(NEW)), (*bad, *photos), tmp_path / "out")

    assert report.used == photos
    assert [aside.photo.path for aside in report.set_aside] == list(bad)
    reasons = [aside.reason for aside in report.set_aside]
    assert "blur" in reasons[0]
    assert "empty" in reasons[1]
    assert "not a JPEG" in reasons[2]
    assert report.product.photos == len(photos)


def test_a_photo_of_many_megapixels_gives_the_same_vectors(bundle: Bundle, tmp_path: Path) -> None:
    small = draw_photo(NEW, 0, size_px=512)
    large = np.asarray(cv2.resize(small, None, fx=4, fy=4), np.uint8)
    paths = [
        write_photo(tmp_path / "small.png", small),
        write_photo(tmp_path / "large.png", large),
    ]

    anchors = enrol(bundle, Product(sku="new"), paths, tmp_path / "out").bundle.vectors.anchors

    assert anchors[-2] @ anchors[-1] > 0.995


def test_without_a_usable_photo_nothing_is_written(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")

    with pytest.raises(WalkoutTrainerError, match=r"no usable photo of new; .*empty\.jpg is empty"):
        enrol(bundle, Product(sku="new"), [tmp_path / "empty.jpg"], tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_known_sku_is_refused_unless_it_shall_be_replaced(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    product = Product(sku="carton-01", name="New look")

    with pytest.raises(WalkoutTrainerError, match="carton-01 is in the bundle already"):
        enrol(bundle, product, photos, tmp_path / "out")
    replaced = enrol(bundle, product, photos, tmp_path / "out", replace_product=True).bundle

    assert sorted(replaced.skus) == sorted(bundle.skus)
    assert nearest(replaced, photos[0]) == "carton-01"
    assert replaced.manifest.products[-1].name == "New look"
    assert "carton-01" not in replaced.golden.skus


def test_a_look_alike_is_named_with_its_distance(bundle: Bundle, tmp_path: Path) -> None:
    twins = photos_of(2, tmp_path / "twins", 4)
    base = replace(
        bundle, manifest=bundle.manifest.model_copy(update={"thresholds": thresholds(0.1)})
    )

    report = enrol(base, Product(sku="twin"), twins, tmp_path / "out")

    assert report.reach == pytest.approx(0.1)
    assert [neighbour.sku for neighbour in report.neighbours] == ["carton-02"]
    assert 0 <= report.neighbours[0].distance < 0.1


def test_a_distinct_product_has_no_neighbours(
    bundle: Bundle, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    assert enrol(bundle, Product(sku="new"), photos, tmp_path / "out").neighbours == ()


def thresholds(tl: float, margin_weight: float = 1.5) -> Thresholds:
    pair = plausible_thresholds().pairs[0].model_copy(update={"tl": tl, "tl_full": max(tl, 0.1)})
    return Thresholds(margin_weight=margin_weight, pairs=(pair,))


@pytest.mark.parametrize(
    ("tl", "margin_weight", "reach"),
    [
        (0.2, 1.5, 0.2),
        (0.0, 1.5, 0.0),
        (-0.3, 1.5, 0.2),  # nearer than 0.2, not even a perfect photo has the margin
        (-0.3, 0.0, 0.0),
        (0.2, 0.0, 0.2),
    ],
)
def test_how_near_is_too_near_follows_from_the_rule(
    tl: float, margin_weight: float, reach: float
) -> None:
    assert confusion_reach(thresholds(tl, margin_weight)) == pytest.approx(reach)


def test_an_existing_folder_and_the_bundle_itself_are_not_overwritten(
    bundle: Bundle, photos: tuple[Path, ...]
) -> None:
    before = (bundle.path / "manifest.json").read_bytes()

    with pytest.raises(BundleWriteError, match="exists already"):
        enrol(bundle, Product(sku="new"), photos, bundle.path)
    with pytest.raises(BundleWriteError, match="inside the bundle"):
        withdraw(bundle, "carton-00", bundle.path / "out")

    assert (bundle.path / "manifest.json").read_bytes() == before
    open_bundle(bundle.path)


def test_a_withdrawn_product_is_gone_and_the_others_keep_their_vectors(
    bundle: Bundle, tmp_path: Path
) -> None:
    left = withdraw(bundle, "carton-01", tmp_path / "out")

    assert left.skus == ("carton-00", "carton-02", "carton-03")
    assert left.golden.skus == left.skus
    require_same_space([bundle, left])
    for sku in left.skus:
        now, before = left.skus.index(sku), bundle.skus.index(sku)
        np.testing.assert_array_equal(
            left.vectors.anchors[left.vectors.anchor_products == now],
            bundle.vectors.anchors[bundle.vectors.anchor_products == before],
        )
        np.testing.assert_array_equal(left.vectors.centroids[now], bundle.vectors.centroids[before])
    assert len(left.vectors.negatives) == 1


def test_the_negatives_of_a_withdrawn_product_go_with_it(bundle: Bundle, tmp_path: Path) -> None:
    assert len(withdraw(bundle, "carton-00", tmp_path / "out").vectors.negatives) == 0


def test_a_product_that_is_not_there_cannot_be_withdrawn(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(WalkoutTrainerError, match="carton-99 is not in the bundle"):
        withdraw(bundle, "carton-99", tmp_path / "out")


def test_the_last_product_cannot_be_withdrawn(tmp_path: Path) -> None:
    single = make_bundle(tmp_path / "single", products=1)

    with pytest.raises(WalkoutTrainerError, match="last product"):
        withdraw(single, "carton-00", tmp_path / "out")


def test_a_bundle_is_not_left_without_golden_crops(bundle: Bundle, tmp_path: Path) -> None:
    golden = Golden(bundle.golden.crops[:1], bundle.golden.embeddings[:1], ("carton-00",))

    with pytest.raises(WalkoutTrainerError, match="golden crops"):
        withdraw(replace(bundle, golden=golden), "carton-00", tmp_path / "out")


def test_every_photo_counts_the_same_in_the_vectors() -> None:
    views = np.zeros((2, 3, 4), np.float32)
    views[0, :, 0] = 1
    views[1, :2, 1] = 1
    views[1, 2, 2] = 1

    centroid, anchors = enrolment_vectors(views)

    assert anchors.shape == (2, 4)
    np.testing.assert_allclose(np.linalg.norm(anchors, axis=1), 1, rtol=1e-6)
    assert np.linalg.norm(centroid) == pytest.approx(1)
    assert centroid @ anchors[0] == pytest.approx(float(centroid @ anchors[1]))


@pytest.mark.parametrize(
    ("version", "revised"),
    [("7", "7+1"), ("7+1", "7+2"), ("1.2.0+9", "1.2.0+10"), ("2026-11-22", "2026-11-22+1")],
)
def test_a_revision_is_counted_behind_the_version(version: str, revised: str) -> None:
    assert next_revision(version) == revised


def test_photos_are_found_in_files_and_folders_once_each(tmp_path: Path) -> None:
    first, second = photos_of(0, tmp_path / "folder", 2)
    (tmp_path / "folder" / "notes.txt").write_text("no photo")

    assert photo_paths([second, tmp_path / "folder"]) == (second, first)


@pytest.mark.parametrize(("place", "complaint"), [("nowhere", "no such photo"), ("", "no photo")])
def test_places_without_photos_are_named(tmp_path: Path, place: str, complaint: str) -> None:
    with pytest.raises(WalkoutTrainerError, match=complaint):
        photo_paths([tmp_path / place])
