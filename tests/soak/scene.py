"""Everything around the device of a soak, and the world's next step.

Owns the processes and servers (device, broker, till, the cloud's receiver and store of releases),
the disk, the clocks, and who is in the shop. Like everything upstream of a checkout it gives again
what the device has not said to have: shelf devices keep what they saw, doors ask until they are
answered.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import yaml

from calibration.format import read_calibration
from calibration.planogram import read_planogram
from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.receiver import ReceivedMessages, Receiver
from edge.checkout.correcting import Verdict
from edge.shop.checkin import AskedCheckIn
from edge.shop.replay import LEDGER_NAME
from edge.shop.shelves import Sighting
from edge.tracking.observations import FloorScan
from edge.tracking.track import Track
from edge.tracking.watch import FloorMoment
from tests.edge.checkout.brokers import Mosquitto
from tests.edge.checkout.tills import Till, open_till
from tests.simulators.bundles import make_bundle
from tests.simulators.cameras import Fate
from tests.simulators.cloud import Cloud
from tests.simulators.disks import Disk
from tests.simulators.network import Wire
from tests.soak.device import Step, Told, live
from tests.soak.visits import STEP_S, Act, Visit, Walk, middle_of, places_of, sighting_of

STORE: Final = "soak"
CAMERAS: Final = ("overhead-1", "shelf-1", "shelf-2")
CATEGORY: Final = "soda"
_DEMO: Final = Path(__file__).parents[2] / "deploy" / "demo"
_PATIENCE_S: Final = 60.0
# After a start the clock of frames is the machine's own again.
_AFTER_A_BOOT_S: Final = 100.0


class DiedError(Exception):
    """The device ended and nobody had killed it, or stands still."""


@dataclass(frozen=True)
class _Seen:
    act: Act
    began_s: float
    ended_s: float


def write_shop(folder: Path, updates: dict[str, object] | None, ports: tuple[int, str]) -> None:
    """The shop's files: the demo's room, shelves and goods, with live cameras.

    Args:
        folder: Where to.
        updates: The configuration's section; ``None`` for a shop without.
        ports: The broker's port and the till's address.
    """
    folder.mkdir(parents=True)
    for name in ("calibration.json", "planogram.json"):
        shutil.copyfile(_DEMO / name, folder / name)
    shutil.copytree(_DEMO / "catalogue", folder / "catalogue")
    store: dict[str, Any] = {
        "schema_version": 1,
        "store": {"id": STORE, "name": "Soak", "currency": "EUR"},
        "calibration": "calibration.json",
        "planogram": "planogram.json",
        "catalogue": "catalogue",
        "camera_defaults": {
            "frozen_after_s": 10,
            "reconnect_first_s": 0.02,
            "reconnect_longest_s": 0.05,
        },
        "cameras": {name: {"kind": "rtsp", "url": f"rtsp://{name}/"} for name in CAMERAS},
        "checkout": {"time_out_s": 900, "lost_after_s": 300},
        "till": {"url": ports[1], "timeout_s": 5},
        "mqtt": {
            "host": "127.0.0.1",
            "port": ports[0],
            "prefix": f"walkout/{STORE}",
            "acknowledged_within_s": 1,
            "reconnects_within_s": 1,
        },
        "page": None,
        "evidence_days": 1,
    }
    if updates is not None:
        store |= {"bundles": ["first"], "updates": updates}
    (folder / "store.yaml").write_text(yaml.safe_dump(store), encoding="utf-8")


class Scene:
    """A shop, its surroundings, and what happens next; a context manager.

    Args:
        folder: An empty folder.
        with_disk: Whether the device has a disk of its own, which needs root.
        with_updates: Whether it keeps its bundle up to date.

    Attributes:
        now_s: Seconds since the soak began, on the shop's clock.
        wall_jump_s: How wrong the device's clock on the wall is.
        told: What the device said last.
        fates: What becomes of the cameras.
        inside: Who is in the shop.
        visits: Everybody so far, by name.
        touching: The fault that is under way and may make visits ask a person.
        lives: Processes of the device so far.
        editions: Of the bundle that were published so far.
        wanted_release: What should serve.
    """

    def __init__(self, folder: Path, *, with_disk: bool, with_updates: bool = True) -> None:
        self.folder = folder
        self.now_s = 0.0
        self.wall_jump_s = 0.0
        self.fates: dict[str, Fate] = dict.fromkeys(CAMERAS, "running")
        self.inside: list[Walk] = []
        self.visits: dict[str, Visit] = {}
        self.touching: str | None = None
        self.lives = 0
        self.editions = 0
        self.wanted_release: int | None = 1
        self.disk: Disk | None = None
        self.cloud: Cloud | None = None
        self.told: Told | None = None
        # Of today: what is signed today is not out of date.
        self._wall_zero_s = float(int(time.time()))
        self._with_disk, self._with_updates = with_disk, with_updates
        self._opened = ExitStack()
        self._boot_s = 0.0
        self._unrecorded: dict[str, _Seen] = {}
        self._lost_tracks: list[Walk] = []
        self._settled_at_s = 0.0
        self._state = folder / "state"

    def __enter__(self) -> Scene:
        opened = self._opened
        self.broker = Mosquitto(self.folder)
        self.broker.start()
        opened.callback(self.broker.kill)
        self.wire = opened.enter_context(Wire(self.broker.port))
        self.till: Till = opened.enter_context(open_till())
        self.kept = ReceivedMessages(self.folder / "cloud.sqlite")
        opened.callback(self.kept.close)
        self._receive()
        if self._with_disk:
            self.disk = opened.enter_context(Disk(self.folder / "disk", 96))
            self._state = self.disk.mounted / "state"
        self.shop = self.folder / "shop"
        write_shop(self.shop, self._updates(), (self.wire.port, self.till.url))
        calibration = read_calibration(self.shop / "calibration.json")
        planogram = read_planogram(self.shop / "planogram.json")
        seen = places_of(calibration, planogram)
        self.places = {k: v for k, v in seen.items() if v[0].camera in CAMERAS}
        zones = {zone.kind: middle_of(zone.polygon) for zone in calibration.floor.zones}
        self._doors = zones["entry"], zones["exit"]
        self.start()
        opened.callback(self.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _updates(self) -> dict[str, object] | None:
        if not self._with_updates:
            return None
        self.bundle = make_bundle(self.folder / "bundle-1", products=6, category=CATEGORY)
        self.cloud = Cloud.make(self.folder / "cloud", categories=(CATEGORY,))
        self.cloud.publish(self.bundle.path)
        return {
            "device_id": "soak-1",
            "repository": self.cloud.url,
            "root": "root.json",
            "folder": str(self._state.parent / "updates"),
            "poll_s": 120,
            "retry_first_s": 5,
            "retry_longest_s": 30,
            "ballast_bytes": 0,
            "disk_budget_bytes": 2**20 * 16,
            "watch": {"watch_s": 60},
            "trial": {"slower_at_most": 1000},
        }

    # The device

    def start(self) -> None:
        """Start the device on what it has on its disk; wait until it is at work."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.soak.device"])
        self._link, theirs = context.Pipe()
        if self._with_updates and not (self.shop / "first").exists():
            shutil.copytree(self.bundle.path, self.shop / "first")
            assert self.cloud is not None
            (self.shop / "root.json").write_bytes(self.cloud.root)
        self.process = context.Process(
            target=live,
            args=(theirs, self.shop, self._state, self.at_s(self.now_s), self.wall_s),
        )
        self.process.start()
        theirs.close()
        self.lives += 1
        for walk in self.inside:
            walk.seen_anew(f"t-{self.lives}-{walk.visit.name}")
        self.told = self._hear()

    def kill(self) -> None:
        """Kill it, as whoever pulls the plug would."""
        self.process.kill()
        self.process.join()
        self._link.close()

    def boot(self) -> None:
        """The clock of frames begins anew, as after a power cut."""
        self._boot_s = self.now_s - _AFTER_A_BOOT_S

    def signal(self, number: signal.Signals) -> None:
        """Send the device a signal."""
        assert self.process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def at_s(self, moment_s: float) -> float:
        """A moment on the device's clock of frames."""
        return moment_s - self._boot_s

    @property
    def wall_s(self) -> float:
        """The device's clock on the wall."""
        return self.true_wall_s + self.wall_jump_s

    @property
    def true_wall_s(self) -> float:
        """What a clock that is right shows."""
        return self._wall_zero_s + self.now_s

    @property
    def ledger(self) -> Path:
        """The device's ledger."""
        return self._state / LEDGER_NAME

    @property
    def unrecorded(self) -> int:
        """Events that the device has not said to have."""
        return len(self._unrecorded)

    def renew_signatures(self) -> None:
        """What the cloud does every day: sign anew what would be out of date."""
        if self.cloud is not None:
            self.cloud.now = datetime.fromtimestamp(self.true_wall_s, timezone.utc)
            self.cloud.refresh()

    # The world

    def comes(self, visit: Visit) -> None:
        """Somebody comes in."""
        entry, exit_ = self._doors
        self.visits[visit.name] = visit
        track = f"t-{self.lives}-{visit.name}"
        self.inside.append(Walk(visit, self.now_s, entry, exit_, track))

    def advance(self, seconds: float = STEP_S, *, count: bool = False, look: bool = False) -> Told:
        """The next moment: everybody goes on, and the device takes it up."""
        return self._hear_of(self.next_step(seconds, count=count, look=look))

    def send(self, step: Step) -> None:
        """Tell the device and do not wait for its word."""
        self._link.send(step)

    def next_step(
        self, seconds: float = STEP_S, *, count: bool = False, look: bool = False
    ) -> Step:
        """What happens next, before the device knows of it."""
        self.now_s = round(self.now_s + seconds, 3)
        self._touch()
        tracks = []
        for walk in self.inside:
            track, act, began_s = walk.step(self.now_s)
            tracks.append(track)
            if act is not None:
                self._happens(walk.visit, act, began_s)
        seen = self.fates["overhead-1"] == "running"
        if seen:
            for walk in self._lost_tracks:
                track, _, _ = walk.step(self.now_s)
                tracks.append(_lost(track))
            self._lost_tracks.clear()
        else:
            self._lost_tracks += [walk for walk in self.inside if walk.over]
        moment = FloorMoment(
            FloorScan(self.at_s(self.now_s), ()),
            tuple(_moved(each, -self._boot_s) for each in tracks),
            ("overhead-1",),
        )
        asked = [walk.visit for walk in self.inside if walk.wants_in and seen]
        self.inside = [walk for walk in self.inside if not walk.over]
        return Step(
            at_s=self.at_s(self.now_s),
            wall_s=self.wall_s,
            moment=moment if seen else None,
            sightings=tuple(self._sighting(each) for each in self._unrecorded.values()),
            checkins=tuple(
                AskedCheckIn(token=each.token, checkin_id=each.name, shopper=each.name)
                for each in asked
            ),
            fates=dict(self.fates),
            verdicts=self._verdicts(),
            count=count,
            look=look,
        )

    def until(self, condition: Callable[[Told], bool], what: str, seconds: float = STEP_S) -> None:
        """Go on until the device says that something is so."""
        until_s = time.monotonic() + _PATIENCE_S
        while not condition(self.advance(seconds)):
            if time.monotonic() > until_s:
                raise DiedError(f"{_PATIENCE_S:g} s were not enough for {what}: {self.told}")

    def _hear_of(self, step: Step) -> Told:
        try:
            self._link.send(step)
        except OSError as err:
            raise DiedError(f"the device ended with {self.process.exitcode}") from err
        return self._hear()

    def _hear(self) -> Told:
        try:
            if not self._link.poll(_PATIENCE_S):
                raise DiedError(f"the device has said nothing for {_PATIENCE_S:g} s")
            told = self._link.recv()
        except (EOFError, OSError) as err:
            self.process.join(5)
            raise DiedError(f"the device ended with {self.process.exitcode}") from err
        assert isinstance(told, Told)
        for name in told.checked_in:
            self.visits[name].checked_in = True
        for name in told.recorded:
            self._unrecorded.pop(name, None)
        self.told = told
        return told

    def _touch(self) -> None:
        for walk in self.inside:
            if self.touching is not None:
                walk.visit.touched.add(self.touching)
        at_door = [walk.visit for walk in self.inside if walk.is_at_door]
        if len(at_door) > 1:
            # Who of two at the reader is who is anybody's guess.
            for visit in at_door:
                visit.touched.add("door")
        if any(walk.visit.touched for walk in self.inside):
            for walk in self.inside:
                # Beside somebody whom nobody knows any more, nothing is certain.
                walk.visit.touched.add("beside")

    def _happens(self, visit: Visit, act: Act, began_s: float) -> None:
        if self.fates.get(act.place.camera) != "running":
            visit.unseen.add(act.event_id)
            return
        visit.given.add(act.event_id)
        self._unrecorded[act.event_id] = _Seen(act, began_s, self.now_s)

    def _sighting(self, seen: _Seen) -> Sighting:
        # Their day of evidence is that of the true clock, whatever the device's wall shows.
        wall_s = self._wall_zero_s + seen.ended_s
        return sighting_of(seen.act, self.at_s(seen.began_s), self.at_s(seen.ended_s), wall_s)

    def _verdicts(self) -> tuple[tuple[str, Verdict], ...]:
        """Staff look at reviews once whoever they may concern has gone."""
        if self.told is None or self.inside or self.now_s - self._settled_at_s < 2:
            return ()
        self._settled_at_s = self.now_s
        return tuple(
            (name, self.visits[_visit_of(name)].verdict(name))
            for name in sorted(self.told.open_reviews)
        )

    def _receive(self) -> None:
        stop = threading.Event()
        address = BrokerAddress("127.0.0.1", self.broker.port, "cloud.receiver")
        receiver = Receiver(self.kept, address, "walkout/+", time.time)
        thread = threading.Thread(target=receiver.run, args=(stop,))
        thread.start()

        def end() -> None:
            stop.set()
            thread.join()

        self._opened.callback(end)


def _moved(track: Track, by_s: float) -> Track:
    """A track on the clock of this boot."""
    return replace(
        track,
        at_s=track.at_s + by_s,
        first_seen_s=track.first_seen_s + by_s,
        last_seen_s=track.last_seen_s + by_s,
    )


def _lost(track: Track) -> Track:
    return replace(track, state="lost")


def _visit_of(event_id: str) -> str:
    return event_id.removeprefix("soak-").rpartition("-")[0]
