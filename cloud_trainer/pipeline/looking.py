"""How a category stands: what is wanted, what serves, how that does, what is under way.

Owns gathering a ``Situation`` from products, releases, rollouts, events and records, and saying it
to people. Decides nothing.
"""

from __future__ import annotations

from datetime import datetime

from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.examining import Examiner
from cloud_trainer.pipeline.making import relabelled
from cloud_trainer.pipeline.plan import (
    Next,
    RolloutStanding,
    Serving,
    Situation,
    Verified,
    is_on_its_way_out,
)
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.releases import LocalReleases
from cloud_trainer.pipeline.seams import ApprovedProduct, CategoryProgress, ProductsToDo
from cloud_trainer.pipeline.settings import PipelineSettings
from cloud_trainer.rollout.running import Rollouts


class Looker:
    """Looks at categories.

    Args:
        products: Keeps products.
        releases: What is published.
        rollouts: What devices are let have.
        records: What was written down.
        events: Labelled events.
        examiner: Puts events to the serving bundle.
        settings: What a person decided.
    """

    def __init__(
        self,
        products: ProductsToDo,
        releases: LocalReleases,
        rollouts: Rollouts,
        records: PipelineRecords,
        events: LabelledEvents,
        examiner: Examiner,
        settings: PipelineSettings,
    ) -> None:
        self._products, self._releases, self._rollouts = products, releases, rollouts
        self._records, self._events, self._settings = records, events, settings
        self._examiner = examiner
        self._verified: dict[str, tuple[tuple[object, ...], Verified]] = {}

    def wanted(self, category: str) -> tuple[tuple[ApprovedProduct, ...], frozenset[str]]:
        """Approved products without refused editions, and withdrawn SKUs."""
        approved = self._products.approved(category)
        refused = self._records.refusals(each.product.sku for each in approved)
        return (
            tuple(each for each in approved if (each.product.sku, each.edition) not in refused),
            frozenset(self._products.withdrawn(category)),
        )

    def situation(self, category: str, now: datetime) -> Situation:
        """Everything that the next step depends on.

        Raises:
            WalkoutTrainerError: Something cannot be read.
            BundleError: The serving bundle cannot be used.
        """
        approved, records = self._products.approved(category), self._records
        plan = self._releases.plan(category)
        serving = self._serving(category, plan.stable, approved) if plan else None
        counts = self._events.counts(category)
        has_rollouts = category in self._rollouts.categories()
        rollout = self._rollouts.overview(category).rollout if has_rollouts else None
        return Situation(
            category=category,
            now=now,
            serving=serving,
            approved={each.product.sku: each.edition for each in approved},
            withdrawn=frozenset(self._products.withdrawn(category)),
            refused=frozenset(records.refusals(each.product.sku for each in approved)),
            verified=self._measured(category, serving) if serving else Verified(),
            crops_approved=counts["approved"],
            crops_waiting=counts["waiting"],
            enrol_run=records.latest(category, "enrol"),
            train_run=records.latest(category, "train"),
            rollout=RolloutStanding(rollout.release, rollout.status, rollout.reason)
            if rollout
            else None,
        )

    def tell(self, situation: Situation) -> None:
        """Tell the keeper of products what serves, where it does not know yet."""
        serving, category = situation.serving, situation.category
        if serving is None or self._records.is_told(category, serving.release):
            return
        self._products.served(category, serving.release, serving.editions)
        self._records.tell(category, serving.release)

    def _serving(
        self, category: str, release: int, approved: tuple[ApprovedProduct, ...]
    ) -> Serving:
        bundle = self._releases.bundle(category, release)
        skus = frozenset(bundle.skus)
        held = self._records.held(category, release)
        # A product that a bundle made elsewhere already has is taken as it is.
        editions = {
            each.product.sku: each.edition for each in approved if each.product.sku in skus
        } | (held or {})
        if editions != held:
            self._records.hold(category, release, editions)
        return Serving(
            release=release,
            version=bundle.manifest.version,
            skus=skus,
            enrolled=frozenset(p.sku for p in bundle.manifest.products if p.enrolled),
            editions=editions,
            relabelled=relabelled(bundle, approved),
        )

    def _measured(self, category: str, serving: Serving) -> Verified:
        """How the serving bundle does on verified events; asked again once something changed."""
        events = self._events.to_measure(category, self._settings.newest_events)
        state = (serving.release, tuple((e.shop, e.event_id, e.sku, e.status) for e in events))
        known = self._verified.get(category)
        if known is not None and known[0] == state:
            return known[1]
        bundle = self._releases.bundle(category, serving.release)
        found = self._examiner.verified(bundle, events, self._settings.bounds.confidence)
        self._verified[category] = (state, found)
        return found


def progress_of(situation: Situation, steps: tuple[Next, Next]) -> CategoryProgress:
    """How a category stands, for people.

    Args:
        situation: Everything about it.
        steps: What is next for its two runs, from ``plan.next_steps``.
    """
    enrolment, training = steps
    serving = situation.serving
    under_way = [run for run in (situation.train_run, situation.enrol_run)
                 if run is not None and run.status == "under_way"]  # fmt: skip
    outgoing = next(filter(is_on_its_way_out, under_way), None)
    run = outgoing or next(iter(under_way), None)
    step = run.current if run else None
    doing = step.name if step else "waiting"
    if run is not None and step is not None:
        reason = f"run {run.number}, {run.reason}" + (f" ({step.reason})" if step.reason else "")
    else:
        reason = enrolment.reason
    return CategoryProgress(
        category=situation.category,
        release=serving.release if serving else None,
        bundle_version=serving.version if serving else None,
        products=len(serving.skus) if serving else 0,
        enrolled=len(serving.enrolled) if serving else 0,
        doing=doing,
        reason=reason,
        following=f"enrolment: {_words(enrolment)}; training: {_words(training)}",
        to_enrol=situation.to_enrol,
        to_withdraw=situation.to_withdraw,
        verified_wrong=situation.verified.wrong,
        verified_events=situation.verified.events,
        crops_waiting=situation.crops_waiting,
        looked_at=situation.now,
    )


def _words(following: Next) -> str:
    what = {"wait": "waits", "begin": "begins", "back": "goes back", "stop": "ends"}
    word = what.get(following.kind, following.step or "")
    return f"{word} ({following.reason})"
