"""One category from photos to bundle: the job that an executor's worker runs.

``python -m cloud_trainer.category FOLDER`` reads ``FOLDER/job.json``, trains (or goes on from the
checkpoint in ``FOLDER``), exports, fits thresholds on the held-out scenes and writes the bundle.
Owns the order of these steps and nothing of what they do.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cloud_trainer.datasets import PhotoStore, Split, scenes, split_by_scene
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import write_progress
from cloud_trainer.export import (
    PARITY_TOLERANCE,
    assert_parity,
    export_networks,
    onnx_model,
    rounded_to_fp16,
    torch_embeddings,
)
from cloud_trainer.inference import NetworkSession
from cloud_trainer.quantise import quantise
from cloud_trainer.thresholds import PooledQueries, fit_with_notes
from cloud_trainer.train import WORKING_SIDE_SHARE, Trained, TrainingPlan, TrainingRun
from models.bundle import (
    Bundle,
    BundleProduct,
    Golden,
    Provenance,
    Quantisation,
    Vectors,
    write_bundle,
)
from models.catalogue import Catalogue, Photo, Product
from models.consensus import consensus
from models.decision import ErrorBudget, Thresholds, pool
from models.preprocess import Preprocessing, photo_region, prepare_batch

logger = logging.getLogger(__name__)

POOL_SIZES = (1, 3, 5)
_INT8_COSTS_AT_MOST = 0.01
_INT8_RANGE_PHOTOS = 96
_GOLDEN_CROPS = 8


@dataclass(frozen=True)
class CategoryJob:
    """What a worker is asked to make.

    Attributes:
        category: Name of the category.
        root: Folder of the catalogue.
        products: Its products.
        photos: Its usable photos.
        plan: How to train.
        budget: What errors the thresholds may make.
        target: Folder of the bundle to write.
        licence: Licence of photos and network, kept in the bundle.
        replace: Whether an older bundle in ``target`` is replaced.
    """

    category: str
    root: Path
    products: tuple[Product, ...]
    photos: tuple[Photo, ...]
    plan: TrainingPlan
    budget: ErrorBudget
    target: Path
    licence: str
    replace: bool

    def to_json(self) -> dict[str, object]:
        """As JSON values, for ``from_json``."""
        return {
            "category": self.category,
            "root": str(self.root.resolve()),
            "products": [product.model_dump(mode="json") for product in self.products],
            "photos": [[str(p.path.resolve()), p.sku, p.negative] for p in self.photos],
            "plan": asdict(self.plan),
            "budget": self.budget.model_dump(),
            "target": str(self.target.resolve()),
            "licence": self.licence,
            "replace": self.replace,
        }

    @staticmethod
    def from_json(values: Mapping[str, object]) -> CategoryJob:
        """Rebuild what ``to_json`` wrote."""
        document = json.loads(json.dumps(dict(values)))
        return CategoryJob(
            category=document["category"],
            root=Path(document["root"]),
            products=tuple(Product.model_validate(entry) for entry in document["products"]),
            photos=tuple(Photo(Path(p), sku, negative) for p, sku, negative in document["photos"]),
            plan=TrainingPlan.from_json(document["plan"]),
            budget=ErrorBudget.model_validate(document["budget"]),
            target=Path(document["target"]),
            licence=document["licence"],
            replace=document["replace"],
        )


def make_bundle(job: CategoryJob, folder: Path) -> Bundle:
    """Train, export, fit and write one category's bundle.

    Args:
        job: What to make.
        folder: The job's working folder; holds the checkpoint and the progress.

    Raises:
        WalkoutTrainerError: The category cannot be trained, or an export strays from its network.
        BundleError: The bundle cannot be written.
    """
    preprocessing = Preprocessing(input_size_px=job.plan.network.input_size_px)
    store = PhotoStore(round(preprocessing.input_size_px * WORKING_SIDE_SHARE))
    catalogue = Catalogue(job.root, job.products, job.photos)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done % 25 == 0 or done == len(job.photos):
            write_progress(
                folder, {"phase": "reading photos", "step": done, "steps": len(job.photos)}
            )

    store.load(job.photos, advance)
    split = split_by_scene(catalogue, job.plan.holdout_share, job.plan.seed, store)
    run = TrainingRun(split, job.plan, folder, store, preprocessing)
    trained = run.run(lambda live: write_progress(folder, {"phase": "training", **live}))
    write_progress(folder, {"phase": "exporting", "step": 1, "steps": 1})
    with tempfile.TemporaryDirectory(dir=folder) as exported:
        return _Exporter(job, split, trained, store, preprocessing, Path(exported)).write()


class _Exporter:
    """Turns a trained network and its photos into the content of a bundle."""

    def __init__(
        self,
        job: CategoryJob,
        split: Split,
        trained: Trained,
        store: PhotoStore,
        preprocessing: Preprocessing,
        folder: Path,
    ) -> None:
        self._job, self._split, self._trained, self._folder = job, split, trained, folder
        self._store, self._preprocessing = store, preprocessing
        self._skus = [product.sku for product in job.products]
        self._row = {sku: row for row, sku in enumerate(self._skus)}

    def _crops(self, photos: Sequence[Photo]) -> NDArray[np.uint8]:
        regions = [
            photo_region(self._store.pixels(photo.path), self._preprocessing) for photo in photos
        ]
        return prepare_batch(
            regions, self._preprocessing.input_size_px, self._preprocessing.pad_value
        )

    def _embed(self, session: NetworkSession, photos: Sequence[Photo]) -> NDArray[np.float32]:
        parts = [
            session.embed(self._crops(photos[start : start + 64]))
            for start in range(0, len(photos), 64)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, session.embedding_dim or 0), "f4")

    def _rows(self, photos: Sequence[Photo]) -> NDArray[np.int32]:
        return np.array([self._row[photo.sku] for photo in photos], dtype=np.int32)

    def write(self) -> Bundle:
        """Export, measure and write."""
        job, split = self._job, self._split
        network = rounded_to_fp16(self._trained.network)
        files = export_networks(network, self._folder)
        session = NetworkSession(files.fp32)
        golden = self._golden(session)
        reference = torch_embeddings(network, golden.crops)
        assert_parity(reference, golden.embeddings, "ONNX fp32", PARITY_TOLERANCE)
        half = NetworkSession(files.tensorrt).embed(golden.crops)
        assert_parity(reference, half, "ONNX fp16", 10 * PARITY_TOLERANCE)

        negatives = [photo for photo in job.photos if photo.negative]
        anchors = self._embed(session, split.train)
        anchor_products = self._rows(split.train)
        vectors = Vectors(
            centroids=np.stack(
                [pool(anchors[anchor_products == row]) for row in range(len(self._skus))]
            ),
            anchors=anchors,
            anchor_products=anchor_products,
            negatives=self._embed(session, negatives),
            negative_products=self._rows(negatives),
        )
        networks = {path.name: path for path in (files.fp32, files.tensorrt, files.weights)}
        held_out = self._embed(session, split.holdout)
        thresholds, notes = self._thresholds(held_out, vectors)
        accuracy = self._accuracy(held_out, vectors)
        int8 = self._folder / "embedder.int8.onnx"
        picks = np.linspace(0, len(split.train) - 1, min(len(split.train), _INT8_RANGE_PHOTOS))
        quantise(onnx_model(network), self._crops([split.train[int(at)] for at in picks]), int8)
        int8_accuracy = self._accuracy(self._embed(NetworkSession(int8), split.holdout), vectors)
        ships = accuracy is not None and int8_accuracy is not None
        if ships and accuracy - int8_accuracy <= _INT8_COSTS_AT_MOST:  # type: ignore[operator]
            networks[int8.name] = int8
        else:
            logger.warning("INT8 is not shipped: %s against %s", int8_accuracy, accuracy)
        today = datetime.datetime.now(datetime.timezone.utc)
        digest = hashlib.sha256(files.weights.read_bytes()).hexdigest()[:8]
        return write_bundle(
            job.target,
            category=job.category,
            version=f"{today:%Y.%m.%d}-{digest}",
            preprocessing=self._preprocessing,
            thresholds=thresholds,
            products=[
                BundleProduct(**product.model_dump(), photos=int((anchor_products == row).sum()))
                for row, product in enumerate(job.products)
            ],
            provenance=self._provenance(),
            evaluation={
                "split": "scenes held out of training; also used for early stopping and to fit "
                "the thresholds",
                "photos": float(len(split.holdout)),
                "centroid_accuracy": accuracy,
                "accepted_share": thresholds.pairs[0].accepted_share,
                "training_s": round(self._trained.seconds, 1),
                "notes": "; ".join(notes),
            },
            quantisation=Quantisation(
                int8_shipped=int8.name in networks,
                fp32_accuracy=accuracy,
                int8_accuracy=int8_accuracy,
                parity_max_abs=float(np.abs(reference - golden.embeddings).max()),
            ),
            networks=networks,
            vectors=vectors,
            golden=golden,
            replace=job.replace,
        )

    def _golden(self, session: NetworkSession) -> Golden:
        """Crops from all over the category, with what the exported network makes of them."""
        picks = np.linspace(0, len(self._split.train) - 1, _GOLDEN_CROPS).astype(int)
        photos = [self._split.train[pick] for pick in sorted(set(picks.tolist()))]
        crops = self._crops(photos)
        return Golden(crops, session.embed(crops), tuple(photo.sku for photo in photos))

    def _accuracy(self, held_out: NDArray[np.float32], vectors: Vectors) -> float | None:
        if len(held_out) == 0:
            return None
        nearest = (held_out @ vectors.centroids.T).argmax(1)
        return float((nearest == self._rows(self._split.holdout)).mean())

    def _thresholds(
        self, held_out: NDArray[np.float32], vectors: Vectors
    ) -> tuple[Thresholds, tuple[str, ...]]:
        photos = self._split.holdout
        if not photos:
            raise WalkoutTrainerError(
                "no photos could be held out to fit thresholds on: products need at least four "
                "photos each; add photos"
            )
        truth = self._rows(photos)
        scene = scenes(photos, self._store)
        queries: dict[int, PooledQueries] = {}
        for size in POOL_SIZES:
            starts = [
                at for at in range(len(truth) - size + 1) if truth[at] == truth[at + size - 1]
            ]
            if starts:
                pooled = np.stack([consensus(held_out[at : at + size]).embedding for at in starts])
                queries[size] = _queries(pooled, truth[starts], scene[starts], vectors)
        fit = fit_with_notes(queries, self._job.budget)
        return fit.thresholds, fit.notes

    def _provenance(self) -> Provenance:
        job = self._job
        catalogue = hashlib.sha256()
        for photo in job.photos:
            catalogue.update(f"{photo.sku}\0{photo.negative}\0".encode())
            catalogue.update(photo.path.read_bytes())
        return Provenance(
            backbone=job.plan.network.backbone,
            seed=job.plan.seed,
            steps=self._trained.best_step,
            trained_at_size_px=job.plan.network.input_size_px,
            photos=len(self._split.train),
            products=len(job.products),
            catalogue_sha256=catalogue.hexdigest(),
            walkout_version=importlib.metadata.version("walkout"),
            torch_version=torch.__version__,
            licence=job.licence,
        )


def _queries(
    embeddings: NDArray[np.float32],
    truth: NDArray[np.int32],
    scene: NDArray[np.int32],
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
        groups=scene.astype(np.int64),
    )


def main() -> int:
    """Run the job of the folder named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1])
    job = CategoryJob.from_json(json.loads((folder / "job.json").read_text()))
    try:
        make_bundle(job, folder)
    except Exception as err:
        logger.exception("category %s failed", job.category)
        print(f"{type(err).__name__}: {err}" if not str(err) else err)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
