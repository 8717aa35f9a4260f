"""Options that commands about the fleet share: its record, the broker, the signed store.

Each may be given once as an environment variable instead, so that a person or a service sets up a
machine and then types short commands.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cloud_trainer.errors import BrokerError, WalkoutTrainerError
from cloud_trainer.fleet.link import BrokerAddress, FleetLink, Tls

_CONNECT_S = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8884}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

RecordsOption = Annotated[
    Path,
    typer.Option(envvar="WALKOUT_FLEET_RECORDS", help="File that keeps fleet and rollouts."),
]
StoreOption = Annotated[
    str,
    typer.Option(envvar="WALKOUT_STORE", help="Where releases lie: file:/folder or s3://bucket/x."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

DEFAULT_RECORDS = Path("fleet.sqlite")

_BrokerOption = Annotated[
    str | None,
    typer.Option(
        "--broker",
        envvar="WALKOUT_BROKER",
        help="mqtts://host:8884, or mqtt://host:1883 on a machine alone.",
    ),
]
_AuthorityOption = Annotated[
    Path | None,
    typer.Option("--ca", envvar="WALKOUT_BROKER_CA", help="Who signed the broker's certificate."),
]
_CertificateOption = Annotated[
    Path | None,
    typer.Option("--certificate", envvar="WALKOUT_CERTIFICATE", help="Our own certificate."),
]
_CertificateKeyOption = Annotated[
    Path | None,
    typer.Option("--certificate-key", envvar="WALKOUT_CERTIFICATE_KEY", help="Its key."),
]
_BROKER_OPTIONS = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
    for name, option in (
        ("broker", _BrokerOption),
        ("ca", _AuthorityOption),
        ("certificate", _CertificateOption),
        ("certificate_key", _CertificateKeyOption),
    )
)


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(timezone.utc)


def with_broker(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the broker; it takes the ``address`` that they make.

    Args:
        command: Takes ``address``, ``None`` where no broker is given.
    """
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def wrapped(
        *,
        broker: str | None,
        ca: Path | None,
        certificate: Path | None,
        certificate_key: Path | None,
        **others: object,
    ) -> None:
        address = broker_address(broker, ca, certificate, certificate_key) if broker else None
        command(**others, address=address)

    shown = [each for name, each in own.parameters.items() if name != "address"]
    # What typer makes options of.
    wrapped.__signature__ = own.replace(parameters=[*shown, *_BROKER_OPTIONS])  # type: ignore[attr-defined]
    return wrapped


def broker_address(
    broker: str,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
) -> BrokerAddress:
    """The broker that options name; our name there is nobody's in particular.

    Args:
        broker: Its address.
        ca: Who signed its certificate.
        certificate: Our own certificate.
        key: Its key.

    Raises:
        BrokerError: It is no such address.
    """
    parts = urlsplit(broker)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not port or not parts.hostname or parts.path.strip("/") or parts.scheme not in _PORTS:
        raise BrokerError(f"{broker!r} is no broker: give mqtts://host:8884 or mqtt://host:1883")
    if (certificate is None) != (key is None):
        raise BrokerError("a certificate and its key belong together; give both or none")
    tls = Tls(ca, certificate, key) if parts.scheme == "mqtts" else None
    return BrokerAddress(
        parts.hostname,
        port,
        f"walkout-trainer-{os.getpid()}",
        tls=tls,
        username=parts.username,
        password=parts.password,
    )


def required(address: BrokerAddress | None) -> BrokerAddress:
    """The broker, where a command cannot do without.

    Raises:
        BrokerError: None is given.
    """
    if address is None:
        raise BrokerError("no broker is named; give --broker mqtts://host:8884")
    return address


@contextmanager
def connected(address: BrokerAddress | None) -> Iterator[FleetLink | None]:
    """The broker, connected, where one is given.

    Raises:
        BrokerError: It is not to be reached, or does not let us in.
    """
    if address is None:
        yield None
        return
    with FleetLink(address, utc_now) as link:
        link.require_connected(_CONNECT_S)
        yield link


def seconds(text: str, option: str) -> float:
    """A duration such as ``90s``, ``15m``, ``2h`` or ``1d``, in seconds.

    Raises:
        WalkoutTrainerError: It is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text.strip())
    if not found:
        raise WalkoutTrainerError(f"{option}: {text!r} is no duration; write 90s, 15m, 2h or 1d")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def print_json(document: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def ago(then: datetime, now: datetime) -> str:
    """How long ago, for people."""
    seconds_ago = max(0.0, (now - then).total_seconds())
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds_ago >= 2 * size:
            return f"{seconds_ago / size:.0f} {unit} ago"
    return f"{seconds_ago:.0f} s ago"
