"""Swaps while a shop decides: nothing waits, fails or is decided by halves."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from edge.errors import MatchingError
from edge.matching.recogniser import Recogniser
from edge.updates.live import LiveRecogniser
from edge.updates.progress import Counts
from models.bundle import Bundle
from tests.edge.bundles import embedder_of, look_at, part_of, with_fields
from tests.edge.updates.conftest import Sodas
from tests.edge.updates.devices import Device, edited, open_embedder
from tests.simulators.cloud import Cloud, let_through

SWAPS = 5


def test_five_updates_while_three_threads_decide_fail_no_query_and_mix_no_versions(
    cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    crops = [look_at(sodas.first, product, 0) for product in range(6)]
    over, failures, seen = threading.Event(), [], Counter[str]()

    def decide(shelf: Device) -> None:
        while not over.is_set():
            try:
                found = shelf.live.recognise_many([[crop] for crop in crops])
            except Exception as err:  # noqa: BLE001 -- whatever it is, it must not be
                failures.append(err)
                return
            # One batch is decided by one bundle.
            (version,) = {each.bundle_version for each in found}
            seen[version] += len(found)

    with Device(
        tmp_path / "device", cloud.url, cloud.root, [sodas.first], watch={"watch_s": 1}
    ) as shelf:
        threads = [threading.Thread(target=decide, args=(shelf,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, SWAPS + 1):
                bundle = (sodas.retrained, sodas.more)[number % 2]
                version = edited(bundle, tmp_path / f"v{number}")
                cloud.publish(version, everywhere=True, judge=let_through)
                shelf.agent.hint()
                shelf.update_to(number)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert failures == []
    assert set(seen) <= {"1", *(f"v{number}" for number in range(1, SWAPS + 1))}
    assert f"v{SWAPS}" in seen or len(seen) >= 3
    assert sum(seen.values()) > 100


def served(*bundles: Bundle) -> LiveRecogniser:
    spaces = {each.manifest.space_id: each for each in bundles}
    return LiveRecogniser(
        Recogniser(bundles, [embedder_of(each) for each in spaces.values()]), open_embedder
    )


def test_the_same_network_is_not_opened_again(sodas: Sodas) -> None:
    live = served(sodas.first)
    assert live.recogniser is not None
    (before,) = live.recogniser.serving.embedders.values()
    live.serve(with_fields(sodas.more, version="2"))
    assert list(live.recogniser.serving.embedders.values()) == [before]
    live.serve(with_fields(sodas.retrained, version="3"))
    (after,) = live.recogniser.serving.embedders.values()
    assert after is not before
    assert live.paths() == {"soda": sodas.retrained.path}


def test_decisions_are_counted_by_the_bundle_that_made_them(sodas: Sodas) -> None:
    live = served(sodas.first)
    for product in range(6):
        live.recognise([look_at(sodas.first, product, 0)])
    counts = live.counts("soda")
    assert counts.decisions == 6
    live.serve(with_fields(sodas.more, version="2"))
    assert live.counts("soda") == Counts()
    with pytest.raises(MatchingError):
        live.recognise([])
    assert live.counts("soda") == Counts(errors=1)
    assert live.counts("snack") == Counts()


def test_a_category_can_go_and_without_the_last_nothing_is_recognised(sodas: Sodas) -> None:
    left, right = part_of(sodas.first, [0, 1], "left"), part_of(sodas.first, [2, 3], "right")
    live = served(left, right)
    crop = look_at(sodas.first, 2, 0)
    live.drop("left")
    (seen,) = live.recognise_many([[crop]])
    assert seen.category == "right"
    live.drop("left")
    live.drop("right")
    assert (live.recognise([crop]), live.paths()) == (None, {})
    with pytest.raises(MatchingError, match="no bundle serves yet"):
        live.recognise_many([[crop]])
    live.serve(sodas.first)
    (seen,) = live.recognise_many([[crop]])
    assert (seen.category, live.counts("soda").decisions) == ("soda", 1)
