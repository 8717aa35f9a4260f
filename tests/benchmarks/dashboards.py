"""What open dashboards cost a shop: ``python -m tests.benchmarks.dashboards [--clients 20]``.

A recorded shop with four cameras plays in real time, in turns with nobody looking and with so many
clients that have the live page's stream open. Printed are the frames that the shop looked at and
its CPU seconds, with dashboards as a share of those without, and how late the state reaches the
clients: from the moment that a frame of the floor was taken to the moment that the state with it
has come. Clients share this machine with the shop, so what they cost themselves counts as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import yaml

from models.bundle import compose_bundle

ROOT: Final = Path(__file__).resolve().parents[2]
DEMO: Final = ROOT / "deploy" / "demo"
_LOOKED_AT: Final = re.compile(rb'"looked_at":\s*([0-9.]+)')


@dataclass(frozen=True)
class Turn:
    """A recording that was played.

    Attributes:
        taken: Frames that were looked at, of all cameras.
        grabbed: Frames that came.
        cpu_s: Of the shop's processes.
        lags_s: How late each state came to each client.
    """

    taken: int
    grabbed: int
    cpu_s: float
    lags_s: tuple[float, ...]


def write_shop(folder: Path, shop: Path, cameras: int) -> Path:
    """A copy of a recorded shop with fewer shelf cameras, and its bundle."""
    folder.mkdir()
    for part in shop.iterdir():
        if part.name not in ("bundles", "store.yaml"):
            (folder / part.name).symlink_to(part)
    network = ROOT / "models" / "pretrained" / "groceries"
    compose_bundle(shop / "bundle-parts", network, folder / "bundles" / "groceries")
    values = yaml.safe_load((shop / "store.yaml").read_text("utf-8"))
    named = sorted(values["cameras"])  # overhead ones first: without them there is no floor
    values["cameras"] = {name: values["cameras"][name] for name in named[:cameras]}
    (folder / "store.yaml").write_text(yaml.safe_dump(values), "utf-8")
    return folder


def play(shop: Path, folder: Path, clients: int) -> Turn:
    """Play the shop once with so many clients."""
    state = folder / "state"
    state.mkdir(parents=True)
    told = subprocess.run(
        [
            sys.executable, "-m", "edge", "tokens", "create", str(shop), "bench",
            "--scope", "read", "--state", str(state),
        ],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    token = told.stdout.split()[-1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.edge.updates.counted_run",
                str(folder / "counts.jsonl"), "run", str(shop), "--port", str(port),
                "--state", str(state), "--log-json",
            ],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        lags_s = asyncio.run(_look(process, state, port, token, clients))
    if process.returncode != 0:
        raise RuntimeError((folder / "log").read_text())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    last = json.loads((folder / "counts.jsonl").read_text("utf-8").splitlines()[-1])["cameras"]
    return Turn(
        sum(each["taken"] for each in last.values()),
        sum(each["grabbed"] for each in last.values()),
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        lags_s,
    )


async def _look(
    shop: subprocess.Popen[bytes], state: Path, port: int, token: str, clients: int
) -> tuple[float, ...]:
    lags_s: list[float] = []
    looking: list[asyncio.Task[None]] = []
    while shop.poll() is None:
        if not looking and (state / "playing.json").exists():
            zero_s = json.loads((state / "playing.json").read_bytes())["second_zero_wall_time_s"]
            offset_s = zero_s - _opened_at_s()
            looking = [
                asyncio.create_task(_client(port, token, offset_s, lags_s)) for _ in range(clients)
            ]
        await asyncio.sleep(0.2)
    for each in looking:
        each.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    return tuple(lags_s)


def _opened_at_s() -> float:
    store = yaml.safe_load((DEMO / "store.yaml").read_text("utf-8"))["store"]
    return datetime.fromisoformat(store["opened_at"]).timestamp()


async def _client(port: int, token: str, offset_s: float, lags_s: list[float]) -> None:
    head = (
        f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: text/event-stream\r\n\r\n"
    )
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
            writer.write(head.encode())
            while line := await reader.readline():
                found = _LOOKED_AT.search(line)
                if found:
                    lags_s.append(time.time() - offset_s - float(found.group(1)))
        except OSError:
            await asyncio.sleep(0.2)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=20, help="dashboards open at once")
    parser.add_argument("--cameras", type=int, default=4, help="cameras of the shop")
    parser.add_argument("--rounds", type=int, default=2, help="with and without, in turns")
    asked = parser.parse_args()
    played: dict[int, list[Turn]] = {0: [], asked.clients: []}
    with TemporaryDirectory(prefix="walkout-dashboards-") as name:
        folder = Path(name)
        shop = write_shop(folder / "shop", DEMO, asked.cameras)
        for number in range(2 * asked.rounds):
            # A, B, B, A: what grows or shrinks all the time favours neither.
            clients = asked.clients if number % 4 in (1, 2) else 0
            turn = play(shop, folder / str(number), clients)
            played[clients].append(turn)
            print(
                f"load {os.getloadavg()[0]:.1f}, {clients} dashboards: {turn.taken} of "
                f"{turn.grabbed} frames looked at, {turn.cpu_s:.1f} CPU s",
                flush=True,
            )
    without, seen = played[0], played[asked.clients]
    frames = sum(each.taken for each in seen) / sum(each.taken for each in without)
    cpu = sum(each.cpu_s for each in seen) / sum(each.cpu_s for each in without)
    lags_ms = 1000 * np.array([lag for each in seen for lag in each.lags_s])
    print(f"frames looked at with {asked.clients} dashboards: {frames:.3f} of those without")
    print(f"CPU seconds: {cpu:.3f} of those without")
    print(
        f"from a frame's moment to the client: {np.median(lags_ms):.0f} ms median, "
        f"{np.percentile(lags_ms, 95):.0f} ms p95 ({len(lags_ms)} states)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
