"""How products look to the network that serves: their likeness, and what it costs in confusions.

Owns the index of looks, one an embedding space, held in memory and filled from the database. What
makes a product's vectors is ``cloud_trainer.enrol``'s business, how thresholds decide
``models.decision``'s. Without a published release of a category nothing is said about likeness.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.enrol import confusion_reach, photo_views
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession
from cloud_trainer.portal.views.products import ConfusionCost
from models.bundle import Bundle, BundleError
from models.decision import Candidate, Thresholds, decide_at_once, pool
from models.delivery import DeliveryFormatError, RolloutPlan

_LOGGER: Final = logging.getLogger(__name__)
_PLAN_KEPT_S: Final = 15.0

Vector = NDArray[np.float32]


class Releases(Protocol):
    """Published releases; ``cloud_trainer.pipeline.releases.LocalReleases`` has them."""

    def plan(self, category: str) -> RolloutPlan | None:
        """What devices may run; ``None`` before the first release."""
        ...

    def bundle(self, category: str, release: int) -> Bundle:
        """A release as a bundle."""
        ...


@dataclass(frozen=True)
class Seen:
    """How a photo looks.

    Attributes:
        space: The embedding space.
        vector: Unit length, shape ``(D,)``.
    """

    space: str
    vector: Vector

    def kept(self) -> bytes:
        """As it is kept: half precision."""
        return self.vector.astype(np.float16).tobytes()


@dataclass(frozen=True)
class Near:
    """Another product and how far it is."""

    sku: str
    distance: float
    is_confusing: bool


def read_vector(kept: bytes) -> Vector:
    """A vector that ``Seen.kept`` wrote, unit length."""
    vector = np.frombuffer(kept, np.float16).astype(np.float32)
    unit: Vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit


class LookIndex:
    """Mean looks of products in one space; from any thread."""

    def __init__(self, looks: Sequence[tuple[str, Vector]], dimension: int) -> None:
        self._turn = threading.Lock()
        self._rows = {sku: row for row, (sku, _) in enumerate(looks)}
        self._skus = [sku for sku, _ in looks]
        self._matrix = np.zeros((max(64, len(looks) * 2), dimension), np.float32)
        for row, (_, vector) in enumerate(looks):
            self._matrix[row] = vector

    def put(self, sku: str, vector: Vector | None) -> None:
        """Keep how a product looks; ``None`` takes it away."""
        with self._turn:
            row = self._rows.get(sku)
            if row is None:
                if vector is None:
                    return
                row = self._rows[sku] = len(self._skus)
                self._skus.append(sku)
                if row == len(self._matrix):
                    self._matrix = np.vstack([self._matrix, np.zeros_like(self._matrix)])
            # Without a look a product is far from everything: all of its vector is zero.
            self._matrix[row] = 0.0 if vector is None else vector

    def nearest(self, vector: Vector, but: str, count: int) -> list[tuple[str, float]]:
        """Products whose looks are nearest, the product itself left out, nearest first."""
        with self._turn:
            size = len(self._skus)
            if not size:
                return []
            distances = 1.0 - self._matrix[:size] @ vector
            distances[~self._matrix[:size].any(axis=1)] = np.inf
            own = self._rows.get(but)
            if own is not None:
                distances[own] = np.inf
            wanted = min(count, size)
            rows = np.argpartition(distances, wanted - 1)[:wanted]
            rows = rows[np.argsort(distances[rows], kind="stable")]
            return [
                (self._skus[row], float(distances[row]))
                for row in rows
                if np.isfinite(distances[row])
            ]


class Looks:
    """How products look to what serves; from any thread.

    Args:
        releases: Published releases.
        kept: Mean looks of a space that are on record.
        monotonic_s: A clock that never jumps.
    """

    def __init__(
        self,
        releases: Releases,
        kept: Callable[[str], Sequence[tuple[str, bytes]]],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._releases = releases
        self._kept = kept
        self._monotonic_s = monotonic_s
        self._turn = threading.RLock()
        self._serving: dict[str, tuple[float, Bundle | None]] = {}
        self._sessions: dict[str, NetworkSession] = {}
        self._indexes: dict[str, LookIndex] = {}

    def serving(self, category: str) -> Bundle | None:
        """What every device may run of a category; ``None`` where there is none to be had."""
        with self._turn:
            now_s = self._monotonic_s()
            known = self._serving.get(category)
            if known is not None and now_s - known[0] < _PLAN_KEPT_S:
                return known[1]
            try:
                plan = self._releases.plan(category)
                bundle = None if plan is None else self._releases.bundle(category, plan.stable)
            except (WalkoutTrainerError, BundleError, DeliveryFormatError) as err:
                _LOGGER.warning("what serves %s cannot be read: %s", category, err)
                bundle = None if known is None else known[1]
            self._serving[category] = (now_s, bundle)
            return bundle

    def see(self, category: str, pixels: NDArray[np.uint8]) -> Seen | None:
        """How a photo looks to what serves its category, as an enrolment would see it.

        Args:
            category: The category.
            pixels: Shape ``(H, W, 3)``, uint8 BGR.
        """
        bundle = self.serving(category)
        if bundle is None:
            return None
        views = photo_views(pixels, bundle.manifest.preprocessing)
        space = bundle.manifest.space_id
        return Seen(space, pool(self._session(bundle).embed(views)))

    def nearest(self, category: str, vector: Vector, but: str, count: int = 4) -> list[Near]:
        """Products that look like this to what serves a category, nearest first.

        Both those of the portal and those that the bundle came with are looked at.

        Args:
            category: The category.
            vector: A look in its space.
            but: The product that it is of.
            count: So many at most.
        """
        bundle = self.serving(category)
        if bundle is None:
            return []
        found = dict(self._index(bundle).nearest(vector, but, count))
        distances = 1.0 - bundle.vectors.centroids @ vector
        for row in np.argsort(distances)[: count + 1]:
            sku = bundle.skus[row]
            if sku != but:
                found.setdefault(sku, float(distances[row]))
        reach = confusion_reach(bundle.manifest.thresholds)
        ordered = sorted(found.items(), key=lambda each: each[1])[:count]
        return [Near(sku, distance, distance <= reach) for sku, distance in ordered]

    def put(self, space: str, sku: str, vector: Vector | None) -> None:
        """A product looks like this now, or like nothing."""
        with self._turn:
            for known, index in self._indexes.items():
                index.put(sku, vector if known == space else None)

    def cost(
        self, category: str, own: Sequence[Vector], others: Sequence[Vector], sku: str, other: str
    ) -> ConfusionCost | None:
        """What it costs to tell a product from another, on the product's photos.

        Every photo is left out once, the product made of the others, and the photo decided: without
        the other product, and with it. The serving bundle's other products are there both times.

        Args:
            category: Whose thresholds decide.
            own: Looks of the product's photos.
            others: Looks of the other product's.
            sku: The product.
            other: The other.
        """
        bundle = self.serving(category)
        if bundle is None or len(own) < 2 or not others:
            return None
        rest = [row for row, each in enumerate(bundle.skus) if each not in (sku, other)]
        centroids = bundle.vectors.centroids[rest]
        return confusion_cost(own, others, centroids, bundle.manifest.thresholds)

    def _session(self, bundle: Bundle) -> NetworkSession:
        network = bundle.manifest.space_id
        with self._turn:
            if network not in self._sessions:
                if len(self._sessions) >= 8:
                    self._sessions.pop(next(iter(self._sessions)))
                self._sessions[network] = NetworkSession(bundle, threads=1)
            return self._sessions[network]

    def _index(self, bundle: Bundle) -> LookIndex:
        space = bundle.manifest.space_id
        with self._turn:
            if space not in self._indexes:
                kept = [(sku, read_vector(look)) for sku, look in self._kept(space)]
                self._indexes[space] = LookIndex(kept, bundle.manifest.embedding_dim)
            return self._indexes[space]


def confusion_cost(
    own: Sequence[Vector],
    others: Sequence[Vector],
    rest: NDArray[np.float32],
    thresholds: Thresholds,
) -> ConfusionCost:
    """What ``Looks.cost`` counts. Pure.

    Args:
        own: Looks of the product's photos, two at least.
        others: Looks of the other product's, one at least.
        rest: Centroids of all further products, shape ``(P, D)``.
        thresholds: What decides.
    """
    other_centroid = pool(np.stack(others))
    vectors = np.stack(own)
    alone = accepted = review = wrong = 0
    for row, query in enumerate(vectors):
        here = Candidate("own", _distance(pool(np.delete(vectors, row, axis=0)), query))
        there = Candidate("other", _distance(other_centroid, query))
        further = tuple(Candidate("rest", float(each)) for each in np.sort(1.0 - rest @ query)[:2])
        without = decide_at_once(_nearest_first(here, *further), thresholds)
        alone += without.outcome == "accept" and without.sku == "own"
        decided = decide_at_once(_nearest_first(here, there, *further), thresholds)
        accepted += decided.outcome == "accept" and decided.sku == "own"
        wrong += decided.outcome == "accept" and decided.sku == "other"
        review += decided.outcome == "review"
    return ConfusionCost(
        photos=len(vectors),
        accepted_alone=alone,
        accepted=accepted,
        review=review,
        wrong=wrong,
    )


def _distance(centroid: Vector, query: Vector) -> float:
    return float(1.0 - centroid @ query)


def _nearest_first(*candidates: Candidate) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda each: each.distance))
