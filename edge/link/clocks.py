"""How far a device's clock is from the shop's, and how sure that is. Pure.

Every device stamps what it sees with its own monotonic clock. The hub asks, the device answers, and
four times of such an exchange bound the offset between the two clocks: the answer was given after
the question was asked and before it was heard, however long each way took (Mills, RFC 5905,
section 8). What an exchange says wears off with the time that lies between it and the moment in
question, because clocks drift; of all exchanges the one that says most is used, as NTP's clock
filter does. Wall clocks take no part: they jump.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

# Crystals are within 50 ppm, and the system may slew each clock while it sets it.
_DRIFT: Final = 3e-4
_REMEMBERED: Final = 600


@dataclass(frozen=True)
class Exchange:
    """A question and its answer.

    Attributes:
        asked_at_s: On the shop's clock.
        received_at_s: When the question came, on the device's clock.
        answered_at_s: When the answer went, on the device's clock.
        heard_at_s: On the shop's clock.
    """

    asked_at_s: float
    received_at_s: float
    answered_at_s: float
    heard_at_s: float

    @property
    def offset_s(self) -> float:
        """What must be added to the device's time to get the shop's."""
        there = self.asked_at_s - self.received_at_s
        back = self.heard_at_s - self.answered_at_s
        return (there + back) / 2

    @property
    def error_s(self) -> float:
        """The offset is wrong by this much at most, at the moment of the exchange."""
        away_s = (self.heard_at_s - self.asked_at_s) - (self.answered_at_s - self.received_at_s)
        return max(0.0, away_s) / 2


@dataclass(frozen=True)
class ShopTime:
    """A moment on the shop's clock.

    Attributes:
        at_s: The moment.
        error_s: It may be wrong by this much at most.
    """

    at_s: float
    error_s: float


class DeviceClock:
    """What the hub knows about one device's clock.

    Args:
        shop_clock: Name of the shop's clock; a clock of the same name is the same clock.
    """

    def __init__(self, shop_clock: str) -> None:
        self._shop_clock = shop_clock
        self._clock: str | None = None
        self._exchanges: deque[Exchange] = deque(maxlen=_REMEMBERED)

    def add(self, clock: str, exchange: Exchange) -> None:
        """Learn from an exchange.

        Args:
            clock: Name of the device's clock; a new name is another clock, of which nothing is
                known from before.
            exchange: The exchange.
        """
        if clock != self._clock:
            self._clock = clock
            self._exchanges.clear()
        self._exchanges.append(exchange)

    def shop_time(self, clock: str, at_s: float) -> ShopTime | None:
        """A moment of the device on the shop's clock; ``None`` when nothing is known of its clock.

        Args:
            clock: Name of the clock that the moment was taken from.
            at_s: The moment on it.
        """
        if clock == self._shop_clock:
            return ShopTime(at_s, 0.0)
        if clock != self._clock or not self._exchanges:
            return None

        def error_s(exchange: Exchange) -> float:
            return exchange.error_s + _DRIFT * abs(at_s - exchange.answered_at_s)

        best = min(self._exchanges, key=error_s)
        return ShopTime(at_s + best.offset_s, error_s(best))
