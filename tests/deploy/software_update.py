"""The software's own update, whole: from the previous version to this one, with a shop that sells.

Everything is a process as on a device: the launcher, a virtual environment for each release, wheels
of this very checkout under other version numbers, the signed store, a recorded shop at work, and a
supervisor that does what systemd does::

    python -m tests.deploy.software_update [--shop FOLDER] [--kills]

takes a device from 0.0.1 to this version, kills it in each state on the way with ``--kills``, and
then publishes versions that crash, hang and do not open the shop: each is refused or taken back by
itself. Minutes; the test suite has its parts (``tests/edge/software``).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from cloud_trainer.publishing import publish_software
from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from edge.shop.playing import is_under_way
from edge.software import launcher
from edge.software.slots import Slots
from edge.updates.installation import JOURNAL_NAME
from edge.updates.journal import Journal
from edge.updates.progress import Progress
from models.delivery import SOFTWARE, State
from tests.deploy.supervisor import Supervisor
from tests.simulators.cloud import Cloud
from tests.simulators.wheels import ROOT, this_checkout, what_it_needs

DEMO: Final = ROOT / "deploy" / "demo"
PREVIOUS: Final = "0.0.1"
STATES: Final[tuple[State, ...]] = (
    "fetching", "verifying", "building", "self_testing", "waiting_to_swap", "swapping", "watching",
)  # fmt: skip
_MAIN: Final = "edge/cli/run.py"
BAD: Final = {
    "crashes": {
        _MAIN: "import sys\nif 'run' in sys.argv: raise SystemExit('a version that crashes')"
    },
    "hangs": {_MAIN: "import sys, time\nif 'run' in sys.argv: time.sleep(3600)"},
    "does not open the shop": {
        "edge/rehearsal.py": "raise ImportError('a version that is broken')"
    },
}
_PATIENCE_S: Final = 900.0


class Scene:
    """A device with its shop, and a cloud.

    Args:
        folder: An empty folder.
        shop: A recorded shop.
        settings: Of the updates of the software.
    """

    def __init__(self, folder: Path, shop: Path, **settings: object) -> None:
        self.folder = folder
        self.shop = Path(shutil.copytree(shop, folder / "shop", symlinks=True))
        self.cloud = Cloud.make(folder / "cloud", categories=())
        (self.shop / "root.json").write_bytes(self.cloud.root)
        store = yaml.safe_load((self.shop / "store.yaml").read_text("utf-8"))
        self.store_id = str(store["store"]["id"])
        store["updates"] = {
            "device_id": "shelf-1",
            "repository": self.cloud.url,
            "root": "root.json",
            "poll_s": 2.0,
            "retry_first_s": 0.5,
            "ballast_bytes": 0,
            "software": {
                "watch_s": 2.0, "starts_at_most": 2, "occupied_at_most_s": 1.0, **settings,
            },
        }  # fmt: skip
        (self.shop / "store.yaml").write_text(yaml.safe_dump(store), "utf-8")
        self.state = folder / "state"
        self.days: list[Path] = []
        self.slots = Slots(self.shop / "software")
        self._needs = what_it_needs(folder / "needs")
        self.shipped = self._install(this_checkout(folder / "wheels" / PREVIOUS, PREVIOUS))

    def publish(self, version: str, sabotage: dict[str, str] | None = None) -> int:
        """Publish this checkout as a version; number of the release."""
        folder = self.folder / "wheels" / version
        this_checkout(folder, version, sabotage)
        shutil.copy(self._needs, folder)
        published = publish_software(self.cloud.repository, folder, self.cloud.now, everywhere=True)
        return published.release.release

    def device(self, **patience: float) -> Supervisor:
        """The device as its service starts it."""
        command = [
            *(sys.executable, "-I", launcher.__file__, "--software", str(self.slots.folder)),
            *("--shipped", str(self.shipped), "--", "run", str(self.shop)),
            *("--state", str(self.state), "--port", "0", "--stay"),
        ]
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return Supervisor(command, self.folder, kept, before=self._begin_day, **patience)

    def _begin_day(self) -> None:
        """A recording that is over is played again, into another ledger: the shop's next day."""
        if (self.state / "ledger.sqlite").exists() and not is_under_way(self.state):
            self.days.append(self.folder / f"day-{len(self.days) + 1}")
            self.state.rename(self.days[-1])

    def progress(self) -> Progress:
        """How far the update is, by the device's journal."""
        path = self.shop / "updates" / JOURNAL_NAME
        if not path.exists():
            return Progress()
        journal = Journal(path)
        try:
            return journal.progress(SOFTWARE)
        finally:
            journal.close()

    def reaches(self, service: Supervisor, done: Callable[[Progress], bool], what: str) -> Progress:
        """Wait until the update is where it should be."""
        until_s = time.monotonic() + _PATIENCE_S
        while not done(found := self.progress()):
            if time.monotonic() > until_s:
                raise TimeoutError(f"waited for {what}: {found}\n{service.said()[-4000:]}")
            time.sleep(0.002)  # some states are over within hundredths of a second
        return found

    def sold(self) -> tuple[int, int, int]:
        """Baskets, receipts, and lines that wait for a person, by the ledgers of all days."""
        found = [0, 0, 0]
        for state in (*self.days, self.state):
            if (state / "ledger.sqlite").exists():
                with Ledger(state / "ledger.sqlite", self.store_id) as ledger:
                    day = fold(ledger.entries())
                receipts = [day.latest_receipt(session) for session in day.baskets]
                found[0] += len(day.baskets)
                found[1] += sum(each is not None for each in receipts)
                found[2] += len(tuple(day.open_reviews()))
        return found[0], found[1], found[2]

    def _install(self, wheel: Path) -> Path:
        """The version that the device came with."""
        place = self.folder / "shipped"
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index"]
        subprocess.run(
            [*install, "--no-deps", "--no-compile", str(wheel), str(self._needs)], check=True
        )
        return place / "bin" / launcher.PROGRAM


def main() -> int:
    """Run it and say what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shop", type=Path, default=DEMO, help="folder of a recorded shop")
    parser.add_argument("--kills", action="store_true", help="kill the device in each state")
    parser.add_argument("--no-update", action="store_true", help="versions that are no good alone")
    parser.add_argument("--bad", choices=tuple(BAD), nargs="*", default=list(BAD))
    parser.add_argument("--no-bad", action="store_true", help="leave out versions that are no good")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="walkout-software-") as name:
        scene = Scene(Path(name), asked.shop, starts_at_most=10 if asked.kills else 2)
        fine = asked.no_update or _update(scene, STATES if asked.kills else ())
        if not asked.no_bad:
            fine = (
                all([_refuses(scene, number, what) for number, what in enumerate(asked.bad)])
                and fine
            )
    return int(not fine)


def _update(scene: Scene, killed_in: tuple[State, ...]) -> bool:
    began_s, waiting, kills = time.monotonic(), list(killed_in), 0
    release = scene.publish("0.1.1")
    with scene.device() as service:
        while True:
            found = scene.reaches(
                service,
                lambda each: each.state in waiting or (each.state == "done"),
                f"one of {waiting} or the end",
            )
            if found.state == "done":
                break
            waiting.remove(found.state)
            service.kill()
            kills += 1
        took_s = time.monotonic() - began_s
        runs = scene.slots.served().release
    baskets, receipts, reviews = scene.sold()
    missed = f" (never seen {' and '.join(waiting)})" if waiting else ""
    print(
        f"from {PREVIOUS} to 0.1.1 in {took_s:.0f} s, killed {kills} times{missed}, started "
        f"{service.starts} times: release {runs} runs; {baskets} baskets, {receipts} receipts, "
        f"{reviews} reviews",
        flush=True,
    )
    return runs == release


def _refuses(scene: Scene, number: int, what: str) -> bool:
    before = scene.slots.served().release
    release = scene.publish(f"0.2.{number}", BAD[what])
    began_s = time.monotonic()
    with scene.device(start_within_s=60.0) as service:
        found = scene.reaches(
            service,
            lambda each: each.target == release and each.state in ("quarantined", "rolled_back"),
            f"release {release} to be refused or taken back",
        )
        runs = scene.slots.served().release
    took_s = time.monotonic() - began_s
    print(
        f"a version that {what}: {found.state.replace('_', ' ')} after {took_s:.0f} s and "
        f"{service.starts} starts ({found.reason[:160]}); release {runs} runs",
        flush=True,
    )
    return runs == before


if __name__ == "__main__":
    sys.exit(main())
