"""The technician's bench: steps survive a restart, every refusal says why, saving takes effect."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray

from calibration.format import CalibrationError, Zone, read_calibration
from calibration.history import reference_path
from calibration.lens import lens_of
from calibration.markers import corner_markers
from calibration.planogram import Planogram, read_planogram
from calibration.wizard.work import Board, CellSku, Grid
from edge.calibrating.bench import Bench
from edge.calibrating.looking import STEADY_LOOKS
from edge.calibrating.workpiece import Ground
from edge.dashboard import calibrating
from edge.dashboard.access import TECHNICIANS
from edge.dashboard.rendering import rendering_of
from edge.dashboard.views.floor import StoreCard
from edge.errors import NotThereError
from edge.events import Frame
from edge.workers import Pulse
from models.catalogue import Product
from tests.calibration.test_chain import front_with_markers
from tests.calibration.test_shelf import FIXTURE, TRUTH
from tests.calibration.wizard.test_work import lens_found
from tests.edge.videos import write_clip
from tests.simulators.calibration import Photographer
from web.access import Asking

Image = NDArray[np.uint8]
IDS = (4, 5, 6, 7)
PIECE = {"piece_width_m": 0.1, "piece_depth_m": 0.05, "piece_height_m": 0.2}
ENTRY = Zone(name="entry", kind="entry", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))


@pytest.fixture(scope="module")
def seen() -> Image:
    """What the shelf camera sees: a front with markers, BGR."""
    photographer = Photographer(lens_of(TRUTH), 1, fine=1)
    grey = photographer.picture(
        front_with_markers(FIXTURE, IDS, 0.06),
        np.array(TRUTH.rotation),
        np.array(TRUTH.translation_m),
    )
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


class Shop:
    """What the bench stands on, and what it was told."""

    def __init__(self, folder: Path, image: Image) -> None:
        self.folder = folder
        self.image = image
        self.index = 0
        self.taken_up = 0

    def frame_of(self, name: str) -> Frame:
        if name != "shelf-1":
            raise NotThereError(f"{name} has no picture: it is lost")
        self.index += 1
        return Frame(name, self.index, self.index * 0.3, 0.0, self.image)

    def take_up(self) -> tuple[str, ...]:
        self.taken_up += 1
        return ("fixture fixture-1 changed in calibration.json and waits for a restart",)

    def bench(self) -> Bench:
        return Bench(
            Ground(
                cameras=("overhead-1", "shelf-1"),
                frame_of=self.frame_of,
                calibration=self.folder / "calibration.json",
                planogram=self.folder / "planogram.json",
                products=(Product(sku="tea"), Product(sku="soap")),
                photo=lambda sku: b"",
                folder=self.folder / "state" / "calibrating",
                wall_time_s=time.time,
                take_up=self.take_up,
            )
        )


@pytest.fixture
def shop(tmp_path: Path, seen: Image) -> Shop:
    return Shop(tmp_path, seen)


def with_lens(bench: Bench) -> Bench:
    """As far as the shelf camera's lens."""
    bench.set_floor(((0, 0), (5, 0), (5, 4), (0, 4)))
    bench.set_zones((ENTRY,))
    markers = corner_markers(IDS, 1.3, 1.08, 0.06)
    bench.set_fixture("fixture-1", FIXTURE.model_copy(update={"cameras": (), "markers": markers}))
    bench.set_role("shelf-1", "shelf")
    bench._set(bench.work.with_camera("shelf-1", lens=lens_found(TRUTH)))
    bench.set_fixture_of("shelf-1", "fixture-1")
    return bench


def looked(bench: Bench, done: Callable[[], bool]) -> None:
    """Let the bench's worker look until something is so."""
    stop = threading.Event()
    worker = threading.Thread(target=bench.run, args=(Pulse(stop, time.monotonic),))
    worker.start()
    try:
        ends_s = time.monotonic() + 60
        while not done():
            assert time.monotonic() < ends_s
            bench.watched()
            time.sleep(0.02)
    finally:
        stop.set()
        worker.join(20)


def placed(bench: Bench) -> Bench:
    bench.look("shelf-1", "markers")
    live = bench.live
    assert live is not None
    looked(bench, lambda: live.look.told()[0] >= STEADY_LOOKS + 1 and bool(live.look.told()[2]))
    bench.place_by_markers("shelf-1")
    return bench


def test_work_goes_on_where_it_was_put_down(shop: Shop) -> None:
    bench = placed(with_lens(shop.bench()))
    again = shop.bench()
    assert again.work == bench.work
    place = again.work.cameras["shelf-1"].place
    assert place is not None
    assert place.light == "green"
    assert np.linalg.norm(place.camera.position_m - TRUTH.position_m) < 0.01
    assert again.has_still("shelf-1")
    assert again.front_picture("fixture-1")[:2] == b"\xff\xd8"


def test_what_is_saved_takes_effect_and_says_what_waits(shop: Shop) -> None:
    bench = placed(with_lens(shop.bench()))
    bench._set(
        bench.work.changed_to(cameras={"shelf-1": bench.work.cameras["shelf-1"]})
    )  # a shop without overhead camera, for brevity
    bench.set_grid(
        "fixture-1",
        Grid(
            boards_m=(0.0, 1.0),
            columns_m=((0.0, 1.2),),
            skus=(CellSku(row=0, column=0, sku="tea", capacity=4, stock=4, columns=2, **PIECE),),
        ),
    )
    waiting = bench.save("kim")
    assert "waits for a restart" in waiting[0]
    assert shop.taken_up == 1
    found = read_calibration(shop.folder / "calibration.json")
    assert np.linalg.norm(found.cameras["shelf-1"].position_m - TRUTH.position_m) < 0.01
    assert reference_path(shop.folder / "calibration.json", "shelf-1").exists()
    assert not bench.work.changed
    planogram = read_planogram(shop.folder / "planogram.json")
    assert planogram.facings["fixture-1-1-1"].columns == 2
    assert bench.work.facings == planogram.facings
    # What was in force is where the next work begins; a reference can be taken again at any time.
    bench.begin_again()
    assert bench.work.cameras["shelf-1"].before == found.cameras["shelf-1"]
    bench.take_reference("shelf-1", "kim")
    assert shop.taken_up == 2
    with pytest.raises(CalibrationError, match="overhead-1 is not calibrated yet"):
        bench.take_reference("overhead-1", "kim")


def test_nothing_is_looked_for_while_nobody_watches(shop: Shop) -> None:
    bench = with_lens(shop.bench())
    bench.look("shelf-1", "lens")
    bench._asked_s = 0.0
    stop = threading.Event()
    worker = threading.Thread(target=bench.run, args=(Pulse(stop, time.monotonic),))
    worker.start()
    ends_s = time.monotonic() + 20
    while bench.live is not None:
        assert time.monotonic() < ends_s
        time.sleep(0.02)
    stop.set()
    worker.join(20)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda bench: bench.set_zones((ENTRY,)), "say how large the floor is first"),
        (lambda bench: bench.look("shelf-1", "markers"), "which fixture shelf-1 watches"),
        (lambda bench: bench.place_by_markers("shelf-1"), "which fixture shelf-1 watches"),
        (lambda bench: bench.place_by_marks("overhead-1"), "take a picture first"),
        (lambda bench: bench.set_board("shelf-1", Board(squares_y=8)), "even number of rows"),
        (lambda bench: bench.place_by_boards(), "say how large the floor is first"),
        (lambda bench: bench.save("kim"), "nothing was saved"),
    ],
)
def test_steps_out_of_order_say_what_is_missing(
    shop: Shop, step: Callable[[Bench], object], said: str
) -> None:
    with pytest.raises(CalibrationError, match=said):
        step(shop.bench())


def test_markers_that_are_not_there_are_a_refusal(shop: Shop) -> None:
    bench = with_lens(shop.bench())
    shop.image = np.full_like(shop.image, 120)
    bench.look("shelf-1", "markers")
    live = bench.live
    assert live is not None
    looked(bench, lambda: live.look.told()[0] > 0)
    with pytest.raises(CalibrationError, match="none of the markers of its fixture was seen"):
        bench.place_by_markers("shelf-1")


def test_a_camera_without_a_picture_says_how_it_is(shop: Shop) -> None:
    with pytest.raises(NotThereError, match="overhead-1 has no picture: it is lost"):
        shop.bench().picture("overhead-1", 640)
    with pytest.raises(NotThereError, match="has no still picture yet"):
        shop.bench().picture("shelf-1", 640, still=True)
    with pytest.raises(NotThereError, match="no camera cellar"):
        shop.bench().set_role("cellar", "shelf")


CARD = StoreCard(
    id="new",
    name="New",
    currency="EUR",
    locale="en",
    timezone="UTC",
    role="all",
    device=None,
    recorded=False,
)


class Api:
    """The wizard's API without its gate."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        rendering = rendering_of(CARD)
        self._app = FastAPI()
        self._app.include_router(calibrating.router(bench, rendering))

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:  # noqa: ANN401
        """Ask something as a technician."""

        async def known(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            scope.setdefault("state", {})["asking"] = Asking("kim", "technician")
            await self._app(scope, receive, send)

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(known)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.request(method, path, timeout=60, **content)

        return asyncio.run(asked())


@pytest.fixture
def api(shop: Shop) -> Api:
    return Api(shop.bench())


API = "/api/v1/calibration"


def until_told(api: Api) -> str:
    ends_s = time.monotonic() + 60
    while api.bench.is_solving("shelf-1"):
        assert time.monotonic() < ends_s
        time.sleep(0.05)
    return str(api.ask("GET", f"{API}/cameras/shelf-1").json()["trouble"])


def test_uploads_that_cannot_be_used_say_why(api: Api, tmp_path: Path) -> None:
    place = f"{API}/cameras/shelf-1/upload"

    def upload(*files: tuple[str, bytes]) -> str:
        answer = api.ask("POST", place, files=[("files", each) for each in files])
        return answer.json()["detail"] if answer.status_code == 409 else until_told(api)

    def png(width: int, height: int) -> bytes:
        _, encoded = cv2.imencode(".png", np.full((height, width), 90, np.uint8))
        return bytes(encoded.tobytes())

    assert "choose one video" in upload(("notes.txt", b"hello"))
    assert "is empty or no video" in upload(("a.mp4", b""))
    assert "is empty or no picture" in upload(("a.jpg", b"broken"))
    assert "different sizes" in upload(("a.png", png(64, 48)), ("b.png", png(48, 64)))
    assert "none of the 1 pictures can be used: only 0 of 48" in upload(("a.png", png(640, 480)))
    # A name is not a path.
    assert "choose one video" in upload(("../../a.sh", b"x"))
    film = write_clip(tmp_path / "f.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 3)
    assert "none of the" in upload(("f.mp4", film.read_bytes()))
    assert not (tmp_path / "a.sh").exists()


def test_the_api_tells_steps_and_refuses_in_words(api: Api) -> None:
    told = api.ask("GET", API).json()
    assert told["next"] == "floor"
    assert [each["progress"] for each in told["steps"]][:2] == ["todo", "waits"]
    answer = api.ask("PUT", f"{API}/floor", json={"outline": [[0, 0], [5, 0], [5, 4], [0, 4]]})
    assert answer.json()["next"] == "fixtures"
    flat = api.ask("PUT", f"{API}/floor", json={"outline": [[0, 0], [5, 0], [9, 0]]})
    assert flat.status_code in (409, 422)
    fixture = {"corner_m": [1, 3], "turn_deg": 0, "bottom_m": 0.4, "size_m": [0.1, 1, 0.4]}
    narrow = api.ask("PUT", f"{API}/fixtures/fixture-1", json=fixture | {"first_marker": 0})
    assert narrow.status_code == 409
    assert "overlap on a front" in narrow.json()["detail"]
    assert api.ask("GET", f"{API}/cameras/cellar").status_code == 404
    assert api.ask("GET", f"{API}/board.pdf?paper=A3").content.startswith(b"%PDF")
    assert api.ask("GET", f"{API}/markers.pdf?first=4").content.startswith(b"%PDF")
    assert api.ask("GET", f"{API}/check").json()["may_save"] is False
    refused = api.ask("POST", f"{API}/save")
    assert (refused.status_code, refused.json()["detail"].split(":")[0]) == (
        409,
        "nothing was saved",
    )
    page = api.ask("GET", "/calibration/camera/shelf-1/lens")
    assert "calibrating.js" in page.text
    assert json.loads(page.text.split('id="page">')[1].split("</script>")[0])["words"]


def test_a_split_front_tells_how_pieces_stand_and_what_the_planogram_in_force_says(
    shop: Shop,
) -> None:
    tea = {"sku": "tea", "capacity": 6, "stock": 4, "columns": 3} | PIECE
    stood = {"fixture": "fixture-1", "u_m": 0.1, "v_m": 0.2, "width_m": 0.5, "height_m": 0.3}
    in_force = Planogram.model_validate({"facings": {"left": stood | {"depth_m": 0.4} | tea}})
    (shop.folder / "planogram.json").write_text(in_force.model_dump_json(), encoding="utf-8")
    api = Api(placed(with_lens(shop.bench())))
    (front,) = api.ask("GET", API).json()["fronts"]
    assert front["facings"] == front["before"]
    assert front["before"][0].items() >= (tea | {"u_m": 0.1, "width_m": 0.5}).items()

    def split(**said: object) -> httpx.Response:
        cell = {"row": 0, "column": 0, "sku": "soap", "capacity": 2, "stock": 1} | said
        grid = {"boards_m": [0, 1], "columns_m": [[0, 1.2]], "skus": [cell]}
        return api.ask("PUT", f"{API}/fronts/fixture-1", json=grid)

    assert split(piece_width_m=0.1).status_code == 422
    assert split(columns=3).status_code == 422
    (front,) = split(columns=2, **PIECE).json()["fronts"]
    soap = {"sku": "soap", "capacity": 2, "stock": 1, "columns": 2} | PIECE
    assert front["grid"]["skus"][0].items() >= soap.items()
    assert [each["name"] for each in front["facings"]] == ["fixture-1-1-1"]
    assert front["facings"][0].items() >= soap.items()
    assert [each["name"] for each in front["before"]] == ["left"]


def test_only_technicians_calibrate_and_every_route_has_its_rule() -> None:
    assert all(rule.roles == TECHNICIANS and not rule.anyone for rule in calibrating.RULES)
