"""A device gets its identity by a claim, over the broker as it is deployed, with mutual TLS."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import typer
from cryptography import x509
from typer.testing import CliRunner

from cloud_trainer.cli.devices import app
from cloud_trainer.devices.authority import Authority
from cloud_trainer.devices.register import Register
from edge.cli.provision import register
from edge.errors import ProvisioningError
from edge.provisioning.claim import ClaimFolder
from edge.provisioning.conversation import Door, door_of, obtain
from edge.provisioning.identity import Identity
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 20.0


class Cloud:
    """Authorities as ``devices init`` makes them, the broker, and the enroller at work."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca"
        self._environment = {**os.environ, "WALKOUT_DEVICES": str(self.ca), "PYTHONPATH": str(ROOT)}
        self.trainer("init", "--broker-host", "127.0.0.1")
        self.broker = FleetBroker(folder, self.ca)
        self.broker.start()
        self._enroller: subprocess.Popen[bytes] | None = None

    def trainer(self, *words: str) -> str:
        ran = CliRunner().invoke(app, words, env={"WALKOUT_DEVICES": str(self.ca)})
        assert ran.exit_code == 0, ran.output
        return ran.output

    def enrol(self) -> None:
        self._enroller = subprocess.Popen(
            [
                # As walkout-trainer devices enrol, without the trainer's networks.
                *(
                    sys.executable,
                    "-c",
                    "from cloud_trainer.cli.devices import app; app()",
                    "enrol",
                ),
                *("--broker", f"mqtts://127.0.0.1:{self.broker.cloud_port}"),
                *("--ca", str(self.ca / "devices-ca.crt")),
                *("--certificate", str(self.ca / "cloud.enroller.crt")),
                *("--certificate-key", str(self.ca / "cloud.enroller.key")),
            ],
            env=self._environment,
        )

    def kill_enroller(self) -> None:
        assert self._enroller is not None
        self._enroller.kill()
        self._enroller.wait()

    def expect(self, device: str, out: Path) -> Path:
        self.trainer(
            *("expect", device, "--out", str(out), "--broker-host", "127.0.0.1"),
            *("--port", str(self.broker.claim_port)),
        )
        return out

    def close(self) -> None:
        if self._enroller is not None:
            self._enroller.send_signal(signal.SIGTERM)
            self._enroller.wait()
        self.broker.kill()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    try:
        made = Cloud(tmp_path_factory.mktemp("cloud"))
    except NoMosquittoError as err:
        pytest.skip(str(err))
    made.enrol()
    try:
        yield made
    finally:
        made.close()


def door(folder: Path) -> Door:
    claim = ClaimFolder(folder)
    return door_of(claim.claim, claim.ca, claim.certificate, claim.key)


def renewal_door(cloud: Cloud, device: str, identity: Path) -> Door:
    return Door(
        "127.0.0.1",
        cloud.broker.device_port,
        device,
        identity / "ca.crt",
        identity / "device.crt",
        identity / "device.key",
        f"claim/v1/{device}",
        "device",
    )


def serials(cloud: Cloud, device: str) -> list[int]:
    register = Register(cloud.ca)
    try:
        return [each.serial for each in register.identities(device)]
    finally:
        register.close()


def test_by_the_commands_a_device_gets_its_identity_and_the_claim_is_spent(
    cloud: Cloud, tmp_path: Path
) -> None:
    stick = cloud.expect("shelf-1", tmp_path / "stick")
    device = typer.Typer()
    register(device)
    for said in ("shelf-1 has its identity", "holds an identity already"):
        ran = CliRunner().invoke(device, [str(stick), "--to", str(tmp_path / "id")])
        assert ran.exit_code == 0, ran.output
        assert said in ran.output
    assert not (stick / "claim.key").exists()
    key = tmp_path / "id" / "device.key"
    assert key.stat().st_mode & 0o077 == 0
    held = Identity(tmp_path / "id").certificate
    assert held is not None
    assert held.subject.rfc4514_string() == "CN=shelf-1"
    (listed,) = [
        each
        for each in json.loads(cloud.trainer("list", "--json"))
        if each["device_id"] == "shelf-1"
    ]
    assert listed["state"] == "good"


def test_its_identity_opens_its_own_door_and_renews_itself_with_a_new_key(
    cloud: Cloud, tmp_path: Path
) -> None:
    obtain(
        door(cloud.expect("shelf-2", tmp_path / "stick")),
        "shelf-2",
        Identity(tmp_path / "id"),
        WITHIN_S,
    )
    before = (tmp_path / "id" / "device.key").read_bytes()
    obtain(
        renewal_door(cloud, "shelf-2", tmp_path / "id"),
        "shelf-2",
        Identity(tmp_path / "id"),
        WITHIN_S,
    )
    assert (tmp_path / "id" / "device.key").read_bytes() != before
    assert len(serials(cloud, "shelf-2")) == 2


def test_a_claim_is_good_for_one_identity(cloud: Cloud, tmp_path: Path) -> None:
    stick = cloud.expect("shelf-3", tmp_path / "stick")
    obtain(door(stick), "shelf-3", Identity(tmp_path / "id"), WITHIN_S)
    with pytest.raises(ProvisioningError, match="not expected"):
        obtain(door(stick), "shelf-3", Identity(tmp_path / "thief"), WITHIN_S)
    assert Identity(tmp_path / "thief").certificate is None


def test_a_claim_opens_no_other_identity(cloud: Cloud, tmp_path: Path) -> None:
    cloud.expect("shelf-4", tmp_path / "stick-4")
    stick = cloud.expect("shelf-5", tmp_path / "stick-5")
    with pytest.raises(ProvisioningError, match="shelf-5 and no other"):
        obtain(door(stick), "shelf-4", Identity(tmp_path / "id"), WITHIN_S)


def test_a_claim_opens_no_other_door_and_nobody_elses_topics(cloud: Cloud, tmp_path: Path) -> None:
    claim = door(cloud.expect("shelf-6", tmp_path / "stick"))
    ports = (cloud.broker.device_port, cloud.broker.cloud_port)
    others = [Door(**{**vars(claim), "port": port}) for port in ports]
    others.append(Door(**{**vars(claim), "prefix": "claim/v1/claim.shelf-4"}))
    for other in others:
        with pytest.raises(ProvisioningError, match="nobody answered"):
            obtain(other, "shelf-6", Identity(tmp_path / "id"), 2.0)


def test_an_enroller_that_is_killed_in_between_is_waited_for(cloud: Cloud, tmp_path: Path) -> None:
    stick = cloud.expect("shelf-7", tmp_path / "stick")
    cloud.kill_enroller()
    identity = Identity(tmp_path / "id")
    with pytest.raises(ProvisioningError, match="nobody answered"):
        obtain(door(stick), "shelf-7", identity, 1.0)
    key = (tmp_path / "id" / "device.key.next").read_bytes()
    cloud.enrol()
    obtain(door(stick), "shelf-7", Identity(tmp_path / "id"), WITHIN_S)
    assert (tmp_path / "id" / "device.key").read_bytes() == key


def test_a_revoked_identity_is_on_the_list_and_a_replacements_stays(
    cloud: Cloud, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        stick = cloud.expect("shelf-8", tmp_path / f"stick-{name}")
        obtain(door(stick), "shelf-8", Identity(tmp_path / name), WITHIN_S)
        time.sleep(0.01)
    cloud.trainer("revoke", "shelf-8", "--keep-newest")
    revoked = x509.load_pem_x509_crl((cloud.ca / "devices-ca.crl").read_bytes())
    old, new = (Identity(tmp_path / name).certificate for name in ("old", "new"))
    assert old is not None
    assert new is not None
    assert revoked.get_revoked_certificate_by_serial_number(old.serial_number) is not None
    assert revoked.get_revoked_certificate_by_serial_number(new.serial_number) is None


def test_a_certificate_that_came_and_was_not_put_in_place_is_put_there(
    cloud: Cloud, tmp_path: Path
) -> None:
    obtain(
        door(cloud.expect("shelf-9", tmp_path / "stick")),
        "shelf-9",
        Identity(tmp_path / "id"),
        WITHIN_S,
    )
    folder = tmp_path / "id"
    # As it lies there when the process is killed at the worst moment.
    (folder / "device.key").rename(folder / "device.key.next")
    (folder / "device.crt").rename(folder / "device.crt.next")
    again = Identity(folder)
    assert again.certificate is not None
    assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "device.crt", "device.key"]


def test_it_is_due_when_it_ends_soon(cloud: Cloud, tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    folder = tmp_path / "id"
    identity = Identity(folder)
    assert identity.is_due(now, 60.0)
    authority = Authority(cloud.ca, "devices")
    authority.issue_with_key("shelf-1", folder / "device", now, timedelta(days=90))
    assert not identity.is_due(now, 60.0)
    assert identity.is_due(now + timedelta(days=31), 60.0)


def test_a_folder_that_is_no_claim_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "claim.json").write_text('{"device_id": "Shelf 1"}')
    with pytest.raises(ProvisioningError, match="holds no claim"):
        ClaimFolder(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(ProvisioningError, match="holds no claim"):
        ClaimFolder(tmp_path)
