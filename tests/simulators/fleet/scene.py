"""A cloud, a broker and a crowd of devices together, with the rollout engine looking on.

Everything but the devices is the real thing: signed repository, mosquitto with the deployed access
list, certificates, rollout records.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cloud_trainer.fleet.link import BrokerAddress, FleetLink
from cloud_trainer.publishing import KeyRing, Repository
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.store import FolderStore
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import PASSPHRASE, Cloud, let_through
from tests.simulators.fleet.crowd import Crowd, PlanReader
from tests.simulators.fleet.device import Character, SimulatedDevice
from tests.simulators.fleet_broker import FleetBroker

CATEGORY = "soda"
_LOOK_EVERY_S = 0.15


def utc_now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


def device_names(count: int) -> list[str]:
    """``shelf-000`` and so on."""
    return [f"shelf-{number:03d}" for number in range(count)]


def releases(folder: Path) -> Cloud:
    """A cloud with three releases, the first of which every device may run."""
    cloud = Cloud.make(folder, categories=(CATEGORY,))
    for number, products in enumerate((4, 5, 6), start=1):
        bundle = make_bundle(folder / f"bundle-{number}", products, category=CATEGORY)
        cloud.publish(bundle.path, judge=let_through)
    return cloud


def copied(published: Path, folder: Path) -> Cloud:
    """A copy of a cloud, to be changed."""
    shutil.copytree(published, folder)
    ring = KeyRing([folder / "keys"], lambda _: PASSPHRASE)
    return Cloud(Repository(FolderStore(folder / "store"), ring))


@dataclass
class Scene:
    """Everything at hand.

    Attributes:
        folder: Where its files are.
        cloud: The signed repository.
        broker: The broker.
        link: The cloud's connection to it.
        rollouts: What an operator may do.
        crowd: The devices.
    """

    folder: Path
    cloud: Cloud
    broker: FleetBroker
    link: FleetLink
    rollouts: Rollouts
    crowd: Crowd

    def look(self) -> None:
        """What ``walkout-trainer rollout run`` does again and again."""
        self.rollouts.hear(*self.link.take())
        self.rollouts.look(CATEGORY)

    def look_until(
        self, condition: Callable[[], bool], what: str, patience_s: float = 30.0
    ) -> None:
        """Look on until something is so."""
        until_s = time.monotonic() + patience_s
        while not condition():
            assert self.crowd.failure is None, self.crowd.failure
            if time.monotonic() > until_s:
                raise AssertionError(f"waited {patience_s:g} s for {what}: {self.status()}")
            time.sleep(_LOOK_EVERY_S)
            self.look()

    def status(self) -> str:
        """The status word of the rollout, and the reason."""
        rollout = self.rollouts.overview(CATEGORY).rollout
        return f"{rollout.status}: {rollout.reason}"

    def serving(self, release: int) -> set[str]:
        """Devices that serve a release now."""
        return {each.device_id for each in self.crowd.devices if each.serving == release}

    def had(self, release: int) -> set[str]:
        """Devices that ever served it."""
        return {each.device_id for each in self.crowd.devices if release in each.had}


def addresses_of(broker: FleetBroker, names: list[str]) -> dict[str, BrokerAddress]:
    """Where each device connects, with a certificate of its own."""
    return {name: broker.device_address(broker.devices.issue(name), name) for name in names}


@contextmanager
def open_scene(
    folder: Path,
    characters: Mapping[str, Character],
    *,
    published: Path,
    release: int = 1,
    heartbeat_s: float = 5.0,
) -> Iterator[Scene]:
    """A scene with one device for each character, all connected and heard.

    Args:
        folder: An empty folder.
        characters: Behaviour by device id.
        release: What the devices serve at first.
        heartbeat_s: How often each says how it is.
        published: A cloud that was made before, of which this one is a copy.
    """
    with ExitStack() as stack:
        cloud = copied(published, folder / "cloud")
        broker = FleetBroker(folder)
        broker.start()
        stack.callback(broker.kill)
        file = stack.enter_context(open_records(folder / "fleet.sqlite"))
        link = stack.enter_context(FleetLink(broker.cloud_address("cloud.trainer"), utc_now))
        link.require_connected(20.0)
        signer = RepositorySigner(Repository(cloud.store, cloud.repository.keys), utc_now)
        devices = [
            SimulatedDevice(name, CATEGORY, release, character)
            for name, character in characters.items()
        ]
        names = [device.device_id for device in devices]
        plans = PlanReader(cloud.url, cloud.root, folder / "trust", CATEGORY)
        crowd = stack.enter_context(
            Crowd(devices, addresses_of(broker, names), CATEGORY, plans, heartbeat_s=heartbeat_s)
        )
        scene = Scene(folder, cloud, broker, link, Rollouts(file, signer, link, utc_now), crowd)
        until_s = time.monotonic() + 30.0
        while len(scene.rollouts.fleet.devices()) < len(devices):
            assert crowd.failure is None, crowd.failure
            assert time.monotonic() < until_s, "not all devices were heard"
            time.sleep(_LOOK_EVERY_S)
            scene.rollouts.hear(*link.take())
        yield scene
