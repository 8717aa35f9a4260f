from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.search.finding import Found, standing
from edge.search.region import Image, Region
from edge.search.regions import propose
from tests.edge.checkout.shopping import recognition
from tests.simulators.photos import draw_carton

GROUND_PX = (480, 640)


def table(seed: int = 0) -> Image:
    """An uneven, lit ground."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(120, 175, (5, 7, 3)).astype(np.uint8)
    smooth = cv2.resize(rough, GROUND_PX[::-1], interpolation=cv2.INTER_CUBIC)
    noisy = smooth + rng.normal(0, 3, smooth.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def with_cartons(*placed: tuple[int, int, int]) -> tuple[Image, list[Region]]:
    picture, places = table(), []
    for product, left, top in placed:
        carton = draw_carton(product)
        height, width = carton.shape[:2]
        picture[top : top + height, left : left + width] = carton
        places.append(Region(left, top, left + width, top + height))
    return picture, places


def test_what_stands_apart_is_proposed_among_the_first() -> None:
    picture, places = with_cartons((0, 60, 60), (3, 420, 70), (5, 250, 270))
    proposed = propose(picture, 24)
    assert len(proposed) == 24
    for place in places:
        assert max(place.overlap(region) for region in proposed) > 0.5


def test_proposals_lie_in_the_picture_differ_and_are_the_same_every_time() -> None:
    picture, _ = with_cartons((1, 5, 5), (2, 515, 305))
    proposed = propose(picture, 40)
    assert proposed == propose(picture.copy(), 40)
    for place, region in enumerate(proposed):
        assert 0 <= region.left_px < region.right_px <= 640
        assert 0 <= region.top_px < region.bottom_px <= 480
        assert all(region.overlap(other) < 0.9 for other in proposed[:place])


@pytest.mark.parametrize("shape", [(8, 8), (9, 2000), (3000, 10), (480, 640)])
def test_a_picture_of_nothing_or_of_an_odd_shape_is_no_fault(shape: tuple[int, int]) -> None:
    assert len(propose(np.full((*shape, 3), 90, np.uint8), 12)) <= 12


def found(region: Region, sku: str, outcome: str, gated: float) -> Found:
    made = recognition(sku, "accept")
    decision = replace(made.decision, outcome=outcome, gated=gated)  # type: ignore[arg-type]
    return Found(region, replace(made, decision=decision))


def test_every_place_speaks_once_and_what_is_no_product_is_silent() -> None:
    whole, detail = Region(0, 0, 100, 100), Region(10, 10, 50, 40)
    elsewhere, ground = Region(300, 0, 400, 100), Region(500, 0, 600, 100)
    looked_at = [
        found(whole, "milk", "accept", 0.2),
        found(detail, "milk", "accept", -0.4),
        found(Region(0, 5, 100, 100), "tea", "review", 0.3),
        found(elsewhere, "tea", "review", 0.4),
        found(ground, "bear", "reject", 0.9),
    ]
    stays = standing(looked_at)
    assert [(each.region, each.recognition.decision.sku) for each in stays] == [
        (whole, "milk"),
        (elsewhere, "tea"),
    ]


def test_another_product_within_a_place_does_not_move_it() -> None:
    outer, inner = Region(0, 0, 100, 100), Region(0, 0, 95, 95)
    looked_at = [found(outer, "tea", "accept", 0.2), found(inner, "milk", "accept", 0.1)]
    (stays,) = standing(looked_at)
    assert (stays.region, stays.recognition.decision.sku) == (inner, "milk")
