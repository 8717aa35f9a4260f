from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.evaluate import decide, evaluate
from cloud_trainer.evaluation import Share, document, figures
from models.bundle import Bundle, Vectors, open_bundle
from models.catalogue import Photo
from models.decision import ThresholdPair, Thresholds
from tests.simulators.bundles import make_bundle, reseal
from tests.simulators.photos import draw_photo, make_catalogue, sku_of, write_photo

PRODUCTS, PHOTOS = 6, 7
REQUIRED_KEYS = {
    "photos", "products", "centroid_accuracy", "decision_accuracy", "accepted_share",
    "accepted_error", "rejected_share", "review_share", "unknown_auroc", "false_accept_rate",
    "false_reject_rate", "per_category", "confusions",
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b", products=PRODUCTS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Photo, ...]:
    folder = make_catalogue(tmp_path_factory.mktemp("c"), products=PRODUCTS, photos=PHOTOS)
    return photos_below(folder)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Photo, ...]:
    folder = tmp_path_factory.mktemp("u")
    for product in range(20, 26):
        for photo in range(3):
            image = draw_photo(product, photo)
            write_photo(folder / sku_of(product) / f"{photo:03d}.jpg", image)
    return photos_below(folder)


def photos_below(folder: Path) -> tuple[Photo, ...]:
    return tuple(Photo(path, path.parent.name) for path in sorted(folder.rglob("*.jpg")))


def with_thresholds(bundle: Bundle, tl: float, tl_full: float, th: float) -> Bundle:
    pair = ThresholdPair(
        pool=1, tl=tl, tl_full=tl_full, th=th, accepted_share=0.5,
        accepted_error_bound=0.01, rejected_error_bound=0.01, fitted_on=100,
    )  # fmt: skip
    thresholds = Thresholds(pairs=(pair,))
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"thresholds": thresholds}))


def test_drawn_products_are_recognised_far_better_than_by_chance(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    evaluation = evaluate(bundle, photos)
    of = figures(evaluation.known)
    assert evaluation.photos == of.queries == PRODUCTS * PHOTOS
    assert len(evaluation.products) == PRODUCTS
    assert (of.centroid_accuracy.value or 0) > 3 / PRODUCTS
    assert of.top5_accuracy.count >= of.centroid_accuracy.count
    low, high = of.centroid_accuracy.interval or (0, 0)
    assert low < (of.centroid_accuracy.value or 0) <= high


def test_every_query_is_accepted_rejected_or_left_to_a_person(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    of = figures(evaluate(bundle, photos).known)
    outcomes = of.accepted, of.full_check_accepted, of.rejected, of.review
    assert sum(share.count for share in outcomes) == of.queries


@pytest.mark.parametrize(
    ("tl", "tl_full", "th", "outcome"),
    [
        (2.0, 2.0, 2.5, "accepted"),
        (-10.0, -10.0, 0.0, "rejected"),
        (-10.0, 2.0, 2.5, "full_check_accepted"),
        (-10.0, -10.0, 2.5, "review"),
    ],
)
def test_thresholds_decide_the_outcome(
    bundle: Bundle,
    photos: tuple[Photo, ...],
    tl: float,
    tl_full: float,
    th: float,
    outcome: str,
) -> None:
    # th must not lie under tl_full
    of = figures(evaluate(with_thresholds(bundle, tl, min(tl_full, th), th), photos).known)
    share: Share = getattr(of, outcome)
    if outcome == "full_check_accepted":  # only where the anchors agree with the centroid
        assert share.count > of.queries / 2
    else:
        assert share.count == of.queries - (of.review.count if outcome == "accepted" else 0)


def test_settling_everything_makes_decisions_as_accurate_as_centroids(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    no_negatives = replace(
        bundle,
        vectors=replace(
            bundle.vectors,
            negatives=bundle.vectors.negatives[:0],
            negative_products=bundle.vectors.negative_products[:0],
        ),
    )
    of = figures(evaluate(with_thresholds(no_negatives, 2.0, 2.0, 2.5), photos).known)
    assert of.decision_accuracy == of.centroid_accuracy
    assert of.accepted_error.value == pytest.approx(1 - (of.centroid_accuracy.value or 0))


def test_a_photo_marked_as_not_the_product_turns_acceptance_into_review(bundle: Bundle) -> None:
    accepting = with_thresholds(bundle, 2.0, 2.0, 2.5)
    query = np.asarray(bundle.golden.embeddings[0])
    assert decide(accepting, query, 1).outcome == "accept"
    anchors = bundle.vectors.anchors[bundle.vectors.anchor_products != 0]
    owners = bundle.vectors.anchor_products[bundle.vectors.anchor_products != 0]
    far = bundle.vectors.anchors[bundle.vectors.anchor_products == 0][-1:]
    vectors = Vectors(
        bundle.vectors.centroids,
        np.concatenate([far, anchors]),
        np.concatenate([np.zeros(1, np.int32), owners]),
        query[None],
        np.zeros(1, np.int32),
    )
    decision = decide(replace(accepting, vectors=vectors), query, 1)
    assert (decision.outcome, decision.stage) == ("review", "full_check")
    assert "not carton-00" in decision.reason


def test_windows_pool_consecutive_photos_and_leave_the_rest_out(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    evaluation = evaluate(bundle, photos, pool_size=3)
    assert len(evaluation.known) == PRODUCTS * (PHOTOS // 3)
    assert evaluation.sliding.queries == PRODUCTS * (PHOTOS - 2)
    for query in evaluation.known:
        assert {photo.sku for photo in query.photos} == {query.sku}
        # Photos that hardly differ count as one look, as they do on the device.
        assert query.decision.thresholds.pool == (3 if query.decision.crops == 3 else 1)
        assert np.linalg.norm(query.embedding) == pytest.approx(1, abs=1e-5)
    assert any(query.decision.crops == 3 for query in evaluation.known)
    single = figures(evaluate(bundle, photos).known).centroid_accuracy.value or 0
    assert (figures(evaluation.known).centroid_accuracy.value or 0) >= single - 0.1


def test_products_with_too_few_photos_for_a_window_are_mentioned(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    short = [photo for photo in photos if photo.sku != sku_of(0) or photo.path.stem < "002"]
    evaluation = evaluate(bundle, short, pool_size=5)
    assert sku_of(0) not in evaluation.products
    assert any("1 products have fewer than 5" in notice for notice in evaluation.notices)


def test_unknown_products_are_told_from_known_ones(
    bundle: Bundle, photos: tuple[Photo, ...], strangers: tuple[Photo, ...]
) -> None:
    evaluation = evaluate(bundle, photos, unknown=strangers)
    assert evaluation.unknown_photos == len(evaluation.unknown) == len(strangers)
    assert (evaluation.unknown_auroc or 0) > 0.6
    assert evaluation.false_accept_rate.of == len(strangers)
    assert not any(query.correct for query in evaluation.unknown)
    assert figures(evaluation.known).queries == len(photos)


def test_the_auroc_counts_which_of_two_is_farther(
    bundle: Bundle, photos: tuple[Photo, ...], strangers: tuple[Photo, ...]
) -> None:
    evaluation = evaluate(bundle, photos, unknown=strangers)
    known = np.array([query.decision.distance for query in evaluation.known])
    unknown = np.array([query.decision.distance for query in evaluation.unknown])
    farther = unknown[:, None] > known[None, :]
    equal = unknown[:, None] == known[None, :]
    assert evaluation.unknown_auroc == pytest.approx((farther + equal / 2).mean())


def test_photos_of_products_that_the_bundle_lacks_count_as_never_enrolled(
    bundle: Bundle, photos: tuple[Photo, ...], strangers: tuple[Photo, ...]
) -> None:
    evaluation = evaluate(bundle, [*photos, *strangers])
    assert len(evaluation.unknown) == len(strangers)
    assert any("count as never enrolled" in notice for notice in evaluation.notices)


def test_an_unknown_folder_that_repeats_a_sku_stays_unknown(
    bundle: Bundle, photos: tuple[Photo, ...], strangers: tuple[Photo, ...]
) -> None:
    renamed = [Photo(photo.path, sku_of(0)) for photo in strangers]
    assert len(evaluate(bundle, photos, unknown=renamed).unknown) == len(strangers)


def test_enrolled_products_are_counted_by_themselves(
    tmp_path: Path, photos: tuple[Photo, ...]
) -> None:
    make_bundle(tmp_path / "b", products=PRODUCTS)
    reseal(tmp_path / "b", lambda manifest: manifest["products"][2].update(enrolled=True))
    told = document(evaluate(open_bundle(tmp_path / "b"), photos))
    assert isinstance(told["enrolled"], dict)
    assert isinstance(told["trained"], dict)
    assert told["enrolled"]["queries"] == PHOTOS
    assert told["trained"]["queries"] == PHOTOS * (PRODUCTS - 1)


def test_categories_of_products_are_counted_by_themselves(
    tmp_path: Path, photos: tuple[Photo, ...]
) -> None:
    make_bundle(tmp_path / "b", products=PRODUCTS)
    reseal(tmp_path / "b", lambda manifest: manifest["products"][2].update(category="tea"))
    per_category = evaluate(open_bundle(tmp_path / "b"), photos).per_category
    assert {name: of.queries for name, of in per_category.items()} == {
        "all": PHOTOS * (PRODUCTS - 1),
        "tea": PHOTOS,
    }


def test_confusions_name_both_products_and_the_photos(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    swapped = [
        replace(photo, sku=sku_of(1)) if photo.sku == sku_of(0) else photo for photo in photos
    ]
    evaluation = evaluate(bundle, [p for p in swapped if p.sku == sku_of(1)])
    worst = evaluation.confusions[0]
    assert (worst.sku, worst.taken_for) == (sku_of(1), sku_of(0))
    assert len(worst.queries) >= PHOTOS - 2
    gated = [query.decision.gated for query in worst.queries]
    assert gated == sorted(gated)


def test_bad_photos_are_set_aside_and_the_rest_is_measured(
    bundle: Bundle, photos: tuple[Photo, ...], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff nothing follows")
    evaluation = evaluate(bundle, [*photos, Photo(broken, sku_of(PRODUCTS - 1))])
    assert [entry.photo.path for entry in evaluation.set_aside] == [broken]
    assert evaluation.photos == len(photos)


def test_negative_photos_are_left_out(bundle: Bundle, photos: tuple[Photo, ...]) -> None:
    evaluation = evaluate(bundle, [*photos[1:], replace(photos[0], negative=True)])
    assert evaluation.photos == len(photos) - 1
    assert any("negative" in notice for notice in evaluation.notices)


def test_the_document_has_every_key_and_null_where_nothing_was_measured(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    told = json.loads(json.dumps(document(evaluate(bundle, photos)), allow_nan=False))
    assert told.keys() >= REQUIRED_KEYS
    assert told["unknown_auroc"] is None
    assert told["false_accept_rate"] is None
    assert told["photos"] == len(photos)
    low, high = told["intervals"]["centroid_accuracy"]
    assert 0 <= low <= told["centroid_accuracy"] <= high <= 1
    assert told["latency"]["recognise_p95_ms"] >= told["latency"]["recognise_p50_ms"] > 0


def test_only_unknown_photos_can_be_measured_too(
    bundle: Bundle, strangers: tuple[Photo, ...]
) -> None:
    told = document(evaluate(bundle, [], unknown=strangers))
    assert told["centroid_accuracy"] is None
    assert told["unknown_auroc"] is None
    assert told["false_accept_rate"] is not None


def test_nothing_usable_is_an_error_with_its_first_reason(bundle: Bundle, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    with pytest.raises(WalkoutTrainerError, match="none of 1 photos"):
        evaluate(bundle, [Photo(empty, sku_of(0))])


def test_a_window_that_no_product_fills_is_an_error(
    bundle: Bundle, photos: tuple[Photo, ...]
) -> None:
    with pytest.raises(WalkoutTrainerError, match="smaller --pool"):
        evaluate(bundle, photos, pool_size=PHOTOS + 1)
    with pytest.raises(WalkoutTrainerError, match="starts at 1"):
        evaluate(bundle, photos, pool_size=0)


def test_intervals_are_exact() -> None:
    assert Share(0, 10).interval == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert Share(10, 10).interval == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert Share(5, 10).interval == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert Share(0, 0).interval is None
    assert Share(0, 0).value is None
