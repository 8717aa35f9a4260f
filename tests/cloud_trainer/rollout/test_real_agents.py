"""The engine and real devices' agents, as processes, over the deployed broker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from cloud_trainer.fleet.link import FleetLink
from cloud_trainer.rollout.course import Course, FailureGate, Gates, make_steps
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from tests.simulators.cloud import Cloud
from tests.simulators.fleet.scene import CATEGORY, copied, utc_now
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

DEVICES = ("shelf-1", "shelf-2")
_PATIENCE_S = 120.0


def install(folder: Path, name: str, cloud: Cloud, broker: FleetBroker) -> Path:
    """A device's settings, its certificate and the root that it came with."""
    folder.mkdir()
    (folder / "root.json").write_bytes(cloud.root)
    tls = broker.devices.issue(name)
    settings = {
        "device_id": name,
        "repository": cloud.url,
        "root": "root.json",
        "categories": [CATEGORY],
        "poll_s": 60.0,
        "ballast_bytes": 0,
        "trial": {"slower_at_most": 50.0},
        "watch": {"watch_s": 0.5},
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.device_port,
            "ca": str(tls.ca),
            "certificate": str(tls.certificate),
            "key": str(tls.key),
            "status_s": 1.0,
        },
    }
    path = folder / "updates.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def test_real_agents_take_a_release_step_by_step_and_go_back_together(
    tmp_path: Path, published: Path
) -> None:
    with ExitStack() as stack:
        cloud = copied(published, tmp_path / "cloud")
        try:
            broker = FleetBroker(tmp_path)
        except NoMosquittoError as err:
            pytest.skip(str(err))
        broker.start()
        stack.callback(broker.kill)
        for name in DEVICES:
            config = install(tmp_path / name, name, cloud, broker)
            log = stack.enter_context((tmp_path / name / "log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "edge", "updates", "agent", str(config)],
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        file = stack.enter_context(open_records(tmp_path / "fleet.sqlite"))
        link = stack.enter_context(FleetLink(broker.cloud_address("cloud.trainer"), utc_now))
        rollouts = Rollouts(file, RepositorySigner(cloud.repository, utc_now), link, utc_now)

        def serving() -> dict[str, int | None]:
            return {
                name: agent.serving_release
                for name, device in rollouts.fleet.devices_for(CATEGORY).items()
                if (agent := device.agent(CATEGORY))
            }

        def look_until(condition: Callable[[], bool], what: str) -> None:
            until_s = time.monotonic() + _PATIENCE_S
            while not condition():
                assert time.monotonic() < until_s, (what, rollouts.fleet.devices())
                time.sleep(0.1)
                rollouts.hear(*link.take())
                for category in rollouts.categories():
                    rollouts.look(category)

        look_until(lambda: serving() == dict.fromkeys(DEVICES, 1), "both to serve release 1")
        course = Course(
            steps=make_steps([("canary", DEVICES[:1])], (100,)),
            gates=Gates(failures=(FailureGate(max_percent=0.0, min_failed=1),)),
            wait_s=0.0,
        )
        rollouts.start(CATEGORY, 2, course)
        look_until(lambda: serving()[DEVICES[0]] == 2, "the canary to serve release 2")
        assert serving()[DEVICES[1]] == 1
        look_until(lambda: rollouts.overview(CATEGORY).rollout.status == "done", "the end")
        assert serving() == dict.fromkeys(DEVICES, 2)

        rollouts.roll_back(CATEGORY, "tried")
        look_until(lambda: serving() == dict.fromkeys(DEVICES, 1), "both to go back")
        look_until(lambda: rollouts.overview(CATEGORY).rollout.status == "taken_back", "the end")
