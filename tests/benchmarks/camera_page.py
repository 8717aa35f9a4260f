"""How long a name takes onto what a camera sees: ``python -m tests.benchmarks.camera_page``.

A real dashboard of the demo shop, its real network on one thread, and a real Chromium whose camera
plays a recorded video of a product. The time runs from the moment that a frame is taken off the
video to the moment that its label is placed, as the page itself measures it; between answers labels
go with the product at the video's own rate. Browser and device share this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import sync_playwright

from models.bundle import compose_bundle
from models.catalogue import load_catalogue
from tests.edge.dashboard.apps.conftest import CHROMIUM, DEMO, ROOT, film
from tests.edge.dashboard.serving import served

_TOOK = "performance.getEntriesByName('frame-to-label').map(each => each.duration)"


def main() -> int:
    """Measure and print median and p95."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sku", default="medicine-box", help="product of the demo shop to show")
    parser.add_argument("--seconds", type=float, default=20, help="how long to look")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="walkout-see-") as name, sync_playwright() as playwright:
        folder = Path(name)
        shop = folder / "shop"
        shop.mkdir()
        for part in DEMO.iterdir():
            if part.name != "bundles":
                (shop / part.name).symlink_to(part)
        network = ROOT / "models" / "pretrained" / "groceries"
        compose_bundle(DEMO / "bundle-parts", network, shop / "bundles" / "groceries")
        photo = load_catalogue(shop / "catalogue").photos_of(asked.sku)[0].path
        video = film(folder / "product.mjpeg", photo)
        with served(shop, folder / "state", works=False, from_the_start=True) as site:
            browser = playwright.chromium.launch(
                executable_path=str(CHROMIUM),
                args=[
                    "--no-sandbox",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-video-capture={video}",
                ],
            )
            page = browser.new_context(permissions=["camera"]).new_page()
            page.goto(site.link("viewer"))
            page.wait_for_url(site.url)
            page.goto(f"{site.url}see")
            page.locator("#start").click()
            page.locator(".tag .words").first.wait_for(timeout=120_000)
            page.evaluate("performance.clearMeasures()")
            page.wait_for_timeout(asked.seconds * 1000)
            took_ms = np.array(page.evaluate(_TOOK))
            names = page.locator(".tag .words b").all_text_contents()
            browser.close()
    median, p95 = np.percentile(took_ms, (50, 95))
    sys.stdout.write(
        f"{len(took_ms)} answers in {asked.seconds:g} s: frame to label median {median:.0f} ms, "
        f"p95 {p95:.0f} ms; on the picture: {', '.join(names)}; load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
