"""What a bundle makes of held-out photos and of human-verified events, decided as a device decides.

Owns putting queries to bundles; what follows from the answers is ``comparing``'s and ``plan``'s.
Embeddings are kept by the network that made them: an enrolment changes none, so what was asked of
the serving bundle once costs nothing again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.evaluate import decide
from cloud_trainer.inference import NetworkSession, embed_photos, usable
from cloud_trainer.pipeline.comparing import Sight, error_bound
from cloud_trainer.pipeline.crops import name_of, read_crop
from cloud_trainer.pipeline.plan import Verified
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.seams import LabelledCrops
from models.bundle import Bundle
from models.catalogue import Photo
from models.consensus import consensus
from models.decision import pool
from models.photos import PhotoError
from models.preprocess import prepare_batch

_PHOTOS_AT_ONCE = 200
_EVENTS_AT_ONCE = 50

_Embedded = dict[str, tuple[int, NDArray[np.float32]]]


@dataclass(frozen=True)
class Seen:
    """A query and what a bundle made of it.

    Attributes:
        sight: Right or wrong.
        sku: What it shows; ``None``: an object that the shop does not sell.
        nearest: Product with the nearest centroid.
    """

    sight: Sight
    sku: str | None
    nearest: str


class Examiner:
    """Puts queries to bundles.

    Args:
        records: Keeps embeddings.
        threads: Threads of a network; ``None`` uses every core.
    """

    def __init__(self, records: PipelineRecords, threads: int | None = None) -> None:
        self._records, self._threads = records, threads

    def photos(self, bundle: Bundle, photos: Sequence[Photo]) -> dict[str, Seen]:
        """What a bundle makes of photos of products that it has, by path; unreadable ones miss.

        Args:
            bundle: The bundle.
            photos: Photos that it did not learn from.
        """
        asked = [photo for photo in photos if photo.sku in bundle.skus]
        found = self._embeddings(
            bundle, {str(photo.path): photo for photo in asked}, self._embed_photos, _PHOTOS_AT_ONCE
        )
        return {
            name: _seen(bundle, found[name], photo.sku, photo.sku)
            for photo in asked
            if (name := str(photo.path)) in found
        }

    def events(self, bundle: Bundle, events: Sequence[LabelledCrops]) -> dict[str, Seen]:
        """What a bundle makes of verified events of products that it has, and of strange objects.

        Args:
            bundle: The bundle.
            events: Events that it did not learn from.
        """
        asked = [event for event in events if event.sku is None or event.sku in bundle.skus]
        found = self._embeddings(
            bundle, {name_of(event): event for event in asked}, self._embed_events, _EVENTS_AT_ONCE
        )
        return {
            name: _seen(bundle, found[name], event.sku, f"{event.shop}/{event.sku}")
            for event in asked
            if (name := name_of(event)) in found
        }

    def verified(
        self, bundle: Bundle, events: Sequence[LabelledCrops], confidence: float
    ) -> Verified:
        """How a bundle does on verified events.

        Args:
            bundle: The bundle.
            events: Events that it did not learn from.
            confidence: One-sided, of the bound.
        """
        seen = self.events(bundle, events)
        wrong = {name: not each.sight.right for name, each in seen.items()}
        groups = [each.sight.group for each in seen.values()]
        return Verified(
            events=len(seen),
            wrong=sum(wrong.values()),
            bound=error_bound(groups, list(wrong.values()), confidence),
            learnable=sum(
                wrong.get(name_of(event), False) for event in events if event.status == "approved"
            ),
        )

    def _embeddings(
        self,
        bundle: Bundle,
        wanted: Mapping[str, Photo] | Mapping[str, LabelledCrops],
        embed: Callable[..., _Embedded],
        at_once: int,
    ) -> _Embedded:
        """Kept embeddings and new ones, which are kept as they come."""
        if not wanted:
            return {}
        space = space_of(bundle)
        found = self._records.embeddings(space)
        missing = [each for name, each in wanted.items() if name not in found]
        session = NetworkSession(bundle, self._threads) if missing else None
        for start in range(0, len(missing), at_once):
            fresh = embed(bundle, session, missing[start : start + at_once])
            self._records.keep_embeddings(space, fresh)
            found |= fresh
        return found

    @staticmethod
    def _embed_photos(
        bundle: Bundle, session: NetworkSession, photos: Sequence[Photo]
    ) -> _Embedded:
        vectors, bad = embed_photos(session, photos, bundle.manifest.preprocessing)
        good = usable(photos, bad)
        return {str(p.path): (1, vector) for p, vector in zip(good, vectors, strict=True)}

    @staticmethod
    def _embed_events(
        bundle: Bundle, session: NetworkSession, events: Sequence[LabelledCrops]
    ) -> _Embedded:
        found: _Embedded = {}
        for event in events:
            try:
                crops = [read_crop(path) for path in event.crops]
            except (PhotoError, OSError):
                continue  # somebody took it away: nothing can be said of it
            prepared = prepare_batch(crops, bundle.manifest.preprocessing.input_size_px)
            pooled = consensus(session.embed(prepared))
            found[name_of(event)] = (pooled.looks, pooled.embedding)
        return found


def own_photos(bundle: Bundle, skus: Sequence[str]) -> dict[str, tuple[int, int]]:
    """By SKU: how many of its photos are recognised by its other photos, of how many.

    Args:
        bundle: A bundle with the products.
        skus: Which; products of a single photo have none to be recognised by.
    """
    vectors, found = bundle.vectors, {}
    for sku in skus:
        row = bundle.skus.index(sku)
        own = vectors.anchors[vectors.anchor_products == row]
        others = np.delete(vectors.centroids, row, axis=0)
        right = 0
        for left_out in range(len(own)) if len(own) > 1 else ():
            rest = pool(np.delete(own, left_out, axis=0))
            nearest = float((others @ own[left_out]).max()) if len(others) else -1.0
            right += float(rest @ own[left_out]) > nearest
        found[sku] = (right, len(own) if len(own) > 1 else 0)
    return found


def taken_by(
    before: Mapping[str, Seen], after: Mapping[str, Seen], skus: Sequence[str]
) -> Counter[str]:
    """Queries that were right and are now nearest to one of some new products, by product."""
    return Counter(
        after[name].nearest
        for name, seen in before.items()
        if seen.sight.right and name in after and after[name].nearest in skus
    )


def space_of(bundle: Bundle) -> str:
    """What embeddings depend on: the network, and how pictures become its input."""
    return f"{bundle.manifest.space_id}/{bundle.manifest.preprocessing.photo_crop_share}"


def _seen(
    bundle: Bundle, embedded: tuple[int, NDArray[np.float32]], sku: str | None, group: str
) -> Seen:
    looks, vector = embedded
    decision = decide(bundle, vector, looks)
    nearest = decision.candidates[0].sku
    accepted = decision.outcome == "accept"
    if sku is None:
        return Seen(Sight(group, right=not accepted, settled=False, wrong=accepted), sku, nearest)
    right = nearest == sku
    return Seen(Sight(group, right, accepted and right, accepted and not right), sku, nearest)
