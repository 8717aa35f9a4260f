"""How a device takes being killed at every call that changes its disk.

``python -m tests.edge.updates.kills`` kills before and after each of them and prints what it found
(``--every 10`` a tenth of it); the test suite takes some of them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Literal

from models.bundle import open_bundle
from tests.edge.updates.devices import Device
from tests.edge.updates.dying import Death, Life, live
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud


def forkserver() -> ForkServerContext:
    """A context whose processes have the device imported when they begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.edge.updates.dying"])
    return context


@contextmanager
def prepared(folder: Path) -> Iterator[Life]:
    """A device that runs release 1 and is about to learn of release 2, a new network."""
    cloud = Cloud.make(folder / "cloud", categories=("soda",))
    first = make_bundle(folder / "first", products=6, category="soda")
    second = make_bundle(folder / "second", products=6, dim=48, category="soda")
    cloud.publish(first.path)
    device = folder / "device"
    with Device(device, cloud.url, cloud.root, [first], ballast_bytes=10_000) as shelf:
        shelf.update_to(1)
    cloud.publish(second.path, everywhere=True)
    yield Life(device, cloud.url, cloud.root, first.path, 2, Death(0, "before"))


def calls_of(life: Life) -> int:
    """How many calls change the disk during the update."""
    folder = Path(tempfile.mkdtemp(dir=life.folder.parent))
    shutil.copytree(life.folder, folder / "device")
    with forkserver().Pool(1) as pool:
        return pool.apply(live, (replace(life, folder=folder / "device"),))


def kill_at(life: Life, death: Death) -> int | None:
    """Kill a copy of the device once and see what it does afterwards.

    Returns:
        The release that served right after the kill; ``None`` where it had ended before.
    """
    with tempfile.TemporaryDirectory(dir=life.folder.parent) as name:
        folder = Path(name) / "device"
        shutil.copytree(life.folder, folder)
        killed = replace(life, folder=folder, death=death)
        process = forkserver().Process(target=live, args=(killed,))
        process.start()
        process.join()
        if process.exitcode == 0:
            return None
        assert process.exitcode == -signal.SIGKILL, f"{death}: ended with {process.exitcode}"
        # What the pointer names opens, whole.
        pointer = json.loads((folder / "updates/serving.json").read_bytes())
        release = int(pointer["categories"]["soda"]["release"])
        open_bundle(folder / f"updates/bundles/soda/{release}")
        configured = [open_bundle(life.configured)]
        with Device(folder, life.repository, life.root, configured, ballast_bytes=10_000) as shelf:
            assert shelf.release == release, death
            assert [e for e in shelf.events() if e.outcome == "failed"] == [], death
            shelf.update_to(life.release)
            assert shelf.deciding == str(life.release)
            assert shelf.status.quarantined == (), death
        blobs = [path.name for path in (folder / "updates/blobs").iterdir()]
        assert not [name for name in blobs if name.endswith(".part")], death
    return release


def main() -> None:
    """Kill at every call, or at every few."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--every", type=int, default=1, help="leave out all but every so many")
    every = parser.parse_args().every
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)) as life:
        calls = calls_of(life)
        deaths = [Death(n, moment) for n in range(1, calls + 1) for moment in moments][::every]
        old = new = 0
        for number, death in enumerate(deaths, 1):
            release = kill_at(life, death)
            old, new = old + (release == 1), new + (release == 2)
            if release is None:
                sys.stdout.write(f" ({death} too late)\n")
            sys.stdout.write(
                f"\r{number} of {len(deaths)} kills around {calls} calls: "
                f"{old} old, {new} new, {number - old - new} too late, 0 broken"
            )
            sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
