"""A network alone against all that a device does with a crop: latencies, throughput, the ratio.

Both run in the same rounds, in shuffled order, so that they meet the same weather; the ratio is the
median over rounds. Pictures are drawn: what a network costs does not depend on what it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bench.rounds import measure
from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from models.bundle import Bundle

Image = NDArray[np.uint8]

_CROP_SHAPES = ((400, 300), (320, 320), (160, 90), (500, 380))


@dataclass(frozen=True)
class BatchSpeed:
    """How fast one batch goes.

    Attributes:
        batch: Crops in it.
        engine_p50_ms: The runtime alone.
        engine_p99_ms: The runtime alone.
        whole_p50_ms: From crops as cut out to decisions.
        whole_p99_ms: From crops as cut out to decisions.
        engine_crops_s: Crops a second of the runtime alone, by its median.
        whole_crops_s: Crops a second from cut to decision, by its median.
        whole_to_engine: Throughput from prepared crops to embeddings against the runtime alone,
            median of the rounds' ratios; what Walkout adds around the runtime.
    """

    batch: int
    engine_p50_ms: float
    engine_p99_ms: float
    whole_p50_ms: float
    whole_p99_ms: float
    engine_crops_s: float
    whole_crops_s: float
    whole_to_engine: float


def drawn_crops(count: int, seed: int = 0) -> list[Image]:
    """Crops ``(H, W, 3)`` of several shapes, uint8 BGR."""
    dice = np.random.default_rng(seed)
    crops = []
    for number in range(count):
        height, width = _CROP_SHAPES[number % len(_CROP_SHAPES)]
        rough = dice.integers(0, 256, (24, 24, 3)).astype(np.uint8)
        crops.append(np.asarray(cv2.resize(rough, (width, height)), np.uint8))
    return crops


def batch_speeds(
    bundle: Bundle, embedder: Embedder, batches: Sequence[int], rounds: int
) -> tuple[BatchSpeed, ...]:
    """Measure a bundle's network on this device.

    Args:
        bundle: The bundle.
        embedder: Its network.
        batches: Numbers of crops at once.
        rounds: Rounds of each comparison.
    """
    recogniser = Recogniser([bundle], [embedder])
    return tuple(_speed(recogniser, embedder, batch, rounds) for batch in batches)


def _speed(recogniser: Recogniser, embedder: Embedder, batch: int, rounds: int) -> BatchSpeed:
    cut = [[crop] for crop in drawn_crops(batch)]
    side = embedder.input_size_px
    prepared = np.stack([cv2.resize(crop[0], (side, side)) for crop in cut]).astype(np.uint8)
    timings = measure(
        {
            "engine": embedder.bare(prepared),
            "embed": lambda: embedder.embed(prepared),
            "whole": lambda: recogniser.recognise_many(cut),
        },
        rounds,
    )
    engine_ms, whole_ms = timings.by_variant_ms["engine"], timings.by_variant_ms["whole"]
    return BatchSpeed(
        batch=batch,
        engine_p50_ms=float(np.median(engine_ms)),
        engine_p99_ms=float(np.percentile(engine_ms, 99)),
        whole_p50_ms=float(np.median(whole_ms)),
        whole_p99_ms=float(np.percentile(whole_ms, 99)),
        engine_crops_s=1000 * batch / float(np.median(engine_ms)),
        whole_crops_s=1000 * batch / float(np.median(whole_ms)),
        whole_to_engine=float(np.median(timings.ratios("engine", "embed"))),
    )
