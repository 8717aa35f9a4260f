"""Spans of the shop's day in which updates leave the device alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timezone
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Span:
    """Part of a day; one that ends before it begins goes over midnight.

    Attributes:
        begins: First moment that belongs to it.
        ends: First moment that does not.
    """

    begins: time
    ends: time

    def holds(self, moment: time) -> bool:
        """Whether a moment of the day lies within."""
        if self.begins <= self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends


def parse_span(text: str) -> Span:
    """Read a span such as ``11:30-14:00``.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if found is None:
        raise ValueError(f"{text!r} is no span of a day; write it like 11:30-14:00")
    begins_h, begins_min, ends_h, ends_min = (int(number) for number in found.groups())
    return Span(time(begins_h, begins_min), time(ends_h, ends_min))


def quiet_span(spans: Sequence[str], zone: str, wall_time_s: float) -> str | None:
    """The span that now belongs to, if any.

    Args:
        spans: Spans as they are written.
        zone: IANA name of the shop's zone.
        wall_time_s: Seconds since 1970.
    """
    local = datetime.fromtimestamp(wall_time_s, timezone.utc).astimezone(ZoneInfo(zone)).time()
    return next((text for text in spans if parse_span(text).holds(local)), None)
