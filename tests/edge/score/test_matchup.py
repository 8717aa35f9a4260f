from __future__ import annotations

from dataclasses import replace

from edge.score.matchup import match_up
from tests.edge.checkout.shopping import event
from tests.edge.score.scored_shops import did


def test_an_event_shows_the_interaction_of_its_time_and_direction() -> None:
    matchup = match_up(
        [did("ann", at_s=10), did("ann", "put_back", at_s=12), did("ann", at_s=40)],
        [event("e-1", at_s=40.4), event("e-2", at_s=10.2), event("e-3", at_s=90)],
    )
    assert matchup.events_of == ((1,), (), (0,))
    assert matchup.interaction_of == (2, 0, None)
    assert matchup.of_event("e-3") is None
    assert matchup.of_event("e-2") == matchup.interactions[0]


def test_of_two_at_one_fixture_the_same_facing_comes_first() -> None:
    matchup = match_up(
        [did("ann", at_s=10, facing="facing-2"), did("bob", at_s=10.8)],
        [event("e-1", at_s=10.1), replace(event("e-2", at_s=10.9), facing="facing-2")],
    )
    assert matchup.interaction_of == (1, 0)


def test_an_event_at_the_wrong_facing_still_shows_what_happened() -> None:
    matchup = match_up([did("ann", facing="facing-2")], [event("e-1")])
    assert matchup.interaction_of == (0,)


def test_two_events_may_be_one_interaction_with_two_pieces_and_no_more() -> None:
    events = [event("e-1"), event("e-2", at_s=10.3), event("e-3", at_s=10.4)]
    assert match_up([did("ann", quantity=2)], events).events_of == ((0, 1),)
    assert match_up([did("ann")], events).events_of == ((0,),)


def test_a_touch_is_nothing_and_a_restock_is_a_put_back() -> None:
    matchup = match_up(
        [did("ann", "touch", quantity=0), did("staff", "restock", at_s=20)],
        [event("e-1"), event("e-2", "put_back", at_s=20)],
    )
    assert [each.kind for each in matchup.interactions] == ["restock"]
    assert matchup.interaction_of == (None, 0)
