"""PK batches."""

from __future__ import annotations

from collections import Counter

from cloud_trainer.sampling import PKSampler

LABELS = [0] * 5 + [1] * 2 + [2] * 7 + [3] * 4
SCENES = [0, 0, 0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 7, 7, 7]


def test_a_batch_has_p_products_with_k_photos_each() -> None:
    rows, _ = PKSampler(LABELS, SCENES, products=3, photos=4, seed=0).batch(0)
    assert sorted(Counter(LABELS[row] for row in rows).values()) == [4, 4, 4]


def test_photos_repeat_only_where_a_product_has_fewer_than_k() -> None:
    sampler = PKSampler(LABELS, SCENES, products=4, photos=4, seed=0)
    for step in range(20):
        rows, _ = sampler.batch(step)
        for product in (0, 2, 3):
            own = [row for row in rows if LABELS[row] == product]
            assert len(set(own)) == 4


def test_the_same_step_gives_the_same_batch_whatever_was_drawn_before() -> None:
    first, second = (PKSampler(LABELS, SCENES, products=3, photos=2, seed=7) for _ in range(2))
    for step in range(5):
        first.batch(step)
    rows, rng = first.batch(9)
    again, rng_again = second.batch(9)
    assert rows == again
    assert rng.random() == rng_again.random()


def test_other_steps_and_seeds_give_other_batches() -> None:
    sampler, other = (PKSampler(LABELS, SCENES, products=3, photos=2, seed=seed) for seed in (1, 2))
    assert sampler.batch(0)[0] != sampler.batch(1)[0]
    assert [sampler.batch(s)[0] for s in range(5)] != [other.batch(s)[0] for s in range(5)]


def test_p_is_taken_down_to_the_products_there_are() -> None:
    assert PKSampler(LABELS, SCENES, products=99, photos=2, seed=0).batch_size == 8


def test_the_photos_of_a_product_come_from_as_many_scenes_as_there_are() -> None:
    sampler = PKSampler(LABELS, SCENES, products=4, photos=4, seed=0)
    for step in range(20):
        rows, _ = sampler.batch(step)
        of_melon = {SCENES[row] for row in rows if LABELS[row] == 2}
        assert of_melon == {3, 4, 5, 6}
        assert {SCENES[row] for row in rows if LABELS[row] == 0} == {0, 1}


def test_a_scene_of_few_photos_is_drawn_as_often_as_one_of_many() -> None:
    sampler = PKSampler([0] * 11 + [1], [0] * 10 + [1, 2], products=2, photos=1, seed=3)
    drawn = Counter(row for step in range(400) for row in sampler.batch(step)[0])
    assert 150 < drawn[10] < 250
