from collections.abc import Iterable

import pytest

from calibration.format import CalibrationError
from edge.events import Frame, InteractionEvent
from edge.interaction.shelf import ShelfWatch
from tests.edge.interaction.drawn import PIECE_M, Point3, Shelf, calibration, planogram


def _watch() -> ShelfWatch:
    return ShelfWatch("shelf-1", calibration(), planogram())


def _fed(watch: ShelfWatch, *parts: Iterable[Frame]) -> list[InteractionEvent]:
    return [event for part in parts for frame in part for event in watch.feed(frame)]


def _grip(place: Point3) -> Point3:
    u, v, w = place
    return u, v + 0.1, w - PIECE_M[1] / 2


def _before(place: Point3) -> Point3:
    u, v, _ = place
    return u, v + 0.15, -0.45


def _reached(
    shelf: Shelf,
    watch: ShelfWatch,
    place: Point3,
    change: dict[tuple[str, int, int], str | None],
    *,
    carrying_in: str | None = None,
    carrying_out: str | None = None,
    out_s: float = 0.6,
) -> list[InteractionEvent]:
    """Somebody comes, reaches to a place, changes what stands there, and goes."""
    grip, before = _grip(place), _before(place)
    shelf.body_u_m = place[0] - 0.3
    shelf.carrying = carrying_in
    events = _fed(watch, shelf.reach(before, grip, 0.5), shelf.frames(0.2))
    for key, sku in change.items():
        if sku is None:
            del shelf.pieces[key]
        else:
            shelf.pieces[key] = sku
    shelf.carrying = carrying_out
    events += _fed(watch, shelf.reach(grip, before, out_s))
    shelf.hand = shelf.carrying = shelf.body_u_m = None
    return events + _fed(watch, shelf.frames(1.5))


def _settled() -> tuple[Shelf, ShelfWatch]:
    shelf, watch = Shelf(), _watch()
    assert _fed(watch, shelf.frames(1.5)) == []
    return shelf, watch


@pytest.mark.parametrize("facing", ["A1", "A2", "B1", "B2"])
def test_a_piece_that_is_taken_is_one_take_from_its_facing(facing: str) -> None:
    shelf, watch = _settled()
    sku = planogram().facings[facing].sku
    events = _reached(
        shelf, watch, shelf.at(facing, 1, 0), {(facing, 1, 0): None}, carrying_out=sku
    )
    assert [(e.kind, e.facing, e.sku, e.quantity, e.outcome) for e in events] == [
        ("take", facing, sku, 1, "accept")
    ]
    assert 1.4 < events[0].started_at_s < 2.3
    assert 2.0 < events[0].ended_at_s < 3.4


def test_two_pieces_taken_at_once_are_two() -> None:
    shelf, watch = _settled()
    gone: dict[tuple[str, int, int], str | None] = {("B1", 1, 0): None, ("B1", 1, 1): None}
    events = _reached(shelf, watch, shelf.at("B1", 1, 0), gone, carrying_out="soup")
    assert [(e.kind, e.facing, e.quantity) for e in events] == [("take", "B1", 2)]
    assert watch.stock.pieces["B1"] == 7


def test_a_touch_is_no_event() -> None:
    shelf, watch = _settled()
    assert _reached(shelf, watch, shelf.at("A1", 0, 0), {}) == []
    assert watch.stock.pieces["A1"] == 9


def test_a_piece_taken_and_put_back_are_two_events_and_the_stock_is_as_before() -> None:
    shelf, watch = _settled()
    place = shelf.at("A2", 0, 0)
    events = _reached(shelf, watch, place, {("A2", 0, 0): None}, carrying_out="milk")
    events += _reached(shelf, watch, place, {("A2", 0, 0): "milk"}, carrying_in="milk")
    assert [(e.kind, e.sku, e.outcome) for e in events] == [
        ("take", "milk", "accept"),
        ("put_back", "milk", "accept"),
    ]
    assert watch.stock.pieces["A2"] == 9
    assert watch.stock.out == {}


def test_a_piece_put_where_another_belongs_is_found_there_and_taken_from_there() -> None:
    shelf, watch = _settled()
    _reached(shelf, watch, shelf.at("B2", 1, 0), {("B2", 1, 0): None}, carrying_out="jam")
    _reached(shelf, watch, shelf.at("A1", 0, 0), {("A1", 0, 0): None}, carrying_out="tea")
    put = _reached(shelf, watch, shelf.at("A1", 0, 0), {("A1", 0, 0): "jam"}, carrying_in="jam")
    assert [(e.kind, e.facing, e.sku, e.outcome) for e in put] == [
        ("put_back", "A1", "jam", "accept")
    ]
    assert [each.strays for each in watch.state() if each.name == "A1"] == [("jam",)]
    taken = _reached(shelf, watch, shelf.at("A1", 0, 0), {("A1", 0, 0): None}, carrying_out="jam")
    assert [(e.kind, e.facing, e.sku) for e in taken] == [("take", "A1", "jam")]
    assert watch.stock.strays == ()


def test_a_piece_taken_and_put_back_a_little_aside_behind_somebody_is_no_event() -> None:
    shelf, watch = _settled()
    shelf.body_u_m = 0.1
    events = _fed(watch, shelf.frames(3))
    shelf.aside_m["A1", 0, 0] = 0.006
    shelf.body_u_m = None
    events += _fed(watch, shelf.frames(2))
    assert events == []
    assert watch.stock.pieces["A1"] == 9


def test_reaching_over_a_neighbour_takes_from_the_facing_that_was_reached() -> None:
    shelf, watch = _settled()
    over, grip = _grip(shelf.at("A1", 2, 0)), _grip(shelf.at("A2", 0, 0))
    shelf.body_u_m = 0.2
    events = _fed(watch, shelf.reach(_before(over), over, 0.5), shelf.reach(over, grip, 0.4))
    del shelf.pieces["A2", 0, 0]
    events += _fed(watch, shelf.reach(grip, _before(over), 0.6))
    shelf.hand = shelf.body_u_m = None
    events += _fed(watch, shelf.frames(1.5))
    assert [(e.kind, e.facing) for e in events] == [("take", "A2")]


def test_a_slow_lift_is_one_take() -> None:
    shelf, watch = _settled()
    events = _reached(
        shelf, watch, shelf.at("B1", 0, 0), {("B1", 0, 0): None}, carrying_out="soup", out_s=5.0
    )
    assert [(e.kind, e.facing, e.quantity) for e in events] == [("take", "B1", 1)]


def test_somebody_who_stands_before_the_shelf_is_never_learned() -> None:
    shelf, watch = _settled()
    shelf.body_u_m = 0.5
    assert _fed(watch, shelf.frames(8)) == []
    del shelf.pieces["A1", 2, 0]
    shelf.body_u_m = None
    events = _fed(watch, shelf.frames(1.5))
    assert [(e.kind, e.facing, e.sku) for e in events] == [("take", "A1", "tea")]


def test_two_hands_at_once_are_two_takes() -> None:
    shelf, watch = _settled()
    events = _fed(watch, shelf.reach(_before(shelf.at("A1", 0, 0)), (0.1, 0.12, 0.02), 0.5))
    del shelf.pieces["A1", 0, 0]
    del shelf.pieces["B2", 2, 0]
    events += _fed(watch, shelf.reach((1.1, 0.52, 0.02), _before(shelf.at("B2", 2, 0)), 0.5))
    shelf.hand = None
    events += _fed(watch, shelf.frames(1.5))
    assert sorted((e.kind, e.facing) for e in events) == [("take", "A1"), ("take", "B2")]
    assert len({e.event_id for e in events}) == 2


@pytest.mark.parametrize("to", [0.75, 1.15])
def test_light_that_changes_is_no_event_at_once_or_slowly(to: float) -> None:
    shelf, watch = _settled()
    shelf.light = to
    events = _fed(watch, shelf.frames(3))
    for step in range(20):
        shelf.light = to + (1 - to) * (step + 1) / 20
        events += _fed(watch, shelf.frames(0.3))
    assert events == []
    taken = _reached(shelf, watch, shelf.at("B1", 1, 0), {("B1", 1, 0): None})
    assert [(e.kind, e.facing) for e in taken] == [("take", "B1")]


def test_a_shadow_that_stays_is_no_event() -> None:
    shelf, watch = _settled()
    shelf.shadow = 0.3
    assert _fed(watch, shelf.frames(4)) == []
    shelf.shadow = 0.0
    assert _fed(watch, shelf.frames(4)) == []


def test_the_same_frames_give_the_same_events() -> None:
    told = []
    for _ in range(2):
        shelf, watch = _settled()
        told.append(
            _reached(shelf, watch, shelf.at("A1", 1, 0), {("A1", 1, 0): None}, carrying_out="tea")
        )
    assert told[0] == told[1]
    assert told[0][0].event_id.startswith("shelf-1-")


def test_frames_in_which_nothing_moves_are_not_looked_at_as_a_whole() -> None:
    shelf, watch = _settled()
    looked_at = 0
    for frame in shelf.frames(4):
        watch.feed(frame)
        looked_at += watch.active
    assert looked_at <= 5


def test_the_event_says_from_where_on_the_floor_it_came_and_which_pictures_it_rests_on() -> None:
    shelf, watch = _settled()
    place = shelf.at("A1", 1, 0)
    seen = []
    shelf.body_u_m = 0.1
    for part in (shelf.reach(_before(place), _grip(place), 0.5),):
        seen += [each for frame in part for each in watch.watch(frame)]
    del shelf.pieces["A1", 1, 0]
    shelf.hand = shelf.body_u_m = None
    seen += [each for frame in shelf.frames(1.5) for each in watch.watch(frame)]
    assert len(seen) == 1
    x_m, y_m = seen[0].event.floor_m
    assert abs(x_m - place[0]) < 0.4 and -0.9 < y_m < -0.2
    event = seen[0].event
    assert event.floor_sd_m is not None and 0.05 < event.floor_sd_m < 1
    assert event.contact_at_s is not None and seen[0].sleeve is not None
    assert event.started_at_s <= event.contact_at_s <= event.ended_at_s
    assert [crop.name for crop in seen[0].crops] == list(seen[0].event.evidence.crops)
    pictures = {crop.name.partition(event.event_id)[2]: crop.image for crop in seen[0].crops}
    names = ["-before.jpg", "-after.jpg", "-facing-before.jpg", "-hand.jpg", "-facing-after.jpg"]
    assert list(pictures) == names
    before, after = pictures["-before.jpg"], pictures["-after.jpg"]
    assert before.shape == after.shape and float(abs(before.astype(int) - after).mean()) > 15
    full, empty = pictures["-facing-before.jpg"], pictures["-facing-after.jpg"]
    assert full.shape == empty.shape and full.size > before.size
    assert float(abs(full.astype(int) - empty).mean()) > 2


def test_the_state_shows_where_a_hand_is() -> None:
    shelf, watch = _settled()
    assert not any(each.hand for each in watch.state())
    place = _grip(shelf.at("B1", 1, 0))
    _fed(watch, shelf.reach(_before(shelf.at("B1", 1, 0)), place, 0.3))
    assert "B1" in {each.name for each in watch.state() if each.hand}


def test_a_camera_without_calibration_is_named() -> None:
    with pytest.raises(
        CalibrationError, match="shelf-9 is not calibrated; calibrated are: shelf-1"
    ):
        ShelfWatch("shelf-9", calibration(), planogram())


def test_a_camera_without_facings_says_what_to_do() -> None:
    bare = planogram().model_copy(update={"facings": {}})
    with pytest.raises(CalibrationError, match="watches no facing"):
        ShelfWatch("shelf-1", calibration(), bare)
