"""Is a release any good on this very device? Judged by its golden crops and by the clock.

Pure but for running networks. A signature says who made a release, not that it works: a network
that gives NaN, other lengths or another answer than the bundle expects, product vectors that do
not fit it, and one that is too slow for this device are refused here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from edge.errors import EmbedderError, MatchingError, ReleaseRefusedError
from edge.matching.embedding import CropEmbedder
from edge.matching.serving import serve
from edge.runtime.base import Embedder
from edge.runtime.golden import check_golden
from edge.updates.settings import TrialSettings
from models.bundle import Bundle, BundleError

_ROUNDS: Final = 7
_CROPS_AT_ONCE: Final = 4


def check_release(bundle: Bundle, embedder: Embedder, settings: TrialSettings) -> str:
    """Refuse a release whose golden crops do not come out right.

    Args:
        bundle: It, verified.
        embedder: Its network.
        settings: What it must pass.

    Returns:
        What was found, in words.

    Raises:
        ReleaseRefusedError: It is no good.
    """
    try:
        deviation = check_golden(bundle, embedder)
        serve(bundle, embedder)
    except (EmbedderError, MatchingError, BundleError) as err:
        raise ReleaseRefusedError("self_test", str(err)) from err
    recall = golden_recall(bundle)
    if recall < settings.golden_recall_at_least:
        raise ReleaseRefusedError(
            "self_test",
            f"only {recall:.0%} of the golden crops are nearest to their own product, at least "
            f"{settings.golden_recall_at_least:.0%} must be; vectors and network do not fit",
        )
    return f"golden crops within {deviation:.4f}, {recall:.0%} nearest to their own product"


def golden_recall(bundle: Bundle) -> float:
    """Share of golden crops whose nearest centroid is that of their own product.

    By the embeddings that the bundle expects: that this device's network gives the same has been
    seen before, and a slow device need not be asked twice.
    """
    nearest = np.argmax(bundle.golden.embeddings @ bundle.vectors.centroids.T, axis=1)
    named = [bundle.skus[int(row)] for row in nearest]
    right = [sku for sku, own in zip(named, bundle.golden.skus, strict=True) if sku == own]
    return len(right) / len(named)


def check_speed(
    bundle: Bundle,
    embedder: CropEmbedder,
    serving: tuple[Bundle, CropEmbedder] | None,
    settings: TrialSettings,
    clock_s: Callable[[], float] = time.perf_counter,
) -> str:
    """Refuse a release that is too slow for this device.

    Both networks run in turn in this very run, and the fastest round of each counts: a busy machine
    slows both, and disturbs the fastest round least.

    Args:
        bundle: The release.
        embedder: Its network.
        serving: What serves now and its network; ``None`` where nothing does.
        settings: How slow it may be.
        clock_s: A clock.

    Returns:
        What was found, in words.

    Raises:
        ReleaseRefusedError: It is too slow.
    """
    timed = [(bundle, embedder), *([serving] if serving is not None else [])]
    batches = [each.golden.crops[:_CROPS_AT_ONCE] for each, _ in timed]
    best_ms = [float("inf")] * len(timed)
    for _ in range(_ROUNDS):
        for place, ((_, network), crops) in enumerate(zip(timed, batches, strict=True)):
            began_s = clock_s()
            network.embed(crops)
            best_ms[place] = min(best_ms[place], (clock_s() - began_s) * 1000 / len(crops))
    if serving is not None:
        ratio = best_ms[0] / best_ms[1]
        if ratio > settings.slower_at_most:
            raise ReleaseRefusedError(
                "self_test",
                f"it embeds a crop in {best_ms[0]:.1f} ms, the serving bundle in "
                f"{best_ms[1]:.1f} ms: {ratio:.1f} times as long, at most "
                f"{settings.slower_at_most:g} times are allowed",
            )
        return f"{best_ms[0]:.1f} ms a crop, {ratio:.2f} times the serving bundle's"
    limit_ms = settings.embed_ms_at_most
    if limit_ms is not None and best_ms[0] > limit_ms:
        raise ReleaseRefusedError(
            "self_test",
            f"it embeds a crop in {best_ms[0]:.1f} ms, at most {limit_ms:g} ms are allowed",
        )
    return f"{best_ms[0]:.1f} ms a crop"
