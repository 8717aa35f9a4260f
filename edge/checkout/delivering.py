"""Messages from the outbox to their receiver, again and again until it acknowledges them.

Owns when a message is tried again: after a time that doubles up to a minute, with jitter so that
devices which lost the same receiver do not come back in step ("equal jitter", Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015). The times live in memory: after a restart
everything is tried at once. How a message travels is a courier's business (``till.py``,
``mqtt.py``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from edge.checkout.message import OutgoingMessage, Receiver
from edge.checkout.outbox import Outbox
from edge.errors import LedgerError

_LOGGER = logging.getLogger(__name__)
_LOOK_AGAIN_S: Final = 0.2


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        kind: ``acknowledged`` by the receiver itself, ``refused`` for good, or ``unavailable``:
            not known to have arrived, try again.
        reason: In words; empty when acknowledged.
        retry_after_s: What the receiver asked to wait at least.
    """

    kind: Literal["acknowledged", "refused", "unavailable"]
    reason: str = ""
    retry_after_s: float = 0.0


ACKNOWLEDGED: Final = Outcome("acknowledged")


class Courier(Protocol):
    """Takes messages to one receiver."""

    def deliver(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, Outcome]:
        """Try each message once; never raises for what a receiver or network does.

        Args:
            messages: Of different streams, so they may travel side by side.

        Returns:
            The outcome by message id.
        """
        ...


@dataclass(frozen=True)
class Backoff:
    """How long to wait after failed attempts.

    Attributes:
        first_s: After the first.
        longest_s: At most.
    """

    first_s: float = 1.0
    longest_s: float = 60.0

    def wait_s(self, failures: int, jitter: float) -> float:
        """Wait after so many failures in a row, at least 1.

        Args:
            failures: Failed attempts.
            jitter: From 0 to 1; half of the wait is left to it.
        """
        # 2 ** 30 seconds is long past any longest wait, and larger powers overflow a float.
        full = min(self.first_s * 2.0 ** min(failures - 1, 30), self.longest_s)
        return full * (0.5 + 0.5 * jitter)


@dataclass
class _Attempts:
    failures: int = 0
    next_at_s: float = float("-inf")
    reason: str = ""


class Delivery:
    """Empties the outbox of one receiver. One thread runs it.

    Args:
        outbox: The outbox.
        receiver: Whose messages.
        courier: How they travel.
        monotonic_s: A clock that never jumps, for waits.
        wall_time_s: Seconds since 1970, kept beside what has ended.
        jitter: A source of numbers from 0 to 1.
        backoff: How long to wait.
    """

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver,
        courier: Courier,
        *,
        monotonic_s: Callable[[], float],
        wall_time_s: Callable[[], float],
        jitter: Callable[[], float],
        backoff: Backoff | None = None,
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._courier = courier
        self._monotonic_s = monotonic_s
        self._wall_time_s = wall_time_s
        self._jitter = jitter
        self._backoff = backoff or Backoff()
        self._attempts: dict[str, _Attempts] = {}

    @property
    def last_failures(self) -> Mapping[str, str]:
        """Why messages that wait have not arrived, by message id; for the status page."""
        return {name: attempts.reason for name, attempts in dict(self._attempts).items()}

    def deliver_due(self) -> int:
        """Try every message that is due, once.

        Returns:
            How many of them ended, so that those behind them may be due.

        Raises:
            LedgerError: The outbox could not be read or written; what arrived meanwhile is sent
                once more later, and its receiver knows it by its id.
        """
        waiting = self._outbox.next_messages(self._receiver)
        now_s = self._monotonic_s()
        due = [m for m in waiting if self._attempts_of(m).next_at_s <= now_s]
        if not due:
            return 0
        outcomes = self._courier.deliver(due)
        ended = 0
        for message in due:
            outcome = outcomes[message.message_id]
            if outcome.kind == "unavailable":
                self._postpone(message, outcome)
                continue
            if outcome.kind == "acknowledged":
                self._outbox.acknowledge(message.message_id, self._wall_time_s())
            else:
                _LOGGER.error(
                    "%s refused %s, it is parked: %s",
                    self._receiver,
                    message.message_id,
                    outcome.reason,
                )
                self._outbox.park(message.message_id, outcome.reason, self._wall_time_s())
            self._attempts.pop(message.message_id, None)
            ended += 1
        return ended

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop.

        Args:
            stop: Set by whoever started the thread.
        """
        while not stop.is_set():
            try:
                if self.deliver_due():
                    continue
            except LedgerError:
                _LOGGER.exception("the outbox of %s is not usable now", self._receiver)
                stop.wait(self._backoff.first_s)
            stop.wait(_LOOK_AGAIN_S)

    def _attempts_of(self, message: OutgoingMessage) -> _Attempts:
        return self._attempts.get(message.message_id, _Attempts())

    def _postpone(self, message: OutgoingMessage, outcome: Outcome) -> None:
        failures = self._attempts_of(message).failures + 1
        wait_s = max(self._backoff.wait_s(failures, self._jitter()), outcome.retry_after_s)
        self._attempts[message.message_id] = _Attempts(
            failures, self._monotonic_s() + wait_s, outcome.reason
        )
        _LOGGER.warning(
            "%s did not take %s (attempt %d, next in %.1f s): %s",
            self._receiver,
            message.message_id,
            failures,
            wait_s,
            outcome.reason,
        )
