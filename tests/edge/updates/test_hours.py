from __future__ import annotations

from datetime import datetime, timezone

import pytest

from edge.updates.hours import parse_span, quiet_span


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2026-07-01T09:29", None),
        ("2026-07-01T09:30", "11:30-14:00"),  # summer time in Berlin is two hours ahead
        ("2026-07-01T12:00", None),
        ("2026-01-01T10:30", "11:30-14:00"),  # in winter it is one
        ("2026-01-01T09:30", None),
        ("2026-01-01T22:00", "23:00-01:00"),
        ("2026-01-01T23:59", "23:00-01:00"),
        ("2026-01-01T00:00", None),
    ],
)
def test_quiet_hours_are_those_of_the_shop(moment: str, found: str | None) -> None:
    assert quiet_span(("11:30-14:00", "23:00-01:00"), "Europe/Berlin", at(moment)) == found


@pytest.mark.parametrize("text", ["", "9-12", "24:00-25:00", "11:30 - 14:00", "11:60-12:00"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no span of a day"):
        parse_span(text)
