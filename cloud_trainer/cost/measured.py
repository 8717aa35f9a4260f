"""What the system measured of itself, put in the place of defaults. Pure.

Whoever edits a figure by hand keeps it: only figures that nobody named are replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloud_trainer.cost.assumptions import Assumptions

_MB: Final = 1e6
LEAST_DECISIONS: Final = 100
"""Fewer decisions say too little about a share."""


@dataclass(frozen=True)
class Measurements:
    """What is known of this fleet; ``None`` where nothing is.

    Attributes:
        decisions: Decisions of all devices since their last swaps.
        reviews: Of them, those sent to a person. They are recognitions: a line that is in doubt for
            another reason (who took it, how many) is not among them.
        product_bytes: What travels for a new product.
        network_bytes: What travels for a new network, mean of the published bundles.
        training_s: Seconds of a training, mean of the categories.
        enrolment_s: Seconds of the last enrolment.
        products: Products that are live.
        categories: Categories that are published.
        product_changes_per_week: Products approved or withdrawn.
    """

    decisions: int = 0
    reviews: int = 0
    product_bytes: float | None = None
    network_bytes: float | None = None
    training_s: float | None = None
    enrolment_s: float | None = None
    products: int | None = None
    categories: int | None = None
    product_changes_per_week: float | None = None


@dataclass(frozen=True)
class Begun:
    """Assumptions that measurements have been put into.

    Attributes:
        assumptions: The assumptions.
        sources: By path, who measured it, for the figures that were replaced.
    """

    assumptions: Assumptions
    sources: dict[str, str]


def begin(assumptions: Assumptions, measured: Measurements) -> Begun:
    """Put measurements in the place of figures that nobody named."""
    found: dict[str, tuple[float, str]] = {}
    if measured.decisions >= LEAST_DECISIONS:
        source = f"this fleet: {measured.reviews} of {measured.decisions} recognitions"
        found["accuracy.lines_in_review_share"] = (measured.reviews / measured.decisions, source)
    for path, value, scale, source in (
        ("cloud.product_bundle_mb", measured.product_bytes, _MB, "this portal's last release"),
        ("cloud.network_bundle_mb", measured.network_bytes, _MB, "this portal's bundles, mean"),
        ("cloud.training_minutes", measured.training_s, 60.0, "this portal's trainings, mean"),
        ("cloud.enrolment_minutes", measured.enrolment_s, 60.0, "this portal's last enrolment"),
        ("shop.products", measured.products, 1.0, "this portal's live products"),
        ("shop.categories", measured.categories, 1.0, "this portal's published categories"),
        (
            "shop.product_changes_per_week",
            measured.product_changes_per_week,
            1.0,
            "this portal: approved and withdrawn, four weeks",
        ),
    ):
        if value:
            found[path] = (value / scale, source)
    named = _named(assumptions)
    replaced = {path: each for path, each in found.items() if path not in named}
    for path, (value, _) in replaced.items():
        figure = assumptions.figure(path)
        within = min(figure.most, max(figure.least, value))
        assumptions = assumptions.having(path, int(within) if figure.whole else within)
    return Begun(assumptions, {path: source for path, (_, source) in replaced.items()})


def _named(assumptions: Assumptions) -> set[str]:
    """Paths of the figures that somebody gave."""
    return {
        f"{section}.{name}"
        for section, each in assumptions.sections().items()
        for name in each.model_fields_set
    }
