from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.shop.passed import PASSED_NAME, PassedReviews
from edge.shop.verified import VERIFIED_NAME
from edge.updates.shadow import read_verified
from tests.edge.dashboard.api.happenings import Scene


def shade_of(picture: Path) -> float:
    pixels = cv2.imread(str(picture))
    assert pixels is not None
    return float(pixels.mean())


def basket(scene: Scene, session: str) -> dict[str, int]:
    shown = scene.get(f"sessions/{session}/basket")
    return {line["sku"]: line["quantity"] for line in shown["lines"]}


def test_a_review_shows_pictures_products_and_people(scene: Scene) -> None:
    ann, bob = scene.come_in(), scene.come_in()
    name = scene.happen(ann, bob)
    shown = scene.get(f"review/{name}")
    assert shown["why"] == "several_shoppers"
    assert [crop["moment"] for crop in shown["crops"]] == ["before", "after"]
    first = shown["candidates"][0]
    assert (first["sku"], first["distance"]) == (scene.skus[0], 0.3)
    assert [each["session"] for each in shown["sessions"]] == [ann, bob]
    for url in [*(crop["url"] for crop in shown["crops"]), first["photos"][0]]:
        answer = scene.staff.get(url)
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR) is not None


def test_an_answer_corrects_the_basket_and_the_receipt(scene: Scene) -> None:
    ann = scene.come_in()
    inside, after = scene.happen(ann, outcome="review"), scene.happen(ann, outcome="review")
    said = {"answer": "product", "sku": scene.skus[1], "quantity": 2}
    settled = scene.post(f"review/{inside}/verdict", said)
    assert settled["settlement"]["reviewer"] == "staff"
    assert settled["settlement"]["session"] == ann
    assert basket(scene, ann) == {scene.skus[1]: 2}
    scene.leave(ann)
    assert scene.get(f"receipts/{ann}")["brief"]["pending"] == 1
    scene.post(f"review/{after}/verdict", said | {"quantity": 1})
    receipts = scene.get(f"receipts/{ann}")
    assert (receipts["brief"]["version"], receipts["brief"]["pending"]) == (2, 0)
    assert receipts["brief"]["pieces"] == 3
    assert {p["reviewer"] for p in receipts["versions"][0]["lines"][0]["proofs"]} == {"staff"}


def test_the_same_answer_twice_is_one_and_another_is_refused(scene: Scene) -> None:
    ann = scene.come_in()
    name = scene.happen(ann, outcome="review")
    said = {"answer": "product", "sku": scene.skus[0], "quantity": 1, "session": ann}
    scene.post(f"review/{name}/verdict", said)
    scene.post(f"review/{name}/verdict", said)
    assert basket(scene, ann) == {scene.skus[0]: 1}
    refused = scene.post(f"review/{name}/verdict", {"answer": "nothing"}, 409)
    assert "was settled by staff before" in refused["error"]


def test_answers_are_kept_as_updates_read_them_and_offered_to_trainers(scene: Scene) -> None:
    ann = scene.come_in()
    taken, foreign, hand = (scene.happen(ann, outcome="review") for _ in range(3))
    back = scene.happen(ann, kind="put_back", outcome="review")
    scene.post(f"review/{taken}/verdict", {"answer": "product", "sku": scene.skus[1]})
    scene.post(f"review/{foreign}/verdict", {"answer": "not_sold_here"})
    scene.post(f"review/{hand}/verdict", {"answer": "nothing"})
    scene.post(f"review/{back}/verdict", {"answer": "product", "sku": scene.skus[1]})

    folder = scene.site.state / VERIFIED_NAME
    kept = {each.event_id: each for each in read_verified(folder, 100)}
    assert kept[taken].sku == scene.skus[1]
    assert kept[foreign].sku is None
    assert hand not in kept
    # What went is seen before, what came after.
    shades = [shade_of(folder / kept[name].crops[0]) for name in (taken, back)]
    assert shades == pytest.approx([200, 40], abs=2)

    app = scene.site.app("labelled")
    items = app.get("/api/v1/labelled", params={"limit": 200}).json()["items"]
    mine = [each for each in items if each["event_id"] in (taken, foreign, back)]
    assert [each["event_id"] for each in mine] == [taken, foreign, back]
    assert (mine[0]["sku"], mine[0]["reviewer"]) == (scene.skus[1], "staff")
    assert mine[0]["recognised"]["bundle_version"] == "3"
    assert app.get(mine[0]["crops"][0]["url"]).headers["Content-Type"] == "image/png"
    newer = app.get("/api/v1/labelled", params={"after": foreign}).json()["items"]
    assert [each["event_id"] for each in newer] == [back]


def test_who_is_not_sure_leaves_it_to_others_at_the_end_of_the_queue(scene: Scene) -> None:
    ann = scene.come_in()
    first, second = (scene.happen(ann, outcome="review") for _ in range(2))
    scene.post(f"review/{first}/pass", {"reason": "too dark"})
    queue = [each["review_id"] for each in scene.get("review", limit=200)["items"]]
    assert queue.index(second) < queue.index(first) == len(queue) - 1
    (passed,) = scene.get(f"review/{first}")["passes"]
    assert (passed["reviewer"], passed["reason"]) == ("staff", "too dark")
    again = PassedReviews(scene.site.state / PASSED_NAME, {first, second})
    assert [each.reason for each in again.of(first)] == ["too dark"]
    scene.post(f"review/{first}/verdict", {"answer": "nothing"})
    refused = scene.post(f"review/{first}/pass", {}, 409)
    assert "is settled" in refused["error"]


def test_it_must_be_said_whose_it_was_where_it_may_have_been_several(scene: Scene) -> None:
    ann, bob = scene.come_in(), scene.come_in()
    name = scene.happen(ann, bob)
    said = {"answer": "product", "sku": scene.skus[0]}
    assert "name the session" in scene.post(f"review/{name}/verdict", said, 409)["error"]
    scene.post(f"review/{name}/verdict", said | {"session": bob})
    assert (basket(scene, ann), basket(scene, bob)) == ({}, {scene.skus[0]: 1})
    unseen = scene.happen(ann, bob)
    ended = scene.post(f"review/{unseen}/verdict", said | {"nobody": True})
    assert ended["settlement"]["session"] is None
    assert basket(scene, ann) == {}


def test_what_comes_back_is_asked_of_whoever_may_hold_it(scene: Scene) -> None:
    ann, bob = scene.come_in(), scene.come_in()
    for session in (ann, bob):
        scene.happen(session, quantity=2)
    name = scene.happen(ann, bob, kind="put_back")
    for session in scene.get(f"review/{name}")["sessions"]:
        held = [(each["sku"], each["quantity"]) for each in session["holds"]]
        assert held == [(scene.skus[0], 2)]
    said = {"answer": "product", "sku": scene.skus[0], "session": bob}
    scene.post(f"review/{name}/verdict", said)
    assert [basket(scene, each)[scene.skus[0]] for each in (ann, bob)] == [2, 1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"answer": "product"}, 422),
        ({"answer": "nothing", "sku": "x"}, 422),
        ({"answer": "maybe"}, 422),
        ({"answer": "product", "sku": "x", "quantity": 0}, 422),
        ({"answer": "product", "sku": "x", "session": "y", "nobody": True}, 422),
        ({"answer": "product", "sku": "no-such-product"}, 409),
        ({"answer": "product", "sku": "no-such-product", "session": "nobody-here"}, 409),
        ([], 422),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_the_reason(
    scene: Scene, body: object, status: int
) -> None:
    name = scene.happen(scene.come_in(), outcome="review")
    assert scene.post(f"review/{name}/verdict", body, status)["error"]
    assert scene.get(f"review/{name}")["settlement"] is None


def test_there_is_no_review_that_nobody_opened(scene: Scene) -> None:
    assert scene.staff.get("/api/v1/review/none").status_code == 404
    assert scene.post("review/none/verdict", {"answer": "nothing"}, 404)["error"]
    assert scene.post("review/none/pass", {}, 404)["error"]


def test_a_queue_comes_in_pages(scene: Scene) -> None:
    ann = scene.come_in()
    *_, answered = (scene.happen(ann, outcome="review") for _ in range(4))
    scene.post(f"review/{answered}/verdict", {"answer": "nothing"})
    whole = [each["review_id"] for each in scene.get("review", limit=200)["items"]]
    page = scene.get("review", limit=2)
    paged = [each["review_id"] for each in page["items"]]
    while page["next"] is not None:
        page = scene.get("review", limit=2, after=page["next"])
        paged += [each["review_id"] for each in page["items"]]
    assert paged == whole
    assert scene.get("review", wanted="settled", limit=1)["items"][0]["settlement"] is not None
