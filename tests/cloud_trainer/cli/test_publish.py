"""``walkout-trainer keys``, ``publish`` and ``withdraw-release`` as people and scripts run them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cloud_trainer.cli import keys, publish
from cloud_trainer.fleet.link import NetworkLoop, make_client
from cloud_trainer.store import open_store
from models.delivery import Announcement, announce_topic, decode, decode_plan
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import (
    BUCKET,
    client,
    fetch_target,
    make_bucket,
    s3_environment,
    s3_server,
)
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four products, and a fifth one with the same network."""
    folder = tmp_path_factory.mktemp("bundles")
    return (
        make_bundle(folder / "four", category="soda").path,
        make_bundle(folder / "five", products=5, category="soda").path,
    )


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys; it and its store are named by the environment."""
    monkeypatch.setenv("WALKOUT_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("WALKOUT_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, "secret")
    assert run("keys", "init", "--out", tmp_path / "keys").exit_code == 0
    return tmp_path


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    keys.register(app)
    publish.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    parsed = json.loads(result.stdout)
    assert isinstance(parsed, dict)
    return parsed


def refusal(*arguments: str | Path) -> str:
    """The one line that a command fails with."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    return line


def test_words_say_what_was_sent_and_what_a_device_fetches(
    shop: Path, bundles: tuple[Path, Path]
) -> None:
    first = run("publish", bundles[0])
    assert first.exit_code == 0, first.output
    assert "soda release 1 published, version 1: 86.7 kB sent, 0 bytes were there" in first.stdout
    assert "cost: a device that has nothing yet fetches 86.7 kB, and" in first.stdout
    assert "every device may run it (plan 1)" in first.stdout

    second = run("publish", bundles[1])
    assert "soda release 2 published" in second.stdout
    assert "69.6 kB were there already" in second.stdout
    assert "cost: a device that has release 1 fetches 6.4 kB, and" in second.stdout
    assert "no device runs it yet: start a rollout" in second.stdout

    again = run("publish", bundles[1])
    assert again.exit_code == 0
    assert again.stdout.strip() == "soda release 2 has these very files already; nothing was sent"


def test_json_says_the_same_in_figures(shop: Path, bundles: tuple[Path, Path]) -> None:
    first = document("publish", bundles[0])
    second = document("publish", bundles[1], "--everywhere", "--notes", "a new lemonade")
    assert (first["category"], first["release"], first["previous"]) == ("soda", 1, None)
    assert (second["release"], second["previous"], second["stable"]) == (2, 1, 2)
    assert second["network_id"] == first["network_id"]
    assert second["sent_bytes"] + second["stored_bytes"] == second["size_bytes"]
    assert 0 < second["update_bytes"] < first["update_bytes"] / 10
    assert second["metadata_bytes"] < 10_000


def test_a_release_is_withdrawn_and_devices_go_back(
    shop: Path, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    run("publish", bundles[0])
    run("publish", bundles[1], "--everywhere")
    result = run("withdraw-release", "--category", "soda", "--release", "2")
    assert result.exit_code == 0, result.output
    assert "soda release 2 is withdrawn; devices run release 1 (plan 3)" in result.stdout
    root = (shop / "keys" / "root.json").read_bytes()
    plan = fetch_target(
        client(tmp_path / "device", root, open_store((shop / "store").as_uri())),
        "rollouts/soda.json",
    )
    assert plan is not None and decode_plan(plan).withdrawn == (2,)
    assert document("withdraw-release", "--category", "soda", "--release", "2")["stable"] == 1
    line = refusal("withdraw-release", "--category", "soda", "--release", "1")
    assert "no older one is left" in line


def test_keys_are_listed_with_what_expires_when(shop: Path, bundles: tuple[Path, Path]) -> None:
    run("publish", bundles[0])
    listed = run("keys", "list")
    assert listed.exit_code == 0, listed.output
    assert "2 of 3, 3 here" in " ".join(listed.stdout.split())
    for name in ("root-1", "timestamp-1", "category-soda"):
        assert name in listed.stdout
    roles = {entry["role"]: entry for entry in document("keys", "list")["roles"]}
    assert roles["root"]["threshold"] == 2 and roles["root"]["at_hand"] == 3
    assert not any(entry["expired"] for entry in roles.values())
    assert roles["timestamp"]["expires"] < roles["snapshot"]["expires"] < roles["root"]["expires"]


def test_a_key_is_rotated_and_publishing_goes_on(shop: Path, bundles: tuple[Path, Path]) -> None:
    run("publish", bundles[0])
    assert document("keys", "rotate", "category-soda")["key"] == "category-soda-2"
    assert "timestamp signs with timestamp-2 now" in run("keys", "rotate", "timestamp").stdout
    assert "say which one to revoke" in refusal("keys", "rotate", "root")
    assert document("keys", "rotate", "root", "--revoke", "root-1")["key"] == "root-4"
    assert document("publish", bundles[1])["release"] == 2


def test_a_timer_renews_what_expires(shop: Path, bundles: tuple[Path, Path]) -> None:
    run("publish", bundles[0])
    before = {entry["role"]: entry["version"] for entry in document("keys", "list")["roles"]}
    assert document("publish", "--refresh") == {"renewed": ["timestamp"]}
    after = {entry["role"]: entry["version"] for entry in document("keys", "list")["roles"]}
    assert after == before | {"timestamp": before["timestamp"] + 1}
    assert "give either" in refusal("publish", "--refresh", bundles[0])
    assert "give either" in refusal("publish")


def test_what_is_missing_is_one_line(
    shop: Path, bundles: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no bundle at" in refusal("publish", tmp_path / "none")
    assert "nothing was ever published" in refusal("keys", "list")
    assert "is no store" in refusal("publish", bundles[0], "--store", "ftp://x/y")
    assert "keys init" in refusal("publish", bundles[0], "--keys", tmp_path / "none")
    assert "holds keys already" in refusal("keys", "init", "--out", shop / "keys")
    monkeypatch.delenv(keys.PASSPHRASE_VARIABLE)
    assert "set WALKOUT_KEYS_PASSPHRASE" in refusal("publish", bundles[0])


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetBroker]:
    """The fleet's broker, named by the environment."""
    try:
        broker = FleetBroker(tmp_path)
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.start()
    tls = broker.cloud.issue("cloud.trainer")
    monkeypatch.setenv("WALKOUT_BROKER", f"mqtts://127.0.0.1:{broker.cloud_port}")
    monkeypatch.setenv("WALKOUT_BROKER_CA", str(broker.devices.certificate))
    monkeypatch.setenv("WALKOUT_CERTIFICATE", str(tls.certificate))
    monkeypatch.setenv("WALKOUT_CERTIFICATE_KEY", str(tls.key))
    yield broker
    broker.kill()


def heard_by(broker: FleetBroker, name: str) -> bytes:
    """The announcement of soda that a device hears when it connects."""
    address = broker.device_address(broker.devices.issue(name), name)
    device, heard = make_client(address), Queue[bytes]()

    def on_connect(*arguments: object) -> None:
        device.subscribe(announce_topic("soda"), 1)

    device.on_connect = on_connect
    device.on_message = lambda client, userdata, message: heard.put(bytes(message.payload))
    loop = NetworkLoop(device, address)
    loop.start()
    try:
        return heard.get(timeout=20)
    finally:
        loop.stop()


def test_devices_are_told_of_a_plan_where_a_broker_is_named(
    shop: Path, bundles: tuple[Path, Path], broker: FleetBroker
) -> None:
    assert document("publish", bundles[0])["serial"] == 1
    assert decode(Announcement, heard_by(broker, "dev-1")).serial == 1
    document("publish", bundles[1])  # no plan, so nothing to tell
    document("withdraw-release", "--category", "soda", "--release", "2")
    assert decode(Announcement, heard_by(broker, "dev-2")).serial == 2


def test_a_broker_that_is_away_does_not_keep_a_release_from_being_published(
    shop: Path, bundles: tuple[Path, Path], broker: FleetBroker
) -> None:
    broker.kill()
    result = run("publish", bundles[0])
    assert result.exit_code == 0
    assert "soda release 1 published" in result.stdout
    assert "plan 1 of soda is published, but the broker did not take the hint" in result.stderr


def test_unlocked_keys_need_no_passphrase(
    tmp_path: Path, bundles: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(keys.PASSPHRASE_VARIABLE, raising=False)
    made = document("keys", "init", "--out", tmp_path / "keys", "--unlocked", "--category", "soda")
    assert "category-soda-1" in made["keys"] and made["root"] == str(tmp_path / "keys/root.json")
    arguments = ("--store", tmp_path / "store", "--keys", tmp_path / "keys")
    assert document("publish", bundles[0], *arguments)["release"] == 1


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as address:
        for name, value in s3_environment(address).items():
            monkeypatch.setenv(name, value)
        make_bucket(address)
        yield address


def test_the_same_works_on_s3(
    shop: Path, bundles: tuple[Path, Path], s3: str, tmp_path: Path
) -> None:
    address = f"s3://{BUCKET}/shop"
    assert document("publish", bundles[0], "--store", address)["release"] == 1
    second = document("publish", bundles[1], "--store", address, "--everywhere")
    assert (second["release"], second["stored_bytes"]) == (2, 69591)
    assert document("keys", "rotate", "timestamp", "--store", address)["key"] == "timestamp-2"
    document("withdraw-release", "--category", "soda", "--release", "2", "--store", address)
    root = (shop / "keys" / "root.json").read_bytes()
    updater = client(tmp_path / "device", root, open_store(address))
    assert fetch_target(updater, "soda/rel-1/vectors.safetensors") is not None
    assert fetch_target(updater, "soda/rel-2/vectors.safetensors") is None


def test_a_bucket_or_network_that_is_not_there_is_one_line(
    shop: Path, bundles: tuple[Path, Path], s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no bucket nowhere" in refusal("publish", bundles[0], "--store", "s3://nowhere/x")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert "cannot reach s3://" in refusal("publish", bundles[0], "--store", f"s3://{BUCKET}/x")
