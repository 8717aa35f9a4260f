"""What ``acceptance`` plays in: broker, S3 server, publisher and three devices as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from edge.updates.status import read_status
from models.bundle import Bundle, open_bundle
from tests.simulators.aws import aws
from tests.simulators.cloud import BUCKET, make_bucket, s3_environment
from tests.simulators.editions import write_edition
from tests.simulators.fleet_broker import FleetBroker

ROOT: Final = Path(__file__).resolve().parents[3]
SHOP: Final = ROOT / "deploy" / "demo"
_DEVICES: Final = ("shop", "shelf-2", "shelf-3")


def editions(shop: Path, folder: Path) -> tuple[Bundle, Bundle, Bundle]:
    """The shop's bundle, one with a product more, and that one with another network."""
    named = yaml.safe_load((shop / "store.yaml").read_text("utf-8"))["bundles"][0]
    base = open_bundle(shop / named)
    return (
        write_edition(base, folder / "one", "one"),
        write_edition(base, folder / "two", "two", more=1),
        write_edition(base, folder / "three", "three", more=1, another_network=True),
    )


class Scene:
    """Three devices and their cloud.

    Args:
        folder: An empty folder.
        shop: The recorded shop.
        first: What devices have to begin with.
        broker: The fleet's broker, running.
        environment: For all processes.
        niceness: Of trials; ``None`` for the usual one.

    Attributes:
        devices: Names of the devices; the first is the shop's.
        store_id: Id of the shop.
    """

    def __init__(
        self,
        folder: Path,
        shop: Path,
        first: Bundle,
        broker: FleetBroker,
        environment: Mapping[str, str],
        niceness: int | None,
    ) -> None:
        self.devices = _DEVICES
        self._niceness = niceness
        self._folder = folder
        self._first = first
        self._broker = broker
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self._settings = {name: self._install(name) for name in _DEVICES}
        self._furnish(shop)

    def trainer(self, *arguments: str) -> str:
        """Run ``walkout-trainer`` to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cloud_trainer", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def fleet(self) -> str:
        """What the devices have told the broker."""
        heard = json.loads(self.trainer("fleet", "list", "--json"))
        return ", ".join(
            f"{each['status']['device_id']} serves {agent['serving_release']}, {agent['state']}"
            for each in heard
            for agent in each["status"]["agents"]
        )

    def serves(self, device: str) -> int | None:
        """The release that a device serves, by its ``serving.json``."""
        try:
            pointer = json.loads((self._folder / device / "updates/serving.json").read_bytes())
        except FileNotFoundError:
            return None
        served = [each["release"] for each in pointer["categories"].values()]
        return served[0] if served else None

    def has_settled(self, device: str) -> bool:
        """Whether a device's update has come to its end."""
        if not (self._folder / device / "updates/journal.sqlite").exists():
            return False
        return [each.state for each in read_status(self._folder / device / "updates")] == ["done"]

    def agent(self, device: str) -> subprocess.Popen[bytes]:
        """Start the update agent of a device alone."""
        config = self._folder / device / "store.yaml"
        return self._start(
            device, "-m", "edge", "updates", "agent", str(config), "--log-json",
            "--bundle", str(self._first.path),
        )  # fmt: skip

    @contextmanager
    def shops_device_alone(self) -> Iterator[None]:
        """The shop's device before it opens: its agent, as any other's."""
        process = self.agent("shop")
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def shop_at_work(self, counts: Path, state: Path) -> Iterator[subprocess.Popen[bytes]]:
        """``walkout-edge run``, its frames counted."""
        process = self._start(
            "shop", "-m", "tests.edge.updates.counted_run", str(counts), "run",
            str(self._folder / "shop"), "--no-page", "--state", str(state), "--log-json",
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def second_of(self, state: Path) -> float | None:
        """Where the recording is; ``None`` where it does not play."""
        try:
            playing = json.loads((state / "playing.json").read_bytes())
        except FileNotFoundError:
            return None
        (state.parent / "second_zero").write_text(str(playing["second_zero_wall_time_s"]))
        return time.time() - float(playing["second_zero_wall_time_s"])

    def steps_of(self, device: str, release: int) -> list[tuple[str, float]]:
        """States of an update up to the swap, and how long each lasted."""
        at = self._states(device, release)
        names = list(at)
        return [
            (name, at[later] - at[name])
            for name, later in zip(names, names[1:], strict=False)
            if name != "watching"
        ]

    def swap_of(self, device: str, release: int) -> tuple[float, float]:
        """When the swap began and when it was over, wall time."""
        at = self._states(device, release)
        return at["swapping"], at["watching"]

    def said(self) -> str:
        """The last that each device said."""
        logs = (self._folder / name / "log" for name in self.devices)
        return "\n".join(f"{log}: {log.read_text('utf-8')[-3000:]}" for log in logs)

    def _states(self, device: str, release: int) -> dict[str, float]:
        """When an update came to each state, from the device's log."""
        found = {}
        for line in (self._folder / device / "log").read_text("utf-8").splitlines():
            said: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            head, _, rest = said.get("message", "").partition(f" release {release}: ")
            if head and rest:
                state = rest.partition(":")[0].replace(" ", "_")
                found[state] = datetime.fromisoformat(said["at"].replace("Z", "+00:00")).timestamp()
        return found

    def _start(self, device: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / device / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments], env=self._environment, stdout=log, stderr=log
            )

    def _install(self, device: str) -> dict[str, object]:
        """A device's folder with its certificate and settings, as ``updates`` of a store.yaml."""
        folder = self._folder / device
        folder.mkdir()
        (folder / "root.json").write_bytes((self._folder / "keys/root.json").read_bytes())
        tls = self._broker.devices.issue(device)
        settings: dict[str, object] = {
            "device_id": device,
            "repository": f"s3://{BUCKET}/fleet",
            "root": "root.json",
            "categories": [self._first.manifest.category],
            "watch": {"watch_s": 3.0},
            "mqtt": {
                "host": "127.0.0.1",
                "port": self._broker.device_port,
                "ca": str(tls.ca),
                "certificate": str(tls.certificate),
                "key": str(tls.key),
            },
        }
        if self._niceness is not None:
            settings["trial"] = {"niceness": self._niceness}
        (folder / "store.yaml").write_text(yaml.safe_dump({"updates": settings}), "utf-8")
        return settings

    def _furnish(self, shop: Path) -> None:
        """The recorded shop in its device's folder, which keeps its bundles up to date."""
        folder = self._folder / "shop"
        for path in shop.resolve().iterdir():
            if path.name not in ("store.yaml", "bundles"):
                (folder / path.name).symlink_to(path)
        store = yaml.safe_load((shop / "store.yaml").read_text("utf-8"))
        self.store_id = str(store["store"]["id"])
        store |= {"bundles": [str(self._first.path)], "updates": self._settings["shop"]}
        (folder / "store.yaml").write_text(yaml.safe_dump(store), "utf-8")


@contextmanager
def open_scene(
    folder: Path, shop: Path, first: Bundle, niceness: int | None = None
) -> Iterator[Scene]:
    """Start broker, S3 server and the two devices beside the shop; end them all."""
    with ExitStack() as stack:
        broker = FleetBroker(folder)
        broker.start()
        stack.callback(broker.kill)
        address = stack.enter_context(aws())
        os.environ.update(s3_environment(address))
        make_bucket(address)
        tls = broker.cloud.issue("cloud.trainer")
        environment = {
            **s3_environment(address),
            "WALKOUT_STORE": f"s3://{BUCKET}/fleet",
            "WALKOUT_KEYS": str(folder / "keys"),
            "WALKOUT_KEYS_PASSPHRASE": "four words for testing",
            "WALKOUT_FLEET_RECORDS": str(folder / "fleet.sqlite"),
            "WALKOUT_BROKER": f"mqtts://127.0.0.1:{broker.cloud_port}",
            "WALKOUT_BROKER_CA": str(broker.devices.certificate),
            "WALKOUT_CERTIFICATE": str(tls.certificate),
            "WALKOUT_CERTIFICATE_KEY": str(tls.key),
        }
        make = [
            sys.executable,
            "-m",
            "cloud_trainer",
            "keys",
            "init",
            "--out",
            str(folder / "keys"),
        ]
        subprocess.run(
            make, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL
        )
        scene = Scene(folder, shop, first, broker, environment, niceness)
        for device in scene.devices[1:]:
            process = scene.agent(device)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield scene
