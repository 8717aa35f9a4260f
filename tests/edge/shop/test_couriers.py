"""What a shop's broker is told to believe and show."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.config import BrokerSettings
from edge.errors import ConfigError
from edge.shop.couriers import broker_of


def test_without_tls_nothing_is_encrypted(tmp_path: Path) -> None:
    plain = BrokerSettings(host="broker")
    assert broker_of(plain, {}, tmp_path, client_id="a", prefix="p").tls is None


def test_with_tls_alone_the_system_is_trusted(tmp_path: Path) -> None:
    trusting = BrokerSettings(host="broker", tls=True)
    context = broker_of(trusting, {}, tmp_path, client_id="a", prefix="p").tls
    assert context is not None
    assert context.check_hostname


def test_a_certificate_that_is_not_there_or_none_is_named(tmp_path: Path) -> None:
    settings = BrokerSettings(host="broker", tls=True, ca=Path("ca.crt"))
    with pytest.raises(ConfigError, match="ca.crt"):
        broker_of(settings, {}, tmp_path, client_id="a", prefix="p")
    (tmp_path / "ca.crt").write_text("no certificate", encoding="utf-8")
    with pytest.raises(ConfigError, match="ca.crt"):
        broker_of(settings, {}, tmp_path, client_id="a", prefix="p")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tls": True, "certificate": "own.crt"}, "belong together"),
        ({"ca": "ca.crt"}, "tls: true"),
    ],
)
def test_certificates_that_would_not_be_used_are_refused(
    fields: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        BrokerSettings.model_validate({"host": "broker"} | fields)
