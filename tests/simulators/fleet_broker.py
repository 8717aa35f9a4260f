"""The fleet's broker as it is deployed: mosquitto with ``deploy/mosquitto``'s own files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from cloud_trainer.fleet.link import BrokerAddress, Tls
from tests.simulators.certificates import Authority

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto"
# Debian keeps daemons where users do not look.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_PATIENCE_S = 20.0


class NoMosquittoError(Exception):
    """mosquitto is not installed here."""


class FleetBroker:
    """A broker that can be killed and started again on its ports.

    Attributes:
        devices: The authority that signs devices.
        cloud: The authority that signs the cloud's programs.
        claims: The authority that signs claims.
        device_port: Where devices connect.
        cloud_port: Where the cloud's programs connect.
        claim_port: Where devices ask for an identity.
    """

    def __init__(self, folder: Path, made: Path | None = None) -> None:
        """Prepare it; ``made`` is a folder of authorities that ``devices init`` has made."""
        found = shutil.which("mosquitto", path=_PATH)
        if found is None:
            raise NoMosquittoError("no mosquitto: apt-get install mosquitto")
        self.devices = Authority(folder / "devices-ca", "walkout devices")
        self.cloud = Authority(folder / "cloud-ca", "walkout cloud")
        self.claims = Authority(folder / "claims-ca", "walkout claims")
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as other,
            socket.create_server(("127.0.0.1", 0)) as third,
        ):
            self.device_port: int = one.getsockname()[1]
            self.cloud_port: int = other.getsockname()[1]
            self.claim_port: int = third.getsockname()[1]
        own = self.devices.issue("broker", listens=True)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(self._here(folder, own, made), encoding="utf-8")
        self._log = folder / "mosquitto.log"
        self._command = [found, "-c", str(configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until_s = time.monotonic() + _PATIENCE_S
        while not (self._listens(self.device_port) and self._listens(self.cloud_port)):
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise AssertionError(f"mosquitto: {self._log.read_text(encoding='utf-8')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as a restart would: what it keeps for clients who are away is on the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def device_address(self, tls: Tls, client_id: str = "") -> BrokerAddress:
        """Where a device connects with its certificate."""
        return BrokerAddress("127.0.0.1", self.device_port, client_id, tls=self._trusting(tls))

    def cloud_address(self, name: str, client_id: str | None = None) -> BrokerAddress:
        """Where one of the cloud's programs connects, with a new certificate."""
        tls = self._trusting(self.cloud.issue(name))
        return BrokerAddress("127.0.0.1", self.cloud_port, client_id or name, tls=tls)

    def _trusting(self, tls: Tls) -> Tls:
        # The broker has one certificate, signed by the devices' authority.
        return Tls(self.devices.certificate, tls.certificate, tls.key)

    def _here(self, folder: Path, own: Tls, made: Path | None) -> str:
        """The deployed configuration, with this machine's paths and ports."""
        text = (DEPLOYED / "mosquitto.conf").read_text(encoding="utf-8")
        places = {
            "/etc/mosquitto/walkout/acl": DEPLOYED / "acl",
            "/etc/mosquitto/walkout/devices-ca.crt": self.devices.certificate,
            "/etc/mosquitto/walkout/devices-ca.crl": self.devices.revocations,
            "/etc/mosquitto/walkout/cloud-ca.crt": self.cloud.certificate,
            "/etc/mosquitto/walkout/cloud-ca.crl": self.cloud.revocations,
            "/etc/mosquitto/walkout/claims-ca.crt": self.claims.certificate,
            "/etc/mosquitto/walkout/claims-ca.crl": self.claims.revocations,
            "/etc/mosquitto/walkout/broker.crt": own.certificate,
            "/etc/mosquitto/walkout/broker.key": own.key,
            "/var/lib/mosquitto/": f"{folder}/",
            "listener 8883": f"listener {self.device_port} 127.0.0.1",
            "listener 8884": f"listener {self.cloud_port} 127.0.0.1",
            "listener 8885": f"listener {self.claim_port} 127.0.0.1",
        }
        if made is not None:
            places |= {
                deployed: made / Path(deployed).name
                for deployed in places
                if deployed.startswith("/etc") and not deployed.endswith("/acl")
            }
        for deployed, here in places.items():
            assert deployed in text, f"{deployed} is no longer in mosquitto.conf"
            text = text.replace(deployed, str(here))
        # Started as root it would go on as a user who may not read the folder.
        return f"{text}\nuser root\n" if os.geteuid() == 0 else text

    def _listens(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            return False
        return True
