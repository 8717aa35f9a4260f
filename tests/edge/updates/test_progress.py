"""What a plan asks of a device, and what follows what."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, get_args

import pytest

from edge.updates.progress import (
    NEXT,
    RESTING,
    Counts,
    Progress,
    Quarantine,
    next_previous,
    wish,
)
from edge.updates.settings import WatchSettings
from edge.updates.watch import judge
from models.delivery import RolloutPlan, State


def plan(**fields: object) -> RolloutPlan:
    values: dict[str, Any] = {
        "category": "soda",
        "serial": 3,
        "stable": 4,
        "issued_at": datetime(2026, 1, 1, tzinfo=timezone.utc),
    }
    return RolloutPlan.model_validate({**values, **fields})


def failed(attempt: int = 0) -> Quarantine:
    return Quarantine(kind="watch", reason="it was bad", failures=1, attempt=attempt, at_s=0)


CANDIDATE = {"candidate": 5, "candidate_devices": ("dev",)}


@pytest.mark.parametrize(
    ("fields", "serving", "quarantined", "floor", "release", "urgent"),
    [
        ({}, None, {}, 0, 4, False),
        ({}, 4, {}, 0, None, False),
        (CANDIDATE, 4, {}, 0, 5, False),
        ({"candidate": 5}, 4, {}, 0, None, False),
        # In quarantine: stable instead, or stay.
        (CANDIDATE, 4, {5: failed()}, 0, None, False),
        (CANDIDATE, 3, {5: failed()}, 0, 4, False),
        # Another attempt was asked for, or was already made.
        ({**CANDIDATE, "retry": {"dev": 1}}, 4, {5: failed()}, 0, 5, False),
        ({**CANDIDATE, "retry": {"dev": 1}}, 4, {5: failed(1)}, 0, None, False),
        ({**CANDIDATE, "retry": {"other": 1}}, 4, {5: failed()}, 0, None, False),
        # Paused: who has it keeps it, nobody else takes it.
        ({**CANDIDATE, "paused": True}, 5, {}, 0, None, False),
        ({**CANDIDATE, "paused": True}, 4, {}, 0, None, False),
        # Aborted, and withdrawn.
        ({}, 5, {}, 0, 4, False),
        ({"withdrawn": (5,)}, 5, {}, 0, 4, True),
        ({"floor": 4}, 3, {}, 0, 4, True),
        # Nothing to go to: better stay than stop selling.
        ({"withdrawn": (5,)}, 5, {4: failed()}, 0, None, True),
        # A floor that was signed once holds, whatever a later plan says.
        ({}, 6, {}, 5, None, False),
        ({}, None, {}, 5, None, False),
    ],
)
def test_what_a_plan_asks_for(
    fields: dict[str, object],
    serving: int | None,
    quarantined: dict[int, Quarantine],
    floor: int,
    release: int | None,
    urgent: bool,
) -> None:
    found = wish(plan(**fields), "dev", serving, quarantined, floor)
    assert (found.release, found.urgent) == (release, urgent)
    assert found.reason


def test_every_state_rests_or_has_one_that_follows() -> None:
    assert set(get_args(State)) == {*NEXT, *RESTING}
    assert set(NEXT.values()) | {"noticed"} == set(get_args(State)) - {
        "idle",
        "rolled_back",
        "quarantined",
    }


@pytest.mark.parametrize(
    ("serving", "previous", "target", "fields", "kept"),
    [
        (4, 3, 5, {}, 4),
        (None, None, 1, {}, None),
        (5, 4, 6, {"proved": False}, 4),
        (5, 4, 4, {"urgent": True}, None),
        (5, 4, 6, {"urgent": True}, 4),
    ],
)
def test_what_is_rolled_back_to_has_proved_itself(
    serving: int | None,
    previous: int | None,
    target: int,
    fields: dict[str, object],
    kept: int | None,
) -> None:
    progress = Progress(target=target).model_copy(update=fields)
    assert next_previous(serving, previous, progress) == kept


GOOD = Counts(accepts=90, reviews=5, rejects=5)


@pytest.mark.parametrize(
    ("before", "since", "watched_s", "verdict", "words"),
    [
        (GOOD, GOOD, 10, "watching", "90% of 100 decisions accept, 90% did before"),
        (GOOD, GOOD, 100, "good", "watched for 100 s"),
        (GOOD, Counts(accepts=50, reviews=50), 10, "bad", "more than 15% less"),
        # So few that chance explains it, or that they are not compared at all.
        (GOOD, Counts(accepts=2, reviews=3), 10, "watching", "5 decisions"),
        (GOOD, Counts(accepts=22, reviews=9), 10, "watching", "71% of 31"),
        (Counts(), Counts(reviews=500), 100, "good", "too few to compare"),
        # Fallen surely, but by less than is borne.
        (
            Counts(accepts=9000, reviews=1000),
            Counts(accepts=8000, reviews=2000),
            10,
            "watching",
            "80% of 10000",
        ),
        (GOOD, Counts(accepts=90, errors=3), 10, "bad", "3 of 93 recognitions failed"),
        (GOOD, Counts(accepts=90, errors=2), 100, "good", "watched"),
        (GOOD, Counts(accepts=990, errors=10), 100, "good", "watched"),
        (GOOD, Counts(accepts=100), 10, "watching", "100%"),
    ],
)
def test_a_release_is_judged_by_what_it_does_in_the_shop(
    before: Counts, since: Counts, watched_s: float, verdict: str, words: str
) -> None:
    found, reason = judge(before, since, watched_s, WatchSettings(watch_s=100))
    assert (found, words in reason) == (verdict, True), reason
