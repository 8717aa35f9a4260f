"""What ``acceptance`` plays in: broker, portal and three devices, all of them real processes.

The broker is mosquitto as it is deployed, with mutual TLS. The portal is ``walkout-trainer serve``
with its pipeline and rollouts; releases lie in a folder. Each device is ``walkout-edge updates
agent``, and what it recognises with is the bundle that its ``serving.json`` names.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import yaml

from cloud_trainer.portal.assembly import OpenedBooks
from cloud_trainer.portal.config import PortalPlaces, read_portal
from cloud_trainer.portal.signing import open_keys
from cloud_trainer.publishing import Repository
from cloud_trainer.store import open_store
from edge.events import Recognition
from edge.matching.recogniser import Recogniser
from edge.recognise import Result, Sampling, recognise_sources
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from edge.sources import find_sources
from edge.updates.pointer import POINTER_NAME, read_pointer
from edge.updates.shelf import BundleShelf
from models.bundle import open_bundle
from tests.cloud_trainer.portal.acceptance_goods import CATEGORY, Goods
from tests.simulators.cloud import Cloud
from tests.simulators.fleet_broker import FleetBroker

ROOT: Final = Path(__file__).resolve().parents[3]
PASSWORDS: Final = {"mira": "mira-hands-in-goods", "ole": "ole-approves-goods"}
DEVICES: Final = ("shelf-1", "shelf-2", "shelf-3")
_PATIENCE_S: Final = 180.0


class Scene:
    """A portal, its broker and three devices, all running.

    Args:
        folder: Of everything.
        goods: What there is to begin with.

    Attributes:
        url: Of the portal, ending with a slash.
    """

    def __init__(self, folder: Path, goods: Goods) -> None:
        self._folder = folder
        self._goods = goods
        self._state = folder / "portal"
        self._opened = ExitStack()
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._state.mkdir()
        with self._opened:
            self._broker = FleetBroker(folder)
            self._broker.start()
            self._opened.callback(self._broker.kill)
            self._opened.callback(self._end)
            port = self._configure()
            self._begin(read_portal(self._state))
            self._start("portal", "-m", "cloud_trainer", "serve", str(self._state / "portal.yaml"))
            for name in DEVICES:
                self._start_device(name)
            self.wait_for(lambda: _listens(port), "the portal")
            self.wait_for(lambda: all(map(self.release, DEVICES)), "release 1 on all devices")
            self.url = f"http://127.0.0.1:{port}/"
            self._opened = self._opened.pop_all()

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def release(self, device: str) -> int | None:
        """The release that a device serves."""
        pointer = read_pointer(self._folder / device / "updates" / POINTER_NAME)
        return pointer.served(CATEGORY).release

    def recognises(self, device: str, photos: Sequence[Path]) -> Recognition:
        """What a device makes of some photos of one thing, by the bundle that it serves."""
        release = self.release(device)
        assert release is not None
        shelf = BundleShelf(self._folder / device / "updates")
        bundle = open_bundle(shelf.bundle_path(CATEGORY, release))
        embedder = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)
        sources, _ = find_sources(list(photos))
        sampling = Sampling(pool=len(photos))
        (result,) = recognise_sources(Recogniser([bundle], [embedder]), sources, sampling)
        assert isinstance(result, Result)
        return result.recognition

    def wait_for(
        self, condition: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S
    ) -> None:
        """Wait until something is so; what the processes said is shown where it does not come."""
        until_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > until_s:
                raise TimeoutError(f"waited {patience_s:g} s for {what}\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """The last that each process said."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-4000:]}"
            for log in sorted(self._folder.glob("*.log"))
        )

    def _begin(self, places: PortalPlaces) -> None:
        """What was there before: people, and a release of the goods that are known so far."""
        with closing(OpenedBooks(places)) as books:
            books.accounts.add("mira", "provider", PASSWORDS["mira"], "dairy")
            books.accounts.add("ole", "operator", PASSWORDS["ole"])
        cloud = Cloud(Repository(open_store(places.releases), open_keys(places)))
        cloud.repository.create(cloud.now)
        cloud.publish(self._goods.bundle.path)

    def _configure(self) -> int:
        """Write the portal's file; the port that it will listen at."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        tls = self._broker.cloud.issue("cloud.trainer")
        settings = {
            "name": "Walkout portal",
            "works_every_s": 0.3,
            "page": {"port": port},
            "broker": {
                "url": f"mqtts://127.0.0.1:{self._broker.cloud_port}",
                "ca": str(self._broker.devices.certificate),
                "certificate": str(tls.certificate),
                "key": str(tls.key),
            },
        }
        (self._state / "portal.yaml").write_text(yaml.safe_dump(settings), "utf-8")
        return port

    def _start_device(self, name: str) -> None:
        folder = self._folder / name
        folder.mkdir()
        (folder / "root.json").write_bytes((self._state / "keys/root.json").read_bytes())
        tls = self._broker.devices.issue(name)
        settings = {
            "device_id": name,
            "repository": (self._state / "releases").resolve().as_uri(),
            "root": "root.json",
            "categories": [CATEGORY],
            "watch": {"watch_s": 3.0},
            "trial": {"niceness": 0},  # no shop is at work beside it
            "mqtt": {
                "host": "127.0.0.1",
                "port": self._broker.device_port,
                "ca": str(tls.ca),
                "certificate": str(tls.certificate),
                "key": str(tls.key),
            },
        }
        (folder / "store.yaml").write_text(yaml.safe_dump({"updates": settings}), "utf-8")
        self._start(name, "-m", "edge", "updates", "agent", str(folder / "store.yaml"))

    def _start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], env=self._environment, stdout=log, stderr=log
            )
        self._processes.append(process)

    def _end(self) -> None:
        """End all processes, one beside the other."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def open_scene(folder: Path, goods: Goods) -> Iterator[Scene]:
    """A scene, from its start to its end."""
    with Scene(folder, goods) as scene:
        yield scene
