"""``walkout-trainer rollout`` and ``fleet`` as a person and a service run them."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cloud_trainer.cli import fleet, rollout
from cloud_trainer.rollout.records import RolloutRecords
from cloud_trainer.rollout.running import open_records
from tests.simulators.cloud import Cloud
from tests.simulators.fleet.crowd import Crowd, PlanReader
from tests.simulators.fleet.device import Character, SimulatedDevice
from tests.simulators.fleet.scene import CATEGORY, addresses_of, copied, device_names
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

DEVICES = device_names(12)


@pytest.fixture
def cloud(tmp_path: Path, published: Path) -> Cloud:
    return copied(published, tmp_path / "cloud")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FleetBroker]:
    try:
        broker = FleetBroker(tmp_path)
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def environment(
    tmp_path: Path, cloud: Cloud, broker: FleetBroker, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """What a machine of the cloud has set, so that commands are short."""
    tls = broker.cloud.issue("cloud.trainer")
    variables = {
        "WALKOUT_STORE": cloud.url,
        "WALKOUT_KEYS": str(tmp_path / "cloud" / "keys"),
        "WALKOUT_FLEET_RECORDS": str(tmp_path / "fleet.sqlite"),
        "WALKOUT_BROKER": f"mqtts://127.0.0.1:{broker.cloud_port}",
        "WALKOUT_BROKER_CA": str(broker.devices.certificate),
        "WALKOUT_CERTIFICATE": str(tls.certificate),
        "WALKOUT_CERTIFICATE_KEY": str(tls.key),
        "COLUMNS": "160",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def crowd(tmp_path: Path, cloud: Cloud, broker: FleetBroker) -> Iterator[Crowd]:
    devices = [SimulatedDevice(name, CATEGORY, 1, Character(update_s=0.2)) for name in DEVICES]
    plans = PlanReader(cloud.url, cloud.root, tmp_path / "trust", CATEGORY)
    addresses = addresses_of(broker, DEVICES)
    with Crowd(devices, addresses, CATEGORY, plans, heartbeat_s=1.0) as crowd:
        wait_for(lambda: crowd.connected == len(DEVICES), "all devices to be connected")
        yield crowd


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < until_s, f"waited too long for {what}"
        time.sleep(0.05)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    rollout.register(app)
    fleet.register(app)
    return CliRunner().invoke(app, list(arguments))


def document(*arguments: str) -> Any:  # noqa: ANN401 (JSON is anything)
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def carry_on(environment: Mapping[str, str]) -> None:
    """A process of ``walkout-trainer rollout run``."""
    os.environ.update(environment)  # the fork server may be older than this test
    app = typer.Typer()
    rollout.register(app)
    app(["rollout", "run", "--every", "0.1s"])


def running(environment: Mapping[str, str]) -> ForkServerProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cloud_trainer.cli.rollout"])
    process = context.Process(target=carry_on, args=(environment,))
    process.start()
    return process


def status_of_rollout(environment: dict[str, str]) -> str:
    with open_records(Path(environment["WALKOUT_FLEET_RECORDS"])) as file:
        latest = RolloutRecords(file).latest(CATEGORY)
    assert latest is not None
    return latest.rollout.status


def test_a_rollout_goes_on_after_its_engine_was_killed_at_any_moment(
    environment: dict[str, str], cloud: Cloud, crowd: Crowd
) -> None:
    assert len(document("fleet", "list")) == len(DEVICES)
    started = document(
        "rollout", "start", "--category", CATEGORY, "--release", "2", "--wait", "0.5s",
        "--ring", f"canary={DEVICES[0]},{DEVICES[1]}", "--steps", "30,60,100",
    )  # fmt: skip
    assert (started["status"], started["number"]) == ("rolling", 1)
    serials = [cloud.plan(CATEGORY).serial]
    deaths = 0
    process = running(environment)
    try:
        until_s = time.monotonic() + 180.0
        # The record may say that it is done before that is signed: a death there counts as well.
        while (plan := cloud.plan(CATEGORY)).stable != 2:
            assert time.monotonic() < until_s, run("rollout", "status").stdout
            if plan.serial > serials[-1]:  # something was signed a moment ago
                serials.append(plan.serial)
                process.kill()
                process.join()
                deaths += 1
                process = running(environment)
            time.sleep(0.05)
    finally:
        process.kill()
        process.join()
    assert deaths >= 2
    wait_for(lambda: all(each.serving == 2 for each in crowd.devices), "everyone to have it")
    assert (plan.stable, plan.candidate) == (2, None)
    assert status_of_rollout(environment) == "done"
    history = document("rollout", "status")[0]["history"]
    whats = [each["what"] for each in history]
    assert whats.count("advance") == 3
    assert (whats[0], whats[-1]) == ("start", "finish")


def test_a_person_pauses_goes_on_aborts_and_sees_it(
    environment: dict[str, str], cloud: Cloud, crowd: Crowd
) -> None:
    run("fleet", "list")
    start = ("rollout", "start", "--category", CATEGORY, "--release", "2", "--steps", "100")
    shown = run(*start)
    assert "release 2 of soda: rolling" in shown.stdout
    again = run(*start)
    assert again.exit_code == 2
    assert "release 2 of soda is rolling; let that finish, or abort it first" in again.output
    category = ("--category", CATEGORY)
    assert "paused, lunch" in run("rollout", "pause", *category, "--reason", "lunch").stdout
    assert cloud.plan(CATEGORY).paused
    assert run("rollout", "pause", *category).exit_code == 2
    assert "rolling, resumed" in run("rollout", "resume", *category).stdout
    wait_for(lambda: all(each.serving == 2 for each in crowd.devices), "everyone to have it")
    retry = run("rollout", "retry", *category)
    assert retry.exit_code == 2
    assert "failed on no device" in retry.output
    assert (
        "taking back, no good" in run("rollout", "abort", *category, "--reason", "no good").stdout
    )
    wait_for(lambda: all(each.serving == 1 for each in crowd.devices), "everyone to be back")
    table = run("rollout", "status", *category).stdout
    assert "release 2 of soda: taking back" in table
    assert "abort" in table and "no good" in table
    assert run("rollout", "rollback", *category).exit_code == 2


def test_the_fleet_is_listed_and_shown_live_and_from_the_record(
    environment: dict[str, str], broker: FleetBroker, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = run("fleet", "list").stdout
    assert DEVICES[0] in table
    assert f"{len(DEVICES)} devices, {len(DEVICES)} online" in table
    shown = run("fleet", "show", DEVICES[0]).stdout
    assert "online" in shown and "soda" in shown
    assert document("fleet", "show", DEVICES[0])["status"]["device_id"] == DEVICES[0]

    monkeypatch.delenv("WALKOUT_BROKER")
    assert f"{len(DEVICES)} devices" in run("fleet", "list").stdout
    assert run("fleet", "retire", DEVICES[0]).exit_code == 0
    assert len(document("fleet", "list")) == len(DEVICES) - 1
    assert len(document("fleet", "list", "--retired")) == len(DEVICES)
    run("fleet", "retire", DEVICES[0], "--undo")
    assert len(document("fleet", "list")) == len(DEVICES)
    assert "no device nobody was ever heard" in run("fleet", "show", "nobody").output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--steps", "10,50"), "the last step must be 100"),
        (("--steps", "ten"), "are no shares"),
        (("--ring", "canary"), "is no ring"),
        (("--ring", "canary=Dev 1"), "String should match pattern"),
        (("--wait", "soon"), "is no duration"),
        (("--gate", "start:1"), "is no gate"),
        (("--gate", "hiccup:1:1:pause"), "correct the options"),
        (("--release", "9"), "is not published"),
        (("--category", "toys"), "has no published release"),
        (("--broker", "http://x"), "is no broker"),
    ],
)
def test_wrong_options_end_in_one_line(
    environment: dict[str, str], options: tuple[str, ...], words: str
) -> None:
    result = run("rollout", "start", "--category", CATEGORY, "--release", "2", *options)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_broker_that_is_not_there_or_does_not_know_us_is_said_in_one_line(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_trainer.cli.fleet_options._CONNECT_S", 1.0)
    gone = run("fleet", "list", "--broker", "mqtt://127.0.0.1:9")
    assert gone.exit_code == 2
    assert "does not let us hear the fleet (no connection)" in gone.output
    missing = run("fleet", "list", "--ca", str(tmp_path / "nothing.crt"))
    assert "the certificates for 127.0.0.1 cannot be used" in missing.output
