"""What an evaluation says: queries with their decisions, shares with intervals, one document.

Owns how queries are counted. How they are formed and decided is ``cloud_trainer.evaluate``'s.
Intervals are exact binomial ones (Clopper-Pearson, 95 %) and treat queries as independent; photos
of one scene are not quite, so the truth may lie a little further.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

from cloud_trainer.inference import SetAside
from models.bundle import Bundle, NetworkKind
from models.catalogue import Photo
from models.decision import Decision

Origin = Literal["trained", "enrolled", "unknown"]

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """A counted share with its confidence interval.

    Attributes:
        count: Queries that have the property.
        of: Queries that were looked at.
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; ``None`` when nothing was looked at."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Clopper-Pearson interval, two-sided, 95 %; ``None`` when nothing was looked at."""
        if not self.of:
            return None
        tail, missing = (1 - _CONFIDENCE) / 2, self.of - self.count
        low = float(beta.ppf(tail, self.count, missing + 1)) if self.count else 0.0
        high = float(beta.ppf(1 - tail, self.count + 1, missing)) if missing else 1.0
        return low, high


@dataclass(frozen=True)
class Query:
    """One window of photos and what the bundle made of it.

    Attributes:
        photos: The pooled photos, consecutive ones of one product.
        origin: Whether the product was trained, enrolled without training, or is unknown.
        decision: The final decision with its numbers.
        embedding: Pooled unit embedding, shape ``(D,)``.
    """

    photos: tuple[Photo, ...]
    origin: Origin
    decision: Decision
    embedding: NDArray[np.float32] = field(compare=False, repr=False)

    @property
    def sku(self) -> str:
        """What the photos show."""
        return self.photos[0].sku

    @property
    def nearest(self) -> str:
        """Product with the nearest centroid."""
        return self.decision.candidates[0].sku

    @property
    def correct(self) -> bool:
        """Whether the nearest centroid is the right one."""
        return self.origin != "unknown" and self.nearest == self.sku

    @property
    def accepted_at_once(self) -> bool:
        """Whether TL accepted it."""
        return self.decision.outcome == "accept" and self.decision.stage == "at_once"

    @property
    def accepted_in_full(self) -> bool:
        """Whether the full check accepted it."""
        return self.decision.outcome == "accept" and self.decision.stage == "full_check"


@dataclass(frozen=True)
class Figures:
    """Counts over queries of known products.

    Attributes:
        queries: Number of queries.
        centroid_accuracy: Nearest centroid is the right product.
        top5_accuracy: The right product is among the five nearest centroids.
        decision_accuracy: Right among those that the rule settled without a person: accepted at
            once, accepted by the full check, or rejected (which is wrong for a known product).
        accepted: Accepted at once.
        accepted_error: Wrong among those accepted at once.
        full_check_accepted: Accepted by the full check, of all queries.
        full_check_error: Wrong among those accepted by the full check.
        rejected: Rejected.
        review: Left to a person.
    """

    queries: int
    centroid_accuracy: Share
    top5_accuracy: Share
    decision_accuracy: Share
    accepted: Share
    accepted_error: Share
    full_check_accepted: Share
    full_check_error: Share
    rejected: Share
    review: Share


@dataclass(frozen=True)
class Confusion:
    """A product that was nearest to queries of another.

    Attributes:
        sku: What the photos show.
        taken_for: Product with the nearest centroid.
        queries: The confused queries, the most confident first.
    """

    sku: str
    taken_for: str
    queries: tuple[Query, ...]


@dataclass(frozen=True)
class Latency:
    """Time from a decoded photo to a decision, one photo at a time.

    Attributes:
        photos: Number of photos timed.
        read_p50_ms: Reading and preparing a photo file, median.
        recognise_p50_ms: Embedding, matching and deciding, median.
        recognise_p95_ms: The same, 95th percentile.
        load_average: One-minute load of the machine meanwhile.
    """

    photos: int
    read_p50_ms: float
    recognise_p50_ms: float
    recognise_p95_ms: float
    load_average: float


@dataclass(frozen=True)
class Evaluation:
    """Everything measured in one run.

    Attributes:
        bundle: The bundle.
        precision: The network that was run.
        pool: Photos a query.
        photos: Usable photos of known products.
        unknown_photos: Usable photos of products that were never enrolled.
        queries: Every query, of known products first.
        sliding: Figures over windows that slide by one photo, trained and enrolled together.
        set_aside: Photos that could not be used.
        notices: What the reader should know about these figures.
        latency: Times.
    """

    bundle: Bundle
    precision: NetworkKind
    pool: int
    photos: int
    unknown_photos: int
    queries: tuple[Query, ...]
    sliding: Figures
    set_aside: tuple[SetAside, ...]
    notices: tuple[str, ...]
    latency: Latency | None

    @property
    def known(self) -> tuple[Query, ...]:
        """Queries of products that the bundle knows."""
        return tuple(query for query in self.queries if query.origin != "unknown")

    @property
    def unknown(self) -> tuple[Query, ...]:
        """Queries of products that were never enrolled."""
        return tuple(query for query in self.queries if query.origin == "unknown")

    @property
    def products(self) -> tuple[str, ...]:
        """SKUs of known products with at least one query."""
        return tuple(sorted({query.sku for query in self.known}))

    @property
    def unknown_auroc(self) -> float | None:
        """Probability that an unknown query is farther from all products than a known one is."""
        known = np.array([query.decision.distance for query in self.known])
        unknown = np.array([query.decision.distance for query in self.unknown])
        if not len(known) or not len(unknown):
            return None
        ranks = rankdata(np.concatenate([unknown, known]))[: len(unknown)]
        above = float(ranks.sum()) - len(unknown) * (len(unknown) + 1) / 2
        return above / (len(unknown) * len(known))

    @property
    def false_accept_rate(self) -> Share:
        """Queries of unknown products that were accepted, at once or by the full check."""
        accepted = sum(query.decision.outcome == "accept" for query in self.unknown)
        return Share(accepted, len(self.unknown))

    @property
    def false_reject_rate(self) -> Share:
        """Queries of known products that were rejected."""
        return figures(self.known).rejected

    @property
    def per_category(self) -> Mapping[str, Figures]:
        """Figures by the products' own categories, by name."""
        category = {p.sku: p.category for p in self.bundle.manifest.products}
        names = sorted({category[sku] for sku in self.products})
        return {name: figures(q for q in self.known if category[q.sku] == name) for name in names}

    @property
    def per_product(self) -> Mapping[str, Figures]:
        """Figures by SKU."""
        return {sku: figures(q for q in self.known if q.sku == sku) for sku in self.products}

    @property
    def confusions(self) -> tuple[Confusion, ...]:
        """What was taken for what, the most frequent first."""
        wrong = [query for query in self.known if not query.correct]
        pairs = Counter((query.sku, query.nearest) for query in wrong)
        return tuple(
            Confusion(
                sku,
                taken_for,
                tuple(
                    sorted(
                        (q for q in wrong if (q.sku, q.nearest) == (sku, taken_for)),
                        key=lambda query: query.decision.gated,
                    )
                ),
            )
            for (sku, taken_for), _ in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
        )


def figures(queries: Iterable[Query]) -> Figures:
    """Count over queries of known products."""
    known = list(queries)
    at_once = [query for query in known if query.accepted_at_once]
    in_full = [query for query in known if query.accepted_in_full]
    rejected = [query for query in known if query.decision.outcome == "reject"]
    right = sum(query.correct for query in known)
    among_five = sum(query.sku in [c.sku for c in query.decision.candidates] for query in known)
    settled_right = sum(query.correct for query in at_once + in_full)
    settled = len(at_once) + len(in_full) + len(rejected)
    return Figures(
        queries=len(known),
        centroid_accuracy=Share(right, len(known)),
        top5_accuracy=Share(among_five, len(known)),
        decision_accuracy=Share(settled_right, settled),
        accepted=Share(len(at_once), len(known)),
        accepted_error=Share(sum(not query.correct for query in at_once), len(at_once)),
        full_check_accepted=Share(len(in_full), len(known)),
        full_check_error=Share(sum(not query.correct for query in in_full), len(in_full)),
        rejected=Share(len(rejected), len(known)),
        review=Share(len(known) - settled, len(known)),
    )


def document(evaluation: Evaluation) -> dict[str, object]:
    """The evaluation as one JSON document; ``null`` where something cannot be measured."""
    overall = figures(evaluation.known)
    measured = {**_shares(overall), "false_accept_rate": evaluation.false_accept_rate,
                "false_reject_rate": evaluation.false_reject_rate}  # fmt: skip
    manifest, latency = evaluation.bundle.manifest, evaluation.latency
    return {
        "bundle": {
            "path": str(evaluation.bundle.path),
            "category": manifest.category,
            "version": manifest.version,
            "space_id": manifest.space_id,
            "precision": evaluation.precision,
        },
        "pool": evaluation.pool,
        "photos": evaluation.photos,
        "unknown_photos": evaluation.unknown_photos,
        "products": len(evaluation.products),
        "queries": overall.queries,
        "unknown_queries": len(evaluation.unknown),
        **{name: share.value for name, share in measured.items()},
        "unknown_auroc": evaluation.unknown_auroc,
        "intervals": {name: share.interval for name, share in measured.items()},
        "trained": _plain(figures(q for q in evaluation.known if q.origin == "trained")),
        "enrolled": _plain(figures(q for q in evaluation.known if q.origin == "enrolled")),
        "sliding": _plain(evaluation.sliding),
        "per_category": {name: _plain(of) for name, of in evaluation.per_category.items()},
        "confusions": [
            {
                "sku": confusion.sku,
                "taken_for": confusion.taken_for,
                "count": len(confusion.queries),
                "photos": [str(p.path) for query in confusion.queries for p in query.photos],
            }
            for confusion in evaluation.confusions
        ],
        "latency": None
        if latency is None
        else {
            "photos": latency.photos,
            "read_p50_ms": latency.read_p50_ms,
            "recognise_p50_ms": latency.recognise_p50_ms,
            "recognise_p95_ms": latency.recognise_p95_ms,
            "load_average": latency.load_average,
        },
        "set_aside": [
            {"photo": str(entry.photo.path), "reason": entry.reason}
            for entry in evaluation.set_aside
        ],
        "notices": list(evaluation.notices),
    }


def _shares(of: Figures) -> dict[str, Share]:
    return {
        "centroid_accuracy": of.centroid_accuracy,
        "top5_accuracy": of.top5_accuracy,
        "decision_accuracy": of.decision_accuracy,
        "accepted_share": of.accepted,
        "accepted_error": of.accepted_error,
        "full_check_accepted_share": of.full_check_accepted,
        "full_check_error": of.full_check_error,
        "rejected_share": of.rejected,
        "review_share": of.review,
    }


def _plain(of: Figures) -> dict[str, object]:
    shares = _shares(of)
    return {
        "queries": of.queries,
        **{name: share.value for name, share in shares.items()},
        "intervals": {name: share.interval for name, share in shares.items()},
    }
