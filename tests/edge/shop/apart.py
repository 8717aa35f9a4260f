"""One hub and three shelf devices, each a process in a network namespace of its own.

Owns what befalls them while shoppers are inside: a shelf device's cable is pulled while it sees
something, another is replaced by a new one with an empty disk, and the hub is killed. Afterwards
every event is in the hub's ledger once, what was charged is what an undisturbed shop charges, and
the rest waits for a person::

    python -m tests.edge.apart
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.checkout.ledger import Ledger
from edge.checkout.shop import Shop, fold
from edge.config_file import load_config
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
        recorded: Of those, in the hub's ledger.
        charged: Of those, charged as there.
        in_review: Of those, left to a person.
        lost: In neither.
        doubled: Charged more than once.
        wrong: Charged to somebody else, or something else.
        receipts: Sessions with a receipt, of ``sessions``.
        sessions: That an undisturbed shop opens.
        silent: Devices that the hub called silent meanwhile.
    """

    events: int
    recorded: int
    charged: int
    in_review: int
    lost: int
    doubled: int
    wrong: int
    receipts: int
    sessions: int
    silent: tuple[str, ...]


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
    return judged(expected, shop.ledger(), shop.silent | set(silent))


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

    def ledger(self) -> Shop:
        with Ledger(self.state("hub") / LEDGER_NAME, f"shop-{PLAN.seed}") as ledger:
            return fold(ledger.entries())

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


def judged(expected: Shop, told: Shop, silent: set[str]) -> Apart:
    """Compare a disturbed shop with an undisturbed one."""
    lines = {
        line.event.event_id: (session, line.sku, line.quantity)
        for session, basket in expected.baskets.items()
        for line in basket.lines
    }
    charged: dict[str, list[tuple[str, str, int]]] = {}
    for session, basket in told.baskets.items():
        for line in basket.lines:
            charged.setdefault(line.event.event_id, []).append((session, line.sku, line.quantity))
    events = expected.interactions.keys()
    return Apart(
        events=len(events),
        recorded=len(events & told.interactions.keys()),
        charged=sum(charged.get(name) == [line] for name, line in lines.items()),
        in_review=sum(name in told.reviews for name in events),
        lost=sum(name not in charged and name not in told.reviews for name in lines),
        doubled=sum(len(each) > 1 for each in charged.values()),
        wrong=sum(each[0] != lines.get(name) for name, each in charged.items()),
        receipts=len(told.receipts),
        sessions=len(expected.baskets),
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
