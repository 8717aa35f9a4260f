"""The steps at which a bundle is compared with the serving one, and let through or stopped.

Owns which queries are put to both and what becomes of products that do harm; the rule itself is
``comparing``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from cloud_trainer.pipeline.comparing import (
    Compared,
    Difference,
    TrainedFor,
    compare,
    may_enrol,
    may_replace,
    strangers,
)
from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.examining import Examiner, Seen, own_photos, taken_by
from cloud_trainer.pipeline.making import Gathered, held_out_events, held_out_photos
from cloud_trainer.pipeline.plan import BY_ERROR
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.releases import LocalReleases
from cloud_trainer.pipeline.seams import LabelledCrops, ProductsToDo
from cloud_trainer.pipeline.settings import ComparisonRule, PipelineSettings
from cloud_trainer.pipeline.steps import photos_of, refuse
from cloud_trainer.pipeline.work import Result, Work
from models.bundle import open_bundle
from models.catalogue import Photo


def examine_step(
    work: Work,
    products: ProductsToDo,
    events: LabelledEvents,
    releases: LocalReleases,
    examiner: Examiner,
    settings: PipelineSettings,
) -> Result:
    """Put the same photos and events to the bundle that is to go out and to the serving one.

    Raises:
        BundleError: A bundle cannot be read.
        PublishingError: The serving one is damaged.
    """
    new = open_bundle(work.bundle_path)
    own = own_photos(new, work.enrolled)
    if work.serving is None:
        return Result("done", "there is no bundle to compare with", {"own": own})
    old = releases.bundle(work.run.category, work.serving.release)
    both = (set(old.skus) & set(new.skus)) - set(work.enrolled)
    photos, verified = _queries(work, both, products, events, settings)
    rule = settings.rule
    figures: dict[str, object] = {"own": own}
    words, taken = [], dict.fromkeys(work.enrolled, 0)
    for name, before, after in (
        ("photos", examiner.photos(old, photos), examiner.photos(new, photos)),
        ("events", examiner.events(old, verified), examiner.events(new, verified)),
    ):
        compared = _compared(before, after, rule, in_groups=work.run.kind == "train")
        figures[name] = asdict(compared) if compared else None
        figures[f"{name}_asked"] = len(before)
        words.append(f"{name}: {compared.right.words() if compared else len(before)}")
        for sku, count in taken_by(before, after, work.enrolled).items():
            taken[sku] += count
    return Result("done", "; ".join(words), figures | {"taken": taken})


def gate_step(
    work: Work, products: ProductsToDo, records: PipelineRecords, rule: ComparisonRule
) -> Result:
    """Let a bundle through, or stop it with the reasons.

    Products that do not know themselves, and the one that takes most from others where others
    suffer, are refused: the next run goes without them.
    """
    step = work.run.step("examine")
    figures: Mapping[str, Any] = step.figures if step else {}
    photos, events = _read(figures.get("photos")), _read(figures.get("events"))
    own = {sku: (right, of) for sku, (right, of) in figures.get("own", {}).items()}
    if work.run.kind == "train" and work.serving is not None:
        by: TrainedFor = "events" if work.run.reason.startswith(BY_ERROR) else "photos"
        verdict = may_replace(photos, events, by, rule)
    else:
        verdict = may_enrol(photos, events, own, rule)
    reasons = "; ".join(verdict.reasons) or "nothing to compare with, nothing against it"
    if verdict.passes:
        return Result("done", reasons, {"reasons": list(verdict.reasons)})
    if work.run.kind == "enrol":
        refuse(_at_fault(own, figures.get("taken", {}), rule), work, products, records)
    return Result("stopped", reasons)


def _at_fault(
    own: Mapping[str, tuple[int, int]], taken: Mapping[str, int], rule: ComparisonRule
) -> dict[str, str]:
    """Which products a stopped bundle is better without, with the reasons."""
    strange = {
        sku: (
            f"only {own[sku][0]} of its {own[sku][1]} photos are recognised by the others: it "
            "looks too much like other products, or the photos show different things; hand in "
            "more photos, or have the category trained"
        )
        for sku in strangers(own, rule)
    }
    worst = max(taken, key=lambda sku: taken[sku], default=None)
    if strange or worst is None or not taken[worst]:
        return strange
    return {
        worst: (
            f"{taken[worst]} photos and events of other products are taken for it: it looks too "
            "much like them; have the category trained, or let shelves tell them apart"
        )
    }


def _queries(
    work: Work,
    both: set[str],
    products: ProductsToDo,
    events: LabelledEvents,
    settings: PipelineSettings,
) -> tuple[list[Photo], list[LabelledCrops]]:
    """Photos and events of products that both bundles have, and that neither learned from."""
    approved = events.approved(work.run.category)
    held_out: Sequence[Photo]
    if work.run.kind == "train":
        held_out = Gathered.read(work.folder).held_out
        approved = held_out_events(approved, settings)
    else:
        known = [each for each in work.approved if each.product.sku in both]
        skus = [each.product.sku for each in known]
        held_out = held_out_photos(skus, photos_of(products, known), settings)
    return (
        [photo for photo in held_out if photo.sku in both],
        [event for event in approved if event.sku is None or event.sku in both],
    )


def _compared(
    before: Mapping[str, Seen], after: Mapping[str, Seen], rule: ComparisonRule, *, in_groups: bool
) -> Compared | None:
    names = [name for name in before if name in after]
    if len(names) < rule.least_queries:
        return None
    # What a new product takes, it takes from one or two others: over groups of queries that never
    # shows, as the others are well.
    groups = [before[name].sight.group if in_groups else name for name in names]
    return compare(
        groups,
        [before[name].sight for name in names],
        [after[name].sight for name in names],
        rule.confidence,
    )


def _read(written: object) -> Compared | None:
    """What ``asdict`` made of a comparison."""
    if written is None:
        return None
    parts = cast(dict[str, dict[str, Any]], written)
    return Compared(**{name: Difference(**part) for name, part in parts.items()})
