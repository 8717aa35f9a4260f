"""The demo shop behind a real dashboard, with its real network; its cameras are not played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Playwright, sync_playwright

from models.bundle import compose_bundle
from tests.edge.dashboard.serving import Site, served

ROOT = Path(__file__).parents[4]
DEMO = ROOT / "deploy" / "demo"
CHROMIUM = Path("/usr/bin/chromium")
_VIDEO_PX = (640, 480)


@pytest.fixture(scope="session")
def demo_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop with its bundle composed; not to be written to."""
    folder = tmp_path_factory.mktemp("demo")
    for part in DEMO.iterdir():
        if part.name != "bundles":
            (folder / part.name).symlink_to(part)
    network = ROOT / "models" / "pretrained" / "groceries"
    compose_bundle(DEMO / "bundle-parts", network, folder / "bundles" / "groceries")
    return folder


@pytest.fixture(scope="module")
def demo_site(demo_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard of the demo shop, just opened."""
    state = tmp_path_factory.mktemp("demo-state") / "state"
    with served(demo_shop, state, works=False, from_the_start=True) as site:
        yield site


@pytest.fixture(scope="module")
def chromium_tool() -> Iterator[Playwright]:
    """Launches browsers with settings of their own; a thread bears one Playwright at a time."""
    if not CHROMIUM.exists():
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(chromium_tool: Playwright) -> Iterator[Browser]:
    """A browser without a camera."""
    browser = chromium_tool.chromium.launch(
        executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
    )
    yield browser
    browser.close()


def film(path: Path, photo: Path, frames: int = 90) -> Path:
    """A video of a photo held by an unsteady hand, as Chromium plays it for a camera: MJPEG."""
    picture = np.asarray(cv2.imread(str(photo)), np.uint8)
    rng = np.random.default_rng(7)
    with path.open("wb") as out:
        for number in range(frames):
            frame = _held(picture, 2 * np.pi * number / frames)
            noisy = np.clip(frame + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
            out.write(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return path


def _held(picture: NDArray[np.uint8], phase: float) -> NDArray[np.uint8]:
    width, height = _VIDEO_PX
    rows, columns = picture.shape[:2]
    scale = (0.72 + 0.04 * np.sin(3 * phase)) * height / rows
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), 4 * np.sin(2 * phase), scale)
    turn[0, 2] += width / 2 + 60 * np.sin(phase) - columns / 2
    turn[1, 2] += height / 2 + 22 * np.sin(2 * phase) - rows / 2
    held = cv2.warpAffine(picture, turn, _VIDEO_PX, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(held, np.uint8)
