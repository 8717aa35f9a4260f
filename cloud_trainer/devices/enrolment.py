"""What a device that asks for an identity is answered. No network in it.

The questions and answers are those of AWS IoT's fleet provisioning
(https://docs.aws.amazon.com/iot/latest/developerguide/fleet-provision-api.html). Who asks is what
the broker has read in their certificate: a claim's name is ``claim.<device>``, a device's its own.
So a claim opens one identity and no other, until it is over or spent, and a device renews its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud_trainer.devices.authority import Authority
from cloud_trainer.devices.register import Given, Register
from models.delivery import DeliveryFormatError, require_device_id

PREFIX: Final = "claim/v1"
TEMPLATE: Final = "device"
CLAIM: Final = "claim."
CREATE: Final = "certificates/create-from-csr/json"
PROVISION: Final = f"provisioning-templates/{TEMPLATE}/provision/json"
QUESTIONS: Final = (f"{PREFIX}/+/{CREATE}", f"{PREFIX}/+/{PROVISION}")
LASTS: Final = timedelta(days=825)
_LONGEST: Final = 16 * 1024


class _Refused(Exception):
    """A question that is not answered as asked; its text says why."""


@dataclass(frozen=True)
class Answer:
    """What is answered.

    Attributes:
        topic: Where.
        content: What.
        words: For the log.
    """

    topic: str
    content: bytes
    words: str


class Enrolment:
    """Answers questions; one thread calls it.

    Args:
        authority: Signs devices.
        register: Who is expected, and what was given.
        secret: By which it knows its own ownership tokens again.
        lasts: How long an identity is good.
    """

    def __init__(
        self, authority: Authority, register: Register, secret: bytes, lasts: timedelta = LASTS
    ) -> None:
        self._authority = authority
        self._register = register
        self._secret = secret
        self._lasts = lasts

    def answer(self, topic: str, content: bytes, now: datetime) -> Answer | None:
        """Answer a question; ``None`` where it is none.

        Args:
            topic: Where it was asked.
            content: What.
            now: The time.

        Raises:
            RecordError: It cannot be remembered; nothing is answered.
        """
        name, question = _taken_apart(topic)
        asked: Callable[[str, dict[str, Any], datetime], tuple[dict[str, Any], str]]
        if question == CREATE:
            asked = self._create
        elif question == PROVISION:
            asked = self._provision
        else:
            return None
        try:
            found, words = asked(name, _document(content), now)
        except _Refused as err:
            refusal = {"statusCode": 403, "errorCode": "Refused", "errorMessage": str(err)}
            return Answer(f"{topic}/rejected", json.dumps(refusal).encode(), f"{name}: {err}")
        return Answer(f"{topic}/accepted", json.dumps(found).encode(), words)

    def _create(
        self, name: str, asked: dict[str, Any], now: datetime
    ) -> tuple[dict[str, Any], str]:
        device_id = _device_of(name)
        request, public = _request(asked)
        names = [each.value for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [device_id]:
            raise _Refused(f"{name} may ask for the identity {device_id} and no other")
        sha256 = hashlib.sha256(
            public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).hexdigest()
        by_claim = name.startswith(CLAIM)
        # An answer that was lost: the same key may ask again, though the claim is spent.
        known = self._register.holds_key(device_id, sha256)
        if by_claim and not known and not self._register.is_expected(device_id, now):
            raise _Refused(
                f"{device_id} is not expected, or its claim is over or spent; "
                "walkout-trainer devices expect"
            )
        issued = self._authority.issue(device_id, public, now, self._lasts)
        self._register.give(
            Given(
                issued.serial_number,
                device_id,
                sha256,
                now,
                issued.not_valid_after_utc,
                is_registered=False,
                revoked_at=None,
            )
        )
        serial = f"{issued.serial_number:x}"
        found = {
            "certificateId": serial,
            "certificatePem": issued.public_bytes(serialization.Encoding.PEM).decode(),
            "certificateOwnershipToken": f"{serial}.{self._token(serial, device_id)}",
        }
        return found, f"{name}: identity {device_id} signed, serial {serial}"

    def _provision(
        self, name: str, asked: dict[str, Any], now: datetime
    ) -> tuple[dict[str, Any], str]:
        device_id = _device_of(name)
        serial, _, token = str(asked.get("certificateOwnershipToken", "")).partition(".")
        try:
            number = int(serial, 16)
        except ValueError:
            number = -1
        if number < 0 or not hmac.compare_digest(token, self._token(serial, device_id)):
            raise _Refused("this is no ownership token of yours")
        if not self._register.register(number, device_id):
            raise _Refused("this identity was taken away again")
        return {"thingName": device_id, "deviceConfiguration": {}}, f"{device_id} is registered"

    def _token(self, serial: str, device_id: str) -> str:
        words = f"{serial} {device_id}".encode()
        return hmac.new(self._secret, words, hashlib.sha256).hexdigest()


def _taken_apart(topic: str) -> tuple[str, str]:
    rest = topic.removeprefix(f"{PREFIX}/")
    name, _, question = rest.partition("/")
    return (name, question) if rest != topic else ("", "")


def _device_of(name: str) -> str:
    try:
        return require_device_id(name.removeprefix(CLAIM))
    except DeliveryFormatError as err:
        raise _Refused(f"{name[:80]!r} is neither a claim nor a device") from err


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content) if len(content) <= _LONGEST else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _Refused("this is no question")
    return found


def _request(
    asked: dict[str, Any],
) -> tuple[x509.CertificateSigningRequest, ec.EllipticCurvePublicKey]:
    try:
        request = x509.load_pem_x509_csr(str(asked["certificateSigningRequest"]).encode())
        signed = request.is_signature_valid
    except (LookupError, ValueError, TypeError) as err:
        raise _Refused("this is no certificate signing request") from err
    public = request.public_key()
    if not signed:
        raise _Refused("the signing request is not signed by its own key")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise _Refused("keys are on the curve P-256")
    return request, public
