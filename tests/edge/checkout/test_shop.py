from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.checkout.basket import Attribution, Moment
from edge.checkout.charging import entries_for
from edge.checkout.correcting import Verdict, settle_review
from edge.checkout.entries import (
    Entry,
    LineReleased,
    MemberLeft,
    ReviewSettled,
    SessionClosed,
    SessionJoined,
    SessionOpened,
)
from edge.checkout.shop import Shop, fold
from edge.errors import CheckoutError
from edge.events import InteractionEvent
from tests.edge.checkout.shopping import event

NAMES = ("anna", "ben", "carla")


def opened(name: str) -> SessionOpened:
    return SessionOpened(
        entry_id=f"{name}:in",
        captured_at_s=0,
        wall_time_s=0,
        session_id=name,
        checkin_id=name,
        token_hash="hash",
        shopper=name,
        role="shopper",
    )


SEEN = st.builds(
    event,
    st.just("to be named"),
    st.sampled_from(["take", "put_back"]),
    st.sampled_from(["milk", "bear"]),
    quantity=st.integers(1, 3),
    outcome=st.sampled_from(["accept", "accept", "review", "reject"]),
    candidates=st.sampled_from([(), (("milk", 0.6), ("bear", 0.4))]),
)
WHO = st.lists(st.sampled_from(NAMES), unique=True, max_size=3)


def named(seen: InteractionEvent, number: int) -> InteractionEvent:
    return event(
        f"e{number}",
        seen.kind,
        seen.sku,
        at_s=10.0 + number,
        quantity=seen.quantity,
        outcome=seen.outcome,
        candidates=tuple((each.sku, each.share) for each in seen.candidates),
    )


def lived(day: list[tuple[InteractionEvent, list[str]]]) -> tuple[list[Entry], list[Shop]]:
    entries: list[Entry] = [opened(name) for name in NAMES]
    states = [fold(entries)]
    for number, (seen, who) in enumerate(day):
        new = entries_for(
            named(seen, number), Attribution(tuple(who), ""), states[-1], wall_time_s=0.0
        )
        entries += new
        states.append(fold(new, states[-1]))
    return entries, states


@settings(max_examples=60, deadline=None)
@given(day=st.lists(st.tuples(SEEN, WHO), max_size=12))
def test_whatever_happens_pieces_are_conserved_and_lines_never_negative(
    day: list[tuple[InteractionEvent, list[str]]],
) -> None:
    entries, states = lived(day)
    for shop in states:
        for basket in shop.baskets.values():
            assert all(0 <= line.pieces <= line.quantity for line in basket.lines)
    # Every event that was not rejected is charged, released or asked about, in all its pieces.
    last = states[-1]
    for event_id, recorded in last.interactions.items():
        seen = recorded.event
        reviewed = last.reviews[event_id].quantity if event_id in last.reviews else 0
        charged = sum(
            line.quantity
            for basket in last.baskets.values()
            for line in basket.lines
            if line.event.event_id == event_id
        )
        released = sum(
            entry.quantity
            for entry in entries
            if isinstance(entry, LineReleased) and entry.event_id == event_id
        )
        ended = sum(
            last.reviews[entry.review_id].quantity
            for entry in entries
            if isinstance(entry, ReviewSettled) and entry.reason.endswith(f"{event_id} shows")
        )
        told = reviewed + charged + released + ended
        if seen.outcome != "reject":
            assert told == seen.quantity
        else:  # nothing, unless it may be what they hold
            assert charged == released == ended == 0
            assert reviewed in ((0, seen.quantity) if seen.kind == "put_back" else (0,))


@settings(max_examples=40, deadline=None)
@given(day=st.lists(st.tuples(SEEN, WHO), max_size=10), data=st.data())
def test_folding_in_pieces_gives_what_folding_at_once_gives(
    day: list[tuple[InteractionEvent, list[str]]], data: st.DataObject
) -> None:
    entries, states = lived(day)
    cut = data.draw(st.integers(0, len(entries)))
    assert fold(entries) == states[-1]
    assert fold(entries[cut:], fold(entries[:cut])) == states[-1]


@settings(max_examples=40, deadline=None)
@given(day=st.lists(st.tuples(SEEN, WHO), max_size=10))
def test_an_event_given_again_at_any_later_time_changes_nothing(
    day: list[tuple[InteractionEvent, list[str]]],
) -> None:
    _, states = lived(day)
    for number, (seen, who) in enumerate(day):
        again = entries_for(
            named(seen, number), Attribution(tuple(who), ""), states[-1], wall_time_s=5.0
        )
        assert again == ()


@settings(max_examples=40, deadline=None)
@given(day=st.lists(st.tuples(SEEN, WHO), max_size=12), sku=st.sampled_from(["milk", "bear"]))
def test_every_review_can_be_settled_as_something_or_as_nothing(
    day: list[tuple[InteractionEvent, list[str]]], sku: str
) -> None:
    _, states = lived(day)
    shop = states[-1]
    for review in shop.open_reviews():
        before = sum(basket.held(sku) for basket in shop.baskets.values())
        verdict = Verdict("maria", sku, "anna", review.quantity)
        try:
            entries = settle_review(review.review_id, verdict, shop, at=Moment(90, 90))
        except CheckoutError:
            assert review.event.kind == "put_back"
            assert shop.baskets["anna"].held(sku) < review.quantity
            nothing = Verdict("maria", None, None, 0)
            entries = settle_review(review.review_id, nothing, shop, at=Moment(90, 90))
            change = 0
        else:
            change = review.quantity if review.event.kind == "take" else -review.quantity
        shop = fold(entries, shop)
        assert sum(basket.held(sku) for basket in shop.baskets.values()) == before + change
    assert shop.open_reviews() == ()


def test_a_state_stays_as_it_is_when_entries_are_folded_onto_it() -> None:
    before = fold([opened("anna")])
    fold([opened("ben")], before)
    assert list(before.baskets) == ["anna"]


def _closed(name: str) -> SessionClosed:
    return SessionClosed(
        entry_id=f"{name}:out", captured_at_s=1, wall_time_s=1, session_id=name, closed_by="exit"
    )


def _joined(name: str, session: str) -> SessionJoined:
    return SessionJoined(
        entry_id=f"{name}:in",
        captured_at_s=1,
        wall_time_s=1,
        session_id=session,
        checkin_id=name,
        token_hash="hash",
        shopper=name,
    )


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([opened("anna"), opened("anna")], "checked in before"),
        ([_closed("anna")], "nothing before it speaks of anna"),
        ([opened("anna"), _closed("anna"), _closed("anna")], "session anna is closed"),
        ([opened("anna"), _closed("anna"), _joined("ben", "anna")], "session anna is closed"),
        (
            [
                opened("anna"),
                LineReleased(
                    entry_id="x",
                    captured_at_s=1,
                    wall_time_s=1,
                    line_id="l",
                    session_id="anna",
                    event_id=None,
                    quantity=1,
                    reviewer=None,
                    reason="",
                ),
            ],
            "session anna has no line l",
        ),
    ],
)
def test_entries_that_contradict_each_other_are_refused(
    entries: list[Entry], complaint: str
) -> None:
    with pytest.raises(CheckoutError, match=complaint):
        fold(entries)


def test_members_of_a_group_come_and_go_in_any_order() -> None:
    for first, second in itertools.permutations(["ben", "carla"]):
        shop = fold(
            [
                opened("anna"),
                _joined("ben", "anna"),
                _joined("carla", "anna"),
                MemberLeft(
                    entry_id="x",
                    captured_at_s=2,
                    wall_time_s=2,
                    session_id="anna",
                    checkin_id=first,
                ),
            ]
        )
        left = {m.checkin_id for m in shop.baskets["anna"].members if m.left_at is not None}
        assert left == {first}
        assert shop.sessions_of([second, first, "anna"]) == ("anna",)
