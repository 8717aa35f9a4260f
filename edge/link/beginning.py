"""Several devices that play one recording begin together, on the hub's word.

Owns the agreement before anybody looks at a frame. The hub asks until every shelf device has
answered; from then on its questions carry the time of the recording, and the first of them tells a
shelf device where the recording is. A device that is started again joins where it is now.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from edge.cameras.clock import Clock
from edge.errors import LinkError
from edge.link.connection import Broker, Connection
from edge.link.messages import Answer, Ask

_LOGGER: Final = logging.getLogger(__name__)
_ASKS_EVERY_S: Final = 0.2


def gather(
    broker: Broker,
    devices: Sequence[str],
    *,
    clock: str,
    within_s: float,
    monotonic_s: Callable[[], float],
) -> tuple[str, ...]:
    """Wait for all shelf devices to be there; the hub's part.

    Args:
        broker: The shop's broker.
        devices: Their names.
        clock: Name of the recording's clock.
        within_s: How long to wait.
        monotonic_s: A clock that never jumps.

    Returns:
        Those that are not there.
    """
    missing = dict.fromkeys(devices)

    def hear(topic: str, payload: bytes) -> None:
        missing.pop(topic[len(broker.prefix) + 1 :].partition("/")[0], None)

    until_s = monotonic_s() + within_s
    ask = Ask(number=0, asked_at_s=0.0, clock=clock, begins=True).model_dump_json()
    with Connection(broker, [f"{broker.prefix}/+/answer"], hear) as connection:
        while missing and monotonic_s() < until_s:
            if connection.is_ready:
                for name in tuple(missing):
                    connection.publish(f"{broker.prefix}/{name}/ask", ask)
            time.sleep(_ASKS_EVERY_S)
    return tuple(missing)


def await_hub(
    broker: Broker,
    *,
    clock: str,
    device_clock: Clock,
) -> float:
    """Wait for the hub to begin; a shelf device's part.

    Args:
        broker: The shop's broker, its prefix this device's.
        clock: Name of the recording's clock.
        device_clock: The device's time.

    Returns:
        Second 0 of the recording on the device's monotonic clock.

    Raises:
        LinkError: The hub plays another recording.
    """
    zeros_s: list[float] = []
    others: list[str] = []
    heard = threading.Event()

    def hear(topic: str, payload: bytes) -> None:
        now_s = device_clock.monotonic_s()
        try:
            ask = Ask.model_validate_json(payload)
        except ValidationError:
            _LOGGER.exception("%s: this is no question", topic)
            return
        if ask.clock != clock:
            others.append(ask.clock)
            heard.set()
        elif ask.begins:
            answer = Answer(
                number=ask.number, clock=clock, received_at_s=0.0, answered_at_s=0.0, waiting=0
            )
            connection.publish(f"{broker.prefix}/answer", answer.model_dump_json())
        else:
            zeros_s.append(now_s - ask.asked_at_s)
            heard.set()

    connection = Connection(broker, [f"{broker.prefix}/ask"], hear)
    with connection:
        heard.wait()
    if others:
        raise LinkError(
            f"the hub plays {others[0]}, this device {clock}; give both the same store.yaml"
        )
    return zeros_s[0]
