"""How many bytes an update takes over a bad network, and whether the checkout feels it.

``python -m tests.edge.updates.bad_network`` lets a device's agent fetch releases of a recorded
shop's bundle over a wire that is cut every fifth of the way, brings 5 kB a second, falls silent
half-way, or is down for a day in the middle (on a clock that is turned), and prints the bytes of
the release's files, and all bytes on the wire, as multiples of what had to be fetched. Then a desk
charges shoppers with and without a download under way, in turns, and the ratios of its times are
printed.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, SystemClock
from edge.checkout.basket import Attribution
from edge.checkout.desk import Desk
from edge.updates.sources import HttpFetcher
from models.bundle import Bundle
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)
from tests.edge.updates.acceptance_scene import SHOP, editions
from tests.edge.updates.devices import Device, TurnedClock
from tests.simulators.cloud import Cloud, let_through
from tests.simulators.network import Wire, web_server

_DAY_S: Final = 86_400.0
_SLOW_BYTES_PER_S: Final = 5_000
_PATIENCE_S: Final = 3600.0
_SESSIONS: Final = 25


class Counting(HttpFetcher):
    """Counts bytes of releases' files apart from those of what is signed about them."""

    def __init__(self, base: str, stall_after_s: float) -> None:
        super().__init__(base, stall_after_s)
        self.of_files = 0

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        document = key.startswith(("metadata/", "targets/rollouts/")) or key.endswith(
            "release.json"
        )
        for chunk in super()._open(key, start):
            self.of_files += 0 if document else len(chunk)
            yield chunk


@dataclass
class Line:
    """A device on a wire to its cloud, with one release on it.

    Attributes:
        cloud: Publishes.
        wire: What can be done to the line.
        device: The device.
        fetcher: Its fetcher.
        clock: Its time.
    """

    cloud: Cloud
    wire: Wire
    device: Device
    fetcher: Counting
    clock: Clock

    def publish(self, bundle: Bundle) -> int:
        """Publish a bundle to everybody; bytes that the device lacks of it."""
        publication = self.cloud.publish(bundle.path, everywhere=True, judge=let_through)
        self.device.agent.hint()
        return publication.update_bytes

    def follow(self, release: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let the agent work until a release has been watched."""
        until_s = time.monotonic() + _PATIENCE_S
        device = self.device
        while (device.progress.state, device.release) != ("done", release):
            if time.monotonic() > until_s:
                raise TimeoutError(f"release {release} does not come: {device.progress}")
            wait_s = device.agent.step()
            if isinstance(self.clock, TurnedClock):
                self.clock.at_s += min(max(wait_s, 0.01), 600.0)
            else:
                time.sleep(min(wait_s, 0.02))
            meanwhile()


@contextmanager
def open_line(folder: Path, first: Bundle, clock: Clock) -> Iterator[Line]:
    """A cloud, a wire, and a device with the cloud's first release."""
    category = first.manifest.category
    cloud = Cloud.make(folder / "cloud", categories=(category,))
    cloud.publish(first.path, judge=let_through)
    with web_server(folder / "cloud" / "store") as port, Wire(port) as wire:
        address = f"http://127.0.0.1:{wire.port}"
        fetcher = Counting(address, 2.0)
        with Device(
            folder / "device", address, cloud.root, [], clock, fetcher=fetcher,
            categories=[category], retry_first_s=0.2, stall_after_s=10.0, watch={"watch_s": 0.5},
        ) as device:  # fmt: skip
            line = Line(cloud, wire, device, fetcher, clock)
            line.follow(1)
            yield line


Fault = Callable[[Line, int], Callable[[], None]]


def _cut(line: Line, size: int) -> Callable[[], None]:
    line.wire.cut_every = size // 5
    return lambda: None


def _slow(line: Line, size: int) -> Callable[[], None]:
    line.wire.bytes_per_s = _SLOW_BYTES_PER_S
    return lambda: None


def _silent(line: Line, size: int) -> Callable[[], None]:
    line.wire.hang_after = line.wire.carried + size // 2

    def mend() -> None:
        if line.device.progress.failures:
            line.wire.hang_after = None

    return mend


def _a_day_down(line: Line, size: int) -> Callable[[], None]:
    line.wire.down_after = line.wire.carried + size // 2
    began_s = line.clock.monotonic_s()

    def mend() -> None:
        line.wire.up = line.wire.up or line.clock.monotonic_s() - began_s > _DAY_S

    return mend


def cost(folder: Path, first: Bundle, second: Bundle, fault: Fault, clock: Clock) -> str:
    """What an update cost over a bad network, in words."""
    with open_line(folder, first, clock) as line:
        size = line.publish(second)
        carried, files = line.wire.carried, line.fetcher.of_files
        connections, began_s = line.wire.connections, line.clock.monotonic_s()
        line.follow(2, fault(line, size))
        told = [each for each in line.device.events() if each.outcome == "failed"]
        return (
            f"{size / 1e6:.2f} MB: files {(line.fetcher.of_files - files) / size:.4f} x, all that "
            f"came over the wire {(line.wire.carried - carried) / size:.4f} x, "
            f"{line.wire.connections - connections} connections, {len(told)} failures told, "
            f"{line.clock.monotonic_s() - began_s:.0f} s"
        )


def latency(folder: Path, first: Bundle, second: Bundle, rounds: int, bytes_per_s: int) -> str:
    """Times of a desk with a download under way as multiples of those without, in words."""
    times: dict[tuple[str, bool], list[float]] = {}
    with open_line(folder, first, SystemClock()) as line, open_ledger(folder) as ledger:
        desk = open_desk(ledger, ["mqtt"])
        line.wire.bytes_per_s = bytes_per_s
        line.publish(second)
        for number in range(rounds):
            for loaded in (False, True) if number % 2 else (True, False):
                with _downloading(line) if loaded else _quiet():
                    for session in range(_SESSIONS):
                        name = f"{'with' if loaded else 'without'}-{number}-{session}"
                        for what, took_s in _charged(desk, name):
                            times.setdefault((what, loaded), []).append(took_s)
        state = line.device.progress.state
    found = []
    for what in ("an event", "a receipt"):
        quiet, loaded_s = times[what, False], times[what, True]
        ratio = statistics.median(loaded_s) / statistics.median(quiet)
        tail = statistics.quantiles(loaded_s, n=20)[-1] / statistics.quantiles(quiet, n=20)[-1]
        found.append(
            f"{what}: median {1000 * statistics.median(quiet):.1f} ms without, {ratio:.3f} x "
            f"with, 95th percentile {tail:.3f} x ({len(quiet)} and {len(loaded_s)})"
        )
    return "; ".join([*found, f"the update was {state} at the end"])


def _charged(desk: Desk, name: str) -> Iterator[tuple[str, float]]:
    check_in(desk, name)
    began_s = time.perf_counter()
    desk.record(event(f"of-{name}"), Attribution((name,), ""), wall_time_s=OPENED_AT_S + 10)
    yield "an event", time.perf_counter() - began_s
    began_s = time.perf_counter()
    desk.leave(name, at=moment(30))
    yield "a receipt", time.perf_counter() - began_s


@contextmanager
def _downloading(line: Line) -> Iterator[None]:
    """The agent's own thread, fetching."""
    stop = threading.Event()
    carried = line.wire.carried
    thread = threading.Thread(target=line.device.agent.run, args=(stop,))
    line.device.agent.hint()
    thread.start()
    while line.wire.carried == carried or line.device.progress.state != "fetching":
        time.sleep(0.01)
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _quiet() -> Iterator[None]:
    yield


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shop", type=Path, default=SHOP, help="folder of a recorded shop")
    parser.add_argument("--rounds", type=int, default=10, help="with and without a download")
    parser.add_argument(
        "--network-too",
        action="store_true",
        help="bring a whole network at 5 kB a second as well, which takes 36 minutes",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logging.disable(logging.WARNING)  # every fault is one, and they are meant to be
        first, product, network = editions(asked.shop, folder / "editions")
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        cases: list[tuple[str, Bundle, Fault, Clock]] = [
            ("cut every fifth of the way", network, _cut, SystemClock()),
            ("5 kB a second", product, _slow, SystemClock()),
            ("silent half-way", network, _silent, SystemClock()),
            ("down for a day half-way", network, _a_day_down, TurnedClock()),
        ]
        if asked.network_too:
            cases.append(("a network at 5 kB a second", network, _slow, SystemClock()))
        for number, (what, bundle, fault, clock) in enumerate(cases):
            print(f"{what}: {cost(folder / str(number), first, bundle, fault, clock)}", flush=True)
        for bytes_per_s in (_SLOW_BYTES_PER_S, 100_000):
            told = latency(folder / f"at-{bytes_per_s}", first, network, asked.rounds, bytes_per_s)
            print(f"a download at {bytes_per_s // 1000} kB a second: {told}", flush=True)
        print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
