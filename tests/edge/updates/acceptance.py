"""From ``publish`` to serving on three devices, all of them real processes, with figures.

A broker as it is deployed (mutual TLS), an S3 server, the publisher's command, a recorded shop at
work and two devices beside it::

    python -m tests.edge.updates.acceptance [--shop deploy/demo] [--fps 5] [--out FOLDER]

publishes a product and then a network while shoppers shop, and says how long each took from the
moment ``publish`` had ended until every device's ``serving.json`` named it, which frames the shop
lost meanwhile and how many it loses in the same seconds when nothing is published, and which
version decided each line of the receipts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.bundle import Bundle
from tests.edge.updates.acceptance_scene import SHOP, Scene, editions, open_scene
from tests.edge.updates.acceptance_shop import Frames, decided, frames_of
from tests.edge.videos import thin

_PATIENCE_S: Final = 300.0
_PUBLISHED_AT_S: Final = 4.0
_AFTERWARDS_S: Final = 2.0
_PRODUCT_WITHIN_S: Final = 10.0
# Without its download, which takes no time here.
_NETWORK_WITHIN_S: Final = 30.0


@dataclass(frozen=True)
class Published:
    """A release on its way.

    Attributes:
        what: In words.
        release: Its number.
        version: Version of its bundle.
        command_s: How long ``publish`` took.
        ended_at_s: When it ended, wall time.
        served_at_s: When each device served it, wall time.
    """

    what: str
    release: int
    version: str
    command_s: float
    ended_at_s: float
    served_at_s: dict[str, float]

    @property
    def took_s(self) -> float:
        """From the end of ``publish`` to the last device."""
        return max(self.served_at_s.values()) - self.ended_at_s


@dataclass(frozen=True)
class Played:
    """A recording that was played.

    Attributes:
        frames: What became of the shop's frames.
        state: Folder of its ledger.
        published: What was published meanwhile, if anything.
    """

    frames: Frames
    state: Path
    published: Published | None


def publish(scene: Scene, what: str, bundle: Bundle, shop: subprocess.Popen[bytes]) -> Published:
    """Publish a bundle to everybody and see when each device serves it."""
    began_s = time.time()
    answer = scene.trainer("publish", str(bundle.path), "--everywhere", "--json")
    ended_s, release = time.time(), int(json.loads(answer)["release"])
    served: dict[str, float] = {}

    def all_serve() -> bool:
        if shop.poll() is not None:
            raise RuntimeError(f"the recording was over before {what} served: {served}")
        for name in scene.devices:
            if name not in served and scene.serves(name) == release:
                served[name] = time.time()
        return len(served) == len(scene.devices)

    wait_for(all_serve, f"release {release} on all devices", scene)
    version = bundle.manifest.version
    return Published(what, release, version, ended_s - began_s, ended_s, served)


def wait_for(condition: Callable[[], bool], what: str, scene: Scene) -> None:
    """Wait until something is so; whatever the devices said is shown where it does not come."""
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            raise TimeoutError(f"waited {_PATIENCE_S:g} s for {what}\n{scene.said()}")
        time.sleep(0.01)


def play(scene: Scene, folder: Path, what: str, bundle: Bundle | None) -> Played:
    """Let the shop play its recording, and publish meanwhile where there is something to."""
    folder.mkdir()
    state, published = folder / "state", None
    print(f"load {_load()}: playing the shop, publishing {what}", flush=True)
    with scene.shop_at_work(folder / "counts.jsonl", state) as shop:
        wait_for(lambda: (scene.second_of(state) or 0.0) >= _PUBLISHED_AT_S, "the shop", scene)
        if bundle is not None:
            published = publish(scene, what, bundle, shop)
        if shop.wait() != 0:
            raise RuntimeError(scene.said())
    wait_for(lambda: all(map(scene.has_settled, scene.devices[1:])), "the others", scene)
    return Played(frames_of(folder / "counts.jsonl"), state, published)


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shop", type=Path, default=SHOP, help="folder of a recorded shop")
    parser.add_argument("--out", type=Path, help="keep logs and ledgers there")
    parser.add_argument(
        "--niceness",
        type=int,
        help="of trials; where other work fills the machine, 0 shows what that costs them",
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="thin the cameras to so many frames a second, where this machine loses frames "
        "without a release already and so cannot tell what a swap costs",
    )
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = asked.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if asked.fps is not None:
            asked.shop = _thinned(asked.shop, folder / "thinned", asked.fps)
        print(f"load {_load()}: three editions of the shop's bundle", flush=True)
        first, product, network = editions(asked.shop, folder / "editions")
        scene = stack.enter_context(open_scene(folder, asked.shop, first, asked.niceness))
        scene.trainer("publish", str(first.path))
        with scene.shops_device_alone():
            names = scene.devices
            wait_for(lambda: all(map(scene.has_settled, names)), "release 1 everywhere", scene)
        control = play(scene, folder / "control", "nothing", None)
        fine = []
        for what, before, bundle, limit_s in (
            ("a new product", first, product, _PRODUCT_WITHIN_S),
            ("a new network", product, network, _NETWORK_WITHIN_S),
        ):
            run = play(scene, folder / bundle.manifest.version, what, bundle)
            version = before.manifest.version
            fine.append(_say(scene, run, control.frames, version, limit_s))
        print(f"load {_load()}: done")
        print(f"the fleet says: {scene.fleet()}")
    return int(not all(fine))


def _thinned(shop: Path, folder: Path, fps: float) -> Path:
    shutil.copytree(shop, folder, ignore=shutil.ignore_patterns("*.mp4"))
    for video in shop.glob("*.mp4"):
        thin(video, folder / video.name, fps)
    return folder


def _say(scene: Scene, run: Played, control: Frames, before: str, limit_s: float) -> bool:
    """Print what a run showed; whether it was as it should be."""
    each, frames = run.published, run.frames
    assert each is not None
    served = each.served_at_s
    print(
        f"{each.what} (release {each.release}): serving on all {len(served)} devices "
        f"{each.took_s:.1f} s after publish had ended, at most {limit_s:g} s ("
        + ", ".join(f"{name} {at_s - each.ended_at_s:.1f} s" for name, at_s in served.items())
        + f"); publish itself took {each.command_s:.1f} s"
    )
    for name in scene.devices:
        steps = scene.steps_of(name, each.release)
        print(f"  {name}: " + ", ".join(f"{state} {took_s:.1f} s" for state, took_s in steps))
    zero_s = frames.second_zero_s
    swapping_s, watching_s = scene.swap_of("shop", each.release)
    for what, begin_s, end_s in (
        ("before", zero_s, each.ended_at_s - each.command_s),
        (
            "while it was published, came and was tried",
            each.ended_at_s - each.command_s,
            swapping_s,
        ),
        ("at the swap", swapping_s, watching_s + _AFTERWARDS_S),
    ):
        with_it, without = (
            some.between(begin_s - zero_s, end_s - zero_s) for some in (frames, control)
        )
        print(
            f"  shop, {what}, seconds {begin_s - zero_s:.1f} to {end_s - zero_s:.1f}: "
            f"{with_it}; in the same seconds without a release: {without}"
        )
    found = decided(
        run.state, scene.store_id, zero_s, [(before, 0.0), (each.version, served["shop"])]
    )
    for one in found:
        by = f"bundle {one.version}" if one.version else "the shelf"
        where = f"receipt {one.receipt}" if one.receipt else "no receipt"
        wrong = "" if one.is_right else f", but {' or '.join(one.served)} served"
        print(f"  second {one.at_s:.1f}: {one.what}: decided by {by}, on {where}{wrong}")
    return each.took_s <= limit_s and all(one.is_right for one in found)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} at {time.strftime('%H:%M:%S')}"


if __name__ == "__main__":
    sys.exit(main())
