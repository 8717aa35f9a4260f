from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.matching.packtext import sharpness, vote
from edge.matching.recogniser import Recogniser
from models.bundle import Bundle
from models.packtext import normalised_words
from tests.edge.bundles import embedder_of, look_at, with_thresholds

PACKS = {
    "juice-apple": ["God Morgon", "Äpple", "Juice"],
    "juice-orange": ["God Morgon", "Apelsin", "Juice"],
    "juice-grape": ["God Morgon", "Röd Grape", "Juice"],
}
CANDIDATES = tuple(PACKS)


@pytest.mark.parametrize(
    ("read", "winner"),
    [
        (["GOD MORGON", "APELSIN JUICE"], None),  # one word is not enough against the picture
        (["GOD MORGON", "ÄPPLE"], "juice-apple"),
        (["god morgon", "apple"], "juice-apple"),
        (["röd", "grape"], "juice-grape"),
        (["rod", "grapc"], "juice-grape"),  # misread in one letter
        (["God Morgon", "Juice"], None),  # all of them say so
        (["Äpple", "Apelsin"], None),
        ([], None),
    ],
)
def test_words_that_only_one_candidate_has_decide(read: list[str], winner: str | None) -> None:
    assert vote(read, PACKS, CANDIDATES).winner == winner


def test_without_the_words_of_every_candidate_nothing_is_decided() -> None:
    assert vote(["Äpple"], PACKS, (*CANDIDATES, "no-words")).winner is None
    assert vote(["Äpple"], {**PACKS, "juice-grape": []}, CANDIDATES).winner is None


@pytest.mark.parametrize(
    ("read", "found"),
    [
        ("apelsin", True),
        ("apelsinn", True),
        ("apesin", True),
        ("apelsim", True),
        ("pelsin", True),
        ("apelison", False),
        ("ape", False),
    ],
)
def test_one_wrong_letter_of_a_long_word_is_forgiven(read: str, found: bool) -> None:
    votes = vote([read], PACKS, ("juice-orange", "juice-apple"))
    assert (votes.winner == "juice-orange") is found


def test_numbers_are_never_taken_for_each_other() -> None:
    packs = {"small": ["juice", "500ml"], "large": ["juice", "600ml"]}
    assert vote(["juice 500ml"], packs, ("small", "large")).winner == "small"
    assert vote(["juice 800ml"], packs, ("small", "large")).winner is None


def test_words_are_compared_without_case_accents_and_marks() -> None:
    assert normalised_words(["Crème-Fraîche, 34 %", "på"]) == {"creme", "fraiche"}


def test_a_sharp_crop_is_sharper_than_a_blurred_one(bundle: Bundle) -> None:
    crop = np.ascontiguousarray(look_at(bundle, 1, 0))
    assert sharpness(crop) > 2 * sharpness(np.asarray(cv2.GaussianBlur(crop, (9, 9), 3), np.uint8))


def _with_words(bundle: Bundle) -> Bundle:
    words = {
        sku: ("carton", f"number{row}", f"word{row}{row}") for row, sku in enumerate(bundle.skus)
    }
    return replace(with_thresholds(bundle, -9, -9, 2), text=words)


def test_words_settle_a_review_and_are_read_off_the_sharpest_crop(bundle: Bundle) -> None:
    sharp = look_at(bundle, 2, 0)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (9, 9), 3), np.uint8)
    seen: list[np.ndarray] = []

    def read(crop: np.ndarray) -> Sequence[str]:
        seen.append(crop)
        return ["CARTON", "NUMBER2", "word22"]

    recogniser = Recogniser([_with_words(bundle)], [embedder_of(bundle)], read)
    decision = recogniser.recognise([blurred, sharp]).decision
    assert (decision.outcome, decision.sku) == ("accept", "carton-02")
    assert "the pack says number2, word22" in decision.reason
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], sharp)


def test_words_may_speak_for_another_candidate_than_the_nearest(bundle: Bundle) -> None:
    recogniser = Recogniser(
        [_with_words(bundle)], [embedder_of(bundle)], lambda _: ["number3", "word33"]
    )
    recognition = recogniser.recognise([look_at(bundle, 2, 0)])
    nearest = recognition.decision.candidates[0].sku
    assert nearest != "carton-03"
    assert recognition.decision.sku == "carton-03"
    assert recognition.product_name == "Carton 3"


def test_words_that_decide_nothing_leave_the_review(bundle: Bundle) -> None:
    recogniser = Recogniser([_with_words(bundle)], [embedder_of(bundle)], lambda _: ["carton"])
    assert recogniser.recognise([look_at(bundle, 2, 0)]).decision.outcome == "review"


def test_nothing_is_read_when_the_bundle_lists_no_words_or_nothing_is_open(bundle: Bundle) -> None:
    def read(_: np.ndarray) -> Sequence[str]:
        raise AssertionError("nobody should read")

    for each, outcome in (
        (with_thresholds(bundle, -9, -9, 2), "review"),
        (
            replace(_with_words(bundle), manifest=with_thresholds(bundle, 1.9, 1.9, 2).manifest),
            "accept",
        ),
    ):
        recogniser = Recogniser([each], [embedder_of(bundle)], read)
        assert recogniser.recognise([look_at(bundle, 2, 0)]).decision.outcome == outcome
