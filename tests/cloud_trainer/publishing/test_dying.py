"""A publisher dies at every single write: devices get the old bundle as a whole, or the new one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError

from cloud_trainer.publishing import KeyRing, Repository, overview, published_releases
from cloud_trainer.store import FolderStore
from models.delivery import decode_plan, decode_release, plan_path, release_path
from tests.cloud_trainer.publishing.conftest import Bundles
from tests.cloud_trainer.publishing.dying import Died, DyingStore
from tests.simulators.cloud import (
    PASSPHRASE,
    TIMESTAMP_KEY,
    Cloud,
    client,
    fetch_target,
    let_through,
)

PUBLISHER = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from cloud_trainer.publishing import KeyRing, Repository, publish_bundle
from tests.cloud_trainer.publishing.dying import DyingStore
folder, bundle, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
store = DyingStore(folder / "store", at, kill=True)
repository = Repository(store, KeyRing([folder / "keys"], str))
publish_bundle(
    repository, bundle, datetime.now(timezone.utc), everywhere=True, judge=lambda bundle: None
)
print(len(store.puts))
"""


def served(cloud: Cloud, device: Path) -> int:
    """The release that every device is to run, after every file of it was fetched and verified."""
    updater = client(device, cloud.root, cloud.store)
    plan = fetch_target(updater, plan_path("soda"))
    assert plan is not None
    stable = decode_plan(plan).stable
    release = fetch_target(updater, release_path("soda", stable))
    assert release is not None
    for file in decode_release(release).files:
        assert fetch_target(updater, file.target) is not None
    return stable


def copied(cloud: Cloud, to: Path, at: int = 10**6, *, after: bool = False) -> Cloud:
    """The same cloud elsewhere, keys and all; its publisher dies at a write."""
    shutil.copytree(folder_of(cloud), to)
    ring = KeyRing([to / "keys"], lambda _: PASSPHRASE)
    return Cloud(Repository(DyingStore(to / "store", at, after=after), ring), cloud.now)


def alive(cloud: Cloud) -> Cloud:
    """The same cloud with a publisher that lives on."""
    folder = folder_of(cloud)
    ring = KeyRing([folder / "keys"], lambda _: PASSPHRASE)
    return Cloud(Repository(FolderStore(folder / "store"), ring), cloud.now)


def folder_of(cloud: Cloud) -> Path:
    return Path(cloud.url.removeprefix("file://")).parent


def puts_of(cloud: Cloud, to: Path, step: Callable[[Cloud], object]) -> int:
    """How many writes a step takes."""
    trial = copied(cloud, to)
    step(trial)
    assert isinstance(trial.store, DyingStore)
    return len(trial.store.puts)


def publish(bundle: Path) -> Callable[[Cloud], object]:
    return lambda cloud: cloud.publish(bundle, everywhere=True, judge=let_through)


def test_dying_at_any_write_of_a_publication_leaves_the_old_bundle_whole(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    step = publish(bundles.network)
    puts = puts_of(cloud, tmp_path / "counted", step)
    assert puts == 8 + 1 + 1 + 2 + 1 + 1  # files, release, plan, their roles, snapshot, timestamp
    for at in range(1, puts + 1):
        broken = copied(cloud, tmp_path / f"cloud-{at}", at)
        device = tmp_path / f"device-{at}"
        assert served(cloud, device) == 1
        with pytest.raises(Died):
            step(broken)
        assert served(broken, device) == 1
        assert served(broken, tmp_path / f"new-device-{at}") == 1

        step(alive(broken))
        assert served(broken, device) == 2
        assert alive(broken).plan("soda").serial == 2


def test_publishers_that_die_one_after_the_other_are_no_obstacle(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    for at in range(1, 20):
        with pytest.raises(Died):
            store = DyingStore(folder_of(cloud) / "store", at)
            publish(bundles.network)(Cloud(Repository(store, cloud.repository.keys)))
    publish(bundles.network)(cloud)
    assert served(cloud, tmp_path / "device") == 2


def test_dying_right_after_the_last_write_leaves_the_new_bundle_whole(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    step = publish(bundles.product)
    puts = puts_of(cloud, tmp_path / "counted", step)
    broken = copied(cloud, tmp_path / "broken", puts, after=True)
    with pytest.raises(Died):
        step(broken)
    assert served(broken, tmp_path / "device") == 2
    # Whoever does not know how it ended runs the same again.
    again = alive(broken).publish(bundles.product, everywhere=True, judge=let_through)
    assert not again.is_new and again.plan is None


def test_dying_at_any_write_of_the_very_first_publication_leaves_nothing_half(
    bundles: Bundles, tmp_path: Path
) -> None:
    empty = Cloud.make(tmp_path / "empty", categories=())
    shutil.rmtree(tmp_path / "empty" / "store")
    step = publish(bundles.first)
    puts = puts_of(empty, tmp_path / "counted", step)
    for at in range(1, puts + 1):
        broken = copied(empty, tmp_path / f"cloud-{at}", at)
        with pytest.raises(Died):
            step(broken)
        with pytest.raises((AssertionError, DownloadHTTPError)):
            served(broken, tmp_path / f"device-{at}")
        step(alive(broken))
        assert served(broken, tmp_path / f"device-{at}") == 1


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "rollouts", "category-soda"])
def test_dying_at_any_write_of_a_rotation_goes_unnoticed_by_devices(
    cloud: Cloud, bundles: Bundles, tmp_path: Path, role: str
) -> None:
    cloud.publish(bundles.first, judge=let_through)

    def step(cloud: Cloud) -> None:
        cloud.rotate(role, keyid_of(cloud, role))

    puts = puts_of(cloud, tmp_path / "counted", step)
    assert puts >= 2
    for at in range(1, puts + 1):
        broken = copied(cloud, tmp_path / f"cloud-{at}", at)
        device = tmp_path / f"device-{at}"
        served(cloud, device)
        with pytest.raises(Died):
            step(broken)
        assert served(broken, device) == 1
        assert served(broken, tmp_path / f"new-device-{at}") == 1

        before = keyid_of(alive(broken), role)
        step(alive(broken))
        assert keyid_of(alive(broken), role) != before
        assert served(broken, device) == 1
        alive(broken).publish(bundles.product, everywhere=True, judge=let_through)
        assert served(broken, device) == 2


def keyid_of(cloud: Cloud, role: str) -> str:
    [view] = [view for view in overview(cloud.repository) if view.role == role]
    return view.keys[0][0]


def test_a_publisher_that_is_killed_lets_go_of_everything(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    for at in (1, 14):
        broken = copied(cloud, tmp_path / f"cloud-{at}")
        command = [sys.executable, "-c", PUBLISHER, str(tmp_path / f"cloud-{at}")]
        killed = subprocess.run([*command, str(bundles.network), str(at)], check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL
        assert served(broken, tmp_path / f"device-{at}") == 1
        alive(broken).publish(bundles.network, everywhere=True)
        assert served(broken, tmp_path / f"device-{at}") == 2


def test_two_publishers_at_once_take_two_numbers_and_lose_nothing(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    command = [sys.executable, "-c", PUBLISHER, str(tmp_path / "cloud")]
    publishers = [
        subprocess.Popen([*command, str(bundle), str(10**6)], stdout=subprocess.DEVNULL)
        for bundle in (bundles.network, bundles.product)
    ]
    assert [publisher.wait(120) for publisher in publishers] == [0, 0]
    assert served(cloud, tmp_path / "device") == 3
    plan = cloud.plan("soda")
    assert (plan.serial, plan.stable) == (3, 3)


class Interrupted(FolderStore):
    """A folder where something else happens right before the timestamp is first written."""

    def __init__(self, root: Path, meanwhile: Callable[[], object]) -> None:
        super().__init__(root)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        if key == TIMESTAMP_KEY and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return super().put(key, content, if_absent=if_absent, if_match=if_match)


def test_the_slower_publisher_goes_on_top_of_the_faster_one(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first)
    store = Interrupted(folder_of(cloud) / "store", lambda: publish(bundles.product)(cloud))
    slower = Cloud(Repository(store, cloud.repository.keys), cloud.now)
    assert slower.publish(bundles.network, everywhere=True).release.release == 3
    assert published_releases(cloud.repository, "soda") == (1, 2, 3)
    assert served(cloud, tmp_path / "device") == 3


def test_of_two_publishers_of_the_same_bundle_the_slower_one_finds_it_published(
    cloud: Cloud, bundles: Bundles
) -> None:
    cloud.publish(bundles.first)
    store = Interrupted(folder_of(cloud) / "store", lambda: publish(bundles.product)(cloud))
    slower = Cloud(Repository(store, cloud.repository.keys), cloud.now)
    publication = slower.publish(bundles.product, everywhere=True)
    assert (publication.release.release, publication.is_new) == (2, False)
    assert published_releases(cloud.repository, "soda") == (1, 2)


class Forgetful(FolderStore):
    """A folder whose answer to the last write is lost, so that the client asks again."""

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        etag = super().put(key, content, if_absent=if_absent, if_match=if_match)
        if key == TIMESTAMP_KEY:
            return super().put(key, content, if_absent=if_absent, if_match=if_match)
        return etag


def test_an_answer_that_is_lost_on_the_way_publishes_nothing_twice(
    cloud: Cloud, bundles: Bundles
) -> None:
    cloud.publish(bundles.first)
    store = Forgetful(folder_of(cloud) / "store")
    publisher = Cloud(Repository(store, cloud.repository.keys), cloud.now)
    assert publisher.publish(bundles.product).release.release == 2
    assert published_releases(cloud.repository, "soda") == (1, 2)
