"""Measure a large simulated fleet on one machine: memory, broker load, how long a rollout takes.

``python -m tests.simulators.fleet --devices 1000`` starts the deployed broker with mutual TLS, a
signed store, the rollout engine and the devices, rolls a release out to all of them in steps, takes
it back, and prints what it took. ``--failing 10`` lets a tenth fail, and measures until the pause.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cloud_trainer.fleet.link import FleetLink
from cloud_trainer.rollout.course import Course, FailureGate, Gates, make_steps
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from tests.simulators.fleet.apart import live, resident_bytes
from tests.simulators.fleet.scene import CATEGORY, addresses_of, releases, utc_now
from tests.simulators.fleet_broker import FleetBroker

_LOOK_EVERY_S = 0.5
_PATIENCE_S = 600.0
_MIB = 2**20
_KIB = 2**10


def measure(devices: int, processes: int, failing_percent: float, update_s: float) -> None:
    """Run it all and print the figures."""
    names = [f"shelf-{number:05d}" for number in range(devices)]
    failing = names[3 :: round(100 / failing_percent)] if failing_percent else []
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        folder = Path(path)
        cloud = releases(folder / "cloud")
        broker = FleetBroker(folder)
        broker.start()
        stack.callback(broker.kill)
        addresses = addresses_of(broker, names)
        file = stack.enter_context(open_records(folder / "fleet.sqlite"))
        link = stack.enter_context(FleetLink(broker.cloud_address("cloud.trainer"), utc_now))
        link.require_connected(20.0)
        rollouts = Rollouts(file, RepositorySigner(cloud.repository, utc_now), link, utc_now)
        context = multiprocessing.get_context("spawn")
        crowds = []
        began_s = time.monotonic()
        for number in range(processes):
            here, there = context.Pipe()
            mine = {name: addresses[name] for name in names[number::processes]}
            trust = folder / f"trust-{number}"
            process = context.Process(
                target=live,
                args=(CATEGORY, mine, failing, cloud.url, cloud.root, trust, update_s, there),
                daemon=True,
            )
            process.start()
            stack.callback(process.kill)
            crowds.append((process, here))

        looks: list[float] = []

        def look_until(condition: Callable[[], bool], what: str) -> float:
            since_s = time.monotonic()
            while not condition():
                assert all(process.is_alive() for process, _ in crowds), "a crowd has died"
                assert time.monotonic() - since_s < _PATIENCE_S, f"waited too long: {what}"
                time.sleep(_LOOK_EVERY_S)
                look_s = time.monotonic()
                rollouts.hear(*link.take())
                for category in rollouts.categories():
                    rollouts.look(category)
                looks.append(time.monotonic() - look_s)
            return time.monotonic() - since_s

        look_until(lambda: len(rollouts.fleet.devices()) == devices, "all devices")
        print(
            f"{devices} devices in {processes} processes, mutual TLS; all were heard after "
            f"{time.monotonic() - began_s:.0f} s"
        )
        before_cpu_s, at_s = _cpu_s(broker.pid), time.monotonic()
        course = Course(
            steps=make_steps([("canary", tuple(names[:20]))], (10, 50, 100)),
            gates=Gates(
                failures=(FailureGate(max_percent=5.0, min_failed=2),), success_percent=100
            ),
            wait_s=0.0,
        )
        rollouts.start(CATEGORY, 2, course)
        ended = ("done", "paused")
        taken_s = look_until(
            lambda: rollouts.overview(CATEGORY).rollout.status in ended, "the rollout"
        )
        overview = rollouts.overview(CATEGORY)
        held = sum(
            device.status.agents[0].serving_release == 2
            for device in rollouts.fleet.devices().values()
        )
        print(
            f"the rollout is {overview.rollout.status} after {taken_s:.0f} s "
            f"({overview.rollout.reason}); {held} devices serve the release"
        )
        rollouts.roll_back(CATEGORY, "measured")
        back_s = look_until(
            lambda: rollouts.overview(CATEGORY).rollout.status == "taken_back", "the way back"
        )
        print(f"taken back from all after {back_s:.0f} s")
        cpu_s, elapsed_s = _cpu_s(broker.pid) - before_cpu_s, time.monotonic() - at_s
        used = []
        for _, connection in crowds:
            connection.send("end")
            used.append(connection.recv())
        memory, seconds, messages, verified = (sum(each) for each in zip(*used, strict=True))
        print(
            f"devices: {memory / devices / _KIB:.0f} KiB each, {seconds:.0f} CPU s together; "
            f"{messages} messages; plans verified {verified} times"
        )
        print(
            f"broker: {resident_bytes(broker.pid) / _MIB:.1f} MiB resident, {cpu_s:.1f} CPU s in "
            f"{elapsed_s:.0f} s ({100 * cpu_s / elapsed_s:.0f} % of a core)"
        )
        own = resource.getrusage(resource.RUSAGE_SELF)
        looks.sort()
        print(
            f"engine: {own.ru_maxrss * _KIB / _MIB:.0f} MiB at most, a look takes "
            f"{looks[len(looks) // 2] * 1000:.0f} ms (median), {looks[-1] * 1000:.0f} ms at most; "
            f"record file {(folder / 'fleet.sqlite').stat().st_size / _MIB:.1f} MiB; "
            f"{link.lost} messages lost"
        )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--failing", type=float, default=0.0, help="percent of devices that fail")
    parser.add_argument("--update-s", type=float, default=2.0, help="how long an update takes")
    given = parser.parse_args()
    measure(given.devices, given.processes, given.failing, given.update_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
