"""How the signed state takes its publisher being killed at every call and at every put.

``python -m tests.cloud_trainer.publishing.kills`` kills a real publisher before and after each call
that changes the disk below a folder of releases, and lets one die at every put to an S3 server,
before it and after it. Each time a device that knew the old state and a new device must be served
one whole bundle, the old or the new, and the next publication must succeed.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from cloud_trainer.publishing import KeyRing, Repository, publish_bundle
from cloud_trainer.store import FolderStore, S3Store, Sent
from tests.cloud_trainer.publishing.dying import Died
from tests.cloud_trainer.publishing.test_dying import served
from tests.edge.updates.dying import Death, wrapped
from tests.edge.updates.kills import forkserver
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import (
    BUCKET,
    PASSPHRASE,
    Cloud,
    let_through,
    make_bucket,
    s3_environment,
    s3_server,
)

Moment = Literal["before", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "after")


@dataclass(frozen=True)
class Publisher:
    """What a publisher's process does: publish a bundle to everybody.

    Attributes:
        folder: With ``keys`` and ``store``.
        bundle: Folder of the bundle.
        death: When it dies.
    """

    folder: Path
    bundle: Path
    death: Death


def live(publisher: Publisher) -> int:
    """Publish; how many calls changed the disk."""
    calls = wrapped(publisher.death)
    publish(in_folder(publisher.folder), publisher.bundle)
    return calls()


def in_folder(folder: Path) -> Cloud:
    """The cloud in a folder, with a publisher that lives."""
    ring = KeyRing([folder / "keys"], lambda _: PASSPHRASE)
    return Cloud(Repository(FolderStore(folder / "store"), ring))


def publish(cloud: Cloud, bundle: Path) -> None:
    """Publish to everybody."""
    publish_bundle(
        cloud.repository, bundle, datetime.now(timezone.utc), everywhere=True, judge=let_through
    )


def killed_on_disk(publisher: Publisher) -> int:
    """Kill a publisher once; the release that is served afterwards, whole."""
    with tempfile.TemporaryDirectory(dir=publisher.folder.parent) as name:
        folder = Path(name) / "cloud"
        shutil.copytree(publisher.folder, folder)
        cloud, device = in_folder(folder), Path(name) / "device"
        assert served(cloud, device) == 1
        dying = Publisher(folder, publisher.bundle, publisher.death)
        process = forkserver().Process(target=live, args=(dying,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"{publisher.death}: {process.exitcode}"
        release = served(cloud, device)
        assert served(cloud, Path(name) / "new-device") == release
        publish(cloud, publisher.bundle)
        assert served(cloud, device) == 2
    return release


class DyingS3(S3Store):
    """A bucket; one put is the last thing that its writer does.

    Args:
        prefix: Below which everything is.
        death: Its number among the puts, and whether it is done.
    """

    def __init__(self, prefix: str, death: Death) -> None:
        super().__init__(BUCKET, prefix)
        self.puts = 0
        self._death = death

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        with self._dying():
            return super().put(key, content, if_absent=if_absent, if_match=if_match)

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        with self._dying():
            super().put_file(key, path, sha256, sent)

    @contextmanager
    def _dying(self) -> Iterator[None]:
        self.puts += 1
        if Death(self.puts, "before") == self._death:
            raise Died
        yield
        if Death(self.puts, "after") == self._death:
            raise Died


def died_at_s3(folder: Path, number: int, first: Path, second: Path, death: Death) -> int | None:
    """Let a publisher to S3 die once; the release that is served then; ``None``: it lived."""
    cloud = Cloud.make(folder / f"s3-{number}", S3Store(BUCKET, f"fleet-{number}"))
    publish(cloud, first)
    device = folder / f"s3-{number}" / "device"
    assert served(cloud, device) == 1
    try:
        store = DyingS3(f"fleet-{number}", death)
        publish(Cloud(Repository(store, cloud.repository.keys)), second)
    except Died:
        release = served(cloud, device)
        assert served(cloud, device.with_name("new-device")) == release
        publish(cloud, second)
        assert served(cloud, device) == 2
        return release
    return None


def main() -> None:
    """Kill everywhere and print what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = make_bundle(folder / "first", category="soda").path
        second = make_bundle(folder / "second", dim=48, category="soda").path
        publish(Cloud.make(folder / "cloud"), first)
        counted = shutil.copytree(folder / "cloud", folder / "counted" / "cloud")
        with forkserver().Pool(1) as pool:
            calls = pool.apply(live, (Publisher(counted, second, Death(0, "before")),))
        releases: list[int] = []
        for number in range(1, calls + 1):
            for moment in MOMENTS:
                death = Death(number, moment)
                releases.append(killed_on_disk(Publisher(folder / "cloud", second, death)))
            _say(f"{len(releases)} of {2 * calls} kills around calls that change disks", releases)
        with s3_server() as address:
            os.environ.update(s3_environment(address))
            logging.getLogger("werkzeug").setLevel(logging.WARNING)
            make_bucket(address)
            releases, number = [], 0
            for number in range(1, 1000):
                found = [
                    died_at_s3(folder, 2 * number + place, first, second, Death(number, moment))
                    for place, moment in enumerate(MOMENTS)
                ]
                if None in found:
                    break
                releases += [release for release in found if release is not None]
            sys.stdout.write("\n")
            _say(f"{len(releases)} deaths around {number - 1} puts to S3", releases)
    sys.stdout.write("\n")


def _say(what: str, releases: list[int]) -> None:
    old, new = releases.count(1), releases.count(2)
    sys.stdout.write(f"\r{what}: {old} old, {new} new, {len(releases) - old - new} broken")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
