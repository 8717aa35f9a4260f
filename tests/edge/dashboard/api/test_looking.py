"""Everything of the API that only looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.events import Frame
from tests.edge.dashboard.api.happenings import Scene


def test_the_plan_shows_fixtures_where_they_stand(scene: Scene) -> None:
    plan, calibration = scene.get("plan"), scene.site.store.premises.calibration
    assert plan["store"]["currency"] == "EUR"
    assert plan["store"]["recorded"] is True
    for fixture in plan["fixtures"]:
        front = calibration.fixtures[fixture["name"]].origin_m[:2]
        assert fixture["polygon"][0] == pytest.approx(front, abs=1e-3)
    assert {zone["kind"] for zone in plan["zones"]} >= {"entry", "exit"}
    assert {camera["role"] for camera in plan["cameras"]} == {"shelf", "overhead"}


def test_the_state_shows_baskets_events_and_receipts(scene: Scene) -> None:
    ann, bob = scene.come_in(), scene.come_in()
    name = scene.happen(ann)
    scene.happen(bob)
    scene.leave(bob)
    state = scene.get("state")
    (mine,) = (each for each in state["baskets"] if each["session"] == ann)
    assert mine["lines"][0]["line_ids"] == [name]
    assert mine["shoppers"] == [f"shopper {ann}"]
    assert state["receipts"][0]["session"] == bob
    newest = {each["event_id"]: each for each in state["events"]}
    assert newest[name]["result"] == "counted"
    assert newest[name]["whose"] == [
        {"session": ann, "shoppers": [f"shopper {ann}"], "role": "shopper", "open": True}
    ]
    assert len(state["events"]) <= 12


def test_events_come_newest_first_in_pages_and_by_kind(scene: Scene) -> None:
    ann = scene.come_in()
    took = [scene.happen(ann) for _ in range(3)]
    back = scene.happen(ann, kind="put_back")
    page = scene.get("events", limit=2)
    assert [each["event_id"] for each in page["items"]] == [back, took[2]]
    following = scene.get("events", limit=2, after=page["next"])
    assert [each["event_id"] for each in following["items"]] == [took[1], took[0]]
    assert scene.get("events", kind="put_back", limit=1)["items"][0]["event_id"] == back
    assert scene.get("events", camera="shelf-9")["items"] == []
    assert scene.staff.get("/api/v1/events?kind=throw").status_code == 422
    assert scene.staff.get("/api/v1/events?limit=0").status_code == 422


def test_what_becomes_of_an_event_is_said(scene: Scene) -> None:
    ann, helper = scene.come_in(), scene.come_in("staff")
    names = [
        scene.happen(ann),
        scene.happen(ann, outcome="review"),
        scene.happen(ann, outcome="reject"),
        scene.happen(helper),
    ]
    shown = {each["event_id"]: each["result"] for each in scene.get("events", limit=10)["items"]}
    said = ["counted", "in_review", "not_sold_here", "restocked"]
    assert [shown[name] for name in names] == said
    scene.post(f"review/{names[1]}/verdict", {"answer": "nothing"})
    assert scene.get("events", limit=4)["items"][2]["result"] == "settled"


@pytest.mark.parametrize(
    "name",
    ["none.jpg", "..%2f..%2fledger.sqlite", "%00.jpg", "a" * 400 + ".jpg", "ledger.sqlite", "."],
)
def test_no_name_leads_out_of_the_crops(scene: Scene, name: str) -> None:
    assert scene.staff.get(f"/api/v1/crops/{name}").status_code == 404


def look_into_the_recording(scene: Scene) -> None:
    """On a busy machine the recording is over before a camera's first frame is looked at."""
    for name, kept in scene.site.store.eyes.cameras.items():
        if kept.last is None:
            done, picture = cv2.VideoCapture(str(scene.site.folder / f"{name}.mp4")).read()
            assert done
            at = scene.now()
            kept.last = Frame(
                name, 0, at.captured_at_s, at.wall_time_s, np.asarray(picture, np.uint8)
            )


def test_a_cameras_picture_is_sent_again_only_when_it_is_another(scene: Scene) -> None:
    look_into_the_recording(scene)
    for camera in scene.get("cameras"):
        first = scene.staff.get(camera["picture"], params={"width": 320})
        assert first.status_code == 200, (camera, first.text)
        picture = cv2.imdecode(np.frombuffer(first.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape[1] <= 320
        kept = {"If-None-Match": first.headers["ETag"]}
        again = scene.staff.get(camera["picture"], params={"width": 320}, headers=kept)
        assert (again.status_code, again.content) in [(304, b""), (200, again.content)]
        assert camera["width_px"] == 320
    assert scene.staff.get("/api/v1/cameras/none/picture.jpg").status_code == 404
    assert scene.staff.get("/api/v1/cameras/none/overlay").status_code == 404
    assert scene.staff.get("/api/v1/cameras/shelf-1/picture.jpg?width=9").status_code == 422


def test_an_overlay_shows_facings_zones_and_the_latest_decisions(scene: Scene) -> None:
    shelf = next(each["name"] for each in scene.get("cameras") if each["role"] == "shelf")
    name = scene.happen(scene.come_in())
    overlay = scene.get(f"cameras/{shelf}/overlay")
    assert {each["name"] for each in overlay["facings"]} == set(
        scene.site.store.premises.planogram.facings
    )
    decision = next(each for each in overlay["decisions"] if each["event_id"] == name)
    drawn = next(each for each in overlay["facings"] if each["name"] == scene.facing)
    assert np.allclose(decision["polygon"], drawn["polygon"], atol=0.01)
    above = next(each["name"] for each in scene.get("cameras") if each["role"] == "overhead")
    kinds = {zone["kind"] for zone in scene.get(f"cameras/{above}/overlay")["zones"]}
    assert kinds >= {"entry", "exit", "floor", "fixture"}


def test_products_are_found_by_their_words(scene: Scene) -> None:
    product = scene.site.store.premises.products[0]
    found = scene.get("products", q=f"{product.sku} {product.name[:3]}")["items"]
    assert product.sku in [each["sku"] for each in found]
    assert scene.get("products", q="no-such-thing")["items"] == []
    photo = scene.staff.get(found[0]["photos"][0], params={"width": 32})
    picture = cv2.imdecode(np.frombuffer(photo.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[1] == 32
    assert scene.staff.get(f"/api/v1/products/{product.sku}/photos/999.jpg").status_code == 404
    assert scene.staff.get("/api/v1/products/none/photos/0.jpg").status_code == 404


def test_stock_shows_every_facing(scene: Scene) -> None:
    stock = scene.get("stock")
    assert stock["source"] == "shelves"
    for each in stock["facings"]:
        assert each["missing"] == each["capacity"] - each["pieces"]


def test_the_device_says_what_it_is_and_how_it_is(scene: Scene) -> None:
    version = scene.staff.get("/api/version").json()
    assert version["api"] == ["v1"]
    stats = scene.get("stats")
    assert stats["version"] == version["version"]
    assert set(stats["cameras"]) == {each["name"] for each in scene.get("cameras")}
    assert stats["interactions"] >= 1
    health = scene.get("health")
    assert health["troubles"] == sorted(health["troubles"], key=lambda each: each["level"] != "bad")
    assert all(each["what"] and each["to_do"] for each in health["troubles"])
    (category,) = scene.get("models")["categories"]
    assert (category["category"], category["serving"]["products"]) == ("dairy", 6)
    assert category["step"] is None
    assert b"walkout_open_baskets" in scene.staff.get("/metrics").content


@pytest.mark.parametrize("name", ["stats", "events", "review"])
def test_where_others_look_they_are_sent_on(scene: Scene, name: str) -> None:
    answer = scene.staff.get(f"/api/{name}?limit=1", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"/api/v1/{name}?limit=1"
    assert scene.staff.get(f"/api/{name}", follow_redirects=True).status_code == 200


def test_whether_all_is_well_is_open_and_why_not_is_for_those_who_are_known(scene: Scene) -> None:
    for path in ("/healthz", "/readyz"):
        unknown = scene.site.client().get(path)
        assert set(unknown.json()) == {"ok"}
        assert unknown.status_code == (200 if unknown.json()["ok"] else 503)
        assert "reasons" in scene.staff.get(path).json()


def test_technicians_see_the_configuration(scene: Scene) -> None:
    config = scene.site.client("technician").get("/api/v1/config")
    assert config.json()["store"]["name"] == scene.site.store.config.store.name
