from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.checkout.handoff import PURCHASES, REFUND
from edge.checkout.message import OutgoingMessage
from edge.checkout.till import TillAddress, TillCourier
from edge.errors import DeliveryError
from tests.edge.checkout.tills import DROP, Till, open_till

PURCHASE = OutgoingMessage("m-1", "till", "s", PURCHASES, '{"requestId":"r-1","näme":"tea"}')
REFUNDED = OutgoingMessage("m-2", "till", "s", REFUND, '{"refundRequestId":"r-2"}')


@pytest.fixture
def till() -> Iterator[Till]:
    with open_till() as till:
        yield till


def test_a_purchase_arrives_as_json_with_the_token(till: Till) -> None:
    courier = TillCourier(TillAddress(f"{till.url}/connector/", token="s3cret\n"))
    assert courier.deliver([PURCHASE])["m-1"].kind == "acknowledged"
    ((path, headers, body),) = till.heard
    assert path == "/connector/v1/order/purchases"
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Content-Type"] == "application/json"
    assert body == {"requestId": "r-1", "näme": "tea"}


@pytest.mark.parametrize(
    ("message", "status", "answer", "kind"),
    [
        (PURCHASE, 201, b'{"purchaseId": "p"}', "acknowledged"),
        (PURCHASE, 200, b'{"purchaseId": "p", "more": 1}', "acknowledged"),
        (PURCHASE, 200, b"", "unavailable"),
        (PURCHASE, 200, b"<html>Welcome to our Wi-Fi</html>", "unavailable"),
        (PURCHASE, 200, b'{"purchaseId": ""}', "unavailable"),
        (PURCHASE, 200, b"[]", "unavailable"),
        (REFUNDED, 200, b"", "acknowledged"),
        (REFUNDED, 200, b"{}", "acknowledged"),
        (REFUNDED, 200, b"<html>Welcome to our Wi-Fi</html>", "unavailable"),
        (PURCHASE, 400, b'{"message": "unknown SKU"}', "refused"),
        (PURCHASE, 409, b"", "refused"),
        (PURCHASE, 422, b"", "refused"),
        (PURCHASE, 401, b"", "unavailable"),
        (PURCHASE, 403, b"", "unavailable"),
        (PURCHASE, 404, b"", "unavailable"),
        (PURCHASE, 429, b"", "unavailable"),
        (PURCHASE, 302, b"", "unavailable"),
        (PURCHASE, 500, b"", "unavailable"),
        (PURCHASE, 503, b"", "unavailable"),
        (PURCHASE, DROP, b"", "unavailable"),
    ],
)
def test_only_the_tills_own_word_counts(
    till: Till, message: OutgoingMessage, status: int, answer: bytes, kind: str
) -> None:
    till.answer = lambda path, body: (status, answer)
    outcome = TillCourier(TillAddress(till.url)).deliver([message])[message.message_id]
    assert outcome.kind == kind
    if kind == "refused":
        assert str(status) in outcome.reason


def test_a_till_that_asks_for_time_is_heard(till: Till) -> None:
    till.answer = lambda path, body: (429, b"")
    till.headers = {"Retry-After": "17"}
    outcome = TillCourier(TillAddress(till.url)).deliver([PURCHASE])["m-1"]
    assert outcome.retry_after_s == 17.0
    till.headers = {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}
    outcome = TillCourier(TillAddress(till.url)).deliver([PURCHASE])["m-1"]
    assert outcome.retry_after_s == 0.0


def test_one_refused_message_does_not_keep_the_others(till: Till) -> None:
    till.answer = lambda path, body: (400, b"") if path == PURCHASES else (200, b"")
    outcomes = TillCourier(TillAddress(till.url)).deliver([PURCHASE, REFUNDED])
    assert [outcomes[name].kind for name in ("m-1", "m-2")] == ["refused", "acknowledged"]


def test_a_till_that_does_not_listen_or_does_not_answer_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        courier = TillCourier(TillAddress(url, timeout_s=0.05))
        outcomes = courier.deliver([PURCHASE, REFUNDED])
        assert {outcome.kind for outcome in outcomes.values()} == {"unavailable"}
        assert "timed out" in outcomes["m-1"].reason
    outcomes = courier.deliver([PURCHASE, REFUNDED])
    assert "ConnectionRefusedError" in outcomes["m-2"].reason


@pytest.mark.parametrize(
    "url", ["till.example", "ftp://till.example", "http://", "http://till:99999", "http://t?a=b"]
)
def test_an_address_that_cannot_be_one_of_a_till_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"till|port"):
        TillCourier(TillAddress(url))


@pytest.mark.parametrize("token", ["", " \n", "tökén"])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(DeliveryError, match="token is empty or not ASCII"):
        TillCourier(TillAddress("https://till.example", token=token))


def test_a_till_with_a_certificate_that_is_not_trusted_hears_nothing(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    with open_till(served) as till:
        outcome = TillCourier(TillAddress(till.url)).deliver([PURCHASE])["m-1"]
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.reason
        assert till.heard == []
        trusting = ssl.create_default_context(cafile=str(certificate))
        outcome = TillCourier(TillAddress(till.url, tls=trusting)).deliver([PURCHASE])["m-1"]
        assert outcome.kind == "acknowledged"
