"""What is next about a category: a situation in, the step and its reason out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from cloud_trainer.pipeline.plan import (
    RolloutStanding,
    Serving,
    Situation,
    Verified,
    is_on_its_way_out,
    next_steps,
)
from cloud_trainer.pipeline.seams import (
    STEPS,
    RunKind,
    RunProgress,
    RunStatus,
    StepName,
    StepProgress,
    StepStatus,
)
from cloud_trainer.pipeline.settings import Bounds

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
BOUNDS = Bounds()
SKUS = frozenset({"a", "b", "c", "d"})
SERVING = Serving(3, "7", SKUS, frozenset(), dict.fromkeys(SKUS, "1"))
CALM = Situation("soda", NOW, SERVING, approved=dict.fromkeys(SKUS, "1"))
DRIFTED = replace(CALM, verified=Verified(100, 50, 0.42, 50), crops_approved=60)


def a_run(
    kind: RunKind,
    at: StepName | None,
    *,
    status: RunStatus = "under_way",
    figures: Mapping[StepName, Mapping[str, object]] | None = None,
    attempts: int = 0,
    not_before: datetime | None = None,
    release: int | None = None,
    subject: str = "something",
    ended_at: datetime | None = None,
) -> RunProgress:
    """A run whose steps before ``at`` are done."""
    names = STEPS[kind]
    place = names.index(at) if at else len(names)
    steps = []
    for index, name in enumerate(names):
        state: StepStatus = "done" if index < place else "waiting"
        now = index == place
        steps.append(
            StepProgress(
                name=name,
                status="under_way" if now and attempts else state,
                reason="",
                attempts=1 if index < place else attempts * now,
                began_at=None,
                ended_at=None,
                not_before=not_before if now else None,
                figures=(figures or {}).get(name, {"base": 3} if name == "enrol" else {}),
            )
        )
    return RunProgress(
        number=9 if kind == "train" else 8,
        category="soda",
        kind=kind,
        status=status,
        reason="because",
        subject=subject,
        outcome="" if status == "under_way" else "it was so",
        began_at=NOW,
        ended_at=ended_at or (None if status == "under_way" else NOW - timedelta(days=30)),
        release=release,
        steps=tuple(steps),
    )


def test_what_is_approved_and_not_served_is_enrolled() -> None:
    enrol, train = next_steps(replace(CALM, approved={**CALM.approved, "e": "1"}), BOUNDS)
    assert (enrol.kind, enrol.reason) == ("begin", "e is approved and not yet served")
    assert train.kind == "wait"
    assert "within bounds" in train.reason


def test_another_edition_is_enrolled_and_a_refused_one_is_not_tried_again() -> None:
    changed = replace(CALM, approved={**CALM.approved, "a": "2"})
    assert next_steps(changed, BOUNDS)[0].kind == "begin"
    refused = replace(changed, refused=frozenset({("a", "2")}))
    assert next_steps(refused, BOUNDS)[0].reason == "everything approved is served"


def test_what_was_stopped_or_taken_back_is_not_begun_again_by_itself() -> None:
    """An operator who rolls a release back does not want it again a minute later."""
    wanted = replace(CALM, withdrawn=frozenset({"a"}))
    subject = next_steps(wanted, BOUNDS)[0].subject
    for status, words in (("stopped", "stopped: it was so"), ("done", "was taken back")):
        run = a_run("enrol", None, status=status, subject=subject, release=4)  # type: ignore[arg-type]
        following = next_steps(replace(wanted, enrol_run=run), BOUNDS)[0]
        assert following.kind == "wait"
        assert words in following.reason
    forgiven = replace(wanted, enrol_run=a_run("enrol", None, status="stopped", subject=""))
    assert next_steps(forgiven, BOUNDS)[0].kind == "begin"


def test_error_over_its_bound_on_verified_events_trains_with_its_figures_as_the_reason() -> None:
    train = next_steps(DRIFTED, BOUNDS)[1]
    assert train.kind == "begin"
    assert train.reason == (
        "error: 50 of 100 human-verified events are wrong, 42.0 % at the least; 20 % are borne"
    )


def test_too_few_events_or_an_error_that_chance_explains_trains_nothing() -> None:
    for verified in (Verified(49, 40, 0.7), Verified(60, 14, 0.15)):
        assert next_steps(replace(DRIFTED, verified=verified), BOUNDS)[1].kind == "wait"


def test_error_without_approved_crops_waits_for_a_person_and_says_so() -> None:
    unapproved = replace(DRIFTED, verified=Verified(100, 50, 0.42, 3), crops_waiting=97)
    train = next_steps(unapproved, BOUNDS)[1]
    assert train.kind == "wait"
    assert "only 3 of the wrong ones are approved" in train.reason
    assert "97 events wait for approval" in train.reason


def test_too_many_products_that_no_training_has_seen_train_the_category() -> None:
    many = frozenset("abcdefghijklmnopqrst")
    serving = Serving(3, "7+6", many, frozenset("abcdef"), dict.fromkeys(many, "1"))
    situation = replace(CALM, serving=serving, approved=dict.fromkeys(many, "1"))
    train = next_steps(situation, BOUNDS)[1]
    assert train.kind == "begin"
    assert train.reason.startswith("enrolled: 6 of 20 products were never in a training, 30 %")
    fewer = replace(situation, serving=replace(serving, enrolled=frozenset("abcd")))
    assert next_steps(fewer, BOUNDS)[1].kind == "wait"


def test_products_whose_photos_nobody_handed_in_are_not_lost_to_a_training() -> None:
    approved = {sku: "1" for sku in "abc"}
    train = next_steps(replace(DRIFTED, approved=approved), BOUNDS)[1]
    assert train.kind == "wait"
    assert "photos of d were never handed in" in train.reason


def test_a_training_that_brought_nothing_is_followed_by_another_only_with_fresh_events() -> None:
    stopped = a_run("train", None, status="stopped", figures={"gather": {"events": 50}})
    train = next_steps(replace(DRIFTED, train_run=stopped), BOUNDS)[1]
    assert "only 10 events were approved since (40 are needed" in train.reason
    more = replace(DRIFTED, train_run=stopped, crops_approved=95)
    assert next_steps(more, BOUNDS)[1].kind == "begin"
    just_ended = replace(stopped, ended_at=NOW - timedelta(hours=1))
    assert "only just ended" in next_steps(replace(more, train_run=just_ended), BOUNDS)[1].reason


def test_without_a_bundle_the_first_one_is_trained_and_nothing_enrolled() -> None:
    enrol, train = next_steps(Situation("soda", NOW, approved={"a": "1", "b": "1"}), BOUNDS)
    assert enrol.kind == "wait"
    assert (train.kind, train.reason) == ("begin", "no bundle serves yet")
    assert next_steps(Situation("soda", NOW, approved={"a": "1"}), BOUNDS)[1].kind == "wait"


def test_products_go_out_while_a_training_is_under_way() -> None:
    training = a_run("train", "train", attempts=1)
    wanted = replace(CALM, approved={**CALM.approved, "e": "1"}, train_run=training)
    enrol, train = next_steps(wanted, BOUNDS)
    assert (enrol.kind, train.kind, train.step) == ("begin", "step", "train")
    begun = replace(wanted, enrol_run=a_run("enrol", "enrol"))
    assert [each.step for each in next_steps(begun, BOUNDS)] == ["enrol", "train"]


def test_only_one_of_two_runs_is_on_its_way_out() -> None:
    going = replace(CALM, train_run=a_run("train", "examine"), enrol_run=a_run("enrol", "enrol"))
    enrol, train = next_steps(going, BOUNDS)
    assert (enrol.kind, train.step) == ("wait", "examine")
    assert "run 9 is on its way out" in enrol.reason
    other = replace(CALM, train_run=a_run("train", "enrol"), enrol_run=a_run("enrol", "gate"))
    enrol, train = next_steps(other, BOUNDS)
    assert (enrol.step, train.kind) == ("gate", "wait")


def test_a_trained_network_goes_before_an_enrolment_that_has_not_begun() -> None:
    """It takes the new products along."""
    both = replace(CALM, train_run=a_run("train", "enrol"), enrol_run=a_run("enrol", "enrol"))
    enrol, train = next_steps(both, BOUNDS)
    assert (enrol.kind, train.kind, train.step) == ("wait", "step", "enrol")


def test_nothing_goes_out_while_another_release_is_rolled_out() -> None:
    rollout = RolloutStanding(4, "paused", "2 devices failed")
    waiting = replace(CALM, enrol_run=a_run("enrol", "publish"), rollout=rollout)
    following = next_steps(waiting, BOUNDS)[0]
    assert (following.kind, following.reason) == ("wait", "release 4 is paused")
    own = replace(waiting, enrol_run=a_run("enrol", "roll_out", release=4))
    assert next_steps(own, BOUNDS)[0].step == "roll_out"


def test_what_was_made_on_a_release_that_serves_no_more_is_made_again() -> None:
    run = a_run("enrol", "publish", figures={"enrol": {"base": 2}})
    following = next_steps(replace(CALM, enrol_run=run), BOUNDS)[0]
    assert following.kind == "back"
    assert "release 3 serves by now, not 2" in following.reason


def test_a_step_that_failed_waits_for_its_time() -> None:
    later = NOW + timedelta(seconds=30)
    run = a_run("enrol", "publish", not_before=later)
    assert next_steps(replace(CALM, enrol_run=run), BOUNDS)[0].kind == "wait"
    assert next_steps(replace(CALM, enrol_run=run, now=later), BOUNDS)[0].step == "publish"


_RUNS = st.one_of(
    st.none(),
    st.builds(
        lambda step, attempts, base, release: (step, attempts, base, release),
        st.sampled_from(STEPS["train"]),
        st.integers(0, 2),
        st.sampled_from([None, 2, 3]),
        st.sampled_from([None, 3, 4]),
    ),
)


@given(
    approved=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("12"), max_size=8),
    withdrawn=st.frozensets(st.sampled_from("abcdefgh"), max_size=3),
    enrol=_RUNS,
    train=_RUNS,
    rollout=st.sampled_from([None, "rolling", "paused", "done", "taken_back"]),
    error=st.floats(0, 1),
    has_bundle=st.booleans(),
)
def test_in_any_situation_at_most_one_run_goes_out_and_every_answer_has_a_reason(
    approved: dict[str, str],
    withdrawn: frozenset[str],
    enrol: tuple[StepName, int, int | None, int | None] | None,
    train: tuple[StepName, int, int | None, int | None] | None,
    rollout: str | None,
    error: float,
    has_bundle: bool,
) -> None:
    def run(
        kind: RunKind, drawn: tuple[StepName, int, int | None, int | None] | None
    ) -> RunProgress | None:
        if drawn is None or drawn[0] not in STEPS[kind]:
            return None
        step, attempts, base, release = drawn
        figures: dict[StepName, Mapping[str, object]] = {"enrol": {"base": base}}
        return a_run(kind, step, attempts=attempts, figures=figures, release=release)

    situation = Situation(
        "soda",
        NOW,
        SERVING if has_bundle else None,
        approved,
        withdrawn,
        verified=Verified(80, round(80 * error), error, 40),
        crops_approved=60,
        enrol_run=run("enrol", enrol),
        train_run=run("train", train),
        rollout=RolloutStanding(5, rollout, "") if rollout else None,
    )
    steps = next_steps(situation, BOUNDS)
    assert all(each.reason for each in steps)
    assert all((each.kind == "step") == (each.step is not None) for each in steps)
    going = [each.step for each in steps if each.step not in (None, "gather", "train")]
    both = (situation.enrol_run, situation.train_run)
    if not all(map(is_on_its_way_out, both)):  # which cannot come about
        assert len(going) <= 1
    if rollout in ("rolling", "paused"):
        assert all(step == "roll_out" for step in going) or not going
