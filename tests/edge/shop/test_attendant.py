from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.format import Fixture, Floor, Zone
from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from edge.config import CheckoutSettings
from edge.errors import CheckoutError
from edge.events import InteractionKind
from edge.shop.attendant import BY_LATER, Attendant
from edge.tracking.observations import FloorScan
from edge.tracking.session import CheckIn
from edge.tracking.sessions import Sessions
from edge.tracking.track import Track, TrackState
from edge.tracking.watch import FloorMoment
from tests.edge.checkout.shopping import OPENED_AT_S, event, open_desk, open_ledger

Person = tuple[str, tuple[float, float]]  # a track and where it is

FLOOR = Floor(
    outline=((0, 0), (4, 0), (4, 4), (0, 4)),
    zones=(
        Zone(name="entry", kind="entry", polygon=((0, 0), (1, 0), (1, 1), (0, 1))),
        Zone(name="exit", kind="exit", polygon=((3, 0), (4, 0), (4, 1), (3, 1))),
    ),
)
FIXTURE = Fixture(
    origin_m=(0.5, 2.6, 0.4), right=(1, 0, 0), up=(0, 0, 1), width_m=1, height_m=1, depth_m=0.4
)
DOOR, SHELF, AWAY = (0.5, 0.5), (1.0, 2.0), (3.5, 3.5)  # events of these tests come from SHELF
STEP_S = 0.2


def track(
    name: str,
    at_s: float,
    place: tuple[float, float],
    state: TrackState,
    seen_s: float | None = None,
) -> Track:
    return Track(
        track_id=name,
        at_s=at_s,
        position_m=place,
        velocity_m_s=(0, 0),
        covariance_m2=((0.01, 0), (0, 0.01)),
        state=state,
        first_seen_s=0,
        last_seen_s=at_s if seen_s is None else seen_s,
        found_inside=False,
        swaps=(),
        cameras=("overhead-1",),
        reason="scripted",
    )


class Day:
    """A shop whose floor is told by hand; time goes on with every look at the floor."""

    def __init__(
        self,
        ledger: Ledger,
        settings: CheckoutSettings | None = None,
        owing: Callable[[float], tuple[str, ...]] = lambda until_s: (),
    ) -> None:
        self.ledger = ledger
        self.desk: Desk = open_desk(ledger)
        self.attendant = Attendant(
            self.desk,
            Sessions(FLOOR),
            {"fixture-1": FIXTURE},
            lambda at_s: OPENED_AT_S + at_s,
            settings,
            owing=owing,
        )
        self.now_s = 0.0

    def look(
        self,
        *people: tuple[str, tuple[float, float]],
        left: str = "",
        lost: str = "",
        seen_s: float | None = None,
    ) -> None:
        self.now_s = round(self.now_s + STEP_S, 3)
        gone: dict[str, TrackState] = {left: "left", lost: "lost"}
        tracks = tuple(
            track(name, self.now_s, place, gone.get(name, "followed"), seen_s)
            for name, place in people
        )
        self.attendant.moved(FloorMoment(FloorScan(self.now_s, ()), tracks, ("overhead-1",)))

    def look_for(self, seconds: float, *people: tuple[str, tuple[float, float]]) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.look(*people)

    def come_in(self, name: str, track_id: str, group: str | None = None, role: str = "") -> None:
        self.look((track_id, DOOR))
        self.attendant.check_in(
            CheckIn(
                name,
                self.now_s,
                f"hash-of-{name}",
                name,
                "staff" if role == "staff" else "shopper",
                group or name,
            )
        )
        self.look_for(1.6, (track_id, DOOR))

    def receipt(self, name: str) -> dict[str, int] | None:
        receipt = self.desk.shop.latest_receipt(name)
        return None if receipt is None else receipt.quantities()

    def whys(self) -> list[str]:
        return [review.why for review in self.desk.shop.open_reviews()]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


@pytest.fixture
def day(ledger: Ledger) -> Day:
    return Day(ledger)


def test_whoever_stood_at_the_shelf_is_charged_and_gets_a_receipt_on_leaving(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    assert day.desk.shop.basket("ann").held("milk") == 1
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    assert day.receipt("ann") is None
    day.look_for(1)
    assert day.receipt("ann") == {"milk": 1}
    (departure,) = day.attendant.departures
    assert departure.receipt_at_s - departure.left_at_s == pytest.approx(1.0)


def test_an_interaction_waits_until_it_is_known_where_everybody_was(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(2, ("t-1", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s + 0.5), day.now_s)
    assert day.attendant.events_waiting == 1
    day.look_for(1, ("t-1", SHELF))
    assert day.attendant.events_waiting == 0
    assert day.desk.shop.basket("ann").held("milk") == 1


def test_while_the_floor_cannot_be_seen_nobody_is_charged(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.attendant.saw(event("e-1", at_s=day.now_s + 3), day.now_s + 3)
    day.attendant.passed(day.now_s + 8)
    assert day.attendant.events_waiting == 1
    day.attendant.passed(day.now_s + 8.5)
    assert day.whys() == ["low_confidence"]
    (review,) = day.desk.shop.open_reviews()
    assert review.sessions == ("ann",)
    assert "the floor could not be seen" in review.reason


def test_two_who_could_both_have_done_it_are_not_guessed_between(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look(("t-1", AWAY))
    day.come_in("bob", "t-2")
    day.look_for(4, ("t-1", SHELF), ("t-2", (1.1, 2.0)))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    assert day.whys() == ["several_shoppers"]
    assert day.desk.shop.open_reviews()[0].sessions == ("ann", "bob")


def test_what_was_in_doubt_is_settled_when_its_shopper_leaves_if_it_is_known_by_then(
    day: Day,
) -> None:
    day.come_in("ann", "t-1")
    day.look(("t-1", AWAY))
    day.come_in("bob", "t-2")
    ann, bob = ("t-1", (0.8, 2.0)), ("t-2", (1.2, 2.0))
    day.look_for(4, ann, bob)
    at_s = day.now_s - 0.6
    doubtful = replace(event("e-1", at_s=at_s), contact_at_s=at_s - 0.5)
    day.attendant.saw(doubtful, day.now_s)
    assert day.whys() == ["several_shoppers"]
    # A camera that was slower saw that Bob had his hand elsewhere just then.
    elsewhere = replace(
        event("e-2", sku="tea", at_s=at_s + 0.1),
        facing="facing-2",
        floor_m=(1.4, 2.0),
        contact_at_s=at_s - 0.3,
        floor_sd_m=0.1,
    )
    day.attendant.saw(elsewhere, day.now_s)
    assert day.desk.shop.basket("bob").held("tea") == 1
    assert day.whys() == ["several_shoppers"]
    day.look(("t-1", (3.5, 0.5)), bob, left="t-1")
    day.look_for(1.4, bob)
    assert day.receipt("ann") == {"milk": 1}
    assert day.whys() == []
    (review,) = day.desk.shop.reviews.values()
    assert review.settlement is not None and review.settlement.reviewer == BY_LATER


def test_what_is_still_in_doubt_when_its_shopper_leaves_stays_in_review(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look(("t-1", AWAY))
    day.come_in("bob", "t-2")
    ann, bob = ("t-1", (0.8, 2.0)), ("t-2", (1.2, 2.0))
    day.look_for(4, ann, bob)
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    day.look(("t-1", (3.5, 0.5)), bob, left="t-1")
    day.look_for(1.4, bob)
    assert day.receipt("ann") == {}
    assert day.whys() == ["several_shoppers"]


def test_a_put_back_of_what_nobody_has_waits_until_its_shopper_leaves_and_no_longer(
    day: Day,
) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-1", "put_back", at_s=day.now_s - 0.6), day.now_s)
    assert day.whys() == ["not_taken"]
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    day.look_for(1.4)
    assert day.receipt("ann") == {}
    assert day.whys() == []
    settlement = day.desk.shop.reviews["e-1"].settlement
    assert settlement is not None
    assert (settlement.reviewer, settlement.sku) == (BY_LATER, None)


def test_a_put_back_of_what_another_has_is_left_to_a_person(day: Day) -> None:
    day.come_in("bob", "t-2")
    day.look_for(4, ("t-2", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    day.look(("t-2", AWAY))
    day.come_in("ann", "t-1")
    day.look_for(6, ("t-1", SHELF), ("t-2", AWAY))
    day.attendant.saw(event("e-2", "put_back", at_s=day.now_s - 0.6), day.now_s)
    day.look(("t-1", (3.5, 0.5)), ("t-2", AWAY), left="t-1")
    day.look_for(1.4, ("t-2", AWAY))
    assert day.receipt("ann") == {}
    assert day.whys() == ["not_taken"]
    assert day.desk.shop.basket("bob").held("milk") == 1


def test_a_put_back_that_came_before_the_word_of_its_take_is_of_that_take(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    taken = event("e-1", at_s=day.now_s - 2.0)
    day.attendant.saw(event("e-2", "put_back", at_s=day.now_s - 0.6), day.now_s)
    assert day.whys() == ["not_taken"]
    day.attendant.saw(taken, day.now_s)
    assert day.desk.shop.basket("ann").held("milk") == 0
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    day.look_for(1.4)
    assert day.receipt("ann") == {}
    assert day.whys() == []


def test_a_shopper_beside_somebody_without_a_session_is_not_charged_unasked(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF), ("t-2", (1.1, 2.0)))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    assert day.desk.shop.basket("ann").held("milk") == 0
    (review,) = day.desk.shop.open_reviews()
    assert review.sessions == ("ann",)
    assert "somebody without a session" in review.reason


def test_what_nobody_was_near_goes_to_review(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", AWAY))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    assert day.whys() == ["no_shopper"]


def test_a_sick_camera_charges_nobody(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s, camera_sick=True)
    assert day.whys() == ["camera_sick"]
    assert day.desk.shop.basket("ann").lines == ()


def test_a_receipt_waits_for_the_last_interaction_of_whoever_left(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    late = event("e-1", at_s=day.now_s)
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    day.look_for(0.6)
    day.attendant.saw(late, day.now_s)
    day.look_for(1)
    assert [receipt.version for receipt in day.desk.shop.receipts["ann"]] == [1]
    assert day.receipt("ann") == {"milk": 1}


def test_a_receipt_waits_for_what_was_seen_and_cannot_be_told_yet(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    late = event("e-1", at_s=day.now_s)
    day.attendant.untold = (late,)
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    day.look_for(30)
    assert day.receipt("ann") is None, "a receipt without what waits for room on the disk"
    day.attendant.untold = ()
    day.attendant.saw(late, day.now_s)
    assert [receipt.version for receipt in day.desk.shop.receipts["ann"]] == [1]
    assert day.receipt("ann") == {"milk": 1}


def test_after_a_boot_whoever_was_inside_is_seen_off_in_time_though_clocks_begin_anew(
    ledger: Ledger,
) -> None:
    settings = CheckoutSettings(time_out_s=60)
    before = Day(ledger, settings)
    before.now_s = 500_000.0
    before.come_in("ann", "t-1")
    after = Day(ledger, settings)
    after.look_for(59)
    assert after.receipt("ann") is None
    after.look_for(2)
    assert after.receipt("ann") == {}


def test_the_wait_for_a_receipt_begins_when_its_shopper_was_last_seen(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(2, ("t-1", AWAY))
    last_seen_s = day.now_s
    day.look_for(0.4)
    day.look(("t-1", (3.5, 0.5)), left="t-1", seen_s=last_seen_s)
    day.look_for(0.2)
    assert day.receipt("ann") is None
    day.look_for(0.2)
    assert day.receipt("ann") == {}
    (departure,) = day.attendant.departures
    assert departure.receipt_at_s - last_seen_s == pytest.approx(1.0)


def test_an_event_that_comes_twice_is_one(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(2, ("t-1", SHELF))
    late = event("e-1", at_s=day.now_s + 0.1)
    for _ in range(2):
        day.attendant.saw(late, day.now_s)
    assert day.attendant.events_waiting == 1
    day.look_for(1, ("t-1", SHELF))
    day.attendant.saw(late, day.now_s)
    assert day.desk.shop.basket("ann").held("milk") == 1
    assert day.whys() == []


@pytest.mark.parametrize("kind", ["take", "put_back"])
def test_an_event_at_a_moment_that_is_not_known_well_goes_to_review(
    day: Day, kind: InteractionKind
) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-0", at_s=day.now_s - 2.6), day.now_s)
    told = event("e-1", kind, at_s=day.now_s - 0.6)
    day.attendant.saw(told, day.now_s, doubt="the clock of device shelf-a is known to 0.9 s only")
    (review,) = day.desk.shop.open_reviews()
    assert "known to 0.9 s only" in review.reason
    assert day.desk.shop.basket("ann").held("milk") == 1


def test_a_receipt_waits_for_shelf_devices_that_owe_their_word_but_not_for_ever(
    ledger: Ledger,
) -> None:
    owing = {"shelf-a"}
    day = Day(ledger, CheckoutSettings(devices_wait_s=5), owing=lambda until_s: tuple(owing))
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    reached_at_s = day.now_s - 0.6
    day.look(("t-1", (3.5, 0.5)), left="t-1")
    day.look_for(4)
    assert day.receipt("ann") is None
    owing.clear()
    day.attendant.saw(event("e-1", at_s=reached_at_s), day.now_s)
    day.look_for(0.2)
    assert day.receipt("ann") == {"milk": 1}

    owing.add("shelf-a")
    day.come_in("bob", "t-2")
    day.look_for(4, ("t-2", SHELF))
    reached_at_s = day.now_s - 0.6
    day.look(("t-2", (3.5, 0.5)), left="t-2")
    day.look_for(5.2)
    assert day.receipt("bob") == {}
    day.attendant.saw(event("e-2", at_s=reached_at_s), day.now_s)
    assert [each.quantities() for each in day.desk.shop.receipts["bob"]] == [{}, {"milk": 1}]


def test_a_group_pays_once_when_its_last_member_has_left(day: Day) -> None:
    day.come_in("ann", "t-1", group="ann")
    day.look(("t-1", AWAY))
    day.come_in("bob", "t-2", group="ann")
    day.look_for(4, ("t-1", AWAY), ("t-2", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)
    day.look(("t-1", (3.5, 0.5)), ("t-2", SHELF), left="t-1")
    day.look_for(2, ("t-2", SHELF))
    assert day.receipt("ann") is None
    day.look(("t-2", (3.5, 0.5)), left="t-2")
    day.look_for(1.2)
    assert day.receipt("ann") == {"milk": 1}
    assert [each.session_id for each in day.attendant.departures] == ["ann"]


def test_staff_are_charged_nothing(day: Day) -> None:
    day.come_in("staff-1", "t-1", role="staff")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-1", "put_back", at_s=day.now_s - 0.6), day.now_s)
    assert [each.quantity for each in day.desk.shop.restocked] == [1]
    assert day.whys() == []


def test_a_session_that_was_lost_from_sight_is_closed_in_the_end(ledger: Ledger) -> None:
    day = Day(ledger, CheckoutSettings(lost_after_s=3))
    day.come_in("ann", "t-1")
    day.look(("t-1", AWAY), lost="t-1")
    day.look_for(2.8)
    assert day.desk.shop.basket("ann").is_open
    day.look_for(0.4)
    assert day.desk.shop.basket("ann").closed_by == "time_out"
    assert day.receipt("ann") == {}


def test_after_a_restart_open_baskets_are_back_and_their_owners_are_not_guessed(
    day: Day, ledger: Ledger
) -> None:
    day.come_in("ann", "t-1")
    day.look_for(4, ("t-1", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s - 0.6), day.now_s)

    again = Day(ledger)
    assert again.desk.shop.basket("ann").held("milk") == 1
    again.look_for(4, ("t-1", SHELF))
    again.attendant.saw(event("e-2", sku="tea", at_s=again.now_s - 0.6), again.now_s)
    assert again.desk.shop.basket("ann").held("tea") == 0
    (review,) = again.desk.shop.open_reviews()
    assert review.sessions == ("ann",)
    assert "ann came in before the device was started again" in review.reason
    # Nor is what a doubtful number was for certain.
    unsure = replace(event("e-3", sku="tea", at_s=again.now_s, outcome="review"), certain=1)
    again.look_for(2, ("t-1", SHELF))
    again.attendant.saw(unsure, again.now_s)
    assert again.desk.shop.basket("ann").held("tea") == 0
    assert len(again.desk.shop.open_reviews()) == 2


def test_the_same_day_again_on_the_same_ledger_adds_nothing(day: Day, ledger: Ledger) -> None:
    def go_shopping(each: Day) -> None:
        each.come_in("ann", "t-1")
        each.look_for(4, ("t-1", SHELF))
        each.attendant.saw(event("e-1", at_s=each.now_s - 0.6), each.now_s)
        each.look(("t-1", (3.5, 0.5)), left="t-1")
        each.look_for(1.2)

    go_shopping(day)
    digest = ledger.digest()
    again = Day(ledger)
    go_shopping(again)
    assert ledger.digest() == digest
    assert again.attendant.departures == day.attendant.departures


def test_at_the_end_of_a_recording_nothing_stays_open(day: Day) -> None:
    day.come_in("ann", "t-1")
    day.look_for(2, ("t-1", SHELF))
    day.attendant.saw(event("e-1", at_s=day.now_s + 0.5), day.now_s)
    day.attendant.finish(day.now_s + 1)
    assert day.attendant.events_waiting == 0
    assert day.receipt("ann") == {}
    assert day.whys() == ["low_confidence"]


def test_a_refused_check_in_leaves_everything_as_it_was(day: Day) -> None:
    day.come_in("ann", "t-1")
    sessions = day.attendant.sessions.sessions()
    with pytest.raises(CheckoutError, match="check in alone"):
        day.attendant.check_in(CheckIn("sam", day.now_s, "hash", "sam", "staff", "ann"))
    assert day.attendant.sessions.sessions() == sessions
