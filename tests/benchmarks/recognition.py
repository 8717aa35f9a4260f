"""What recognition on a device costs: every figure of ``make bench``.

Each function measures one question and returns its figures. Images are drawn: the cost of a
network and of a resize does not depend on what is in a picture.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.bench.rounds import Figure, measure, ratio_figure
from edge.events import EmbedderDescription
from edge.matching.build import choose_index
from edge.matching.embedding import CropEmbedder
from edge.matching.exact import ExactIndex
from edge.matching.hnsw import REQUIRED_RECALL, recall_at_1, tuning_queries
from edge.matching.judge import judge, locate
from edge.matching.recogniser import Recogniser
from edge.matching.serving import ServingSet, VectorsByProduct
from edge.recognise import Sampling, recognise_sources
from edge.runtime.base import Embedder
from edge.runtime.onnxruntime import (
    CPU_PROVIDER,
    INPUT_NAME,
    OUTPUT_NAME,
    session_options,
)
from edge.runtime.opening import open_embedder
from edge.sources import find_sources
from models.bundle import Bundle, BundleProduct, open_bundle
from models.preprocess import prepare, prepare_batch
from tests.simulators.photos import draw_photo, write_photo

BATCH: Final = 8
_CROP_SHAPES: Final = ((400, 300), (400, 400), (160, 90), (1200, 900))

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Bench:
    """What a run measures with.

    Attributes:
        bundle: The bundle.
        rounds: Rounds of each comparison.
        threads: Threads of the network; ``None``: every core.
        match_among: Number of products that a match is timed among.
        sizes: Numbers of centroids at which recall is looked at.
    """

    bundle: Bundle
    rounds: int = 15
    threads: int | None = None
    match_among: int = 10_000
    sizes: tuple[int, ...] = (1_000, 10_000, 50_000)

    def embedder(self) -> Embedder:
        """The network that a device would choose."""
        return open_embedder(self.bundle, threads=self.threads)


def all_figures(bench: Bench) -> list[Figure]:
    """Every figure, in the order of the table."""
    return [
        *crops_to_decision(bench),
        *preparing(bench),
        *matching_cost(bench),
        *recall(bench),
        *int8(bench),
        *opening(bench),
    ]


def crops_to_decision(bench: Bench) -> list[Figure]:
    """Throughput from crops to decisions, relative to the bare network."""
    embedder = bench.embedder()
    described = embedder.describe()
    recogniser = Recogniser([bench.bundle], [embedder])
    raw = [_texture(shape, seed) for seed, shape in enumerate(_CROP_SHAPES * 2)]
    batch = prepare_batch(raw, embedder.input_size_px)
    prepared, cut = [[crop] for crop in batch], [[crop] for crop in raw]
    timings = measure(
        {
            "network": embedder.bare(batch),
            "prepared": lambda: recogniser.recognise_many(prepared),
            "cut": lambda: recogniser.recognise_many(cut),
        },
        bench.rounds,
    )
    detail = (
        f"{described.backend} {described.precision}, batch {BATCH}, network alone "
        f"{timings.median_ms('network') / BATCH:.2f} ms a crop"
    )
    return [
        ratio_figure(
            "prepared crops to decision / network alone, throughput",
            timings.ratios("network", "prepared"),
            0.93,
            detail=detail,
        ),
        ratio_figure(
            "crops as cut out to decision / network alone, throughput",
            timings.ratios("network", "cut"),
            detail=f"with preparing, {timings.median_ms('cut') / BATCH:.2f} ms a crop",
        ),
    ]


def preparing(bench: Bench) -> list[Figure]:
    """Preparing a crop against a bare resize, and whether the network gets what training saw."""
    side = bench.bundle.manifest.preprocessing.input_size_px
    out = np.empty((side, side, 3), np.uint8)
    figures = []
    for shape in _CROP_SHAPES:
        crop = _texture(shape, 1)
        way = cv2.INTER_AREA if max(shape) > 2 * side else cv2.INTER_LINEAR
        timings = measure(
            {
                "prepare": partial(prepare, crop, out),
                "resize": partial(cv2.resize, crop, (side, side), dst=out, interpolation=way),
            },
            bench.rounds,
            time.thread_time,
        )
        figures.append(
            ratio_figure(
                f"preparing a crop of {shape[1]} x {shape[0]} / bare resize",
                timings.ratios("prepare", "resize"),
                3.0,
                "at most",
                f"{timings.median_ms('prepare'):.3f} ms",
            )
        )
    crops = [_texture(shape, 2) for shape in _CROP_SHAPES]
    witness = _Witness(bench.embedder())
    Recogniser([bench.bundle], [witness]).recognise_many([[crop] for crop in crops])
    one_by_one = [np.empty_like(out) for _ in crops]
    for crop, target in zip(crops, one_by_one, strict=True):
        prepare(crop, target, bench.bundle.manifest.preprocessing.pad_value)
    same = np.array_equal(witness.seen, np.stack(one_by_one))
    figures.append(
        Figure(
            "crops that reach the network bit-identical to training's",
            float(same),
            gate=1.0,
            detail="models.preprocess.prepare is the one definition of both",
        )
    )
    return figures


def matching_cost(bench: Bench) -> list[Figure]:
    """One match among very many products against one embedding."""
    embedder, dim = bench.embedder(), bench.bundle.manifest.embedding_dim
    crop = bench.bundle.golden.crops[:1]
    rng = np.random.default_rng(3)
    served = _served(
        bench.bundle, _centroids(bench.match_among, dim), _embedding_ms(embedder, crop)
    )
    query = _unit(served.bundle.vectors.centroids[:1] + _noise(rng, (1, dim), 0.3))
    timings = measure(
        {
            "match": lambda: judge(query[0], locate(query, (served,))[0], crops=1),
            "embed": lambda: embedder.embed(crop),
        },
        bench.rounds,
    )
    return [
        ratio_figure(
            f"match among {bench.match_among:,} products / one embedding",
            timings.ratios("match", "embed"),
            0.1,
            "at most",
            f"{timings.median_ms('match'):.3f} ms, {dim}-d; {served.choice.reason}",
        )
    ]


def recall(bench: Bench) -> list[Figure]:
    """Recall@1 of the chosen index against exact search, in the worst group of fresh queries."""
    embedding_ms = _embedding_ms(bench.embedder(), bench.bundle.golden.crops[:1])
    dim = bench.bundle.manifest.embedding_dim
    figures = []
    for size in bench.sizes:
        centroids = _centroids(size, dim)
        choice, exact = choose_index(centroids, embedding_ms), ExactIndex(centroids)
        by_group = {
            name: recall_at_1(choice.index.search(queries, 1), exact.search(queries, 1))
            for name, queries in tuning_queries(centroids, count=1000, seed=11).items()
        }
        groups = ", ".join(f"{name} {value:.4f}" for name, value in by_group.items())
        figures.append(
            Figure(
                f"recall@1 among {size:,} products",
                min(by_group.values()),
                gate=REQUIRED_RECALL,
                detail=f"{groups}; {choice.reason}",
            )
        )
    return figures


def int8(bench: Bench) -> list[Figure]:
    """The INT8 network against fp32 on one thread, where the bundle ships both."""
    if not bench.bundle.manifest.quantisation.int8_shipped:
        return []
    crops = np.resize(bench.bundle.golden.crops, (BATCH, *bench.bundle.golden.crops.shape[1:]))
    sessions = {kind: raw_session(bench.bundle, kind, 1) for kind in ("fp32", "int8")}
    figures = []
    for batch in (1, BATCH):
        crops_now = {INPUT_NAME: crops[:batch]}
        timings = measure(
            {
                kind: partial(session.run, [OUTPUT_NAME], crops_now)
                for kind, session in sessions.items()
            },
            bench.rounds,
            time.thread_time,
        )
        figures.append(
            ratio_figure(
                f"INT8 / fp32 throughput, one thread, batch {batch}",
                timings.ratios("fp32", "int8"),
                1.7 if batch == BATCH else None,
                detail=f"{timings.median_ms('int8') / batch:.2f} ms and "
                f"{timings.median_ms('fp32') / batch:.2f} ms a crop",
            )
        )
    return figures


def opening(bench: Bench) -> list[Figure]:
    """Times without a gate: opening the bundle, starting to serve, one photo from file."""
    timings = measure({"open": lambda: open_bundle(bench.bundle.path)}, min(bench.rounds, 5))
    started_s = time.perf_counter()
    recogniser = Recogniser([bench.bundle], [bench.embedder()])
    serving_ms = (time.perf_counter() - started_s) * 1000
    with TemporaryDirectory() as folder:
        for number in range(BATCH):
            photo = draw_photo(number, 0, size_px=1024)
            write_photo(Path(folder) / f"{number}.jpg", photo)
        sources, _ = find_sources([Path(folder)])
        photos = measure(
            {"photos": lambda: list(recognise_sources(recogniser, sources, Sampling()))},
            min(bench.rounds, 5),
        )
    return [
        Figure("opening and verifying the bundle", timings.median_ms("open"), "ms"),
        Figure("network and index ready to serve", serving_ms, "ms"),
        Figure(
            "one photo from its file to the decision",
            photos.median_ms("photos") / BATCH,
            "ms",
            detail=f"JPEG of 1024 x 1024, {BATCH} in a folder",
        ),
    ]


class _Witness:
    """A network that remembers the last batch it was given."""

    def __init__(self, embedder: CropEmbedder) -> None:
        self._embedder = embedder
        self.space_id = embedder.space_id
        self.input_size_px = embedder.input_size_px
        self.embedding_dim = embedder.embedding_dim
        self.seen = np.empty(0, np.uint8)

    def embed(self, crops: Image) -> NDArray[np.float32]:
        self.seen = crops.copy()
        return self._embedder.embed(crops)

    def describe(self) -> EmbedderDescription:
        return self._embedder.describe()


def raw_session(
    bundle: Bundle, precision: str, threads: int | None
) -> onnxruntime.InferenceSession:
    """ONNX Runtime alone, with the options that a device has."""
    path = bundle.network_path("int8" if precision == "int8" else "fp32")
    return onnxruntime.InferenceSession(
        str(path), session_options(threads), providers=[CPU_PROVIDER]
    )


def _embedding_ms(embedder: CropEmbedder, crop: Image) -> float:
    return measure({"embed": lambda: embedder.embed(crop)}, 5).median_ms("embed")


def _served(bundle: Bundle, centroids: NDArray[np.float32], embedding_ms: float) -> ServingSet:
    """A category of as many made-up products as there are centroids, two anchors each."""
    count = len(centroids)
    rng = np.random.default_rng(4)
    anchors = _unit(
        np.repeat(centroids, 2, axis=0) + _noise(rng, (2 * count, centroids.shape[1]), 0.3)
    )
    owners = np.repeat(np.arange(count, dtype=np.int32), 2)
    products = tuple(
        BundleProduct(sku=f"p{n}", name=f"Product {n}", category="bench", photos=1)
        for n in range(count)
    )
    none = np.empty((0, centroids.shape[1]), np.float32)
    return ServingSet(
        bundle=replace(
            bundle,
            manifest=bundle.manifest.model_copy(update={"products": products}),
            vectors=replace(bundle.vectors, centroids=centroids),
        ),
        choice=choose_index(centroids, embedding_ms),
        anchors=VectorsByProduct.group(anchors, owners, count),
        negatives=VectorsByProduct.group(none, np.empty(0, np.int32), count),
        names={product.sku: product.name for product in products},
    )


def _centroids(count: int, dim: int) -> NDArray[np.float32]:
    """Unit vectors: half in all directions, half near duplicates of those."""
    rng = np.random.default_rng(count)
    own = _unit(_noise(rng, (count - count // 2, dim), 1.0))
    twins = _unit(own[: count // 2] + _noise(rng, (count // 2, dim), 0.3))
    return np.concatenate([own, twins])


def _noise(rng: np.random.Generator, shape: tuple[int, int], length: float) -> NDArray[np.float32]:
    drawn = rng.standard_normal(shape, dtype=np.float32)
    return drawn * np.float32(length / np.sqrt(shape[1]))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _texture(shape: Sequence[int], seed: int) -> Image:
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(rough, (shape[1], shape[0])), np.uint8)
