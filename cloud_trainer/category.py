"""One category from photos to bundle: the job that an executor's worker runs.

``python -m cloud_trainer.category FOLDER`` reads ``FOLDER/job.json``, trains (or goes on from the
checkpoints in ``FOLDER``), judges networks on the scenes held out from each, trains the one that
ships on all photos, exports it and writes the bundle. Owns the order of these steps and nothing of
what they do.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import logging
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from cloud_trainer.datasets import PhotoStore, spread
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import sole_worker, write_progress
from cloud_trainer.export import (
    PARITY_TOLERANCE,
    assert_parity,
    export_networks,
    rounded_to_fp16,
    torch_embeddings,
)
from cloud_trainer.holdout import Eye, Judgement, examine, judge, write_int8
from cloud_trainer.inference import NetworkSession
from cloud_trainer.scenes import Split, find_scenes, split_by_scene, surroundings
from cloud_trainer.train import (
    WORKING_SIDE_SHARE,
    Int8Plan,
    Trained,
    TrainingPlan,
    TrainingRun,
)
from models.bundle import Bundle, BundleProduct, Golden, Provenance, Quantisation, write_bundle
from models.catalogue import Catalogue, Photo, Product
from models.decision import ErrorBudget
from models.preprocess import Preprocessing

logger = logging.getLogger(__name__)

_GOLDEN_CROPS = 8
_SPLIT = "scenes held out of training; also used for early stopping and to fit the thresholds"
_SPLIT_REFIT = (
    "scenes held out of trainings before, each judged with its own training's network; also used "
    "for its early stopping and to fit the thresholds. The network shipped learned from all photos"
)


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
        folder: The job's working folder; holds the checkpoints and the progress.

    Raises:
        WalkoutTrainerError: The category cannot be trained, or an export strays from its network.
        BundleError: The bundle cannot be written.
    """
    preprocessing = Preprocessing(input_size_px=job.plan.network.input_size_px)
    store = PhotoStore(round(preprocessing.input_size_px * WORKING_SIDE_SHARE))
    catalogue = Catalogue(job.root, job.products, job.photos)
    store.load(job.photos, _counting(folder, "reading photos", len(job.photos)))
    photos = [photo for photo in catalogue.photos if not photo.negative]
    around = surroundings(photos, store, _counting(folder, "finding scenes", len(photos)))
    scenes = find_scenes(photos, around)
    folds = job.plan.folds if job.plan.refit else 1
    splits = split_by_scene(catalogue, scenes, job.plan.holdout_share, job.plan.seed, folds)
    if not splits:
        raise WalkoutTrainerError(
            "no photos could be held out to fit thresholds on: products need at least four "
            "photos each; add photos"
        )
    trainings = len(splits) + job.plan.refit

    def train(part: Split, plan: TrainingPlan, name: str, before: int) -> Trained:
        def report(live: Mapping[str, object]) -> None:
            step = before * job.plan.steps + int(str(live["step"]))
            steps = trainings * job.plan.steps
            write_progress(folder, {**live, "phase": "training", "step": step, "steps": steps})

        checkpoints = folder / name
        checkpoints.mkdir(exist_ok=True)
        return TrainingRun(part, plan, checkpoints, store, preprocessing).run(report)

    eye = Eye([product.sku for product in job.products], store, preprocessing)
    judged, exams = [], []
    for fold, split in enumerate(splits):
        judged.append(train(split, job.plan, f"held-out-{fold + 1}", fold))
        write_progress(folder, {"phase": "judging", "step": fold + 1, "steps": len(splits)})
        exams.append(examine(judged[-1].network, split, eye, folder, job.plan.int8))
    judgement = judge(exams, job.budget)
    trained = judged[-1]
    if job.plan.refit:
        split = Split(tuple(photos), (), tuple(scenes.tolist()), ())
        steps = round(statistics.mean(each.best_step for each in judged))
        trained = train(split, replace(job.plan, steps=steps), "all", len(splits))
        seconds = trained.seconds + sum(each.seconds for each in judged)
        trained = replace(trained, seconds=seconds)
    write_progress(folder, {"phase": "exporting", "step": 1, "steps": 1})
    with tempfile.TemporaryDirectory(dir=folder) as exported:
        return _write(job, split, trained, judgement, eye, preprocessing, Path(exported))


def _counting(folder: Path, phase: str, steps: int) -> Callable[[], None]:
    """A call after each photo that writes the progress of a phase now and then."""
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done % 25 == 0 or done == steps:
            write_progress(folder, {"phase": phase, "step": done, "steps": steps})

    return advance


def _write(
    job: CategoryJob,
    split: Split,
    trained: Trained,
    judgement: Judgement,
    eye: Eye,
    preprocessing: Preprocessing,
    folder: Path,
) -> Bundle:
    """Export the network and write the bundle with its vectors and what was judged."""
    network = rounded_to_fp16(trained.network)
    files = export_networks(network, folder)
    session = NetworkSession(files.fp32)
    golden_photos = spread(split.train, _GOLDEN_CROPS)
    crops = eye.crops(golden_photos)
    golden = Golden(crops, session.embed(crops), tuple(photo.sku for photo in golden_photos))
    reference = torch_embeddings(network, golden.crops)
    assert_parity(reference, golden.embeddings, "ONNX fp32", PARITY_TOLERANCE)
    half = NetworkSession(files.tensorrt).embed(golden.crops)
    assert_parity(reference, half, "ONNX fp16", 10 * PARITY_TOLERANCE)
    networks = {path.name: path for path in (files.fp32, files.tensorrt, files.weights)}
    tuning = job.plan.int8 if judgement.int8_tuned else None
    if _worth_it("INT8", judgement, judgement.int8_accuracy, job.plan.int8):
        int8 = folder / "embedder.int8.onnx"
        write_int8(network, split, eye, int8, tuning)
        networks[int8.name] = int8
    typed = judgement.typed_int8_accuracy
    if typed is not None and _worth_it("INT8 for TensorRT", judgement, typed, job.plan.int8):
        write_int8(network, split, eye, files.tensorrt, tuning, "tensorrt")
    negatives = [photo for photo in job.photos if photo.negative]
    vectors = eye.vectors(session, split.train, split.train_scenes, negatives)
    today = datetime.datetime.now(datetime.timezone.utc)
    digest = hashlib.sha256(files.weights.read_bytes()).hexdigest()[:8]
    return write_bundle(
        job.target,
        category=job.category,
        version=f"{today:%Y.%m.%d}-{digest}",
        preprocessing=preprocessing,
        thresholds=judgement.thresholds,
        products=[
            BundleProduct(
                **product.model_dump(), photos=int((vectors.anchor_products == row).sum())
            )
            for row, product in enumerate(job.products)
        ],
        provenance=_provenance(job, split, trained),
        evaluation={
            "split": _SPLIT_REFIT if job.plan.refit else _SPLIT,
            "photos": float(judgement.photos),
            "centroid_accuracy": judgement.accuracy,
            "accepted_share": judgement.thresholds.pairs[0].accepted_share,
            "training_s": round(trained.seconds, 1),
            "int8_tuned": float(judgement.int8_tuned),
            "typed_int8_accuracy": judgement.typed_int8_accuracy,
            "notes": "; ".join(judgement.notes),
        },
        quantisation=Quantisation(
            int8_shipped="embedder.int8.onnx" in networks,
            fp32_accuracy=judgement.accuracy,
            int8_accuracy=judgement.int8_accuracy,
            parity_max_abs=float(np.abs(reference - golden.embeddings).max()),
        ),
        networks=networks,
        vectors=vectors,
        golden=golden,
        replace=job.replace,
    )


def _worth_it(name: str, judgement: Judgement, accuracy: float, plan: Int8Plan) -> bool:
    costs = judgement.accuracy - accuracy
    if costs > plan.costs_at_most:
        logger.warning("%s is not shipped: it costs %.1f points", name, 100 * costs)
    return costs <= plan.costs_at_most


def _provenance(job: CategoryJob, split: Split, trained: Trained) -> Provenance:
    catalogue = hashlib.sha256()
    for photo in job.photos:
        catalogue.update(f"{photo.sku}\0{photo.negative}\0".encode())
        catalogue.update(photo.path.read_bytes())
    return Provenance(
        backbone=job.plan.network.backbone,
        seed=job.plan.seed,
        steps=trained.best_step,
        trained_at_size_px=job.plan.network.input_size_px,
        photos=len(split.train),
        products=len(job.products),
        catalogue_sha256=catalogue.hexdigest(),
        walkout_version=importlib.metadata.version("walkout"),
        torch_version=torch.__version__,
        licence=job.licence,
    )


def main() -> int:
    """Run the job of the folder named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1])
    job = CategoryJob.from_json(json.loads((folder / "job.json").read_text()))
    try:
        with sole_worker(folder):
            make_bundle(job, folder)
    except Exception as err:
        logger.exception("category %s failed", job.category)
        print(f"{type(err).__name__}: {err}" if not str(err) else err)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
