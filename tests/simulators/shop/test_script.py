from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from tests.simulators.shop.layout import Goods, Shop, lay_out
from tests.simulators.shop.motion import hand_at
from tests.simulators.shop.script import BEHAVIOURS, write_story
from tests.simulators.shop.story import Story
from tests.simulators.shop.truth import receipt, truth

SIZES = {
    f"sku-{number:02d}": (
        0.07 + 0.012 * (number % 5),
        0.07 + 0.01 * (number % 4),
        0.1 + 0.02 * (number % 7),
    )
    for number in range(16)
}
UNKNOWN = {"unknown/mug": (0.08, 0.1, 0.1)}
SEEDS = range(8)


@cache
def _told(seed: int, shoppers: int = 5) -> tuple[Shop, Story]:
    shop = lay_out(
        [Goods(sku, size) for sku, size in SIZES.items()],
        shelf_cameras=3,
        overhead_cameras=2,
        size_px=(1280, 720),
        rng=np.random.default_rng(seed),
    )
    return shop, _story(shop, seed, shoppers)


def _story(shop: Shop, seed: int, shoppers: int) -> Story:
    return write_story(
        shop, SIZES | UNKNOWN, list(UNKNOWN), shoppers=shoppers, seconds=75, seed=seed
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_appears_or_disappears(seed: int) -> None:
    shop, story = _told(seed)
    expected: Counter[str] = Counter()
    for facing in shop.planogram.facings.values():
        expected[facing.sku] += facing.stock
    for each in story.interactions:
        if each.sku is not None:
            sign = {"take": -1, "put_back": 1, "restock": 1, "touch": 0}[each.kind]
            expected[each.sku] += sign * each.quantity
    found: Counter[str] = Counter()
    for counts in story.stock_at_end.values():
        found.update({sku: n for sku, n in counts.items() if not sku.startswith("unknown/")})
    assert +found == +expected


@pytest.mark.parametrize("seed", SEEDS)
def test_a_receipt_is_what_leaves_with_its_shopper(seed: int) -> None:
    _, story = _told(seed)
    for person in story.people:
        carried: Counter[str] = Counter()
        for piece in story.pieces:
            holders = [key.holder for key in piece.keys if key.holder is not None]
            if piece.keys[-1].where == "gone" and holders and holders[-1] == person.name:
                carried[piece.model] += 1
        lines = {line["sku"]: line["quantity"] for line in receipt(story, person.name)}
        assert lines == {sku: n for sku, n in carried.items() if not sku.startswith("unknown/")}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hand_is_at_the_piece_when_it_grips_and_when_it_lets_go(seed: int) -> None:
    _, story = _told(seed)
    people = {person.name: person for person in story.people}
    checked = 0
    for piece in story.pieces:
        _, depth, height = (SIZES | UNKNOWN)[piece.model]
        for before, after in zip(piece.keys, piece.keys[1:], strict=False):
            if {before.where, after.where} != {"shelf", "hand"}:
                continue
            shelf, holder = (
                (before, after.holder) if before.where == "shelf" else (after, before.holder)
            )
            assert holder is not None
            person = people[holder]
            hand = hand_at(person.right_hand, person.walk, after.at_s)
            away = hand - np.array(shelf.place_m)
            assert np.linalg.norm(away[:2]) < 2 * depth + 0.03
            assert -0.02 < away[2] < height + 0.05
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_piece_is_with_one_person_at_a_time_and_its_story_runs_forwards(seed: int) -> None:
    _, story = _told(seed)
    for piece in story.pieces:
        moments = [key.at_s for key in piece.keys]
        assert moments == sorted(moments)
        for before, after in zip(piece.keys, piece.keys[1:], strict=False):
            if before.holder is not None and after.holder is not None:
                assert before.holder == after.holder


@pytest.mark.parametrize("seed", SEEDS)
def test_people_walk_at_a_human_pace_and_not_through_each_other(seed: int) -> None:
    shop, story = _told(seed)
    for person in story.people:
        steps = np.linalg.norm(np.diff(person.walk.floor_m, axis=0), axis=1)
        assert (steps / np.diff(person.walk.at_s)).max() < 2.2
    close = 0
    for moment in np.arange(0, story.seconds, 0.1):
        here = [person for person in story.people if person.present(float(moment))]
        spots = [np.array(person.walk.where(float(moment))) for person in here]
        for first in range(len(spots)):
            for second in range(first):
                close += bool(np.linalg.norm(spots[first] - spots[second]) < 0.3)
    assert close <= 5  # half a second of brushing past each other


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_checks_in_inside_the_entry_zone_and_leaves_through_the_exit(seed: int) -> None:
    shop, story = _told(seed)
    entry, way_out = shop.calibration.floor.zones
    people = {person.name: person for person in story.people}
    assert sorted(each.shopper for each in story.checkins) == sorted(people)
    for each in story.checkins:
        assert entry.contains(*people[each.shopper].walk.where(each.at_s))
    for person in story.people:
        last = [
            person.walk.where(float(moment))
            for moment in person.walk.at_s
            if person.walk.where(float(moment))[1] >= 0
        ][-1]
        assert way_out.contains(*last)
        assert person.walk.at_s[-1] < story.seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_hands_come_before_they_grip_and_go_afterwards(seed: int) -> None:
    _, story = _told(seed)
    for each in story.interactions:
        assert each.started_at_s < each.at_s < each.ended_at_s
        person = next(person for person in story.people if person.name == each.shopper)
        assert person.present(each.started_at_s)
        assert person.present(each.ended_at_s)


def test_all_behaviours_happen_over_a_few_shops() -> None:
    seen = {each.behaviour for seed in SEEDS for each in _told(seed)[1].interactions}
    assert seen == {*BEHAVIOURS, "restock", "unknown_object"}


def test_a_group_shares_the_check_in_of_its_first_member() -> None:
    _, story = _told(2)
    groups = Counter(each.group for each in story.checkins)
    assert max(groups.values()) == 2
    shared = next(group for group, count in groups.items() if count == 2)
    assert shared in {each.checkin_id for each in story.checkins}


def test_misplaced_goods_stand_where_something_else_belongs() -> None:
    for seed in SEEDS:
        shop, story = _told(seed)
        for each in story.interactions:
            if each.behaviour == "misplace":
                assert shop.planogram.facings[each.facing].sku != each.sku
            if each.behaviour in ("put_back", "restock"):
                assert shop.planogram.facings[each.facing].sku == each.sku


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    shop, story = _told(3)
    again = _story(shop, 3, 5)
    assert truth(again, 3, 15) == truth(story, 3, 15)
    assert truth(_story(shop, 4, 5), 3, 15) != truth(story, 3, 15)


def test_one_shopper_alone_still_does_something() -> None:
    for seed in SEEDS:
        shop, _ = _told(seed)
        story = write_story(shop, SIZES, [], shoppers=1, seconds=10, seed=seed, staff=False)
        assert len(story.interactions) >= 1
