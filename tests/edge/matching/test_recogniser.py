from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest

from edge.errors import MatchingError
from edge.matching.recogniser import Recogniser, join
from edge.matching.shared import Sharing
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from models.bundle import Bundle, BundleSpaceError
from tests.edge.bundles import embedder_of, look_at, part_of, with_fields, with_thresholds
from tests.simulators.photos import sku_of


class CountingEmbedder(OnnxRuntimeEmbedder):
    """The real network, which counts the batches it is given."""

    batches: list[int]

    def embed(self, crops: np.ndarray) -> np.ndarray:
        if hasattr(self, "batches"):
            self.batches.append(len(crops))
        return super().embed(crops)


def test_recognises_every_product_from_photos_it_has_not_seen(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    items = [[look_at(bundle, product, photo) for photo in (6, 7)] for product in range(6)]
    recognitions = recogniser.recognise_many(items)
    named = [each.decision.candidates[0].sku for each in recognitions]
    assert sum(sku == sku_of(product) for product, sku in enumerate(named)) >= 5
    first = recognitions[0]
    assert (first.category, first.bundle_version, first.precision) == ("dairy", "1", "fp32")
    assert first.crops_given == first.crops_agreed == first.decision.crops == 2
    assert first.product_name == "Carton 0"
    assert first.routing == ""


def test_all_crops_of_all_items_are_one_batch(bundle: Bundle) -> None:
    embedder = CountingEmbedder.from_bundle(bundle, threads=1)
    recogniser = Recogniser([bundle], [embedder])
    assert isinstance(embedder, CountingEmbedder)
    embedder.batches = []
    recogniser.recognise_many([[look_at(bundle, 0, 0)] * 3, [look_at(bundle, 1, 0)]])
    assert embedder.batches == [4]


def test_what_a_network_said_of_a_crop_is_remembered_until_another_network_serves(
    bundle: Bundle,
) -> None:
    first, second = (CountingEmbedder.from_bundle(bundle, threads=1) for _ in range(2))
    assert isinstance(first, CountingEmbedder)
    assert isinstance(second, CountingEmbedder)
    recogniser = Recogniser([bundle], [first], sharing=Sharing(remembered_crops=4))
    first.batches, second.batches = [], []
    crop = look_at(bundle, 0, 0)
    decisions = [recogniser.recognise([crop]).decision for _ in range(3)]
    assert decisions[0] == decisions[1] == decisions[2]
    assert first.batches == [1]
    recogniser.swap(bundle, second)
    served = len(second.batches)
    recogniser.recognise([crop])
    assert second.batches[served:] == [1]
    assert first.batches == [1]


def test_items_judged_together_or_alone_come_out_alike(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    items = [[look_at(bundle, product, 5)] for product in range(6)]
    together = recogniser.recognise_many(items)
    for item, recognition in zip(items, together, strict=True):
        alone = recogniser.recognise(item)
        assert alone.decision.sku == recognition.decision.sku
        assert alone.decision.distance == pytest.approx(recognition.decision.distance, abs=1e-5)


def test_a_stray_crop_does_not_count(bundle: Bundle) -> None:
    recogniser = Recogniser([with_thresholds(bundle, 0.3, 0.3, 2)], [embedder_of(bundle)])
    crops = [look_at(bundle, 2, photo) for photo in range(4)]
    noise = np.random.default_rng(0).integers(0, 256, crops[0].shape).astype(np.uint8)
    recognition = recogniser.recognise([*crops, noise])
    assert recognition.crops_given == 5
    assert recognition.crops_agreed == 4
    assert recognition.decision.candidates[0].sku == "carton-02"


def test_crops_of_any_size_are_taken(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    crop = look_at(bundle, 1, 0)
    tall = np.ascontiguousarray(crop[:, 10:40])
    assert recogniser.recognise([crop, tall, crop[:1, :1]]).crops_given == 3


def test_an_item_without_crops_is_refused_and_no_items_are_no_recognitions(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    with pytest.raises(MatchingError, match="without crops"):
        recogniser.recognise_many([[look_at(bundle, 0, 0)], []])
    assert recogniser.recognise_many([]) == ()


def test_bundles_of_two_spaces_route_each_product_to_its_category(
    bundle: Bundle, foreign_bundle: Bundle
) -> None:
    recogniser = Recogniser(
        [bundle, foreign_bundle], [embedder_of(bundle), embedder_of(foreign_bundle)]
    )
    dairy = [recogniser.recognise([look_at(bundle, p, 0)]) for p in range(6)]
    fruit = [recogniser.recognise([look_at(foreign_bundle, p, 0, seed=5)]) for p in range(4)]
    right = sum(each.category == "dairy" for each in dairy) + sum(
        each.category == "fruit" for each in fruit
    )
    assert right >= 7
    assert all("between its thresholds" in each.routing for each in dairy + fruit)


def test_bundles_of_one_space_share_one_embedding(bundle: Bundle) -> None:
    left, right = part_of(bundle, [0, 2, 4], "left"), part_of(bundle, [1, 3, 5], "right")
    recogniser = Recogniser([left, right], [embedder_of(bundle)])
    assert len(recogniser.embed([look_at(bundle, 0, 0)]).by_space) == 1
    recognition = recogniser.recognise([look_at(bundle, 3, 0)])
    assert (recognition.category, recognition.decision.candidates[0].sku) == ("right", "carton-03")


def test_a_bundle_without_its_network_is_refused(bundle: Bundle, foreign_bundle: Bundle) -> None:
    with pytest.raises(BundleSpaceError, match="no open network serves"):
        Recogniser([bundle, foreign_bundle], [embedder_of(bundle)])


def test_swapping_in_a_bundle_of_another_space_needs_its_network(
    bundle: Bundle, foreign_bundle: Bundle
) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    before = recogniser.serving
    with pytest.raises(BundleSpaceError, match="no open network serves"):
        recogniser.swap(with_fields(foreign_bundle, category="dairy"))
    with pytest.raises(BundleSpaceError, match="mean nothing to each other"):
        recogniser.swap(foreign_bundle, embedder_of(bundle))
    assert recogniser.serving is before
    recogniser.swap(with_fields(foreign_bundle, category="dairy"), embedder_of(foreign_bundle))
    assert [served.space_id for served in recogniser.serving.sets] == [
        foreign_bundle.manifest.space_id
    ]
    assert set(recogniser.serving.embedders) == {foreign_bundle.manifest.space_id}


def test_a_swap_replaces_its_category_and_leaves_the_others(bundle: Bundle) -> None:
    left, right = part_of(bundle, [0, 1], "left"), part_of(bundle, [2, 3], "right")
    recogniser = Recogniser([left, right], [embedder_of(bundle)])
    recogniser.swap(with_fields(part_of(bundle, [4, 5], "left"), version="2"))
    assert [
        (served.category, served.bundle.manifest.version) for served in recogniser.serving.sets
    ] == [("left", "2"), ("right", "1")]
    assert recogniser.recognise([look_at(bundle, 4, 0)]).bundle_version == "2"


def test_swaps_while_others_recognise_lose_nothing_and_mix_nothing(bundle: Bundle) -> None:
    versions = {
        "odd": with_fields(part_of(bundle, [1, 3, 5], "all"), version="odd"),
        "even": with_fields(part_of(bundle, [0, 2, 4], "all"), version="even"),
    }
    recogniser = Recogniser([versions["odd"]], [embedder_of(bundle)])
    crops = [look_at(bundle, product, 0) for product in range(6)]
    seen: Counter[str] = Counter()
    failures: list[str] = []
    swapping = threading.Event()
    swapping.set()

    def keep_recognising() -> None:
        while swapping.is_set():
            for recognition in recogniser.recognise_many([[crop] for crop in crops]):
                seen[recognition.bundle_version] += 1
                expected = set(versions[recognition.bundle_version].skus)
                if {c.sku for c in recognition.decision.candidates} != expected:
                    failures.append(recognition.bundle_version)

    threads = [threading.Thread(target=keep_recognising) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        recogniser.swap(versions["even" if turn % 2 == 0 else "odd"])
    swapping.clear()
    for thread in threads:
        thread.join(timeout=30)
    assert not failures
    assert seen.total() % 6 == 0
    assert seen.total() > 0


def test_embeddings_keep_the_bundle_they_were_made_for(bundle: Bundle) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    first = recogniser.embed([look_at(bundle, 0, 0)])
    recogniser.swap(with_fields(bundle, version="2"))
    assert recogniser.decide(first, [[0]])[0].bundle_version == "1"
    second = recogniser.embed([look_at(bundle, 0, 1)])
    with pytest.raises(MatchingError, match="swapped while"):
        join([first, second])
    assert len(join([second, second]).by_space[bundle.manifest.space_id]) == 2


def test_two_bundles_of_one_category_or_none_at_all_are_refused(bundle: Bundle) -> None:
    with pytest.raises(MatchingError, match="two bundles are of category 'dairy'"):
        Recogniser([bundle, bundle], [embedder_of(bundle)])
    with pytest.raises(MatchingError, match="at least one"):
        Recogniser([], [])


def test_a_network_of_the_wrong_size_is_refused(bundle: Bundle) -> None:
    with pytest.raises(MatchingError, match="promises 32 px and 16"):
        Recogniser([with_fields(bundle, embedding_dim=16)], [embedder_of(bundle)])


def test_a_dropped_category_decides_no_more_and_the_last_one_stays(bundle: Bundle) -> None:
    left, right = part_of(bundle, [0, 1], "left"), part_of(bundle, [2, 3], "right")
    recogniser = Recogniser([left, right], [embedder_of(bundle)])
    recogniser.drop("left")
    assert [served.category for served in recogniser.serving.sets] == ["right"]
    assert set(recogniser.serving.embedders) == {bundle.manifest.space_id}
    with pytest.raises(MatchingError, match="nothing could be recognised"):
        recogniser.drop("right")
