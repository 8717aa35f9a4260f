"""One hub and three shelf devices, each a process in a network namespace of its own.

Owns what befalls them while shoppers are inside: a shelf device's cable is pulled while it sees
something, another is replaced by a new one with an empty disk, and the hub is killed. Afterwards
every event is in the hub's ledger once, nothing is charged to whom did not carry it out, and what
is missing on a receipt waits for a person::

    python -m tests.edge.apart
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.checkout.entries import Entry
from edge.checkout.ledger import Ledger
from edge.checkout.shop import Shop, fold
from edge.config_file import load_config
from edge.score.scoreboard import score
from edge.score.truth import Truth, read_truth
from edge.shop.premises import open_premises
from edge.shop.replay import LEDGER_NAME, replay
from edge.shop.shelf_device import OUTBOX_NAME
from tests.edge.shop.devices import split
from tests.edge.shop.running import Device, running
from tests.simulators.namespaces import Network
from tests.simulators.shop.recording import Plan, stage, write

PLAN = Plan(
    seed=5,
    shoppers=3,
    products=9,
    shelf_cameras=3,
    overhead_cameras=1,
    size_px=(320, 180),
    fps=5,
    photos=1,
    photo_px=64,
    behaviours=("take",),
    staff=False,
)
SHELVES = {"shelf-a": ("shelf-1",), "shelf-b": ("shelf-2",), "shelf-c": ("shelf-3",)}
_PORT = 1883


@dataclass(frozen=True)
class Apart:
    """What came of it.

    Attributes:
        events: That an undisturbed shop records.
        recorded: Of those, in the hub's ledger; the others are lost.
        doubled: Events that more than one line was charged for.
        lines: Lines on the receipts.
        wrong: Of those, with a piece that was not carried out by whom it is charged to.
        in_review: Events left to a person.
        receipts: Sessions with a receipt, of ``sessions``.
        right: Receipts that are exact once a person has looked at what is in review.
        sessions: Whoever came in.
        silent: Devices that the hub called silent meanwhile.
    """

    events: int
    recorded: int
    doubled: int
    lines: int
    wrong: int
    in_review: int
    receipts: int
    right: int
    sessions: int
    silent: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Nothing is lost or doubled, and every receipt is right or in review."""
        whole = self.recorded == self.events and self.receipts == self.right == self.sessions
        return whole and not self.doubled and not self.wrong


def record_shop(folder: Path, bundle: Path) -> Path:
    """Render the shop; see ``shops.write_small_shop``."""
    write(stage(PLAN), folder)
    store = folder / "store.yaml"
    text = store.read_text(encoding="utf-8")
    store.write_text(text.replace("[bundles/groceries]", f"['{bundle}']"), encoding="utf-8")
    return folder


def live_apart(recorded: Path, scratch: Path, tell: Callable[[str], None]) -> Apart:
    """Play the shop on devices of their own while they are disturbed.

    Args:
        recorded: The shop.
        scratch: An empty folder.
        tell: Told how it goes.
    """
    alone = replay(open_premises(load_config(recorded), recorded), scratch / "alone")
    expected = fold(alone.entries)
    network = Network(("hub", *SHELVES))
    with network, broker_in(network, scratch), ExitStack() as opened:
        folder = scratch / "shop"
        split(recorded, folder, _PORT, SHELVES, network.broker)
        shop = _Shop(folder, network, opened)
        devices = {name: shop.start(name) for name in (*SHELVES, "hub")}
        hub = devices["hub"]
        hub.said("c-1 bound")
        tell("the first shopper is inside")
        _disturb(shop, devices, expected, tell)
        hub = devices["hub"]
        for device in devices.values():
            device.ended()
        silent = tuple(name for name in SHELVES if hub.has_told(f"device {name} is silent"))
    truth = read_truth(recorded)
    assert truth is not None, "a rendered shop knows its truth"
    return judged(alone.entries, shop.ledger(), truth, shop.silent | set(silent))


class _Shop:
    """The processes and their folders."""

    def __init__(self, folder: Path, network: Network, opened: ExitStack) -> None:
        self.folder, self.network = folder, network
        self.silent: set[str] = set()
        self._opened = opened

    def start(self, name: str) -> Device:
        arguments = (f"{self.folder / name}.yaml", "--no-page", "--state", str(self.state(name)))
        return self._opened.enter_context(running(*arguments, within=self.network.within(name)))

    def state(self, name: str) -> Path:
        return self.folder / f"state-{name}"

    def waiting(self, name: str) -> int:
        """Events that a shelf device keeps for the hub."""
        return self._count(
            self.state(name) / OUTBOX_NAME, "SELECT COUNT(*) FROM outbox WHERE state = 'waiting'"
        )

    def recorded(self) -> int:
        """Events in the hub's ledger."""
        query = (
            "SELECT COUNT(*) FROM ledger"
            " WHERE json_extract(content, '$.kind') = 'interaction_recorded'"
        )
        return self._count(self.state("hub") / LEDGER_NAME, query)

    def ledger(self) -> tuple[Entry, ...]:
        with Ledger(self.state("hub") / LEDGER_NAME, f"shop-{PLAN.seed}") as ledger:
            return tuple(ledger.entries())

    @staticmethod
    def _count(file: Path, query: str) -> int:
        if not file.is_file():
            return 0
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute(query).fetchone()[0])


def _disturb(
    shop: _Shop, devices: dict[str, Device], expected: Shop, tell: Callable[[str], None]
) -> None:
    by_camera: dict[str, list[float]] = {camera[0]: [] for camera in SHELVES.values()}
    for each in expected.interactions.values():
        by_camera[each.event.camera].append(each.event.ended_at_s)
    device_of = {cameras[0]: name for name, cameras in SHELVES.items()}
    order = sorted(by_camera, key=lambda camera: max(by_camera[camera], default=0.0))
    replaced, cut = device_of[order[0]], device_of[order[-1]]

    shop.network.pull(cut)
    tell(f"the cable of {cut} is pulled")
    devices["hub"].said(f"device {cut} is silent")
    shop.silent.add(cut)
    devices[cut].until(lambda: shop.waiting(cut) > 0)
    tell(f"{cut} keeps {shop.waiting(cut)} events")
    shop.network.plug(cut)
    devices[cut].until(lambda: shop.waiting(cut) == 0)
    tell(f"the hub has them, {shop.recorded()} events in all")

    devices[replaced].until(lambda: shop.waiting(replaced) == 0)
    devices[replaced].kill()
    shutil.rmtree(shop.state(replaced))
    devices[replaced] = shop.start(replaced)
    tell(f"{replaced} is another device with an empty disk")
    devices[replaced].until(lambda: (shop.state(replaced) / OUTBOX_NAME).is_file())

    devices["hub"].kill()
    tell(f"the hub is killed with {shop.recorded()} events in its ledger")
    devices["hub"] = shop.start("hub")
    devices["hub"].until(lambda: shop.recorded() == len(expected.interactions) or _is_over(devices))


def _is_over(devices: dict[str, Device]) -> bool:
    return devices["hub"].process.poll() is not None


def judged(
    expected: Sequence[Entry], told: Sequence[Entry], truth: Truth, silent: set[str]
) -> Apart:
    """Compare a disturbed shop with what happened, and with what an undisturbed one records."""
    shop, scored = fold(told), score(told, truth)
    events = fold(expected).interactions.keys()
    charged = Counter(line.event.event_id for each in shop.baskets.values() for line in each.lines)
    return Apart(
        events=len(events),
        recorded=len(events & shop.interactions.keys()),
        doubled=sum(count > 1 for count in charged.values()),
        lines=scored.receipts.lines,
        wrong=scored.receipts.wrong_lines,
        in_review=scored.open_reviews,
        receipts=len(shop.receipts),
        right=scored.reviewed.exact,
        sessions=len(truth.receipts()),
        silent=tuple(sorted(silent)),
    )


@contextmanager
def broker_in(network: Network, folder: Path) -> Iterator[None]:
    """A mosquitto beside the switch."""
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {_PORT} {network.broker}\nallow_anonymous true\npersistence false\n", "utf-8"
    )
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if found is None:
        raise RuntimeError("no mosquitto: apt-get install mosquitto")
    with subprocess.Popen(
        [*network.within("switch"), found, "-c", str(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _until_it_listens(network, process)
            yield
        finally:
            process.kill()


def _until_it_listens(network: Network, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 20
    probe = f"import socket; socket.create_connection(('{network.broker}', {_PORT}), 1)"
    command = [*network.within("hub"), "python3", "-c", probe]
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError("mosquitto does not listen")
        time.sleep(0.1)
