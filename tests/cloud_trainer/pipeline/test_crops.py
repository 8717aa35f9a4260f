"""Labelled crops come from shops once, are checked, and count once somebody approves them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline.crops import LabelledEvents, as_photo, is_held_out
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.shops import ShopAddress, collect, read_shops
from cloud_trainer.pipeline.view import PipelineView
from edge.dashboard.views.labelled import LabelledCrop, LabelledEvent, Recognised
from models.photos import PhotoError
from models.preprocess import Preprocessing, photo_region
from tests.cloud_trainer.pipeline.scene import crop_of, settled

TOKEN = "wlk_secret"
PAGE = 3


class Shop(BaseHTTPRequestHandler):
    """Answers as a device does, with the device's own shapes."""

    events: ClassVar[list[LabelledEvent]] = []
    crops: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.asked.append(parts.path)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, b"{}")
        elif parts.path == "/api/v1/labelled":
            self._answer(200, self._page(parse_qs(parts.query).get("after", [None])[0]))
        else:
            crop = self.crops.get(unquote(parts.path.rpartition("/")[2]))
            self._answer(404 if crop is None else 200, crop or b"")

    def _page(self, after: str | None) -> bytes:
        ids = [event.event_id for event in self.events]
        start = ids.index(after) + 1 if after in ids else 0
        page = self.events[start : start + PAGE]
        more = start + PAGE < len(self.events)
        document = {
            "items": [event.model_dump(mode="json") for event in page],
            "next": page[-1].event_id if more else None,
        }
        return json.dumps(document).encode()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base names it
        """Say nothing."""


def _event(number: int, sku: str | None, *, recognised: bool = True) -> LabelledEvent:
    name = f"e-{number}-0.png"
    Shop.crops[name] = crop_of(number, 0)
    return LabelledEvent(
        event_id=f"e-{number}",
        kind="take",
        sku=sku,
        crops=(LabelledCrop(name=name, url=f"/api/v1/labelled/crops/{name}"),),
        camera="shelf-1",
        facing="f-1",
        happened_at=1.0,
        reviewer="ada",
        settled_at=1_772_443_200.0,
        recognised=Recognised(
            outcome="review", sku="carton-09", distance=0.4, category="soda",
            bundle_version="1", space_id="0" * 64,
        ) if recognised else None,
    )  # fmt: skip


@contextmanager
def a_shop(folder: Path, token: str = TOKEN) -> Iterator[ShopAddress]:
    Shop.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (folder / "token").write_text(f"{token}\n")
    try:
        yield ShopAddress(
            name="shop-1",
            url=f"http://127.0.0.1:{server.server_port}",
            token_file=folder / "token",
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def events(tmp_path: Path) -> Iterator[LabelledEvents]:
    with PipelineRecords(tmp_path / "pipeline") as records:
        yield LabelledEvents(records.file, tmp_path / "pipeline")


def test_settled_events_are_fetched_page_by_page_and_once(
    events: LabelledEvents, tmp_path: Path
) -> None:
    Shop.events[:] = [_event(number, f"carton-0{number}") for number in range(7)]
    with a_shop(tmp_path) as shop:
        assert collect(shop, events) == 7
        assert Shop.asked.count("/api/v1/labelled") == 3
        Shop.asked.clear()
        assert collect(shop, events) == 0
        assert Shop.asked == ["/api/v1/labelled"]
        Shop.events.append(_event(7, None))
        assert collect(shop, events) == 1
    shown = events.shown("soda", status="waiting")
    assert [event.event_id for event in shown] == [f"e-{number}" for number in range(8)]
    assert (shown[0].sku, shown[0].recognised_sku, shown[7].sku) == ("carton-00", "carton-09", None)
    assert shown[0].crops[0].read_bytes() == crop_of(0, 0)
    assert events.counts("soda") == {"waiting": 8, "approved": 0, "refused": 0}


def test_what_no_bundle_looked_at_or_whose_crop_is_gone_is_left(
    events: LabelledEvents, tmp_path: Path
) -> None:
    Shop.events[:] = [_event(0, "carton-00"), _event(1, "a", recognised=False), _event(2, "b")]
    del Shop.crops["e-2-0.png"]
    with a_shop(tmp_path) as shop:
        assert collect(shop, events) == 1


def test_a_shop_that_refuses_or_is_away_is_said_in_a_line(
    events: LabelledEvents, tmp_path: Path
) -> None:
    with (
        a_shop(tmp_path, token="wrong") as shop,
        pytest.raises(WalkoutTrainerError, match="answers 401 .* must be one of that device"),
    ):
        collect(shop, events)
    with pytest.raises(WalkoutTrainerError, match="does not answer"):
        collect(shop, events)


def test_the_same_event_changes_nothing_and_another_label_waits_again(
    events: LabelledEvents,
) -> None:
    first = settled("e-1", "carton-01", crop_of(1, 0))
    assert events.take_in("shop-1", first)
    events.decide([("shop-1", "e-1")], "approved", "ada")
    assert not events.take_in("shop-1", first)
    assert events.shown()[0].status == "approved"
    assert events.take_in("shop-1", settled("e-1", "carton-02", crop_of(1, 0)))
    (event,) = events.shown()
    assert (event.sku, event.status, event.decided_by) == ("carton-02", "waiting", None)


@pytest.mark.parametrize("name", ["../up.png", "a/b.png", "photo.jpg", ".hidden.png", ""])
def test_a_crop_whose_name_leads_elsewhere_is_refused(events: LabelledEvents, name: str) -> None:
    bad = settled("e-1", "carton-01")
    with pytest.raises(WalkoutTrainerError):
        events.take_in("shop-1", bad.__class__(**{**vars(bad), "crops": {name: crop_of(1, 0)}}))
    assert events.shown() == ()


def test_what_is_no_picture_is_refused(events: LabelledEvents) -> None:
    with pytest.raises(PhotoError):
        events.take_in("shop-1", settled("e-1", "carton-01", b"\x89PNG no picture"))
    assert events.shown() == ()


def test_people_approve_and_refuse_in_another_process_than_the_pipeline(
    events: LabelledEvents, tmp_path: Path
) -> None:
    for number in range(3):
        events.take_in("shop-1", settled(f"e-{number}", "carton-01", crop_of(1, number)))
    with PipelineView(tmp_path / "pipeline") as view:
        assert view.approve_crops([("shop-1", "e-0"), ("shop-1", "e-9")], by="ada") == 1
        assert view.refuse_crops([("shop-1", "e-1")], by="ada") == 1
        after = view.crops("soda", after=("shop-1", "e-0"), limit=1)
        assert [event.event_id for event in after] == ["e-1"]
    assert [event.event_id for event in events.approved("soda")] == ["e-0"]
    assert [event.event_id for event in events.to_measure("soda", 10)] == ["e-0", "e-2"]


def test_a_fixed_share_of_names_is_held_out_and_always_the_same() -> None:
    names = [f"event:shop-{number % 7}/e-{number}" for number in range(4000)]
    held_out = [is_held_out(name, 25.0) for name in names]
    assert 0.22 < sum(held_out) / len(names) < 0.28
    assert held_out == [is_held_out(name, 25.0) for name in names]


def test_training_looks_at_just_what_the_device_saw() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (90, 60, 3)).astype(np.uint8)
    preprocessing = Preprocessing()
    seen = photo_region(as_photo(crop, preprocessing.photo_crop_share), preprocessing)
    assert np.array_equal(seen, crop)


def test_addresses_of_shops_are_a_closed_list(tmp_path: Path) -> None:
    path = tmp_path / "shops.yaml"
    path.write_text("- {name: shop-1, url: 'https://shelf.example:8443', token_file: token}\n")
    assert read_shops(path)[0].name == "shop-1"
    path.write_text("- {name: shop-1, url: 'ftp://shelf.example', token_file: token}\n")
    with pytest.raises(WalkoutTrainerError, match="url"):
        read_shops(path)
