"""A technician sets a shop up from nothing, in a real browser, by taps alone.

The cameras are simulated live cameras before which somebody walks a printed board about; what comes
out is compared with the truth, and the shop then opens.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from calibration.drift.registration import Reference
from calibration.format import Calibration, Floor, read_calibration
from calibration.grid import on_front
from calibration.history import read_record, read_reference, reference_path
from calibration.lens import in_picture, lens_of
from calibration.planogram import Planogram, read_planogram
from edge.config_file import load_config
from edge.shop.premises import open_premises
from tests.edge.calibrating.device import setting_up
from tests.simulators.uncalibrated import MARKS_M, PRODUCTS, Uncalibrated, write_uncalibrated

_CHROMIUM: Final = Path("/usr/bin/chromium")
# What a person needs: a tap with a look at what it did; a board walked about until it is green.
_TAP_S: Final = 2.5
_LENS_S: Final = 90.0
pytestmark = pytest.mark.skipif(not _CHROMIUM.exists(), reason="no browser here")


class Technician:
    """Somebody with a tablet who only taps.

    Args:
        page: The browser's page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.taps = 0

    def tap(self, what: str) -> None:
        """Tap something."""
        self.taps += 1
        self.page.locator(what).click()

    def number(self, name: str, value: str) -> None:
        """Set a number on the pad."""
        self.tap(f"[data-number={name}]")
        for key in value:
            self.tap(f'dialog [data-key="{key}"]')
        self.tap('dialog [data-key="ok"]')

    def at(self, inside: str, x_share: float, y_share: float) -> None:
        """Tap a place of a picture or a plan."""
        self.taps += 1
        box = self.page.locator(inside).bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + x_share * box["width"], box["y"] + y_share * box["height"])

    def step(self, name: str) -> Locator:
        """A step as the list shows it."""
        return self.page.locator(f'[data-step="{name}"]')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Uncalibrated:
    return write_uncalibrated(tmp_path_factory.mktemp("new") / "shop")


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1180, "height": 820}, has_touch=True)
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def test_a_shop_is_calibrated_from_nothing_to_a_saved_green_calibration_by_taps(
    shop: Uncalibrated, page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with setting_up(shop.folder, tmp_path / "state") as link:
        page.goto(link)
        page.locator("[data-step]").first.wait_for()
        technician = Technician(page)
        technician.tap("[data-act=keep-floor]")  # 5 x 4 m, as it is
        fixture(technician)
        lens(technician, "overhead-1", "overhead")
        technician.tap("[data-act=on]")
        overhead(technician, shop)
        technician.tap("[data-act=on]")
        lens(technician, "shelf-1", "shelf")
        technician.tap("[data-act=on]")
        shelf(technician)
        technician.tap("[data-act=on]")
        facings(technician)
        technician.tap("[data-act=on]")
        technician.tap("[data-act=add-entry]")
        technician.tap("[data-act=add-exit]")
        technician.tap("[data-act=on]")
        page.locator("[data-light]").wait_for()
        expect(page.locator("[data-light]")).to_have_attribute("data-light", "green")
        technician.tap("[data-act=save]")
        page.locator("[data-saved]").wait_for()
        expect(technician.step("save")).to_have_attribute("aria-label", re.compile("done"))
        take_a_reference(page, shop)
    assert not complaints
    check(shop)
    person_s = technician.taps * _TAP_S + 2 * _LENS_S
    with capsys.disabled():
        print(f"\n{technician.taps} taps; about {person_s / 60:.0f} minutes of a person")
    assert technician.taps <= 120


def test_a_front_that_is_split_anew_offers_what_the_planogram_knows(
    shop: Uncalibrated, page: Page, tmp_path: Path
) -> None:
    folder = calibrated(shop, tmp_path / "shop")
    with setting_up(folder, tmp_path / "state") as link:
        page.goto(link)
        technician = Technician(page)
        technician.tap('[data-step="facings"]')
        technician.tap('[data-rows="2"]')
        # Of two places of one product, the nearer one to the cell speaks for it.
        for cell, said in (("0-0", ["12", "10", "3"]), ("1-2", ["4", "2", "1"])):
            technician.tap(f'[data-cell="{cell}"]')
            technician.tap(f'[data-sku="{PRODUCTS[0]}"]')
            assert numbers(page) == [*said, "6.5 cm", "10.0 cm", "20.0 cm"]
            technician.tap("dialog [data-act=put]")
            page.locator(f'[data-cell="{cell}"].full').wait_for()
        # Nothing of it clings to a product of which nothing is known, and none of it is a must.
        technician.tap('[data-cell="1-0"]')
        technician.tap(f'[data-sku="{PRODUCTS[0]}"]')
        technician.tap(f'[data-sku="{PRODUCTS[1]}"]')
        assert numbers(page)[2:] == ["–"] * 4
        technician.number("piece-depth", "9")
        expect(page.get_by_text("Give all three")).to_be_visible()
        expect(page.locator("dialog [data-act=put]")).to_be_disabled()
        technician.tap("[data-number=piece-depth]")
        technician.tap("dialog [data-key=none]")
        technician.tap("dialog [data-act=put]")
        page.locator('[data-cell="1-0"].full').wait_for()


def numbers(page: Page) -> list[str]:
    """What the dialog about a place says: capacity, stock, side by side, width, depth, height."""
    return [each.strip() for each in page.locator("dialog .cal-num b").all_inner_texts()]


def calibrated(shop: Uncalibrated, folder: Path) -> Path:
    """A copy of the shop whose cameras are placed, and in which a product stands at two places."""
    shutil.copytree(shop.folder, folder)
    standing = {
        "low": {"u_m": 0.0, "v_m": 0.0, "capacity": 12, "stock": 10, "columns": 3},
        "high": {"u_m": 0.8, "v_m": 0.6, "capacity": 4, "stock": 2, "columns": 1},
    }
    both = {"fixture": "fixture-1", "width_m": 0.4, "height_m": 0.3, "depth_m": 0.4}
    both |= {"sku": PRODUCTS[0], "piece_width_m": 0.065, "piece_depth_m": 0.1}
    both |= {"piece_height_m": 0.2}
    files = {
        "calibration.json": Calibration(
            floor=Floor(outline=((0, 0), (5, 0), (5, 4), (0, 4))),
            cameras=shop.cameras,
            fixtures={"fixture-1": shop.fixture},
        ),
        "planogram.json": Planogram.model_validate(
            {"facings": {name: both | each for name, each in standing.items()}}
        ),
    }
    for name, each in files.items():
        (folder / name).write_text(each.model_dump_json(), encoding="utf-8")
    return folder


def take_a_reference(page: Page, shop: Uncalibrated) -> None:
    """It is one of what happens later, so its taps do not count."""
    kept = reference_path(shop.folder / "calibration.json", "shelf-1")
    before = kept.stat().st_mtime_ns
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_response(lambda answer: answer.url.endswith("/reference")) as answer:
        page.locator("[data-watched=shelf-1] [data-act=reference]").click()
    assert answer.value.ok, answer.value.text()
    assert kept.stat().st_mtime_ns > before


def fixture(technician: Technician) -> None:
    technician.tap("[data-act=add-fixture]")
    technician.number("height", "1")
    technician.number("bottom", "0.45")
    technician.number("corner-x", "1.5")
    technician.number("corner-y", "3.5")
    technician.tap("[data-act=keep-fixture]")
    technician.tap("[data-act=on]")


def lens(technician: Technician, name: str, role: str) -> None:
    page = technician.page
    technician.tap(f"[data-role={role}]")
    technician.tap("[data-act=start]")
    # Nobody touches the tablet now: the board is walked about until the light is green.
    page.locator("[data-lens=green]").wait_for(timeout=400_000)
    expect(technician.step(f"camera/{name}/lens")).to_have_attribute(
        "aria-label", re.compile("done")
    )


def overhead(technician: Technician, shop: Uncalibrated) -> None:
    page, camera = technician.page, shop.cameras["overhead-1"]
    empty(page)
    technician.tap("[data-act=still]")
    page.get_by_text("Tap mark 1 in the picture").wait_for()
    page.wait_for_function("() => document.querySelector('.cal-picture img').naturalWidth > 0")
    width, height = camera.image_size_px
    for number, (x_m, y_m) in enumerate(MARKS_M, start=1):
        ((x_px, y_px),) = camera.project(np.array([[x_m, y_m, 0.0]]))
        technician.at(".cal-picture", (x_px + 0.5) / width, (y_px + 0.5) / height)
        # The plan has 0.4 m around the floor.
        technician.at(".cal-plan", (x_m + 0.4) / 5.8, (4.4 - y_m) / 4.8)
        expect(page.locator(".cal-plan .spot")).to_have_count(number)
    technician.tap("[data-act=place]")
    page.locator("[data-place=green]").wait_for()


def shelf(technician: Technician) -> None:
    page = technician.page
    technician.tap("[data-choice=fixture-1]")
    page.get_by_text("All 4 markers are seen and steady").wait_for()
    technician.tap("[data-act=place]")
    page.locator("[data-place=green]").wait_for()


def facings(technician: Technician) -> None:
    page = technician.page
    technician.tap('[data-rows="3"]')
    for row in range(3):
        for column in range(3):
            technician.tap(f'[data-cell="{row}-{column}"]')
            technician.tap(f'[data-sku="{PRODUCTS[column]}"]')
            if (row, column) == (0, 0):
                technician.number("columns", "2")
                technician.number("piece-width", "6.5")
                expect(page.locator("dialog [data-act=put]")).to_be_disabled()
                technician.number("piece-depth", "10")
                technician.number("piece-height", "20")
            technician.tap("dialog [data-act=put]")
            page.locator(f'[data-cell="{row}-{column}"].full').wait_for()


def empty(page: Page) -> None:
    """Wait until whoever walks the board about has just gone: nothing white is in the picture."""
    for there in ("true", "false"):
        page.wait_for_function(
            f"""() => {{
              const image = document.querySelector('.cal-picture img');
              if (!image?.naturalWidth) return false;
              const canvas = document.createElement('canvas');
              canvas.width = 48; canvas.height = 27;
              const pen = canvas.getContext('2d');
              pen.drawImage(image, 0, 0, 48, 27);
              const data = pen.getImageData(0, 0, 48, 27).data;
              let white = 0;
              for (let i = 0; i < data.length; i += 4) white += data[i] > 195;
              return (white > 0) === {there};
            }}"""
        )


def check(shop: Uncalibrated) -> None:
    """What was saved, against the truth; and the shop opens with it."""
    folder = shop.folder
    found: Calibration = read_calibration(folder / "calibration.json")
    planogram = read_planogram(folder / "planogram.json")
    assert len(planogram.facings) == 9
    sized = {name: each for name, each in planogram.facings.items() if each.columns}
    assert [(name, each.columns) for name, each in sized.items()] == [("fixture-1-1-1", 2)]
    # What was said of one place is offered wherever else the product stands.
    of_first = [each.piece_m for each in planogram.facings.values() if each.sku == PRODUCTS[0]]
    assert of_first == [(0.065, 0.1, 0.2)] * 3
    steps = np.linspace(0.02, 0.98, 9)
    u, v = (each.ravel() for each in np.meshgrid(steps * 1.2, steps * 1.0))
    points = np.column_stack([u, v])
    truth = shop.cameras["shelf-1"]
    seen = truth.project(shop.fixture.to_shop(np.column_stack([points, np.zeros(len(u))])))
    there = on_front(found.cameras["shelf-1"], found.fixtures["fixture-1"], seen)
    assert np.percentile(np.linalg.norm(there - points, axis=1), 95) < 0.005
    x, y = (
        each.ravel() for each in np.meshgrid(np.linspace(0.3, 4.7, 9), np.linspace(0.3, 3.7, 9))
    )
    floor = np.column_stack([x, y, np.zeros(len(x))])
    overhead_camera = shop.cameras["overhead-1"]
    floor = floor[in_picture(overhead_camera, floor)]
    on_floor = found.cameras["overhead-1"].on_plane(overhead_camera.project(floor), 0.0)
    assert np.percentile(np.linalg.norm(on_floor - floor[:, :2], axis=1), 95) < 0.05
    for name, camera in found.cameras.items():
        Reference(read_reference(folder / "calibration.json", name), lens_of(camera))
    assert [each.by for each in read_record(folder / "calibration.json")] == ["admin"]
    assert sorted(each.name.split("-2")[0] for each in (folder / "calibration/reports").iterdir())
    open_premises(load_config(folder), folder)
