"""Handing in, judging, approving, and what the pipeline is told, at a portal that answers."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from cloud_trainer.errors import RolloutError
from cloud_trainer.portal.desks.categories import group_names
from cloud_trainer.portal.errors import (
    PortalMissingError,
    PortalRefusedError,
    PortalUnusableError,
)
from cloud_trainer.portal.looks import confusion_cost
from cloud_trainer.portal.views.fleet import AskedRollout
from cloud_trainer.portal.views.products import ProductFields, ShownPhoto
from cloud_trainer.publishing import KeyRing, Repository, publish_bundle
from cloud_trainer.store import open_store
from models.decision import ThresholdPair, Thresholds
from tests.cloud_trainer.portal.site import (
    CATEGORY,
    DAIRY,
    FIELDS,
    OPERATOR,
    RIVAL,
    Site,
    hand_in,
    make_portal,
    photo,
    picture,
    served,
    until,
)
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import PASSPHRASE
from tests.simulators.photos import draw_photo

OAT = ProductFields.model_validate(FIELDS)


def kinds(shown: ShownPhoto) -> list[str]:
    return [each.kind for each in shown.faults]


def test_a_product_is_handed_in_approved_served_and_withdrawn(own_site: Site) -> None:
    portal, todo = own_site.portal, own_site.todo()
    hand_in(portal, "oat", 20)
    waiting = portal.products(OPERATOR, stage="waiting").items
    assert [(each.sku, each.organisation, each.good_photos) for each in waiting] == [
        ("oat", "dairy", 5)
    ]
    assert todo.categories() == ()
    shown = portal.approve(OPERATOR, "oat", waiting[0].revision)
    assert (shown.stage, shown.can) == ("approved", ("change", "withdraw", "arrange"))
    (wanted,) = todo.approved(CATEGORY)
    assert (wanted.product.sku, str(wanted.product.price)) == ("oat", "1.99")
    paths = todo.photos("oat")
    assert [path.read_bytes() for path in paths] == [photo(20, 10 + 2 * n) for n in range(5)]
    assert todo.photos("oat") == paths
    for _ in range(2):
        todo.served(CATEGORY, 2, {"oat": wanted.edition})
    assert portal.product(OPERATOR, "oat").stage == "live"
    portal.withdraw(DAIRY, "oat", "sold out")
    assert (todo.approved(CATEGORY), todo.withdrawn(CATEGORY)) == ((), ("oat",))
    assert portal.product(DAIRY, "oat").stage == "withdrawing"
    todo.served(CATEGORY, 3, {})
    gone = portal.product(DAIRY, "oat")
    assert gone.stage == "withdrawn"
    assert [each.what for each in reversed(gone.history)] == [
        "added",
        *["photo"] * 5,
        "handed_in",
        "approved",
        "served",
        "withdrawn",
        "gone",
    ]


def test_a_photo_is_judged_at_once(site: Site) -> None:
    portal = site.portal
    portal.put_product(DAIRY, "judged", OAT)

    def add(name: str, content: bytes) -> ShownPhoto:
        return portal.add_photo(DAIRY, "judged", name, content)

    good = add("front.png", photo(22, 10))
    assert (good.is_good, good.faults, good.name) == (True, (), "front.png")
    assert add("front.png", photo(22, 10)).photo_id == good.photo_id
    pixels = draw_photo(22, 10)
    again = add("copy.jpg", picture(pixels, ".jpg"))
    assert kinds(again) == ["duplicate"]
    assert again.faults[0].photo_url == good.url
    dark = (draw_photo(22, 12) * 0.1).astype(np.uint8)
    assert kinds(add("dark.png", picture(dark)))[0] == "dark"
    blurred = cv2.GaussianBlur(draw_photo(22, 14), (0, 0), 12)
    assert "blurred" in kinds(add("blurred.png", picture(blurred)))
    assert "tiny" in kinds(add("tiny.png", picture(draw_photo(22, 16, size_px=40))))
    shown = portal.product(DAIRY, "judged")
    assert (shown.photos, shown.good_photos, shown.needs_photos) == (5, 1, 2)
    kept = portal.keep_photo(OPERATOR, "judged", again.photo_id, True)
    assert (kept.is_good, kept.is_kept_by_hand) == (True, True)
    assert portal.product(DAIRY, "judged").good_photos == 2


def test_a_photo_of_another_product_is_noticed_and_shown_beside_it(site: Site) -> None:
    portal = site.portal
    hand_in(portal, "first", 24)
    portal.put_product(DAIRY, "second", OAT)
    copied = portal.add_photo(DAIRY, "second", "x.png", photo(24, 10))
    assert kinds(copied) == ["two_skus"]
    assert copied.faults[0].sku == "first"
    assert str(copied.faults[0].photo_url).startswith("/api/v1/products/first/photos/")
    portal.put_product(RIVAL, "third", OAT)
    hidden = portal.add_photo(RIVAL, "third", "x.png", photo(24, 10))
    assert set(kinds(hidden)) == {"two_skus"}
    assert {(each.sku, each.photo_url) for each in hidden.faults} == {(None, None)}
    assert "first" not in hidden.model_dump_json()
    for number in (10, 12, 14):
        portal.add_photo(DAIRY, "second", f"{number}.png", photo(31, number))
    # Products of the published release look like themselves.
    known = portal.add_photo(DAIRY, "second", "known.png", photo(1, 1))
    assert known.nearest[0].sku == "carton-01"
    portal.put_product(DAIRY, "lone", OAT)
    portal.add_photo(DAIRY, "lone", "x.png", photo(33, 10))
    dimmer = (draw_photo(33, 10) * 0.995).astype(np.uint8)
    strange = portal.add_photo(DAIRY, "second", "wrong.png", picture(dimmer))
    assert strange.nearest[0].sku == "lone"
    assert kinds(strange) == ["two_skus", "looks_like_another"]


def test_near_duplicates_are_shown_side_by_side_with_what_they_cost(site: Site) -> None:
    portal = site.portal
    hand_in(portal, "one", 26, photos=3)
    portal.put_product(DAIRY, "twin", OAT)
    for number in (10, 12, 14):
        # All but the same pictures, which an operator uses all the same.
        dimmer = (draw_photo(26, number) * 0.995).astype(np.uint8)
        assert portal.add_photo(DAIRY, "twin", f"{number}.png", picture(dimmer)).photo_id
    for each in portal.product(DAIRY, "twin").all_photos:
        portal.keep_photo(OPERATOR, "twin", each.photo_id, True)
    nearest = portal.alike(OPERATOR, "twin")[0]
    assert nearest.likeness.sku == "one"
    assert nearest.likeness.is_confusing
    assert len(nearest.photo_urls) == len(nearest.own_photo_urls) > 0
    assert nearest.cost is not None
    assert nearest.cost.photos == 3
    assert nearest.cost.accepted + nearest.cost.review + nearest.cost.wrong <= 3
    assert nearest.advice
    brief = portal.product(OPERATOR, "twin").most_alike
    assert brief is not None
    assert brief.sku == "one"


def test_confusions_are_counted_by_leaving_each_photo_out_once() -> None:
    pair = ThresholdPair(
        pool=1,
        tl=0.1,
        tl_full=0.1,
        th=1.0,
        accepted_share=1,
        accepted_error_bound=0,
        rejected_error_bound=0,
        fitted_on=1,
    )
    thresholds = Thresholds(margin_weight=0.0, pairs=(pair,))

    def at(degrees: float) -> np.ndarray:
        radians = np.radians(degrees)
        return np.array([np.cos(radians), np.sin(radians)], np.float32)

    rest = np.zeros((0, 2), np.float32)
    own = [at(0), at(4), at(8)]
    apart = confusion_cost(own, [at(90)], rest, thresholds)
    assert (apart.photos, apart.accepted_alone, apart.accepted, apart.wrong) == (3, 3, 3, 0)
    # The other product lies where the third photo is.
    near = confusion_cost(own, [at(9)], rest, thresholds)
    assert (near.accepted_alone, near.accepted, near.wrong) == (3, 2, 1)


def test_a_provider_sees_the_own_organisation_and_nothing_else(site: Site) -> None:
    portal = site.portal
    hand_in(portal, "mine", 28)
    (photo_id,) = {each.photo_id for each in portal.product(DAIRY, "mine").all_photos[:1]}
    assert "mine" not in {each.sku for each in portal.products(RIVAL, limit=200).items}
    for ask in (
        lambda: portal.product(RIVAL, "mine"),
        lambda: portal.alike(RIVAL, "mine"),
        lambda: portal.photo(RIVAL, "mine", photo_id, 320),
        lambda: portal.photo(RIVAL, "mine", photo_id, None),
        lambda: portal.hand_in(RIVAL, "mine"),
        lambda: portal.withdraw(RIVAL, "mine"),
        lambda: portal.add_photo(RIVAL, "mine", "x.png", photo(28, 40)),
        lambda: portal.remove_photo(RIVAL, "mine", photo_id),
    ):
        with pytest.raises(PortalMissingError, match="no product mine"):
            ask()
    with pytest.raises(PortalRefusedError, match="taken"):
        portal.put_product(RIVAL, "mine", OAT)


def test_a_change_goes_back_to_collecting_and_the_pipeline_keeps_what_was_approved(
    site: Site,
) -> None:
    portal, todo = site.portal, site.todo()
    hand_in(portal, "kept", 30)
    portal.approve(OPERATOR, "kept")
    before = next(each for each in todo.approved(CATEGORY) if each.product.sku == "kept")
    paths = todo.photos("kept")
    first = portal.product(DAIRY, "kept").all_photos[0]
    portal.remove_photo(DAIRY, "kept", first.photo_id)
    portal.put_product(DAIRY, "kept", OAT.model_copy(update={"name": "Better milk"}))
    shown = portal.product(DAIRY, "kept")
    assert (shown.stage, shown.good_photos, shown.name) == ("collecting", 4, "Better milk")
    after = next(each for each in todo.approved(CATEGORY) if each.product.sku == "kept")
    assert after == before
    assert todo.photos("kept") == paths
    portal.hand_in(DAIRY, "kept")
    portal.approve(OPERATOR, "kept")
    newer = next(each for each in todo.approved(CATEGORY) if each.product.sku == "kept")
    assert newer.product.name == "Better milk"
    assert newer.edition != before.edition
    assert len(todo.photos("kept")) == 4


def test_an_operator_arranges_and_what_is_recognised_stays_where_it_is(site: Site) -> None:
    portal, todo = site.portal, site.todo()
    hand_in(portal, "moved", 32)
    assert portal.arrange(OPERATOR, {"moved": "snacks"}) == 1
    assert portal.arrange(OPERATOR, {"moved": "snacks"}) == 0
    shown = portal.product(OPERATOR, "moved")
    assert (shown.category, shown.stage) == ("snacks", "waiting")
    portal.approve(OPERATOR, "moved")
    (wanted,) = todo.approved("snacks")
    todo.served("snacks", 1, {"moved": wanted.edition})
    with pytest.raises(PortalRefusedError, match="withdraw it there first"):
        portal.arrange(OPERATOR, {"moved": CATEGORY})


def test_categories_are_proposed_from_looks(own_site: Site) -> None:
    portal = own_site.portal
    for number, sku in enumerate(("a", "b", "c", "d")):
        hand_in(portal, sku, 40 + number, photos=3)
    assert portal.suggestion().status == "none"
    portal.suggest_categories(OPERATOR, 2)
    until(lambda: portal.suggestion().status != "working")
    made = portal.suggestion()
    assert made.status == "made", made.reason
    assert {each.sku for each in made.places} == {"a", "b", "c", "d"}
    assert len({each.category for each in made.places}) == 2
    assert all(0 <= each.x <= 1 and 0 <= each.y <= 1 for each in made.places)
    # The larger group stays what it is called; what moved since is shown where it is now.
    assert CATEGORY in {each.category for each in made.places}
    away = {each.sku: each.category for each in made.places if each.category != CATEGORY}
    assert portal.arrange(OPERATOR, away) == len(away)
    later = portal.suggestion()
    assert all(each.category == each.now for each in later.places)


def test_a_proposal_keeps_the_names_under_which_the_most_products_stay() -> None:
    now = ["tea", "tea", "tea", "milk", "milk", "tea", "", "looks-1"]
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    assert group_names(labels, now) == ["tea", "milk", "looks-1"]
    assert group_names(np.array([0, 1, 2]), ["tea", "", ""]) == ["tea", "looks-1", "looks-2"]
    assert group_names(np.array([0, 1]), ["tea", "tea"])[1] == "looks-1"


def test_bundles_are_shown_and_the_same_one_is_not_compared_with_itself(site: Site) -> None:
    portal = site.portal
    (bundle,) = portal.bundles()
    assert (bundle.bundle_id, bundle.products, bundle.standing) == (f"{CATEGORY}/1", 4, "stable")
    assert bundle.travel_bytes == bundle.size_bytes > 0
    assert portal.bundle_file(CATEGORY, 1, "manifest.json").startswith(b"{")
    with pytest.raises(PortalMissingError):
        portal.bundle_file(CATEGORY, 1, "../../keys/root-1.pem")
    with pytest.raises(PortalMissingError):
        portal.bundle(CATEGORY, 2)
    with pytest.raises(PortalRefusedError):
        portal.compare((CATEGORY, 1), (CATEGORY, 1))
    (category,) = [each for each in portal.categories() if each.category == CATEGORY]
    assert (category.release, category.enrolled_share) == (1, 0.0)


def test_what_is_old_is_forgotten_when_its_time_has_come(own_site: Site) -> None:
    portal = own_site.portal
    hand_in(portal, "old", 50)
    hand_in(portal, "new", 51)
    photo_id = portal.product(DAIRY, "old").all_photos[0].photo_id
    portal.withdraw(DAIRY, "old")
    own_site.clock.at_s += 10 * 86_400
    assert portal.forget_old() == 0
    assert portal.set_retention(OPERATOR, {"withdrawn_photos": 9})["withdrawn_photos"] == 9
    assert portal.forget_old() == 5
    assert portal.product(DAIRY, "old").photos == 0
    assert portal.product(DAIRY, "new").photos == 5
    with pytest.raises(PortalMissingError):
        portal.photo(DAIRY, "old", photo_id, 160)
    for wrong in ({"audit": 5}, {"imports": 0}):
        with pytest.raises(PortalUnusableError):
            portal.set_retention(OPERATOR, wrong)


def test_who_signs_is_told_and_which_keys_are_kept_elsewhere(
    published: Path, tmp_path: Path
) -> None:
    places = make_portal(tmp_path / "portal", published)
    (places.keys / "root-2.pem").rename(tmp_path / "on-a-stick.pem")
    with served(places) as site:
        roles = {each.role: each for each in site.portal.signing()}
        assert set(roles) == {
            "root", "targets", "snapshot", "timestamp", "rollouts", f"category-{CATEGORY}"
        }  # fmt: skip
        root = roles["root"]
        assert [(key.name, key.state) for key in root.keys if key.name != "root-3"] == [
            ("root-1", "open"),
            ("root-2", "away"),
        ]
        assert (root.threshold, len(root.keys)) == (2, 3)
        assert [key.state for key in roles["timestamp"].keys] == ["open"]
        assert roles["timestamp"].expires_at < root.expires_at
    with served(make_portal(tmp_path / "young", None)) as young:
        assert young.portal.signing() == ()


def test_photos_are_looked_at_anew_once_another_network_serves(own_site: Site) -> None:
    portal = own_site.portal
    portal.put_product(DAIRY, "early", OAT.model_copy(update={"category": "later"}))
    for number in (10, 12, 14):
        shown = portal.add_photo(DAIRY, "early", f"{number}.png", photo(1, number))
        assert shown.nearest == ()
    assert portal.alike(DAIRY, "early") == ()
    assert portal.refresh_looks() == 0
    # Arranged where something serves, its photos are looked at by that.
    portal.arrange(OPERATOR, {"early": CATEGORY})
    assert portal.refresh_looks() == 3
    assert portal.refresh_looks() == 0
    assert portal.alike(DAIRY, "early")[0].likeness.sku == "carton-01"


def test_a_rollout_is_begun_paused_and_taken_back_and_two_bundles_are_compared(
    own_site: Site, tmp_path: Path
) -> None:
    portal, ground = own_site.portal, own_site.portal._ground
    repository = Repository(
        open_store(own_site.places.releases), KeyRing([own_site.places.keys], lambda _: PASSPHRASE)
    )
    bundle = make_bundle(tmp_path / "second", 5, category=CATEGORY)
    publish_bundle(repository, bundle.path, datetime.now(timezone.utc))
    ground.releases.look_again()
    assert [each.release for each in portal.bundles(CATEGORY)] == [2, 1]
    asked = AskedRollout(category=CATEGORY, release=2, rings=(("shelf-1",),), percents=(100.0,))
    begun = portal.start_rollout(OPERATOR, asked)
    assert (begun.status, begun.release, begun.previous) == ("rolling", 2, 1)
    assert [each.name for each in begun.steps] == ["ring 1", "100 %"]
    paused = portal.change_rollout(OPERATOR, CATEGORY, "pause", "let us see")
    assert (paused.status, paused.can) == ("paused", ("resume", "abort"))
    assert paused.history[0].reason == "let us see (operator)"
    assert portal.waiting(OPERATOR).paused_rollouts == (CATEGORY,)
    assert portal.waiting(DAIRY).paused_rollouts == ()
    with pytest.raises(RolloutError):
        portal.start_rollout(OPERATOR, asked)
    assert portal.change_rollout(OPERATOR, CATEGORY, "abort", "").status == "taking_back"
    with pytest.raises(PortalMissingError):
        portal.rollout("nothing")
    for number, sku in enumerate(bundle.skus[:2]):
        hand_in(portal, sku, number, photos=3)
        portal.approve(OPERATOR, sku)
    first, second = (CATEGORY, 1), (CATEGORY, 2)
    until(lambda: portal.compare(first, second).status != "working")
    made = portal.compare(first, second)
    assert (made.status, made.photos, made.done) == ("made", 6, 6), made.reason
    for outcomes in (made.first_outcomes, made.second_outcomes):
        assert (outcomes.photos, outcomes.unknown) == (6, 0)
