"""A provider hands a product in, an operator approves it, three devices recognise it.

In a real Chromium, and nobody touches a command line in between::

    python -m tests.cloud_trainer.portal.acceptance [--out FOLDER] [--sku teddy] [--drawn]

says how long it took from the operator's key until every device recognised the product, and from
the provider's withdrawal until none did. Goods and network are the demo shop's own; ``--drawn``
takes the smallest ones, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.cloud_trainer.portal.acceptance_goods import CATEGORY, Goods, drawn_goods, shop_goods
from tests.cloud_trainer.portal.acceptance_scene import DEVICES, PASSWORDS, ROOT, Scene, open_scene

CHROMIUM: Final = Path("/usr/bin/chromium")
WITHIN_S: Final = 60.0
_PATIENCE_S: Final = 240.0
_PAGE_PATIENCE_MS: Final = 60_000


@dataclass(frozen=True)
class Told:
    """How it went.

    Attributes:
        judged_s: From choosing the files until the last photo's verdict.
        recognised_s: From the operator's key until every device recognised the product.
        outcomes: What each device decided then.
        forgotten_s: From the provider's withdrawal until no device recognised it.
    """

    judged_s: float
    recognised_s: float
    outcomes: Mapping[str, str]
    forgotten_s: float


def play(scene: Scene, goods: Goods, browser: Browser) -> Told:
    """The whole story."""
    before = {name: scene.recognises(name, goods.asked) for name in DEVICES}
    assert all(each.decision.sku != goods.sku for each in before.values())
    provider, operator = (_signed_in(browser, scene, name) for name in ("mira", "ole"))
    judged_s = hand_in(provider, goods)
    approve(operator, goods)
    approved_at_s = time.monotonic()
    scene.wait_for(lambda: _all_know(scene, goods, True), "all to recognise it", _PATIENCE_S)
    recognised_s = time.monotonic() - approved_at_s
    outcomes = {name: scene.recognises(name, goods.asked).decision.outcome for name in DEVICES}
    expect(provider.locator(".journey .here")).to_have_text("Live")
    withdraw(provider)
    withdrawn_at_s = time.monotonic()
    scene.wait_for(lambda: _all_know(scene, goods, False), "nobody to recognise it", _PATIENCE_S)
    return Told(judged_s, recognised_s, outcomes, time.monotonic() - withdrawn_at_s)


def hand_in(page: Page, goods: Goods) -> float:
    """A provider adds the product with its photos; seconds until all of them were judged."""
    page.goto("products")
    page.get_by_role("button", name="Add a product").click()
    form = page.locator("dialog")
    form.get_by_label("Name").fill(goods.name)
    form.get_by_label("SKU").fill(goods.sku)
    form.get_by_label("Price").fill("1.99")
    form.get_by_label("Category").fill(CATEGORY)
    form.get_by_role("button", name="Go on to photos").click()
    page.wait_for_url("**/products/*")
    chosen_at_s = time.monotonic()
    page.locator("input[type=file]:not([webkitdirectory])").set_input_files(list(goods.photos))
    good = page.locator(".photo-tile .chip.good")
    expect(good).to_have_count(len(goods.photos))
    judged_s = time.monotonic() - chosen_at_s
    page.get_by_role("button", name="Hand it in").click()
    expect(page.locator(".journey .here")).to_have_text("Waiting for approval")
    return judged_s


def approve(page: Page, goods: Goods) -> None:
    """An operator puts it where it belongs and approves it by one key."""
    page.goto(f"approve?sku={goods.sku}")
    expect(page.locator(".deciding h2")).to_have_text(goods.name)
    expect(page.locator(".photo-tile")).to_have_count(len(goods.photos))
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text(f"{goods.name} is approved")


def withdraw(page: Page) -> None:
    """Its provider takes it back."""
    page.get_by_role("button", name="Withdraw").click()
    page.locator("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.locator(".toast")).to_contain_text("Withdrawn")


def _all_know(scene: Scene, goods: Goods, is_known: bool) -> bool:
    return all(
        (scene.recognises(name, goods.asked).decision.sku == goods.sku) == is_known
        for name in DEVICES
    )


def _signed_in(browser: Browser, scene: Scene, name: str) -> Page:
    context = browser.new_context(base_url=scene.url, locale="en")
    page = context.new_page()
    page.set_default_timeout(_PAGE_PATIENCE_MS)
    page.goto("/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORDS[name])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(scene.url)
    return page


def main() -> int:
    """Play it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="keep everything there; an empty folder")
    parser.add_argument("--shop", type=Path, default=ROOT / "deploy" / "demo")
    parser.add_argument("--sku", default="teddy", help="product of the shop that is new")
    parser.add_argument("--drawn", action="store_true", help="drawn goods, the smallest network")
    asked = parser.parse_args()
    expect.set_options(timeout=_PAGE_PATIENCE_MS)
    with ExitStack() as stack:
        folder = asked.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        goods = (
            drawn_goods(folder / "goods")
            if asked.drawn
            else shop_goods(asked.shop, asked.sku, folder / "goods")
        )
        print(f"load {_load()}: portal, broker and {len(DEVICES)} devices begin", flush=True)
        scene = stack.enter_context(open_scene(folder, goods))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        told = play(scene, goods, browser)
    print(
        f"load {_load()}: {goods.sku} of {CATEGORY}: {len(goods.photos)} photos judged in "
        f"{told.judged_s:.1f} s; recognised on {len(DEVICES)} devices {told.recognised_s:.1f} s "
        f"after approval, at most {WITHIN_S:g} s ({told.outcomes}); withdrawn: no longer "
        f"recognised after {told.forgotten_s:.1f} s"
    )
    return int(told.recognised_s > WITHIN_S)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} at {time.strftime('%H:%M:%S')}"


if __name__ == "__main__":
    sys.exit(main())
