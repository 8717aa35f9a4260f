"""``walkout-trainer devices``: identities of devices and of the cloud's own programs."""

from __future__ import annotations

import json
import logging
import os
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.fleet_options import JsonOption, print_json, required, utc_now, with_broker
from cloud_trainer.cli.signals import until_told
from cloud_trainer.devices.authority import Authority
from cloud_trainer.devices.enrolment import CLAIM, LASTS, Enrolment
from cloud_trainer.devices.register import Given, Register
from cloud_trainer.devices.service import Enroller
from cloud_trainer.errors import DevicesError
from cloud_trainer.fleet.link import BrokerAddress
from models.delivery import DeliveryFormatError, require_device_id

_DEVICES: Final = "devices"
_CLOUD: Final = "cloud"
_CLAIMS: Final = "claims"
_PROGRAMS: Final = ("cloud.trainer", "cloud.receiver", "cloud.enroller")
_SECRET_NAME: Final = "enrolment.secret"
_BROKER_LASTS: Final = timedelta(days=825)

app = typer.Typer(no_args_is_help=True, help="Identities of devices.")

_Folder = Annotated[
    Path,
    typer.Option("--ca", envvar="WALKOUT_DEVICES", help="Folder of the authorities."),
]
_Device = Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the device.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    parent.add_typer(app, name="devices")


@app.command("init")
@plain_errors
def init_command(
    folder: _Folder,
    hosts: Annotated[
        list[str],
        typer.Option("--broker-host", help="Name or address of the broker; repeatable."),
    ],
) -> None:
    """Make the authorities, and certificates of the broker and of the cloud's programs.

    Keep the folder as you keep the keys that sign releases: who has it can be any device.
    """
    now = utc_now()
    authorities = {name: Authority.make(folder, name, now) for name in (_DEVICES, _CLOUD, _CLAIMS)}
    authorities[_DEVICES].issue_with_key(
        "broker", folder / "broker", now, _BROKER_LASTS, listens_as=hosts
    )
    for program in _PROGRAMS:
        authorities[_CLOUD].issue_with_key(program, folder / program, now, LASTS)
    descriptor = os.open(folder / _SECRET_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(secrets.token_bytes(32))
    Register(folder).close()
    typer.echo(f"{folder}: authorities {', '.join(authorities)}; broker {', '.join(hosts)}")
    typer.echo(
        "the broker takes broker.{crt,key}, devices-ca.*, cloud-ca.* and claims-ca.* without their "
        "keys; each program takes its own certificate and devices-ca.crt"
    )


@app.command("expect")
@plain_errors
def expect_command(
    device: _Device,
    folder: _Folder,
    out: Annotated[Path, typer.Option("--out", help="Folder of the claim, for the device.")],
    host: Annotated[str, typer.Option("--broker-host", help="Where the device is to ask.")],
    port: Annotated[int, typer.Option("--port", help="The broker's door for claims.")] = 8885,
    days: Annotated[float, typer.Option(min=0.01, help="The claim lasts so long.")] = 7.0,
    root: Annotated[
        Path | None, typer.Option(help="root.json, by which the device believes releases.")
    ] = None,
) -> None:
    """Let a device ask for its identity, once: make the claim that it is given on a stick."""
    now, name = utc_now(), _device_id(device)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    _opened(folder).close()
    claims = Authority(folder, _CLAIMS)
    claims.issue_with_key(f"{CLAIM}{name}", out / "claim", now, timedelta(days=days))
    (out / "ca.crt").write_bytes((folder / f"{_DEVICES}-ca.crt").read_bytes())
    if root is not None:
        (out / "root.json").write_bytes(root.read_bytes())
    document = {"schema_version": 1, "device_id": name, "host": host, "port": port}
    (out / "claim.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    register = _opened(folder)
    try:
        register.expect(name, now + timedelta(days=days))
    finally:
        register.close()
    typer.echo(f"{out}: a claim for {name}, good for one identity within {days:g} days")


@app.command("enrol")
@plain_errors
@with_broker
def enrol_command(
    folder: _Folder,
    address: BrokerAddress | None,
) -> None:
    """Answer devices that ask for identities, until told to stop: a service."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    register = _opened(folder)
    try:
        secret = (folder / _SECRET_NAME).read_bytes()
        enrolment = Enrolment(Authority(folder, _DEVICES), register, secret)
        own = replace(required(address), client_id="cloud.enroller")
        Enroller(enrolment, own, utc_now).run(until_told())
    finally:
        register.close()


@app.command("list")
@plain_errors
def list_command(folder: _Folder, as_json: JsonOption = False) -> None:
    """Show which identities were given."""
    register = _opened(folder)
    try:
        found = register.identities()
    finally:
        register.close()
    now = utc_now()
    if as_json:
        print_json([_document(each, now) for each in found])
        return
    table = Table("device", "serial", "since", "until", "state", box=None, pad_edge=False)
    for each in found:
        table.add_row(
            each.device_id,
            f"{each.serial:x}"[:16],
            f"{each.issued_at:%Y-%m-%d %H:%M}",
            f"{each.ends_at:%Y-%m-%d}",
            _state(each, now),
        )
    Console(soft_wrap=True, highlight=False).print(table)


@app.command("revoke")
@plain_errors
def revoke_command(
    device: _Device,
    folder: _Folder,
    keep_newest: Annotated[
        bool, typer.Option("--keep-newest", help="All but the newest: after a replacement.")
    ] = False,
) -> None:
    """Take a device's identities away; the broker refuses them from its next start on."""
    register, now = _opened(folder), utc_now()
    try:
        taken = register.revoke(_device_id(device), now, keep_newest)
        _write_list(folder, register, now)
    finally:
        register.close()
    typer.echo(
        f"{device}: {taken} identities taken away; copy {folder / 'devices-ca.crl'} to the broker "
        "and restart it"
    )


@app.command("refresh")
@plain_errors
def refresh_command(folder: _Folder) -> None:
    """Write the lists of revoked certificates anew before they expire: once a month, by a timer."""
    register, now = _opened(folder), utc_now()
    try:
        _write_list(folder, register, now)
    finally:
        register.close()
    for name in (_CLOUD, _CLAIMS):
        Authority(folder, name).write_list([], now)
    typer.echo(f"{folder}: three lists, good for a year; copy them to the broker and restart it")


def _write_list(folder: Path, register: Register, now: datetime) -> None:
    gone = [
        (each.serial, each.revoked_at)
        for each in register.identities()
        if each.revoked_at is not None and each.ends_at > now
    ]
    Authority(folder, _DEVICES).write_list(gone, now)


def _opened(folder: Path) -> Register:
    if not (folder / _SECRET_NAME).exists():
        raise DevicesError(
            f"{folder} holds no authorities; walkout-trainer devices init makes them"
        )
    return Register(folder)


def _device_id(device: str) -> str:
    try:
        return require_device_id(device)
    except DeliveryFormatError as err:
        raise DevicesError(str(err)) from err


def _state(given: Given, now: datetime) -> str:
    if given.revoked_at is not None:
        return "revoked"
    if given.ends_at <= now:
        return "over"
    return "good" if given.is_registered else "not taken up"


def _document(given: Given, now: datetime) -> dict[str, object]:
    return {
        "device_id": given.device_id,
        "serial": f"{given.serial:x}",
        "issued_at": given.issued_at.isoformat(),
        "ends_at": given.ends_at.isoformat(),
        "state": _state(given, now),
    }
