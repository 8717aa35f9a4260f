from __future__ import annotations

import base64
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.format import read_calibration
from edge.checkout.ledger import Ledger
from edge.checkout.receipt_page import receipt_page
from edge.dashboard.live import floor_plan, live_state
from edge.dashboard.page import PageServer
from edge.evidence import EvidenceFolder
from edge.health import Health
from edge.interaction.shelf import Seen, StoredCrop
from edge.shop.checkin import AskedCheckIn
from edge.tracking.session import CheckIn
from edge.workers import Pulse
from tests.edge.checkout.shopping import (
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)
from tests.edge.score.scored_shops import leave, record
from tests.edge.test_health import WELL, camera

TOKEN = "open-sesame"


class DeskShop:
    """A shop of a desk and nothing else: what the page shows is what the ledger says."""

    name = "Corner <shop>"

    def __init__(self, ledger: Ledger, evidence: EvidenceFolder) -> None:
        self.desk = open_desk(ledger)
        self.evidence = evidence
        self.health_now = WELL

    def plan(self) -> dict[str, Any]:
        return {"outline": [[0, 0], [4, 0], [4, 4]], "zones": [], "fixtures": []}

    def state(self) -> dict[str, Any]:
        return live_state(self.desk, None, (), self.health_now)

    def health(self) -> Health:
        return self.health_now

    def receipt_page(self, session_id: str) -> str | None:
        receipt = self.desk.shop.latest_receipt(session_id)
        return None if receipt is None else receipt_page(receipt, lambda crop: f"../crops/{crop}")

    def crop(self, name: str) -> bytes | None:
        return self.evidence.read(name)

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        checkin = asked.at(5.0, "demo")
        self.desk.check_in(
            checkin.checkin_id,
            token_hash=checkin.token_hash,
            shopper=checkin.shopper,
            role=checkin.role,
            at=moment(5.0),
            group=checkin.group,
        )
        return checkin


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[DeskShop]:
    evidence = EvidenceFolder(tmp_path / "evidence")
    image = np.full((20, 30, 3), 90, np.uint8)
    crops = (StoredCrop("e-1/1.jpg", image), StoredCrop("e-2/1.jpg", image))
    evidence.keep(Seen(event("e-1"), crops))
    with open_ledger(tmp_path) as ledger:
        shop = DeskShop(ledger, evidence)
        check_in(shop.desk, "ann")
        check_in(shop.desk, "bob")
        record(shop.desk, event("e-1"), "ann")
        record(shop.desk, event("e-2", sku="bear", at_s=20), "bob")
        leave(shop.desk, "bob")
        yield shop


class Served:
    """A running page and a client."""

    def __init__(self, server: PageServer) -> None:
        host, _, port = server.address.removeprefix("http://").rstrip("/").rpartition(":")
        self.host, self.port = host, int(port)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            text = None if body is None else json.dumps(body)
            kinds = {} if body is None else {"Content-Type": "application/json"}
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, text, kinds | named)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        status, body, _ = self.ask("GET", path, **headers)
        return status, body


def serve(shop: DeskShop, host: str) -> Iterator[Served]:
    server = PageServer(shop, host, 0, TOKEN)
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(Pulse(stop, time.monotonic),))
    thread.start()
    try:
        yield Served(server)
    finally:
        stop.set()
        thread.join(20)
        server.close()


@pytest.fixture
def served(shop: DeskShop) -> Iterator[Served]:
    yield from serve(shop, "127.0.0.1")


def test_the_page_is_whole_by_itself_and_says_what_the_shop_is_called(served: Served) -> None:
    status, body, headers = served.ask("GET", "/")
    page = body.decode()
    assert status == 200
    assert "Corner &lt;shop&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_state_shows_open_baskets_events_and_receipts(served: Served) -> None:
    state = json.loads(served.get("/api/state")[1])
    assert [basket["session"] for basket in state["baskets"]] == ["ann"]
    assert state["baskets"][0]["lines"][0]["quantity"] == 1
    assert [each["event"] for each in state["events"]] == ["e-2", "e-1"]
    assert state["events"][0]["crops"] == ["e-2/1.jpg"]
    assert [receipt["total"] for receipt in state["receipts"]] == ["12.99"]
    assert state["trouble"] == []


def test_changes_come_by_themselves(served: Served, shop: DeskShop) -> None:
    connection = http.client.HTTPConnection(served.host, served.port, timeout=20)
    connection.request("GET", "/api/live")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    first = json.loads(answer.readline().removeprefix(b"data: "))
    assert [basket["session"] for basket in first["baskets"]] == ["ann"]
    answer.readline()
    check_in(shop.desk, "cid", at_s=30)
    second = json.loads(answer.readline().removeprefix(b"data: "))
    assert [basket["session"] for basket in second["baskets"]] == ["ann", "cid"]
    answer.close()
    connection.close()


def test_a_receipt_and_its_crops_can_be_read(served: Served) -> None:
    status, page = served.get("/receipt/bob")
    assert status == 200
    assert b"../crops/e-2/1.jpg" in page
    status, picture = served.get("/crops/e-2/1.jpg")
    assert status == 200
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (20, 30, 3)


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/receipt/ann", "/crops/none.jpg", "/crops/..%2f..%2fledger.sqlite", "/crops/"],
)
def test_what_is_not_there_is_not_found(served: Served, path: str) -> None:
    assert served.get(path)[0] == 404


def test_somebody_is_checked_in(served: Served, shop: DeskShop) -> None:
    asked = {"token": "t-9", "checkin_id": "c-9", "shopper": "shopper 9"}
    for _ in range(2):
        status, body, _ = served.ask("POST", "/api/checkin", asked)
        assert (status, json.loads(body)) == (200, {"checkin_id": "c-9", "session_id": "c-9"})
    assert [each.session_id for each in shop.desk.shop.open_baskets()] == ["ann", "c-9"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"token": "t", "colour": "red"}, 400),
        ({"token": "t", "group": "bob"}, 409),
        ([], 400),
    ],
)
def test_a_check_in_that_cannot_be_is_refused_with_the_reason(
    served: Served, asked: object, status: int
) -> None:
    answered, body, _ = served.ask("POST", "/api/checkin", asked)
    assert answered == status
    assert json.loads(body)["error"]


def test_a_page_from_elsewhere_cannot_check_anybody_in(served: Served) -> None:
    asked = {"token": "t-9"}
    assert served.ask("POST", "/api/checkin", asked, Content_Type="text/plain")[0] == 415
    assert served.ask("POST", "/api/checkin", asked, Host="evil.example")[0] == 401
    assert served.get("/api/state", Host="evil.example:80")[0] == 401
    assert served.get("/api/state", Host="localhost:9")[0] == 200


def test_a_browser_that_goes_away_leaves_no_trace_among_the_receipts(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        with socket.create_connection((served.host, served.port)) as browser:
            # Closed with a reset, as when a page is left while its pictures load.
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            browser.recv(16)
    assert served.get("/healthz")[0] == 200
    time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_events_name_products_as_receipts_do(served: Served) -> None:
    events = json.loads(served.get("/api/state")[1])["events"]
    assert {each["sku"]: each["name"] for each in events} == {
        "milk": "Oat milk",
        "bear": "Teddy bear",
    }


def test_health_and_readiness_give_their_reasons(served: Served, shop: DeskShop) -> None:
    assert served.get("/healthz")[0] == served.get("/readyz")[0] == 200
    shop.health_now = replace(WELL, cameras=(camera("stalled"),))
    assert served.get("/healthz")[0] == 200
    status, body = served.get("/readyz")
    assert status == 503
    assert json.loads(body)["reasons"] == ["camera shelf-1 is stalled: no frame for 9.0 s"]


def test_metrics_are_served(served: Served) -> None:
    assert b"walkout_open_baskets 2.0" in served.get("/metrics")[1]


@pytest.fixture
def outside(shop: DeskShop) -> Iterator[Served]:
    """The page as somebody on another machine sees it: at an address that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address: nothing is sent
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host = probe.getsockname()[0]
    yield from serve(shop, host)


def test_from_elsewhere_nothing_is_seen_without_the_token(outside: Served) -> None:
    status, _, headers = outside.ask("GET", "/")
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic")
    assert outside.get("/api/state", Authorization="Bearer wrong")[0] == 401
    assert outside.get("/api/state", Authorization="Basic !!!")[0] == 401
    assert outside.ask("POST", "/api/checkin", {"token": "t"})[0] == 401
    assert outside.get("/healthz")[0] == 200


def test_from_elsewhere_the_token_opens_the_page(outside: Served) -> None:
    password = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    assert outside.get("/api/state", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert outside.get("/", Authorization=f"Basic {password}")[0] == 200


def test_the_plan_shows_fixtures_where_they_stand(recorded_shop: Path) -> None:
    calibration = read_calibration(recorded_shop / "calibration.json")
    plan = floor_plan(calibration)
    (fixture,) = plan["fixtures"]
    front = calibration.fixtures[fixture["name"]].origin_m[:2]
    assert fixture["polygon"][0] == pytest.approx(front, abs=1e-3)
    assert {zone["kind"] for zone in plan["zones"]} >= {"entry", "exit"}
