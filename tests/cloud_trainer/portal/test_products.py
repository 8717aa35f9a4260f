from __future__ import annotations

import pytest

from cloud_trainer.portal import products
from cloud_trainer.portal.errors import PortalRefusedError
from cloud_trainer.portal.products import Standing

EDITION = products.edition_of(["b", "a"])


def approved() -> Standing:
    waiting = products.handed_in(Standing(), good_photos=3, least=3, now_s=1.0)
    return products.approved(waiting, EDITION, revision=1)


def test_a_product_goes_from_its_provider_to_the_devices_and_away_again() -> None:
    assert Standing().stage == "collecting"
    waiting = products.handed_in(Standing(), good_photos=3, least=3, now_s=1.0)
    assert (waiting.stage, waiting.handed_in_at) == ("waiting", 1.0)
    taken = products.approved(waiting, EDITION, revision=1)
    assert taken.stage == "approved"
    live = products.served(taken, 7, EDITION)
    assert (live.stage, live.served_release) == ("live", 7)
    going = products.withdrawn(live, "sold out", 2.0)
    assert (going.stage, going.reason) == ("withdrawing", "sold out")
    assert products.withdrawn(going, "again", 3.0) == going
    gone = products.served(going, 8, None)
    assert (gone.stage, gone.served_release) == ("withdrawn", 7)
    assert "since release 8" in gone.reason


def test_what_was_approved_is_recognised_while_a_change_of_it_waits() -> None:
    live = products.served(approved(), 7, EDITION)
    other = products.changed(live)
    assert (other.stage, other.revision, other.edition) == ("collecting", 2, EDITION)
    assert other.is_served
    waiting = products.handed_in(other, 3, 3, 2.0)
    newer = products.approved(waiting, products.edition_of("abc"), revision=2)
    assert newer.stage == "approved"
    assert products.served(newer, 8, EDITION).stage == "approved"
    assert products.served(newer, 9, newer.edition).stage == "live"


def test_withdrawn_and_handed_in_again_it_comes_back() -> None:
    gone = products.withdrawn(approved(), "", 2.0)
    assert gone.stage == "withdrawn"
    waiting = products.handed_in(gone, 3, 3, 3.0)
    assert waiting.stage == "waiting"
    assert products.withdrawn(waiting, "no, it does not", 4.0).stage == "withdrawn"
    back = products.approved(waiting, EDITION, None)
    assert (back.stage, back.is_withdrawn) == ("approved", False)


def test_what_cannot_be_is_refused_with_what_to_do() -> None:
    with pytest.raises(PortalRefusedError, match="2 good photos are missing"):
        products.handed_in(Standing(), 1, 3, 1.0)
    waiting = products.handed_in(Standing(), 3, 3, 1.0)
    with pytest.raises(PortalRefusedError, match="waits for an operator already"):
        products.handed_in(waiting, 3, 3, 1.0)
    with pytest.raises(PortalRefusedError, match="changed since you looked"):
        products.approved(waiting, EDITION, revision=2)
    with pytest.raises(PortalRefusedError, match="it is approved"):
        products.approved(approved(), EDITION, None)
    with pytest.raises(PortalRefusedError, match="it is collecting"):
        products.refused(Standing(), "no")
    with pytest.raises(PortalRefusedError, match="change something first"):
        products.handed_in(approved(), 3, 3, 1.0)


def test_an_edition_that_cannot_be_enrolled_goes_back_to_its_provider() -> None:
    told = products.not_enrolled(approved(), EDITION, "no photo is sharp")
    assert (told.stage, told.reason) == ("refused", "no photo is sharp")
    assert products.not_enrolled(approved(), "another", "why") == approved()
    assert products.not_enrolled(Standing(), EDITION, "why") == Standing()


def test_an_edition_depends_on_the_photos_and_not_on_their_order() -> None:
    assert products.edition_of(["a", "b"]) == EDITION
    assert products.edition_of(["a", "c"]) != EDITION
