"""The cloud's receiver of receipts and baskets: keeps each once, and answers when it has it.

Owns the order that makes a delivery one: commit first, answer then. Killed in between, it gets the
message again, knows it by its id, and answers again. Whoever sends does not stop before the answer
(``edge/checkout``), so nothing is lost, and nothing is counted twice.

Messages wait in a bounded queue; what finds no room is left, and its sender comes again. They are
written many at a time: one commit costs the same for one as for five hundred.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_trainer.errors import BrokerError, RecordError
from cloud_trainer.fleet.link import BrokerAddress, NetworkLoop, make_client
from cloud_trainer.record_file import RecordFile
from models.delivery import DeliveryFormatError
from models.delivery_receipts import (
    Delivered,
    Kind,
    RefusedDeliveryError,
    acceptance,
    answer_topic,
    parse_delivery,
    refusal,
    subscriptions,
)

_LOGGER = logging.getLogger(__name__)
_APPLICATION_ID: Final = 0x574C4B52  # "WLKR"
_VERSION: Final = 1
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS messages (
        place INTEGER PRIMARY KEY,
        prefix TEXT NOT NULL,
        message_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        session TEXT NOT NULL,
        body TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        received_at_s REAL NOT NULL,
        times INTEGER NOT NULL DEFAULT 1,
        UNIQUE (prefix, message_id)
    );
    CREATE INDEX IF NOT EXISTS messages_by_session ON messages (prefix, session, place)
"""
_QOS: Final = 1
_ROOM: Final = 10_000
_AT_ONCE: Final = 500
_LOOK_AGAIN_S: Final = 0.2
_AFTER_TROUBLE_S: Final = 1.0


@dataclass(frozen=True)
class Answer:
    """What a sender is told.

    Attributes:
        topic: Where.
        content: What.
    """

    topic: str
    content: bytes


@dataclass(frozen=True)
class ReceivedCounts:
    """What is kept.

    Attributes:
        messages: Messages, each counted once.
        repeats: How often one came again.
    """

    messages: int
    repeats: int


class ReceivedMessages:
    """Messages in a record file, each once.

    Args:
        path: The file; it is made where there is none.

    Raises:
        RecordError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.file = RecordFile(
            path, application_id=_APPLICATION_ID, version=_VERSION, schema=_SCHEMA
        )

    def keep(self, messages: Sequence[Delivered], received_at_s: float) -> tuple[Answer, ...]:
        """Write messages down in one transaction.

        Args:
            messages: As they came; the same one may be among them twice.
            received_at_s: Wall time.

        Returns:
            The answer to each, in order: what is kept is on the disk by now.

        Raises:
            RecordError: Nothing was written; nobody is to be answered.
        """
        answers = []
        with self.file.transaction() as connection:
            for message in messages:
                changed = connection.execute(
                    "INSERT INTO messages"
                    " (prefix, message_id, kind, session, body, sha256, received_at_s)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (prefix, message_id) DO UPDATE SET times = times + 1"
                    " WHERE sha256 = excluded.sha256",
                    (
                        message.prefix,
                        message.message_id,
                        message.kind,
                        message.session,
                        message.body,
                        message.sha256,
                        received_at_s,
                    ),
                ).rowcount
                content = acceptance()
                if not changed:
                    content = refusal("a message of this id is kept, and it says something else")
                answers.append(Answer(answer_topic(message.prefix, message.message_id), content))
        return tuple(answers)

    def counts(self, prefix: str | None = None) -> ReceivedCounts:
        """How much is kept, of everybody or of one."""
        ((messages, times),) = self.file.rows(
            "SELECT COUNT(*), COALESCE(SUM(times), 0) FROM messages WHERE prefix = ? OR ? IS NULL",
            (prefix, prefix),
        )
        kept = int(str(messages))
        return ReceivedCounts(kept, int(str(times)) - kept)

    def bodies(self, prefix: str, kind: Kind) -> dict[str, str]:
        """Messages of one sender and kind by id, in the order in which they first came."""
        rows = self.file.rows(
            "SELECT message_id, body FROM messages WHERE prefix = ? AND kind = ? ORDER BY place",
            (prefix, kind),
        )
        return {str(message_id): str(body) for message_id, body in rows}

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Receiver:
    """Takes messages from the broker until told to stop. One thread calls ``run``.

    Args:
        kept: Where messages are kept.
        broker: The broker.
        prefix: What the senders' topics begin with, such as ``walkout/+``.
        wall_time_s: Seconds since 1970.

    Attributes:
        left: Messages that were not taken and not answered.

    Raises:
        BrokerError: A certificate or key cannot be used, or the prefix begins no topic.
    """

    def __init__(
        self,
        kept: ReceivedMessages,
        broker: BrokerAddress,
        prefix: str,
        wall_time_s: Callable[[], float],
    ) -> None:
        if not prefix or "#" in prefix or prefix.endswith("/"):
            raise BrokerError(f"{prefix!r} begins no topic; write a prefix such as walkout/+")
        self._kept = kept
        self._host = broker.host
        self._filters = subscriptions(prefix)
        self._wall_time_s = wall_time_s
        self._arrived: queue.Queue[Delivered] = queue.Queue(_ROOM)
        self._client = make_client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._loop = NetworkLoop(self._client, broker)
        self.left = 0

    def run(self, stop: threading.Event) -> None:
        """Receive until told to stop.

        Args:
            stop: Set by whoever wants it to end.
        """
        self._loop.start()
        try:
            while not stop.is_set():
                batch = self._next_batch()
                if not batch:
                    continue
                try:
                    answers = self._kept.keep(batch, self._wall_time_s())
                except RecordError:
                    _LOGGER.exception("%d messages are not kept; they will come again", len(batch))
                    stop.wait(_AFTER_TROUBLE_S)
                    continue
                for answer in answers:
                    self._client.publish(answer.topic, answer.content, _QOS)
        finally:
            self._loop.stop()

    def _next_batch(self) -> list[Delivered]:
        batch: list[Delivered] = []
        try:
            batch.append(self._arrived.get(timeout=_LOOK_AGAIN_S))
            while len(batch) < _AT_ONCE:
                batch.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _LOGGER.error("broker %s refused the connection: %s", self._host, reason)
            return
        client.subscribe([(each, _QOS) for each in self._filters])

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        message_number: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            _LOGGER.error("broker %s does not let us hear %s", self._host, self._filters)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _LOGGER.warning("broker %s is gone: %s", self._host, reason)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        try:
            self._arrived.put_nowait(parse_delivery(message.topic, bytes(message.payload)))
        except RefusedDeliveryError as err:
            _LOGGER.warning("%s is refused: %s", err.message_id, err)
            client.publish(answer_topic(err.prefix, err.message_id), refusal(str(err)), _QOS)
        except DeliveryFormatError as err:
            self.left += 1
            _LOGGER.warning("a message is left: %s", err)
        except queue.Full:
            self.left += 1
