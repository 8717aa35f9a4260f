"""``walkout-edge run`` with updates: with no bundle at all, and with neither store nor broker."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest
import yaml

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from models.bundle import Bundle
from tests.edge.shop.running import running
from tests.edge.updates.devices import Device
from tests.simulators.cloud import Cloud

# Nobody listens there.
NOWHERE = "http://127.0.0.1:9/fleet"


@pytest.fixture
def shop(recorded_shop: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded_shop, tmp_path / "shop"))


def furnish(shop: Path, cloud: Cloud, **changes: object) -> None:
    """Let a shop keep itself up to date, with other settings besides."""
    (shop / "root.json").write_bytes(cloud.root)
    store = yaml.safe_load((shop / "store.yaml").read_text("utf-8"))
    updates = {
        "device_id": "shelf-1",
        "repository": cloud.url,
        "root": "root.json",
        "categories": ["dairy"],
        "watch": {"watch_s": 0.5},
        "retry_first_s": 0.5,
    }
    updates |= changes.pop("updates", {})  # type: ignore[call-overload]
    (shop / "store.yaml").write_text(yaml.safe_dump({**store, **changes, "updates": updates}))


def shorten(shop: Path, frames: int) -> None:
    """Keep only the beginning of its videos."""
    for video in shop.glob("*.mp4"):
        capture = cv2.VideoCapture(str(video))
        images = [capture.read()[1] for _ in range(frames)]
        capture.release()
        video.unlink()
        height, width = images[0].shape[:2]
        out = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), 5, (width, height))
        for image in images:
            out.write(image)
        out.release()


def test_a_device_with_no_bundle_opens_its_shop_and_takes_the_first_release(
    shop: Path, tmp_path: Path, bundle: Bundle
) -> None:
    cloud = Cloud.make(tmp_path / "cloud", categories=("dairy",))
    cloud.publish(bundle.path)
    furnish(shop, cloud, bundles=[])
    shorten(shop, 100)
    pointer = shop / "updates" / "serving.json"
    with running(str(shop), "--no-page", "--state", str(tmp_path / "state")) as device:
        device.until(lambda: pointer.exists() and '"release": 1' in pointer.read_text())
        assert device.ended() == 0
    assert any("release 1: watching" in line for line in device.lines)
    assert any("receipt c-1-r1 for shopper-1" in line for line in device.lines)


def test_with_neither_store_nor_broker_a_shop_opens_with_what_it_has_and_sells(
    shop: Path, tmp_path: Path, bundle: Bundle
) -> None:
    cloud = Cloud.make(tmp_path / "cloud", categories=("dairy",))
    cloud.publish(bundle.path)
    with Device(shop, cloud.url, cloud.root, [bundle]) as before:
        before.update_to(1)
    broker = {"host": "127.0.0.1", "port": 9}
    furnish(shop, cloud, bundles=[], updates={"repository": NOWHERE, "mqtt": broker})
    state = tmp_path / "state"
    with running(str(shop), "--no-page", "--state", str(state)) as device:
        device.said("updates: the store cannot be asked")
        assert device.ended() == 0
    with Ledger(state / "ledger.sqlite", "shop-3") as ledger:
        sold = fold(ledger.entries())
    receipts = [sold.latest_receipt(session) for session in sold.baskets]
    assert sum(sum(each.quantities().values()) for each in receipts if each) > 0
