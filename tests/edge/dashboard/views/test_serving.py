from __future__ import annotations

from datetime import datetime, timezone

from edge.dashboard.views.serving import STEPS, category_shape, without_updates
from edge.updates.progress import Quarantine
from models.bundle import Bundle
from models.delivery import CategoryStatus, FailureKind


def failed(kind: FailureKind, at_s: float, reason: str) -> Quarantine:
    return Quarantine(kind=kind, reason=reason, failures=1, attempt=0, at_s=at_s)


def test_an_update_shows_how_far_it_is(bundle: Bundle) -> None:
    status = CategoryStatus(
        category="dairy",
        serving_release=4,
        previous_release=3,
        state="shadowing",
        target_release=5,
        percent=40,
        reason="decides 200 events again",
        swapped_at=datetime(2026, 3, 2, 8, tzinfo=timezone.utc),
    )
    shown = category_shape(status, bundle, {})
    assert shown.step is not None
    assert shown.steps[shown.step] == "shadowing"
    assert shown.steps[-1] == "done"
    assert (shown.release, shown.target_release, shown.percent) == (4, 5, 40)
    assert shown.swapped_at == 1_772_438_400
    assert shown.serving is not None
    assert shown.serving.products == 6
    assert shown.rolled_back is None


def test_the_last_release_that_was_taken_back_is_named_with_its_reason(bundle: Bundle) -> None:
    status = CategoryStatus(category="dairy", serving_release=4, state="rolled_back")
    quarantined = {
        3: failed("watch", 100.0, "accepts fell by 20 points"),
        5: failed("start", 300.0, "it never kept running"),
        6: failed("self_test", 400.0, "golden crops differ"),
    }
    shown = category_shape(status, bundle, quarantined)
    assert [each.release for each in shown.failed] == [6, 5, 3]
    assert shown.rolled_back is not None
    assert (shown.rolled_back.release, shown.rolled_back.reason) == (5, "it never kept running")
    assert shown.step is None


def test_without_updates_the_bundle_of_the_configuration_serves(bundle: Bundle) -> None:
    shown = without_updates(bundle)
    assert (shown.category, shown.release, shown.state, shown.step) == ("dairy", None, "idle", None)
    assert shown.steps == STEPS
