"""Measures a bundle on photos: what it recognises, what it decides, and how sure the figures are.

Owns how queries are formed. The decision itself is ``models.decision``'s, applied as a
device applies it: TL and TH on the nearest centroids, then the full check with the anchors of the
candidates. Whether the photos were held out of training is for the caller to know: a bundle does
not carry its training photos.

A query is a *window* of N consecutive photos of one product, their embeddings pooled. Windows do
not overlap in the main figures; the same figures with windows that slide by one photo stand beside
them (more windows, but each photo counts N times). Photos left over at the end of a product, fewer
than N, are in no window. How queries are counted is ``cloud_trainer.evaluation``'s.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.evaluation import (
    Evaluation,
    Latency,
    Origin,
    Query,
    figures,
)
from cloud_trainer.inference import NetworkSession, SetAside, embed_photos, prepare_photo, usable
from models.bundle import Bundle, NetworkKind
from models.catalogue import Photo
from models.consensus import consensus
from models.decision import Candidate, Decision, decide_at_once, decide_in_full

CANDIDATES = 5

_TIMED_PHOTOS = 40


def evaluate(
    bundle: Bundle,
    photos: Sequence[Photo],
    *,
    pool_size: int = 1,
    unknown: Sequence[Photo] = (),
    precision: NetworkKind = "fp32",
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Measure a bundle.

    Args:
        bundle: The bundle.
        photos: Photos with their SKUs, each product's together and in shooting order. Those of
            products that the bundle does not have count as never enrolled; negatives are left out.
        pool_size: Photos a query.
        unknown: Photos of products that were never enrolled; windows are formed by their SKU.
        precision: Which of the bundle's networks to run.
        threads: Threads of the network; ``None`` uses every core.
        progress: Called with the number of photos just finished.

    Raises:
        WalkoutTrainerError: No photo can be used, or no product fills a window.
        BundleIncompleteError: The bundle has no network of this precision.
    """
    if pool_size < 1:
        raise WalkoutTrainerError(f"cannot pool {pool_size} photos; --pool starts at 1")
    session = NetworkSession(bundle.network_path(precision), threads)
    origins: dict[str, Origin] = {
        product.sku: "enrolled" if product.enrolled else "trained"
        for product in bundle.manifest.products
    }
    shown = [photo for photo in photos if not photo.negative]
    strange = [photo for photo in shown if photo.sku not in origins]
    known, known_rows, bad = _embedded(
        bundle, session, [photo for photo in shown if photo.sku in origins], progress
    )
    strangers, strange_rows, bad_strangers = _embedded(
        bundle, session, [*strange, *unknown], progress
    )
    if not known and not strangers:
        raise WalkoutTrainerError(
            f"none of {len(bad) + len(bad_strangers)} photos can be used"
            + (f" (first: {(bad + bad_strangers)[0].reason})" if bad or bad_strangers else "")
            + "; give a catalogue of readable photos"
        )
    # Names in the folder of unknown photos may repeat SKUs of the bundle; they stay strangers.
    queries = [
        Query(tuple(known[i] for i in window), origins[known[window[0]].sku], decision, embedding)
        for window, decision, embedding in _decided(bundle, known, known_rows, pool_size, pool_size)
    ] + [
        Query(tuple(strangers[i] for i in window), "unknown", decision, embedding)
        for window, decision, embedding in _decided(
            bundle, strangers, strange_rows, pool_size, pool_size
        )
    ]
    if not queries:
        raise WalkoutTrainerError(
            f"no product has {pool_size} usable photos; take more photos or a smaller --pool"
        )
    sliding = figures(
        Query(tuple(known[i] for i in window), origins[known[window[0]].sku], decision, embedding)
        for window, decision, embedding in _decided(bundle, known, known_rows, pool_size, 1)
    )
    return Evaluation(
        bundle=bundle,
        precision=precision,
        pool=pool_size,
        photos=len(known),
        unknown_photos=len(strangers),
        queries=tuple(queries),
        sliding=sliding,
        set_aside=(*bad, *bad_strangers),
        notices=tuple(_notices(origins, photos, strange, known, queries, pool_size)),
        latency=_latency(bundle, session, [*known, *strangers]),
    )


def decide(bundle: Bundle, query: NDArray[np.float32], crops: int) -> Decision:
    """Decide one pooled query as a device does.

    Args:
        bundle: The bundle.
        query: Unit embedding, shape ``(D,)``.
        crops: Number of photos pooled into it.
    """
    vectors = bundle.vectors
    distances = 1.0 - vectors.centroids @ query
    nearest = np.argsort(distances, kind="stable")[:CANDIDATES]
    candidates = tuple(
        Candidate(bundle.manifest.products[row].sku, float(distances[row])) for row in nearest
    )
    decision = decide_at_once(candidates, bundle.manifest.thresholds, crops)
    if decision.outcome == "review":
        anchors = [
            _nearest(vectors.anchors, vectors.anchor_products, row, query) for row in nearest
        ]
        compared = zip(candidates, anchors, strict=True)
        decision = decide_in_full(
            decision, tuple(replace(each, anchor_distance=anchor) for each, anchor in compared)
        )
    if decision.outcome == "accept":
        negative = _nearest(vectors.negatives, vectors.negative_products, nearest[0], query)
        anchor = _nearest(vectors.anchors, vectors.anchor_products, nearest[0], query)
        if negative < anchor:
            reason = f"a photo marked as not {decision.sku} is nearer than its nearest anchor"
            return replace(decision, outcome="review", stage="full_check", reason=reason)
    return decision


def _embedded(
    bundle: Bundle,
    session: NetworkSession,
    photos: Sequence[Photo],
    progress: Callable[[int], None] | None,
) -> tuple[tuple[Photo, ...], NDArray[np.float32], tuple[SetAside, ...]]:
    embeddings, set_aside = embed_photos(session, photos, bundle.manifest.preprocessing, progress)
    return usable(photos, set_aside), embeddings, set_aside


def _windows(products: Sequence[object], pool_size: int, step: int) -> list[range]:
    """Full windows over runs of the same product, ``step`` rows apart."""
    windows: list[range] = []
    start = 0
    for _, run in groupby(products):
        end = start + len(list(run))
        windows += [range(at, at + pool_size) for at in range(start, end - pool_size + 1, step)]
        start = end
    return windows


def _decided(
    bundle: Bundle,
    photos: Sequence[Photo],
    embeddings: NDArray[np.float32],
    pool_size: int,
    step: int,
) -> Iterator[tuple[range, Decision, NDArray[np.float32]]]:
    for window in _windows([photo.sku for photo in photos], pool_size, step):
        pooled = consensus(embeddings[window.start : window.stop])
        yield window, decide(bundle, pooled.embedding, pooled.looks), pooled.embedding


def _notices(
    origins: Mapping[str, Origin],
    photos: Sequence[Photo],
    strange: Sequence[Photo],
    known: Sequence[Photo],
    queries: Sequence[Query],
    pool_size: int,
) -> Iterator[str]:
    if negatives := sum(photo.negative for photo in photos):
        yield f"{negatives} negative photos were left out"
    if strange:
        skus = sorted({photo.sku for photo in strange})
        yield (
            f"{len(strange)} photos of {len(skus)} products that the bundle does not have "
            f"({', '.join(skus[:3])}{', ...' if len(skus) > 3 else ''}) count as never enrolled"
        )
    asked = {query.sku for query in queries if query.origin != "unknown"}
    if short := {photo.sku for photo in known} - asked:
        yield (
            f"{len(short)} products have fewer than {pool_size} usable photos and are in no figure"
        )
    if missing := len(origins) - len({photo.sku for photo in known}):
        yield f"{missing} products of the bundle have no usable photo here and were not measured"


def _nearest(
    vectors: NDArray[np.float32],
    products: NDArray[np.int32],
    product: int,
    query: NDArray[np.float32],
) -> float:
    """Cosine distance to the nearest of a product's vectors; infinite where it has none."""
    own = vectors[products == product]
    return 1.0 - float((own @ query).max()) if len(own) else float("inf")


def _latency(bundle: Bundle, session: NetworkSession, photos: Sequence[Photo]) -> Latency | None:
    """Times over photos spread evenly through the evaluated ones."""
    if not photos:
        return None
    chosen = np.unique(np.linspace(0, len(photos) - 1, _TIMED_PHOTOS).astype(int))
    preprocessing = bundle.manifest.preprocessing
    read_s: list[float] = []
    recognise_s: list[float] = []
    for row in chosen:
        started_s = time.perf_counter()
        crop = prepare_photo(photos[row].path, preprocessing)
        prepared_s = time.perf_counter()
        query = session.embed(crop[None])[0]
        decide(bundle, query, 1)
        read_s.append(prepared_s - started_s)
        recognise_s.append(time.perf_counter() - prepared_s)
    return Latency(
        photos=len(chosen),
        read_p50_ms=1000 * float(np.median(read_s)),
        recognise_p50_ms=1000 * float(np.median(recognise_s)),
        recognise_p95_ms=1000 * float(np.percentile(recognise_s, 95)),
        load_average=os.getloadavg()[0],
    )
