"""How receipts and baskets travel to their receiver over MQTT: topics, envelope, answers. Pure.

::

    <prefix>/receipts/<session>    every version of a receipt
    <prefix>/baskets/<session>     the basket while the session goes on
    <prefix>/ack/<message id>      the receiver's answer

A broker's PUBACK says that the broker has a message, not that anybody keeps it. So a message is
sent again until its receiver answers, and the receiver knows it by its id when it comes twice. What
a receipt or basket says in itself is the sender's business.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final, Literal

from models.bundle.errors import excerpt
from models.delivery.errors import DeliveryFormatError, MessageTooLargeError
from models.delivery.wire import MAX_MESSAGE_BYTES

Kind = Literal["receipt", "basket"]

ENVELOPE_VERSION: Final = 1
_FOLDERS: Final[dict[str, Kind]] = {"receipts": "receipt", "baskets": "basket"}
# Percent-encoded, so that nothing in it means something in a topic.
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_.~%-]{1,400}")


class RefusedDeliveryError(DeliveryFormatError):
    """A message that its receiver will never take, whose sender can be told so.

    Args:
        prefix: Where the answer goes.
        message_id: Its id.
        reason: Why it is not taken.
    """

    def __init__(self, prefix: str, message_id: str, reason: str) -> None:
        super().__init__(reason)
        self.prefix = prefix
        self.message_id = message_id


@dataclass(frozen=True)
class Delivered:
    """A receipt or basket as it came in.

    Attributes:
        prefix: Begins its topic: whose it is.
        message_id: Its id; the same message has the same one, however often it comes.
        kind: What it holds.
        session: The session, as in its topic.
        body: The message, JSON.
    """

    prefix: str
    message_id: str
    kind: Kind
    session: str
    body: str

    @property
    def sha256(self) -> str:
        """Checksum of the message: an id that comes with another one is somebody's mistake."""
        return hashlib.sha256(self.body.encode()).hexdigest()


def subscriptions(prefix: str) -> tuple[str, ...]:
    """Topic filters for everything below a prefix, which may hold wildcards itself."""
    return tuple(f"{prefix}/{folder}/+" for folder in _FOLDERS)


def answer_topic(prefix: str, message_id: str) -> str:
    """Where a sender waits for the answer to a message."""
    return f"{prefix}/ack/{message_id}"


def acceptance() -> bytes:
    """The answer to a message that is kept."""
    return b'{"status":"accepted"}'


def refusal(reason: str) -> bytes:
    """The answer to a message that will never be taken.

    Args:
        reason: Why, for people.
    """
    return json.dumps({"status": "refused", "reason": excerpt(reason)}).encode()


def parse_delivery(topic: str, payload: bytes) -> Delivered:
    """Read a message.

    Raises:
        RefusedDeliveryError: It will never be acceptable, and its sender can be told.
        DeliveryFormatError: It is so broken that nobody can be told.
    """
    prefix, folder, session = _parts(topic)
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(f"{len(payload)} bytes on {topic[:120]!r} are not read")
    try:
        body = payload.decode("utf-8")
        document = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise DeliveryFormatError(f"no JSON on {topic[:120]!r}: {excerpt(err)}") from err
    message_id = document.get("message_id") if isinstance(document, dict) else None
    if not isinstance(message_id, str) or not _MESSAGE_ID.fullmatch(message_id):
        raise DeliveryFormatError(f"a message on {topic[:120]!r} has no usable message_id")
    kind = _FOLDERS[folder]
    if document.get("schema_version") != ENVELOPE_VERSION:
        raise RefusedDeliveryError(
            prefix,
            message_id,
            f"schema version {excerpt(document.get('schema_version'))} is not read here, "
            f"{ENVELOPE_VERSION} is; update the receiver",
        )
    if document.get("type") != kind or not isinstance(document.get(kind), dict):
        raise RefusedDeliveryError(prefix, message_id, f"it holds no {kind}, as its topic says")
    return Delivered(prefix, message_id, kind, session, body)


def _parts(topic: str) -> tuple[str, str, str]:
    parts = topic.rsplit("/", 2)
    if len(parts) != 3 or parts[1] not in _FOLDERS or not all(parts):
        raise DeliveryFormatError(f"{topic[:120]!r} is no topic of receipts or baskets")
    return parts[0], parts[1], parts[2]
