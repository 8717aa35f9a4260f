"""The hand-off to the till: requests over HTTP, one message each.

Owns the connection and what an answer means. The shape of requests is ``handoff.py``'s, when they
are repeated ``delivering.py``'s business.

Only the till's own word counts as acknowledgement: for a purchase an answer in JSON that holds its
``purchaseId``, for a refund an answer in JSON or without a body. A page from a proxy or a captive
portal is none, whatever its status. Answers that speak of the moment or of the device's own set-up
(wrong token, wrong address, too many requests) are tried again; other 4xx answers mean that the
till will never take the message.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from edge.checkout.delivering import ACKNOWLEDGED, Outcome
from edge.checkout.handoff import PURCHASES
from edge.checkout.message import OutgoingMessage
from edge.errors import DeliveryError

# Of the device's set-up or of the moment, not of the message (RFC 9110, RFC 6585, RFC 8470).
_TRY_AGAIN: Final = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 426, 429})
_LONGEST_ANSWER: Final = 1 << 20
_LONGEST_WAIT_S: Final = 3600.0


@dataclass(frozen=True)
class TillAddress:
    """Where the till listens and how it is spoken to.

    Attributes:
        url: Base address, such as ``https://till.example/connector``; paths are added to it.
        token: Bearer token; ``None`` sends none.
        timeout_s: For connecting and for every read.
        tls: Certificates to trust or present; ``None`` is the system's.
    """

    url: str
    token: str | None = None
    timeout_s: float = 5.0
    tls: ssl.SSLContext | None = None


class TillCourier:
    """Takes messages to a till over HTTP.

    Args:
        address: The till.

    Raises:
        DeliveryError: The address cannot be one of a till.
    """

    def __init__(self, address: TillAddress) -> None:
        parts = urlsplit(address.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise DeliveryError(
                f"{address.url!r} is no address of a till; write http(s)://host[:port][/path]"
            )
        try:
            self._port = parts.port
        except ValueError as err:
            raise DeliveryError(f"{address.url!r} has no port that exists: {err}") from err
        if address.token is not None and not (address.token.isascii() and address.token.strip()):
            raise DeliveryError("the till's token is empty or not ASCII; set it anew")
        self._address = address
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._path = parts.path.rstrip("/")

    def deliver(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, Outcome]:
        """Send each message once, one after the other; see ``delivering.Courier``.

        After a connection that failed the rest are not tried: they would wait for the same host.
        """
        outcomes: dict[str, Outcome] = {}
        for message in messages:
            try:
                outcomes[message.message_id] = self._send(message)
            except (OSError, http.client.HTTPException) as err:
                failed = Outcome("unavailable", f"{type(err).__name__}: {err}")
                untried = (m.message_id for m in messages if m.message_id not in outcomes)
                return outcomes | dict.fromkeys(untried, failed)
        return outcomes

    def _send(self, message: OutgoingMessage) -> Outcome:
        connection = self._connection()
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._address.token is not None:
                headers["Authorization"] = f"Bearer {self._address.token.strip()}"
            connection.request("POST", self._path + message.address, message.body.encode(), headers)
            answer = connection.getresponse()
            body = answer.read(_LONGEST_ANSWER)
            return _meaning(message, answer, body)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        timeout_s = self._address.timeout_s
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        context = self._address.tls or ssl.create_default_context()
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout_s, context=context
        )


def _meaning(message: OutgoingMessage, answer: http.client.HTTPResponse, body: bytes) -> Outcome:
    said = f"{answer.status} {answer.reason}: {body[:300].decode(errors='replace')}".strip(" :")
    if 200 <= answer.status < 300:
        if _acknowledges(message, body):
            return ACKNOWLEDGED
        return Outcome("unavailable", f"the answer is not the till's own: {said}")
    if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
        return Outcome("refused", said)
    return Outcome("unavailable", said, _retry_after_s(answer))


def _acknowledges(message: OutgoingMessage, body: bytes) -> bool:
    if message.address != PURCHASES and not body.strip():
        return True
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    if not isinstance(answer, dict):
        return False
    return message.address != PURCHASES or bool(answer.get("purchaseId"))


def _retry_after_s(answer: http.client.HTTPResponse) -> float:
    """Seconds that the answer asks to wait; 0 where it names none, or a date."""
    asked = answer.getheader("Retry-After", "").strip()
    return min(float(asked), _LONGEST_WAIT_S) if asked.isascii() and asked.isdigit() else 0.0
