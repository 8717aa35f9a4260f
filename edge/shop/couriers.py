"""Who a shop's receipts and baskets are taken to, as its configuration says."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from edge.cameras.clock import Clock
from edge.checkout.delivering import Backoff, Courier, Delivery
from edge.checkout.message import Receiver
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox
from edge.checkout.till import TillAddress, TillCourier
from edge.config import BrokerSettings, StoreConfig
from edge.config_file import secret
from edge.errors import ConfigError
from edge.link.connection import Broker, tls_context
from edge.workers import Pulse


def make_couriers(
    config: StoreConfig, environment: Mapping[str, str], folder: Path
) -> dict[Receiver, Courier]:
    """A courier for every configured receiver.

    Args:
        config: The configuration.
        environment: Where secrets are looked up.
        folder: What paths in the configuration are relative to.

    Raises:
        ConfigError: A secret is missing.
        DeliveryError: An address cannot be one.
    """
    couriers: dict[Receiver, Courier] = {}
    if config.till is not None:
        token = secret(config.till.token_env, environment)
        couriers["till"] = TillCourier(TillAddress(config.till.url, token, config.till.timeout_s))
    if config.mqtt is not None:
        mqtt = config.mqtt
        couriers["mqtt"] = MqttCourier(
            broker_of(mqtt, environment, folder, client_id=mqtt.client_id, prefix=mqtt.prefix)
        )
    return couriers


def broker_of(
    settings: BrokerSettings,
    environment: Mapping[str, str],
    folder: Path,
    *,
    client_id: str,
    prefix: str,
) -> Broker:
    """A configured broker.

    Args:
        settings: Where it is.
        environment: Where its password is looked up.
        folder: What its certificates' paths are relative to.
        client_id: Who this device is there.
        prefix: What all topics begin with.

    Raises:
        ConfigError: The password is missing, or a certificate cannot be used.
    """
    return Broker(
        host=settings.host,
        port=settings.port,
        client_id=client_id,
        prefix=prefix,
        username=settings.username,
        password=secret(settings.password_env, environment),
        tls=_tls(settings, folder) if settings.tls else None,
        acknowledged_within_s=settings.acknowledged_within_s,
        reconnects_within_s=settings.reconnects_within_s,
    )


def _tls(settings: BrokerSettings, folder: Path) -> ssl.SSLContext:
    files = (settings.ca, settings.certificate, settings.key)
    try:
        return tls_context(*(None if each is None else folder / each for each in files))
    except OSError as err:  # whatever ssl says is one
        named = ", ".join(str(each) for each in files if each)
        raise ConfigError([f"{named}: cannot be used to speak to {settings.host}: {err}"]) from err


def delivery_body(
    outbox: Outbox,
    receiver: Receiver,
    courier: Courier,
    clock: Clock,
    backoff: Backoff | None = None,
) -> Callable[[Pulse], None]:
    """The life of the worker that empties the outbox of one receiver."""
    delivery = Delivery(
        outbox,
        receiver,
        courier,
        monotonic_s=clock.monotonic_s,
        wall_time_s=clock.wall_time_s,
        jitter=random.random,
        backoff=backoff,
    )

    def body(pulse: Pulse) -> None:
        with courier if isinstance(courier, MqttCourier) else nullcontext():
            delivery.run(pulse.stop)

    return body
