"""``walkout-edge provision``: an identity of the device's own, for a claim or for an older one."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final

import typer

from edge.cli.errors import complain, fail, plain_errors
from edge.provisioning.claim import ClaimFolder
from edge.provisioning.conversation import OWN_PREFIX, OWN_TEMPLATE, Door, door_of, obtain
from edge.provisioning.identity import AUTHORITY_NAME, CERTIFICATE_NAME, KEY_NAME, Identity
from edge.updates.files import write_whole

_BROKER_PORT: Final = 8883
_ROOT_NAME: Final = "root.json"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("provision")(provision)


@plain_errors
def provision(
    out: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", help="Folder of the device's identity."),
    ],
    claim: Annotated[
        Path | None,
        typer.Argument(
            metavar="CLAIM",
            help="Folder that walkout-trainer devices expect has made; without it, the identity "
            "that is there is renewed.",
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option("--broker", metavar="HOST[:PORT]", help="For renewing: the fleet's broker."),
    ] = None,
    renew_days: Annotated[
        float, typer.Option(min=0, help="A certificate that lasts longer is left as it is.")
    ] = 60.0,
    wait_s: Annotated[
        float, typer.Option("--wait", min=1, metavar="SECONDS", help="How long is tried.")
    ] = 120.0,
    again: Annotated[
        bool, typer.Option("--again", help="Even where there is an identity already.")
    ] = False,
) -> None:
    """Make a key on this device and have its identity signed; nothing happens where it has one.

    Ends with 0 where there is an identity afterwards, so it may run at every start.
    """
    if os.geteuid() != 0:
        os.umask(0o077)
    identity = Identity(out)
    if not again and not identity.is_due(datetime.now(timezone.utc), renew_days):
        typer.echo(f"{out} holds an identity already; nothing was done")
        return
    if claim is not None:
        folder = ClaimFolder(claim)
        device_id = folder.claim.device_id
        door = door_of(folder.claim, folder.ca, folder.certificate, folder.key)
        obtain(door, device_id, identity, wait_s, typer.echo)
        if (claim / _ROOT_NAME).exists():
            write_whole(out / _ROOT_NAME, (claim / _ROOT_NAME).read_bytes())
        if not folder.spend():
            complain(f"{folder.key} cannot be deleted; it is worth nothing now")
        return
    if broker is None or identity.certificate is None:
        fail("give the folder of a claim, or --broker to renew the identity that is there")
    host, _, port = broker.partition(":")
    held = identity.certificate
    device_id = str(held.subject.rfc4514_string()).removeprefix("CN=")
    door = Door(
        host,
        int(port) if port.isdigit() else _BROKER_PORT,
        device_id,
        out / AUTHORITY_NAME,
        out / CERTIFICATE_NAME,
        out / KEY_NAME,
        f"{OWN_PREFIX}/{device_id}",
        OWN_TEMPLATE,
    )
    obtain(door, device_id, identity, wait_s, typer.echo)
