"""What held-out scenes say of trained networks: thresholds, accuracy, what INT8 costs.

Owns the examination of one network on photos it has not seen, and the judgement over several: each
training holds other scenes out, and the thresholds are fitted to the queries of all of them, as
CV+ does (Barber et al., 2021, "Predictive inference with the jackknife+"). One fold alone is too
few photos to certify a small error. Does not own training (``train``) nor what is shipped in the
end (``category``).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.datasets import PhotoStore, spread
from cloud_trainer.export import export_networks, onnx_model, rounded_to_fp16
from cloud_trainer.inference import NetworkSession
from cloud_trainer.quantisation_aware import tuned_for_int8
from cloud_trainer.quantise import For, quantise
from cloud_trainer.scenes import Split
from cloud_trainer.thresholds import PooledQueries, fit_thresholds
from cloud_trainer.train import Int8Plan
from models.bundle import Vectors
from models.catalogue import Photo
from models.consensus import consensus
from models.decision import ErrorBudget, Thresholds, pool
from models.embedder import Embedder
from models.preprocess import Preprocessing

logger = logging.getLogger(__name__)

POOL_SIZES = (1, 3, 5)
_RANGE_PHOTOS: Final = 96
_TUNING_PHOTOS: Final = 384
_BY_CHANCE: Final = 1  # of few photos, one more or less says nothing about a network
_AT_ONCE = 64


@dataclass(frozen=True)
class Judgement:
    """What all held-out scenes say.

    Attributes:
        thresholds: TL and TH, fitted to them.
        notes: What the thresholds could not have, in words.
        photos: Number of held-out photos.
        accuracy: Share of them whose nearest centroid is the right product.
        int8_accuracy: The same of the networks as INT8.
        int8_tuned: Whether a network had to be fine-tuned for that.
        typed_int8_accuracy: The same as INT8 for TensorRT, where that was asked for.
    """

    thresholds: Thresholds
    notes: tuple[str, ...]
    photos: int
    accuracy: float
    int8_accuracy: float
    int8_tuned: bool
    typed_int8_accuracy: float | None


class Eye:
    """Looks at photos as a device would, through whichever network it is given.

    Args:
        skus: Products in the order of their rows.
        store: Where the photos' pixels are.
        preprocessing: How a device prepares a photo.
    """

    def __init__(
        self, skus: Sequence[str], store: PhotoStore, preprocessing: Preprocessing
    ) -> None:
        self._row = {sku: row for row, sku in enumerate(skus)}
        self._store, self._preprocessing = store, preprocessing

    def crops(self, photos: Sequence[Photo]) -> NDArray[np.uint8]:
        """Network inputs, shape ``(N, S, S, 3)``, uint8 BGR."""
        return self._store.crops(photos, self._preprocessing)

    def rows(self, photos: Sequence[Photo]) -> NDArray[np.int32]:
        """Product row of each photo, shape ``(N,)``."""
        return np.array([self._row[photo.sku] for photo in photos], dtype=np.int32)

    def embed(self, session: NetworkSession, photos: Sequence[Photo]) -> NDArray[np.float32]:
        """Unit embeddings, shape ``(N, D)``."""
        parts = [
            session.embed(self.crops(photos[start : start + _AT_ONCE]))
            for start in range(0, len(photos), _AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, session.embedding_dim or 0), "f4")

    def vectors(
        self,
        session: NetworkSession,
        photos: Sequence[Photo],
        scenes: Sequence[int],
        negatives: Sequence[Photo] = (),
    ) -> Vectors:
        """Centroids, anchors and negatives.

        A centroid is the mean over scenes of each scene's mean, so that a shelf photographed
        twenty times does not stand for the product alone.

        Args:
            session: The network.
            photos: Photos of every product.
            scenes: Scene of each photo.
            negatives: Photos of what products are not.
        """
        anchors, rows = self.embed(session, photos), self.rows(photos)
        number = np.array(scenes)
        centroids = [
            pool(np.stack([pool(anchors[number == scene]) for scene in np.unique(number[own])]))
            for own in (rows == row for row in range(len(self._row)))
        ]
        return Vectors(
            centroids=np.stack(centroids),
            anchors=anchors,
            anchor_products=rows,
            negatives=self.embed(session, negatives),
            negative_products=self.rows(negatives),
        )


@dataclass(frozen=True)
class Exam:
    """What a network said of photos that it had not seen.

    Attributes:
        queries: By pool size.
        photos: Number of photos.
        right: How many of them were nearest to the centroid of the right product.
        int8_right: The same of the network as INT8.
        int8_tuned: Whether it had to be fine-tuned for that.
        typed_int8_right: The same as INT8 for TensorRT; ``None`` where that was not asked for.
    """

    queries: Mapping[int, PooledQueries]
    photos: int
    right: int
    int8_right: int
    int8_tuned: bool
    typed_int8_right: int | None


def examine(network: Embedder, split: Split, eye: Eye, folder: Path, plan: Int8Plan) -> Exam:
    """Examine a network that learned from ``split.train`` on ``split.holdout``.

    Args:
        network: The trained network; it is rounded as a shipped one is.
        split: Photos it learned from and photos it did not see; neither empty.
        eye: Looks at them.
        folder: For files that are gone afterwards.
        plan: What INT8 may cost.
    """
    network = rounded_to_fp16(network)
    with tempfile.TemporaryDirectory(dir=folder) as exported:
        files = export_networks(network, Path(exported))
        session = NetworkSession(files.fp32)
        vectors = eye.vectors(session, split.train, split.train_scenes)
        held_out = eye.embed(session, split.holdout)
        truth = eye.rows(split.holdout)
        right = _right(held_out, truth, vectors)

        def right_as_int8(tuned: bool, runtime: For = "onnxruntime") -> int:
            int8 = Path(exported) / "embedder.int8.onnx"
            write_int8(network, split, eye, int8, plan if tuned else None, runtime)
            return _right(eye.embed(NetworkSession(int8), split.holdout), truth, vectors)

        tuned = False
        int8_right = right_as_int8(tuned)
        if right - int8_right > max(_BY_CHANCE, plan.costs_at_most * len(split.holdout)):
            with_tuning = right_as_int8(tuned=True)
            tuned = with_tuning > int8_right
            int8_right = max(int8_right, with_tuning)
        return Exam(
            queries=_pooled(held_out, truth, split.holdout_scenes, vectors),
            photos=len(split.holdout),
            right=right,
            int8_right=int8_right,
            int8_tuned=tuned,
            typed_int8_right=right_as_int8(tuned, "tensorrt") if plan.for_tensorrt else None,
        )


def write_int8(
    network: Embedder,
    split: Split,
    eye: Eye,
    target: Path,
    tuning: Int8Plan | None,
    runtime: For = "onnxruntime",
) -> None:
    """Write a network's INT8 file.

    Args:
        network: The network as it ships, rounded.
        split: Photos it learned from; ranges are taken from them.
        eye: Looks at them.
        target: File to write.
        tuning: How the network is fine-tuned for it first; ``None`` takes it as it is.
        runtime: What the file is for.
    """
    if tuning is not None:
        crops = eye.crops(spread(split.train, _TUNING_PHOTOS))
        network = rounded_to_fp16(tuned_for_int8(network, crops, tuning.tuning_steps))
    ranges = eye.crops(spread(split.train, _RANGE_PHOTOS))
    quantise(onnx_model(network), ranges, target, runtime)


def judge(exams: Sequence[Exam], budget: ErrorBudget) -> Judgement:
    """Thresholds and accuracy over all exams; their scenes must be numbered in common.

    Args:
        exams: At least one.
        budget: What errors the thresholds may make.
    """
    queries = {
        size: PooledQueries.joined([exam.queries[size] for exam in exams if size in exam.queries])
        for size in sorted({size for exam in exams for size in exam.queries})
    }
    fit = fit_thresholds(queries, budget)
    photos = sum(exam.photos for exam in exams)
    typed = [exam.typed_int8_right for exam in exams if exam.typed_int8_right is not None]
    return Judgement(
        thresholds=fit.thresholds,
        notes=fit.notes,
        photos=photos,
        accuracy=sum(exam.right for exam in exams) / photos,
        int8_accuracy=sum(exam.int8_right for exam in exams) / photos,
        int8_tuned=any(exam.int8_tuned for exam in exams),
        typed_int8_accuracy=sum(typed) / photos if len(typed) == len(exams) else None,
    )


def _right(embeddings: NDArray[np.float32], truth: NDArray[np.int32], vectors: Vectors) -> int:
    return int(((embeddings @ vectors.centroids.T).argmax(1) == truth).sum())


def _pooled(
    held_out: NDArray[np.float32],
    truth: NDArray[np.int32],
    scenes: Sequence[int],
    vectors: Vectors,
) -> dict[int, PooledQueries]:
    scene = np.array(scenes, np.int64)
    queries: dict[int, PooledQueries] = {}
    for size in POOL_SIZES:
        # Frames of one item share its scene: a pool over several would flatter.
        starts = [at for at in range(len(truth) - size + 1) if scene[at] == scene[at + size - 1]]
        if starts:
            pooled = np.stack([consensus(held_out[at : at + size]).embedding for at in starts])
            queries[size] = _queries(pooled, truth[starts], scene[starts], vectors)
    return queries


def _queries(
    embeddings: NDArray[np.float32],
    truth: NDArray[np.int32],
    scene: NDArray[np.int64],
    vectors: Vectors,
) -> PooledQueries:
    """Distances of queries of known products ``(Q, D)`` to a category's vectors."""
    distances = 1 - embeddings @ vectors.centroids.T
    order = np.argsort(distances, axis=1)[:, :2]
    nearest_anchor = vectors.anchor_products[(embeddings @ vectors.anchors.T).argmax(1)]
    return PooledQueries(
        distances=np.take_along_axis(distances, order, 1),
        correct=order[:, 0] == truth,
        known=np.ones(len(truth), dtype=bool),
        anchors_agree=nearest_anchor == order[:, 0],
        groups=scene,
    )
