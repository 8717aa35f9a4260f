"""What goes wrong: each fault as a row of a table.

Owns how a fault is made, how long it lasts, and what counts as recovered from it. A fault that
takes away what the shop sees may make it ask a person about whoever is inside; all others must
change nothing on any receipt.
"""

from __future__ import annotations

import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.bundle import MANIFEST_NAME, Bundle, open_bundle
from tests.edge.checkout.tills import DROP
from tests.edge.updates.attacks import SPOILINGS
from tests.edge.updates.bad_bundles import nan_weights, other_answers, wrong_vectors
from tests.edge.updates.devices import edited
from tests.simulators.cameras import Fate
from tests.simulators.cloud import let_through
from tests.soak.device import Told
from tests.soak.scene import CAMERAS, CATEGORY, Scene

_DAYS_S: Final = 86_400.0
_BAD: Final = (nan_weights, other_answers, wrong_vectors)

Making = Callable[[Scene, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        make: Makes it, and ends its cause.
        lasts_s: How long it lasts, on the shop's clock; 0 for a moment.
        is_over: Whether the device is as it was before.
        may_ask: Whether people may be asked about whoever is inside meanwhile.
        ends_a_life: Whether the device's process ends by it.
        needs_disk: Whether it needs a disk of its own.
        often: How often it comes for each time of the rarest.
    """

    make: Making
    lasts_s: float
    is_over: Callable[[Scene, Told], bool]
    may_ask: bool = False
    ends_a_life: bool = False
    needs_disk: bool = False
    often: int = 3


def _at_work(scene: Scene, told: Told) -> bool:
    return told.ledger_trouble is None and scene.unrecorded == 0 and _cameras_run(scene, told)


def _cameras_run(scene: Scene, told: Told) -> bool:
    return all(status == "running" for status in told.cameras.values())


def _delivered(receiver: str) -> Callable[[Scene, Told], bool]:
    return lambda scene, told: told.waiting[receiver] == 0


@contextmanager
def _killed(scene: Scene, chance: random.Random) -> Iterator[None]:
    """SIGKILL at any moment of a step, or between two."""
    if chance.random() < 0.8:
        scene.send(scene.next_step())
        time.sleep(chance.uniform(0.0, 0.012))
    scene.kill()
    yield
    scene.start()


@contextmanager
def _power_cut(scene: Scene, chance: random.Random) -> Iterator[None]:
    """The block device as it is in the middle of a step; the machine boots on that."""
    assert scene.disk is not None
    scene.send(scene.next_step())
    time.sleep(chance.uniform(0.0, 0.012))
    scene.signal(signal.SIGSTOP)
    copy = scene.disk.copy_as_it_is()
    scene.kill()
    scene.boot()
    yield
    scene.disk.go_on_with(copy)
    scene.start()


@contextmanager
def _disk_full(scene: Scene, chance: random.Random) -> Iterator[None]:
    """No room at all: a full file system, or files that may not grow."""
    if scene.disk is not None:
        scene.disk.fill()
        yield
        scene.disk.make_room()
        return
    assert scene.process.pid is not None
    room = resource.prlimit(scene.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.process.pid, resource.RLIMIT_FSIZE, (1, room[1]))
    yield
    resource.prlimit(scene.process.pid, resource.RLIMIT_FSIZE, room)


@contextmanager
def _clock_jump(scene: Scene, chance: random.Random) -> Iterator[None]:
    """The clock on the wall shows another time; what is ordered goes by the other clock."""
    scene.wall_jump_s = chance.choice(
        [-scene.true_wall_s, 2 * _DAYS_S, -3600.0, 3600.0, 30.0, -30.0]
    )
    yield
    scene.wall_jump_s = 0.0


@contextmanager
def _broker_killed(scene: Scene, chance: random.Random) -> Iterator[None]:
    scene.broker.kill()
    yield
    scene.broker.start()


@contextmanager
def _network_cut(scene: Scene, chance: random.Random) -> Iterator[None]:
    scene.wire.up = False
    scene.wire.cut()
    yield
    scene.wire.up = True


@contextmanager
def _till_away(scene: Scene, chance: random.Random) -> Iterator[None]:
    """It hangs up after it has heard, or is busy."""
    well = scene.till.answer
    scene.till.answer = lambda path, body: (DROP if chance.random() < 0.5 else 503, b"")
    yield
    scene.till.answer = well


def _camera(fate: Fate) -> Making:
    @contextmanager
    def make(scene: Scene, chance: random.Random) -> Iterator[None]:
        camera = chance.choice(CAMERAS)
        scene.fates[camera] = fate
        yield
        scene.fates[camera] = "running"

    return make


@contextmanager
def _starved(scene: Scene, chance: random.Random) -> Iterator[None]:
    """Too hot to go on: the processor is there for a fifth of the time."""
    over = threading.Event()

    def throttle() -> None:
        while not over.is_set():
            scene.signal(signal.SIGSTOP)
            time.sleep(0.02)
            scene.signal(signal.SIGCONT)
            time.sleep(0.005)

    thread = threading.Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        scene.signal(signal.SIGCONT)


@contextmanager
def _corrupt_download(scene: Scene, chance: random.Random) -> Iterator[None]:
    """A release whose file is not what was signed; later the right one lies there."""
    cloud = scene.cloud
    assert cloud is not None
    spoil, words = SPOILINGS[chance.choice(sorted(SPOILINGS))]
    scene.renew_signatures()
    release = cloud.publish(_edition(scene).path).release.release
    key = cloud.target_key(CATEGORY, f"{CATEGORY}/rel-{release}/{MANIFEST_NAME}")
    right = cloud.store.get(key)
    spoil(cloud, key)
    cloud.sign(CATEGORY, stable=release)
    before = _serving(scene.told)
    scene.until(lambda told: words in told.release, f"a spoilt file ({words})", 5.0)
    assert _serving(scene.told) == before, "a spoilt file serves"
    yield
    cloud.store.put(key, right)
    scene.wanted_release = release


@contextmanager
def _poison_model(scene: Scene, chance: random.Random) -> Iterator[None]:
    """A release that is signed and yet no good."""
    cloud = scene.cloud
    assert cloud is not None
    scene.renew_signatures()
    before = _serving(scene.told)
    folder = scene.folder / f"bad-{cloud.plan(CATEGORY).serial}"
    bad: Path = chance.choice(_BAD)(_edition(scene), folder)
    stable = cloud.plan(CATEGORY).stable
    release = cloud.publish(bad, everywhere=True, judge=let_through).release.release
    scene.until(lambda told: _is_quarantined(told, release), "a poison model to be refused", 5.0)
    assert _serving(scene.told) == before, "a poison model serves"
    assert scene.advance(look=True).recognised, "nothing is recognised any more"
    yield
    cloud.sign(CATEGORY, stable=stable)
    scene.wanted_release = stable


def _edition(scene: Scene) -> Bundle:
    """An edition of the bundle that there has not been yet."""
    scene.editions += 1
    return open_bundle(edited(scene.bundle, scene.folder / f"edition-{scene.editions}"))


def _serving(told: Told | None) -> str:
    return "" if told is None else told.release.partition(" ")[0]


def _is_quarantined(told: Told, release: int) -> bool:
    named = told.release.partition("[")[2].partition("]")[0].split(",")
    return str(release) in named


def _serves_what_is_wanted(scene: Scene, told: Told) -> bool:
    return _serving(told) == str(scene.wanted_release)


FAULTS: Final[dict[str, Fault]] = {
    "kill -9": Fault(_killed, 0.0, _at_work, may_ask=True, ends_a_life=True, often=1),
    "power cut": Fault(
        _power_cut, 0.0, _at_work, may_ask=True, ends_a_life=True, needs_disk=True, often=1
    ),
    "disk full": Fault(_disk_full, 8.0, _at_work),
    "clock jump": Fault(_clock_jump, 8.0, _at_work),
    "broker killed": Fault(_broker_killed, 10.0, _delivered("mqtt")),
    "network cut": Fault(_network_cut, 10.0, _delivered("mqtt")),
    "till away": Fault(_till_away, 10.0, _delivered("till")),
    "camera lost": Fault(_camera("lost"), 8.0, _cameras_run, may_ask=True),
    "camera frozen": Fault(_camera("frozen"), 20.0, _cameras_run, may_ask=True),
    "camera stalled": Fault(_camera("stalled"), 8.0, _cameras_run, may_ask=True),
    "hot and slow": Fault(_starved, 15.0, _at_work),
    "corrupt download": Fault(_corrupt_download, 2.0, _serves_what_is_wanted, often=1),
    "poison model": Fault(_poison_model, 2.0, _serves_what_is_wanted, often=1),
}
