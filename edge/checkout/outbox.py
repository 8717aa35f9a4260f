"""The outbox: messages that wait until their receiver has acknowledged them.

Owns which message may go next and how it ends. A message is written in the same transaction as the
ledger entries that cause it; it ends only on its receiver's own acknowledgement, or parked, with
the reason, when the receiver will never take it. Messages of one stream (a session) go in order.
Sending is ``delivering.py``'s business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from edge.checkout.ledger_file import LedgerFile
from edge.checkout.message import OutgoingMessage, Receiver
from edge.errors import CheckoutError


@dataclass(frozen=True)
class ParkedMessage:
    """A message that its receiver refused for good.

    Attributes:
        message: The message.
        reason: What the receiver said.
        parked_at_s: Wall time.
    """

    message: OutgoingMessage
    reason: str
    parked_at_s: float


@dataclass(frozen=True)
class OutboxCounts:
    """How many messages a receiver has in each state."""

    waiting: int
    acknowledged: int
    parked: int


def enqueue(connection: sqlite3.Connection, messages: Sequence[OutgoingMessage]) -> None:
    """Write messages within the transaction of the entries that cause them."""
    connection.executemany(
        "INSERT INTO outbox (message_id, receiver, stream, address, body) VALUES (?, ?, ?, ?, ?)",
        [(m.message_id, m.receiver, m.stream, m.address, m.body) for m in messages],
    )


class Outbox:
    """The outbox of an open ledger; safe to use from several threads.

    Args:
        file: The ledger's file.
    """

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def keep(self, message: OutgoingMessage) -> None:
        """Write a message that no entry causes; one that is there already stays as it is.

        Raises:
            LedgerError: It could not be written.
        """
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO outbox (message_id, receiver, stream, address, body)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    message.message_id,
                    message.receiver,
                    message.stream,
                    message.address,
                    message.body,
                ),
            )

    def drop(self, message_id: str) -> None:
        """Take a message out whose receiver has something better, the entry that it became.

        Raises:
            LedgerError: It could not be taken out.
        """
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM outbox WHERE message_id = ?", (message_id,))

    def next_messages(self, receiver: Receiver) -> tuple[OutgoingMessage, ...]:
        """The first waiting message of every stream of a receiver, oldest first."""
        rows = self._file.rows(
            "SELECT message_id, stream, address, body, MIN(place) AS first FROM outbox"
            " WHERE state = 'waiting' AND receiver = ? GROUP BY stream ORDER BY first",
            receiver,
        )
        return tuple(
            OutgoingMessage(str(message_id), receiver, str(stream), str(address), str(body))
            for message_id, stream, address, body, _ in rows
        )

    def acknowledge(self, message_id: str, at_s: float) -> None:
        """Its receiver has it.

        Args:
            message_id: The message.
            at_s: Wall time.
        """
        self._end(message_id, "acknowledged", None, at_s)

    def park(self, message_id: str, reason: str, at_s: float) -> None:
        """Its receiver will never take it; those behind it go on.

        Args:
            message_id: The message.
            reason: What the receiver said.
            at_s: Wall time.
        """
        self._end(message_id, "parked", reason, at_s)

    def send_again(self, message_id: str) -> None:
        """Let a parked message wait once more, after whatever was wrong has been put right.

        Raises:
            CheckoutError: No such message is parked.
        """
        with self._file.transaction() as connection:
            changed = connection.execute(
                "UPDATE outbox SET state = 'waiting', reason = NULL, ended_at_s = NULL"
                " WHERE message_id = ? AND state = 'parked'",
                (message_id,),
            ).rowcount
        if not changed:
            raise CheckoutError(f"no message {message_id} is parked; take its id from the list")

    def parked(self) -> tuple[ParkedMessage, ...]:
        """What waits for somebody to put something right, oldest first."""
        rows = self._file.rows(
            "SELECT message_id, receiver, stream, address, body, reason, ended_at_s FROM outbox"
            " WHERE state = 'parked' ORDER BY place"
        )
        return tuple(
            ParkedMessage(
                OutgoingMessage(
                    str(message_id),
                    cast(Receiver, receiver),
                    str(stream),
                    str(address),
                    str(body),
                ),
                str(reason),
                float(str(ended_at_s)),
            )
            for message_id, receiver, stream, address, body, reason, ended_at_s in rows
        )

    def counts(self, receiver: Receiver) -> OutboxCounts:
        """How many messages wait, are acknowledged and are parked."""
        rows = self._file.rows(
            "SELECT state, COUNT(*) FROM outbox WHERE receiver = ? GROUP BY state", receiver
        )
        by_state = {str(state): int(str(count)) for state, count in rows}
        return OutboxCounts(
            by_state.get("waiting", 0), by_state.get("acknowledged", 0), by_state.get("parked", 0)
        )

    def forget_acknowledged(self, before_s: float) -> int:
        """Drop messages acknowledged before a wall time; the ledger keeps what caused them."""
        with self._file.transaction() as connection:
            return connection.execute(
                "DELETE FROM outbox WHERE state = 'acknowledged' AND ended_at_s < ?", (before_s,)
            ).rowcount

    def _end(self, message_id: str, state: str, reason: str | None, at_s: float) -> None:
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET state = ?, reason = ?, ended_at_s = ?"
                " WHERE message_id = ? AND state = 'waiting'",
                (state, reason, at_s, message_id),
            )
