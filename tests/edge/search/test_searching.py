from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_trainer.evaluate import evaluate
from edge.errors import SearchBusyError, SearchError
from edge.matching.recogniser import Recogniser
from edge.search.batching import Batching, Job
from edge.search.product_sets import MOST_SETS, ProductSets
from edge.search.region import Region, around, middle
from edge.search.searching import Polygon, VisualSearch, Wanted
from models.bundle import Bundle
from models.catalogue import Photo, Product
from models.photos import decode_photo
from tests.edge.bundles import PHOTO_PX, embedder_of, part_of, photo_file, with_fields
from tests.simulators.photos import draw_photo, sku_of

SOLD = (
    Product(sku=sku_of(0), name="Oats", category="dairy", price=Decimal("1.20"), currency="EUR"),
    Product(sku=sku_of(1), name="Milk", category="drinks", price=Decimal("2.40"), currency="EUR"),
)


@pytest.fixture
def search(bundle: Bundle) -> Iterator[VisualSearch]:
    with VisualSearch(Recogniser([bundle], [embedder_of(bundle)]), SOLD, "EUR") as opened:
        yield opened


def photo(product: int, number: int = 0) -> NDArray[np.uint8]:
    return draw_photo(product, number, 0, PHOTO_PX)


def test_a_whole_picture_is_decided_exactly_as_the_trainer_evaluates_it(
    bundle: Bundle, search: VisualSearch, tmp_path: Path
) -> None:
    """Six products and two that the bundle never saw, as files that both read."""
    photos = [
        Photo(photo_file(tmp_path / f"{product}-{number}.png", product, number), sku_of(product))
        for product in range(8)
        for number in range(6)
    ]
    evaluated = evaluate(bundle, photos, precision="fp32", threads=1)
    by_path = {query.photos[0].path: query.decision for query in evaluated.queries}
    asked = [
        (each, search.search(decode_photo(each.path.read_bytes(), "photo"), Wanted()))
        for each in photos
    ]
    for each, answer in asked:
        ((_, recognition),) = [(f.region, f.recognition) for f in answer.result(20)]
        decision, expected = recognition.decision, by_path[each.path]
        assert (decision.outcome, decision.sku) == (expected.outcome, expected.sku)
        assert [c.sku for c in decision.candidates] == [c.sku for c in expected.candidates]
        assert decision.distance == pytest.approx(expected.distance, abs=1e-6)
    outcomes = {decision.outcome for decision in by_path.values()}
    assert {"accept", "reject"} <= outcomes


def test_a_polygon_is_looked_at_whole_and_nothing_beside_it(search: VisualSearch) -> None:
    picture = np.full((2 * PHOTO_PX, 3 * PHOTO_PX, 3), 128, np.uint8)
    picture[:PHOTO_PX, :PHOTO_PX] = photo(0)
    picture[PHOTO_PX:, 2 * PHOTO_PX :] = photo(4)
    for left, top, product in ((0, 0, 0), (2 * PHOTO_PX, PHOTO_PX, 4)):
        edge = PHOTO_PX / 8
        corners = [
            (left + edge, top + edge),
            (left + PHOTO_PX - edge, top + edge),
            (left + PHOTO_PX - edge, top + PHOTO_PX - edge),
            (left + edge, top + PHOTO_PX - edge),
        ]
        shares = tuple((x / (3 * PHOTO_PX), y / (2 * PHOTO_PX)) for x, y in corners)
        (by_pixels,) = search.search(
            picture, Wanted(polygon=Polygon(tuple(corners), normalised=False))
        ).result(20)
        (by_shares,) = search.search(picture, Wanted(polygon=Polygon(shares))).result(20)
        assert by_pixels == by_shares
        assert by_pixels.recognition.decision.candidates[0].sku == sku_of(product)
        assert by_pixels.region == Region(
            int(left + edge), int(top + edge), int(left + 7 * edge), int(top + 7 * edge)
        )


def test_what_is_asked_among_fewer_products_is_decided_among_those(search: VisualSearch) -> None:
    picture = photo(0)
    (among_all,) = search.search(picture, Wanted()).result(20)
    (among_two,) = search.search(
        picture, Wanted(skus=frozenset({sku_of(2), sku_of(3), "unheard-of"}))
    ).result(20)
    (by_category,) = search.search(picture, Wanted(categories=frozenset({"drinks"}))).result(20)
    assert among_all.recognition.decision.candidates[0].sku == sku_of(0)
    assert {c.sku for c in among_two.recognition.decision.candidates} == {sku_of(2), sku_of(3)}
    assert [c.sku for c in by_category.recognition.decision.candidates] == [sku_of(1)]
    everywhere = {c.sku: c.distance for c in among_all.recognition.decision.candidates}
    for candidate in among_two.recognition.decision.candidates:
        if candidate.sku in everywhere:
            assert candidate.distance == pytest.approx(everywhere[candidate.sku], abs=1e-6)


def test_asking_for_what_nothing_recognises_says_so(search: VisualSearch) -> None:
    with pytest.raises(SearchError, match="category toys"):
        search.search(photo(0), Wanted(categories=frozenset({"toys"})))
    with pytest.raises(SearchError, match="none of the products"):
        search.search(photo(0), Wanted(skus=frozenset({"unheard-of"})))
    with pytest.raises(SearchError, match="none of the products"):
        search.search(
            photo(0), Wanted(categories=frozenset({"drinks"}), skus=frozenset({sku_of(3)}))
        )


def test_a_set_is_searched_in_what_serves_after_a_swap(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    with VisualSearch(recogniser, (), "EUR") as search:
        wanted = Wanted(skus=frozenset({sku_of(1), sku_of(2)}))
        (before,) = search.search(photo(1), wanted).result(20)
        recogniser.swap(with_fields(part_of(bundle, [0, 2], "dairy"), version="2"))
        (after,) = search.search(photo(1), wanted).result(20)
    assert (before.recognition.bundle_version, after.recognition.bundle_version) == ("1", "2")
    assert [c.sku for c in after.recognition.decision.candidates] == [sku_of(2)]


def test_bundles_that_look_at_other_parts_of_a_photo_need_a_polygon(bundle: Bundle) -> None:
    preprocessing = bundle.manifest.preprocessing.model_copy(update={"photo_crop_share": 0.5})
    other = with_fields(bundle, category="other", preprocessing=preprocessing)
    with VisualSearch(Recogniser([bundle, other], [embedder_of(bundle)]), (), "EUR") as search:
        with pytest.raises(SearchError, match="bounding polygon"):
            search.search(photo(0), Wanted())
        whole = Polygon(((0, 0), (1, 0), (1, 1), (0, 1)))
        assert len(search.search(photo(0), Wanted(polygon=whole)).result(20)) == 1


@pytest.mark.parametrize(
    "corners",
    [
        ((0.5, 0.5), (0.51, 0.5), (0.51, 0.51)),
        ((-3.0, 0.0), (-2.0, 0.0), (-2.0, 1.0)),
        ((0.0, 0.0), (1.0, 0.0)),
    ],
)
def test_a_polygon_that_encloses_nothing_is_refused(
    search: VisualSearch, corners: tuple[tuple[float, float], ...]
) -> None:
    with pytest.raises(SearchError, match="bounding polygon"):
        search.search(photo(0), Wanted(polygon=Polygon(corners)))


def test_a_polygon_over_the_border_is_cut_off_there() -> None:
    assert around([(-5, -5), (30.2, -5), (30.2, 20.7)], 40, 20) == Region(0, 0, 31, 20)


def test_the_middle_of_a_photo_is_what_training_looks_at(bundle: Bundle) -> None:
    picture = np.arange(41 * 37 * 3, dtype=np.uint8).reshape(41, 37, 3)
    region = middle(picture, bundle.manifest.preprocessing)
    share = bundle.manifest.preprocessing.photo_crop_share
    assert region.cut(picture).shape[:2] == (round(41 * share), round(37 * share))


def test_requests_that_come_while_a_batch_is_computed_go_together() -> None:
    begun, go_on, sizes = threading.Event(), threading.Event(), []

    def work(jobs: Sequence[Job[int, int]]) -> list[int]:
        sizes.append(len(jobs))
        begun.set()
        go_on.wait(20)
        return [job.asked * 10 for job in jobs]

    batching = Batching(work, most_crops=4)
    crop = np.zeros((8, 8, 3), np.uint8)
    answers: list[Future[int]] = [batching.ask([crop], 0)]
    begun.wait(20)
    answers += [batching.ask([crop], number) for number in range(1, 7)]
    go_on.set()
    assert [answer.result(20) for answer in answers] == [0, 10, 20, 30, 40, 50, 60]
    assert sizes == [1, 4, 2]
    batching.close()


def test_what_waits_is_bounded_and_told_when_the_device_stops() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(jobs: Sequence[Job[int, int]]) -> list[int]:
        begun.set()
        go_on.wait(20)
        return [job.asked for job in jobs]

    batching = Batching(work, most_waiting=3)
    crop = np.zeros((8, 8, 3), np.uint8)
    first = batching.ask([crop], 1)
    begun.wait(20)
    waits = batching.ask([crop] * 3, 2)
    with pytest.raises(SearchBusyError, match="3 pictures wait"):
        batching.ask([crop], 3)
    closing = threading.Thread(target=batching.close)
    closing.start()
    with pytest.raises(SearchBusyError, match="stopped"):
        waits.result(20)
    go_on.set()
    closing.join(20)
    assert first.result(20) == 1
    with pytest.raises(SearchBusyError):
        batching.ask([crop], 4)


def test_a_batch_that_fails_leaves_the_thread_to_the_next() -> None:
    def work(jobs: Sequence[Job[int, int]]) -> list[int]:
        return [100 // job.asked for job in jobs]

    batching = Batching(work)
    crop = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ZeroDivisionError):
        batching.ask([crop], 0).result(20)
    assert batching.ask([crop], 5).result(20) == 20
    batching.close()


def test_product_sets_are_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    sets = ProductSets(path)
    assert sets.put("fridge", ["milk", "butter", "milk"]) == ("butter", "milk")
    sets.put("bakery", ["bread"])
    sets.put("fridge", ["milk"])
    sets.put("gone", ["tea"])
    sets.delete("gone")
    again = ProductSets(path)
    assert again.all() == {"bakery": ("bread",), "fridge": ("milk",)}
    with pytest.raises(KeyError):
        again.delete("gone")


def test_impossible_product_sets_are_refused_and_leave_the_others(tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    sets = ProductSets(path)
    sets.put("good", ["milk"])
    for name, skus in (("../up", ["milk"]), ("", ["milk"]), ("empty", [])):
        with pytest.raises(SearchError):
            sets.put(name, skus)
    for number in range(MOST_SETS - 1):
        sets.put(f"set-{number}", ["milk"])
    with pytest.raises(SearchError, match="already"):
        sets.put("one-too-many", ["milk"])
    assert len(ProductSets(path).all()) == MOST_SETS
    path.write_text('{"sets": 3}')
    with pytest.raises(SearchError, match=r"sets\.json"):
        ProductSets(path)
