"""The exchange of a claim for an identity, over MQTT: fleet provisioning by claim.

Two questions, each with one answer, in the words of AWS IoT's MQTT API
(https://docs.aws.amazon.com/iot/latest/developerguide/fleet-provision-api.html): a certificate for
this signing request; then the registration of whoever owns that certificate. Walkout's own enroller
(``walkout-trainer devices enrol``) answers the same questions below ``claim/v1/<name>`` instead of
``$aws``, where <name> is the one in the certificate that the connection was made with.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.errors import ProvisioningError
from edge.link.connection import Broker, Connection, tls_context
from edge.provisioning.claim import Claim
from edge.provisioning.identity import Identity

OWN_PREFIX: Final = "claim/v1"
OWN_TEMPLATE: Final = "device"
_LONGEST_ANSWER: Final = 64 * 1024
_ASKED_AGAIN_AFTER_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.2


@dataclass(frozen=True)
class Door:
    """Where is asked, and as whom.

    Attributes:
        host: The broker's name.
        port: Its port.
        client_id: Our name at the broker.
        ca: Who signed the broker's certificate.
        certificate: What we show.
        key: Its key.
        prefix: What topics begin with.
        template: Name of the provisioning template.
    """

    host: str
    port: int
    client_id: str
    ca: Path
    certificate: Path
    key: Path
    prefix: str
    template: str


def door_of(claim: Claim, ca: Path, certificate: Path, key: Path) -> Door:
    """Where a claim asks."""
    own = claim.dialect == "walkout"
    return Door(
        claim.host,
        claim.port,
        claim.client_id,
        ca,
        certificate,
        key,
        f"{OWN_PREFIX}/{claim.client_id}" if own else "$aws",
        OWN_TEMPLATE if claim.template is None else claim.template,
    )


def obtain(
    door: Door,
    device_id: str,
    identity: Identity,
    within_s: float,
    say: Callable[[str], None] = lambda words: None,
) -> None:
    """Ask for an identity, and keep it.

    Args:
        door: Where.
        device_id: The identity asked for.
        identity: Where it is kept.
        within_s: How long is tried; a broker that is away is waited for.
        say: Told how it goes.

    Raises:
        ProvisioningError: It was refused, or nobody answered in time.
    """
    create = f"{door.prefix}/certificates/create-from-csr/json"
    register = f"{door.prefix}/provisioning-templates/{door.template}/provision/json"
    try:
        tls = tls_context(door.ca, door.certificate, door.key)
        authority = door.ca.read_bytes()
    except OSError as err:
        raise ProvisioningError(f"the claim cannot be used: {err}; have another one made") from err
    broker = Broker(door.host, door.port, client_id=door.client_id, tls=tls)
    until_s = time.monotonic() + within_s
    answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
    topics = [f"{asked}/{how}" for asked in (create, register) for how in ("accepted", "rejected")]
    with Connection(broker, topics, lambda topic, body: answers.put((topic, body))) as connection:
        say(f"asking {door.host}:{door.port} for the identity {device_id}")
        request = {"certificateSigningRequest": identity.request(device_id).decode()}
        issued = _ask(connection, answers, create, request, until_s)
        owner = {
            "certificateOwnershipToken": str(issued.get("certificateOwnershipToken", "")),
            "parameters": {"SerialNumber": device_id},
        }
        registered = _ask(connection, answers, register, owner, until_s)
    if registered.get("thingName") != device_id:
        raise ProvisioningError(
            f"the identity came as {str(registered.get('thingName'))[:80]!r} and not as "
            f"{device_id}; correct the provisioning template"
        )
    certificate = str(issued.get("certificatePem", "")).encode()
    held = identity.accept(device_id, certificate, authority)
    say(f"{device_id} has its identity, until {held.not_valid_after_utc:%Y-%m-%d}")


def _ask(
    connection: Connection,
    answers: queue.Queue[tuple[str, bytes]],
    topic: str,
    question: dict[str, Any],
    until_s: float,
) -> dict[str, Any]:
    """Ask again and again until somebody answers."""
    asked_at_s = float("-inf")
    while (now_s := time.monotonic()) < until_s:
        if connection.is_ready and now_s - asked_at_s >= _ASKED_AGAIN_AFTER_S:
            connection.publish(topic, json.dumps(question))
            asked_at_s = now_s
        try:
            answered, body = answers.get(timeout=_LOOK_AGAIN_S)
        except queue.Empty:
            continue
        if answered == f"{topic}/accepted":
            return _document(body)
        if answered == f"{topic}/rejected":
            found = _document(body)
            words = str(found.get("errorMessage", "no reason is given"))[:300]
            raise ProvisioningError(f"the identity was refused: {words}")
    raise ProvisioningError(
        "nobody answered; see that the broker is reached, that the claim is not over, that this "
        "device's clock is right, and that the enroller runs"
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body[:_LONGEST_ANSWER])
    except ValueError as err:
        raise ProvisioningError(f"the answer cannot be read: {err}") from err
    if not isinstance(found, dict):
        raise ProvisioningError("the answer is none")
    return found
