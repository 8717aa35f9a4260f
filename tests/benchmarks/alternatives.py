"""What somebody would build instead, doing the same work in the same run: crops in, products out.

Each rival is the usual way to put such a thing together, with the same network and the same
vectors: one crop at a time through torch or ONNX Runtime and a vector index (faiss, Qdrant in its
local mode), or all crops of a frame through ONNX Runtime and the nearest neighbour by hnswlib,
as the open pipelines for Jetsons do. Rivals whose libraries are not installed are left out by name.
None of them says "I do not know", reads several crops together or keeps a record; Walkout does all
of that within the time that is measured.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import cv2
import hnswlib
import numpy as np
from numpy.typing import NDArray

from edge.bench.load import Demand, Sustained, play
from edge.bench.rounds import Figure, measure, ratio_figure
from edge.bench.speed import drawn_crops
from edge.errors import RuntimeUnavailableError
from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from edge.runtime.opening import open_embedder
from edge.runtime.settings import RuntimeSettings
from models.bundle import Bundle
from tests.benchmarks.cameras import film
from tests.benchmarks.recognition import BATCH, Bench, raw_session

Image = NDArray[np.uint8]
Network = Callable[[Image], NDArray[np.float32]]
Nearest = Callable[[NDArray[np.float32]], Sequence[int]]

_MOST_CORES: Final = 1.2


@dataclass(frozen=True)
class Rival:
    """Another way to do the same.

    Attributes:
        name: What it is made of.
        network: Crops ``(B, S, S, 3)`` to embeddings.
        nearest: Embeddings to rows of the nearest centroids.
        side_px: Of the network's input.
        at_once: Whether it takes all crops in one batch.
    """

    name: str
    network: Network
    nearest: Nearest
    side_px: int
    at_once: bool

    def recognise_many(self, items: Sequence[Sequence[Image]]) -> list[int]:
        """The row of the nearest product of each item's first crop."""
        resized = [cv2.resize(item[0], (self.side_px, self.side_px)) for item in items]
        if self.at_once:
            return list(self.nearest(self.network(np.stack(resized).astype(np.uint8))))
        return [
            row
            for crop in resized
            for row in self.nearest(self.network(crop[None].astype(np.uint8)))
        ]


def rivals(bundle: Bundle, threads: int | None) -> tuple[list[Rival], list[str]]:
    """Those that can be built here, and the names of libraries that others lack.

    Args:
        bundle: Whose network and vectors all of them use.
        threads: Of the network.
    """
    centroids = bundle.vectors.centroids
    side = bundle.manifest.preprocessing.input_size_px
    onnx = _onnxruntime(bundle, threads)
    found = [Rival("ONNX Runtime in batches, hnswlib k=1", onnx, _hnswlib(centroids), side, True)]
    missing = []
    networks: list[tuple[str, Network]] = [("ONNX Runtime", onnx)]
    if importlib.util.find_spec("torch"):
        networks.append(("torch", _torch(bundle, threads)))
    else:
        missing.append("torch")
    indexes: list[tuple[str, Callable[[NDArray[np.float32]], Nearest]]] = []
    for module, name, make in (
        ("faiss", "faiss", _faiss),
        ("qdrant_client", "Qdrant local", _qdrant),
    ):
        if importlib.util.find_spec(module):
            indexes.append((name, make))
        else:
            missing.append(module)
    found += [
        Rival(f"{network_name} per crop, {index_name}", network, make(centroids), side, False)
        for index_name, make in indexes
        for network_name, network in networks
    ]
    return found, missing


def against_alternatives(bench: Bench) -> list[Figure]:
    """Throughput of crops to decisions against every rival, by processor time, one thread each."""
    embedder = open_embedder(bench.bundle, threads=1)
    recogniser = Recogniser([bench.bundle], [embedder])
    others, missing = rivals(bench.bundle, threads=1)
    crops = [[crop] for crop in drawn_crops(BATCH)]

    def of(rival: Rival) -> Callable[[], object]:
        return lambda: rival.recognise_many(crops)

    timings = measure(
        {
            "walkout": lambda: recogniser.recognise_many(crops),
            **{rival.name: of(rival) for rival in others},
        },
        bench.rounds,
        time.process_time,
    )
    best = min(others, key=lambda rival: timings.median_ms(rival.name))
    mine = embedder.describe()
    figures = [
        ratio_figure(
            "crops to decisions / the best alternative, throughput",
            timings.ratios(best.name, "walkout"),
            1.5,
            detail=f"best: {best.name}; Walkout with {mine.backend} {mine.precision}"
            + (f"; not tried for want of {', '.join(missing)}" if missing else ""),
        )
    ]
    figures += [
        ratio_figure(
            f"crops to decisions / {rival.name}, throughput",
            timings.ratios(rival.name, "walkout"),
            detail=f"{timings.median_ms(rival.name) / BATCH:.2f} and "
            f"{timings.median_ms('walkout') / BATCH:.2f} ms a crop",
        )
        for rival in others
    ]
    return figures


def backends(bench: Bench) -> list[Figure]:
    """Every backend that works here against ONNX Runtime in fp32: one thread, batch 8.

    By processor time of the whole process, so that threads a backend starts by itself count too.
    """
    crops = np.resize(bench.bundle.golden.crops, (BATCH, *bench.bundle.golden.crops.shape[1:]))
    ships_int8 = bench.bundle.manifest.quantisation.int8_shipped
    wanted = [("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")]
    if ships_int8:
        wanted += [("onnxruntime", "int8"), ("openvino", "int8")]
    opened: dict[str, Embedder] = {}
    for backend, precision in wanted:
        if backend == "openvino" and importlib.util.find_spec("openvino") is None:
            continue
        settings = RuntimeSettings.model_validate(
            {"backend": backend, "precision": precision, "fallback": False}
        )
        with suppress(RuntimeUnavailableError):  # a processor without bf16
            opened[f"{backend} {precision}"] = open_embedder(bench.bundle, settings, threads=1)

    def of(embedder: Embedder) -> Callable[[], object]:
        return lambda: embedder.embed(crops)

    timings = measure(
        {name: of(each) for name, each in opened.items()}, bench.rounds, time.process_time
    )
    figures = []
    for name in opened:
        if name == "onnxruntime fp32":
            continue
        gate = 2.0 if name == "openvino int8" else None
        figures.append(
            ratio_figure(
                f"{name} / ONNX Runtime fp32, throughput, one thread, batch {BATCH}",
                timings.ratios("onnxruntime fp32", name),
                gate,
                detail=f"{timings.median_ms(name) / BATCH:.2f} and "
                f"{timings.median_ms('onnxruntime fp32') / BATCH:.2f} ms a crop",
            )
        )
    return figures


def four_cameras(bench: Bench, seconds: float = 20.0) -> list[Figure]:
    """Four cameras, 720p, 15 frames a second, three crops of each frame: what of the machine?"""
    figures: list[Figure] = []
    with film() as video:
        for backend in ("auto", "onnxruntime"):
            settings = RuntimeSettings.model_validate({"backend": backend})
            embedder = open_embedder(bench.bundle, settings, threads=1)
            described = embedder.describe()
            done = play(Recogniser([bench.bundle], [embedder]), video, Demand(seconds=seconds))
            figures += _of_cameras(done, f"{described.backend} {described.precision}", backend)
            if described.backend.startswith("onnxruntime"):
                break
    return figures


def _of_cameras(done: Sustained, runtime: str, backend: str) -> list[Figure]:
    gated = backend == "auto"
    verdict = "kept up" if done.kept_up else "did NOT keep up, so the cores are no result"
    return [
        Figure(
            f"four cameras, 180 crops a second: share of frames kept, {runtime}",
            done.frames_seen / max(1, done.frames_seen + done.frames_lost),
            gate=0.99 if gated else None,
            detail=f"{done.crops_s:.0f} crops/s, decisions {done.late_p50_ms:.0f} ms "
            f"(p99 {done.late_p99_ms:.0f}) after the frame, {done.memory_mib:.0f} MiB",
        ),
        Figure(
            f"four cameras, 180 crops a second: processor cores, {runtime}",
            done.cores,
            gate=_MOST_CORES if gated else None,
            sense="at most",
            detail=verdict,
        ),
    ]


def _onnxruntime(bundle: Bundle, threads: int | None) -> Network:
    session = raw_session(bundle, "fp32", threads)

    def run(crops: Image) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(None, {"crops": crops})[0]
        return found

    return run


def _torch(bundle: Bundle, threads: int | None) -> Network:
    torch = importlib.import_module("torch")
    embedders: Any = importlib.import_module("models.embedder")
    dim = bundle.manifest.embedding_dim
    backbone = bundle.manifest.provenance.backbone
    # A bundle has no torch weights; what a network costs does not depend on them.
    shape = embedders.NetworkShape(
        backbone=backbone if backbone.startswith("efficientnet") else "efficientnet-lite0",
        learned_dim=dim // 2,
        general_dim=dim - dim // 2,
        input_size_px=bundle.manifest.preprocessing.input_size_px,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    network = embedders.Embedder(shape).eval()

    def run(crops: Image) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = network(torch.from_numpy(crops)).numpy()
        return found

    return run


def _hnswlib(centroids: NDArray[np.float32]) -> Nearest:
    index = hnswlib.Index(space="cosine", dim=centroids.shape[1])
    index.init_index(max_elements=len(centroids), M=16, ef_construction=200)
    index.add_items(centroids, num_threads=1)
    index.set_ef(64)
    return lambda queries: [
        int(row) for row in index.knn_query(queries, k=1, num_threads=1)[0][:, 0]
    ]


def _faiss(centroids: NDArray[np.float32]) -> Nearest:
    faiss: Any = importlib.import_module("faiss")
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids))
    return lambda queries: [int(row) for row in index.search(queries, 1)[1][:, 0]]


def _qdrant(centroids: NDArray[np.float32]) -> Nearest:
    qdrant: Any = importlib.import_module("qdrant_client")
    client = qdrant.QdrantClient(":memory:")
    parameters = qdrant.models.VectorParams(
        size=centroids.shape[1], distance=qdrant.models.Distance.COSINE
    )
    client.create_collection("products", vectors_config=parameters)
    client.upsert(
        "products",
        [
            qdrant.models.PointStruct(id=row, vector=vector.tolist())
            for row, vector in enumerate(centroids)
        ],
    )

    def nearest(queries: NDArray[np.float32]) -> list[int]:
        return [
            int(client.query_points("products", query=query.tolist(), limit=1).points[0].id)
            for query in queries
        ]

    return nearest
