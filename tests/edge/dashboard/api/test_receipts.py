from __future__ import annotations

from decimal import Decimal

import pytest

from tests.edge.dashboard.api.happenings import Scene


def bought(scene: Scene, quantity: int = 2) -> tuple[str, str]:
    """A session that has left, and its line."""
    ann = scene.come_in()
    line = scene.happen(ann, quantity=quantity)
    scene.leave(ann)
    return ann, line


def test_every_line_of_a_receipt_shows_what_it_rests_on(scene: Scene) -> None:
    ann, line_id = bought(scene)
    shown = scene.get(f"receipts/{ann}")
    (line,) = shown["versions"][0]["lines"]
    (proof,) = line["proofs"]
    assert (line["sku"], line["quantity"], proof["line_id"]) == (scene.skus[0], 2, line_id)
    assert [crop["moment"] for crop in proof["crops"]] == ["before", "after"]
    assert proof["numbers"]["tl"] == 0.25
    assert proof["facing"] == scene.facing
    assert "they stood there" in proof["reason"]
    assert Decimal(line["total"]) == 2 * Decimal(line["unit_price"])
    assert shown["brief"]["closed_at"] == pytest.approx(scene.now().wall_time_s, abs=60)
    listed = scene.get("receipts", limit=1)
    assert listed["items"][0]["session"] == ann
    assert listed["next"] == ann
    further = scene.get("receipts", limit=200, after=ann)
    assert ann not in [each["session"] for each in further["items"]]


def test_a_receipt_can_be_kept_as_a_file(scene: Scene) -> None:
    ann, _ = bought(scene)
    answer = scene.staff.get(f"/api/v1/receipts/{ann}/page.html")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "data:image/jpeg;base64," in answer.text
    assert "they stood there" in answer.text
    assert scene.staff.get("/api/v1/receipts/nobody/page.html").status_code == 404


def test_pieces_given_back_are_given_back_once(scene: Scene) -> None:
    ann, line_id = bought(scene)
    asked = {"refund_id": f"r-{ann}", "line_id": line_id, "quantity": 1, "reason": "it leaks"}
    for _ in range(2):
        given = scene.post(f"receipts/{ann}/refunds", asked)
    assert (given["brief"]["version"], given["brief"]["pieces"]) == (2, 1)
    (refund,) = given["refunds"]
    assert (refund["reviewer"], refund["reason"], refund["quantity"]) == ("staff", "it leaks", 1)
    assert given["versions"][0]["lines"][0]["proofs"][0]["returnable"] == 1
    refused = scene.post(f"receipts/{ann}/refunds", asked | {"quantity": 2}, 409)
    assert "give another refund another id" in refused["error"]


def test_nothing_is_given_back_of_a_line_that_is_not_the_sessions(scene: Scene) -> None:
    ann, _ = bought(scene)
    _, other = bought(scene)
    asked = {"refund_id": f"x-{ann}", "line_id": other, "quantity": 1, "reason": "it leaks"}
    assert scene.post(f"receipts/{ann}/refunds", asked, 404)["error"]
    assert scene.post("receipts/nobody/refunds", asked, 404)["error"]
    assert scene.post(f"receipts/{ann}/refunds", asked | {"reason": ""}, 422)["error"]
    assert scene.get(f"receipts/{ann}")["refunds"] == []


def test_a_dispute_is_upheld_before_the_receipt_and_after_it(scene: Scene) -> None:
    ann = scene.come_in()
    first, second = scene.happen(ann), scene.happen(ann)
    for line, name in ((first, "d-1"), (second, "d-2")):
        asked = {"dispute_id": f"{name}-{ann}", "session": ann, "line_id": line, "reason": "not me"}
        opened = scene.post("disputes", asked)
        assert (opened["verdict"], opened["reason"], opened["quantity"]) == (None, "not me", 1)
    waiting = [each["dispute_id"] for each in scene.get("disputes", limit=200)["items"]]
    assert waiting[-2:] == [f"d-1-{ann}", f"d-2-{ann}"]
    scene.post(f"disputes/d-1-{ann}/verdict", {"upheld": True})
    assert scene.get(f"sessions/{ann}/basket")["lines"][0]["quantity"] == 1
    scene.leave(ann)
    settled = scene.post(f"disputes/d-2-{ann}/verdict", {"upheld": True, "reason": "seen"})
    assert settled["verdict"]["reviewer"] == "staff"
    shown = scene.get(f"receipts/{ann}")
    assert (shown["brief"]["pieces"], shown["brief"]["version"]) == (0, 2)
    assert [each["verdict"]["upheld"] for each in shown["disputes"]] == [True, True]
    refused = scene.post(f"disputes/d-2-{ann}/verdict", {"upheld": False}, 409)
    assert "the other way" in refused["error"]


def test_a_dispute_that_is_rejected_changes_nothing(scene: Scene) -> None:
    ann, line = bought(scene)
    asked = {"dispute_id": f"d-{ann}", "session": ann, "line_id": line, "quantity": 2}
    scene.post("disputes", asked)
    assert scene.get("receipts", limit=1)["items"][0]["open_disputes"] == 1
    scene.post(f"disputes/d-{ann}/verdict", {"upheld": False, "reason": "the pictures show it"})
    shown = scene.get(f"receipts/{ann}")
    assert (shown["brief"]["pieces"], shown["brief"]["open_disputes"]) == (2, 0)
    assert scene.post("disputes", asked | {"session": "another"}, 404)["error"]
    assert scene.post("disputes/none/verdict", {"upheld": True}, 404)["error"]


def test_staff_closes_a_session_whose_people_left_unseen(scene: Scene) -> None:
    ann, helper = scene.come_in(), scene.come_in("staff")
    scene.happen(ann)
    closed = scene.post(f"sessions/{ann}/close", None)
    assert closed["receipts"]["closed_by"] == "staff"
    assert closed["receipts"]["brief"]["pieces"] == 1
    assert scene.post(f"sessions/{helper}/close", None)["receipts"] is None
    assert scene.post("sessions/nobody/close", None, 404)["error"]


def test_a_shopper_gets_the_link_of_their_own_page_and_staff_gets_none(scene: Scene) -> None:
    asked = {"token": "t-link", "checkin_id": "c-link"}
    first = scene.post("checkins", asked)
    assert (first["checkin_id"], first["session_id"]) == ("c-link", "c-link")
    assert first["basket_link"].startswith("/s/")
    assert scene.post("checkins", asked) == first
    staff = scene.post("checkins", {"token": "t-staff", "role": "staff"})
    assert staff["basket_link"] is None
    refused = scene.post("checkins", asked | {"token": "another"}, 409)
    assert "is known with another token" in refused["error"]
    assert scene.post("checkins", {"token": ""}, 422)["error"]
    assert scene.staff.get("/api/v1/sessions/nobody/basket").status_code == 404
