"""A process full of simulated devices, for measuring."""

from __future__ import annotations

import os
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from cloud_trainer.fleet.link import BrokerAddress
from tests.simulators.fleet.crowd import Crowd, PlanReader
from tests.simulators.fleet.device import Character, SimulatedDevice


def live(
    category: str,
    addresses: dict[str, BrokerAddress],
    failing: list[str],
    url: str,
    root: bytes,
    folder: Path,
    update_s: float,
    told: Connection,
) -> None:
    """A process full of devices; says how much it took when told to end."""
    devices = [
        SimulatedDevice(
            name,
            category,
            1,
            Character(
                fails={2: "watch"} if name in failing else {},
                decisions_per_s=0.05,
                update_s=update_s,
            ),
        )
        for name in addresses
    ]
    before = resident_bytes(os.getpid())
    plans = PlanReader(url, root, folder, category)
    with Crowd(devices, addresses, category, plans, spread_s=2.0) as crowd:
        told.recv()
        used = resource.getrusage(resource.RUSAGE_SELF)
        told.send(
            (
                resident_bytes(os.getpid()) - before,
                used.ru_utime + used.ru_stime,
                crowd.messages_sent,
                plans.verifications,
            )
        )


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in use now."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
