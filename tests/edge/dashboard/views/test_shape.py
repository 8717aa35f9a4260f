from __future__ import annotations

from dataclasses import replace

import pytest

from edge.dashboard.views.shape import crops_of, moment_of
from tests.edge.checkout.shopping import event
from web.shape import page_of


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("2026-03-02/20260302T080000Z-shelf-1-0000301-0-before.jpg", "before"),
        ("2026-03-02/run-shelf-1-0000301-0-facing-after.jpg", "facing-after"),
        ("2026-03-02/run-shelf-1-0000301-0-hand.jpg", "hand"),
        ("2026-03-02/run-before-1-0000301-0.jpg", "object"),
        ("e-1/1.jpg", "object"),
    ],
)
def test_a_crops_name_says_what_it_shows(name: str, moment: str) -> None:
    assert moment_of(name) == moment


def test_pictures_come_in_the_order_in_which_they_happened() -> None:
    names = ("a/e-after.jpg", "a/e-hand.jpg", "a/e.jpg", "a/e-before.jpg")
    happened = event("e")
    happened = replace(happened, evidence=replace(happened.evidence, crops=names))
    assert [crop.moment for crop in crops_of(happened)] == ["before", "hand", "after", "object"]
    assert crops_of(happened)[0].url == "/api/v1/crops/a/e-before.jpg"


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    items = list("abcde")
    read: list[str] = []
    after: str | None = None
    while True:
        part, after = page_of(items, items, after, 2)
        read += part
        if after is None:
            break
    assert read == items
    assert page_of(items, items, "gone", 2) == (("a", "b"), "b")
    assert page_of([], [], None, 2) == ((), None)
