"""The first steps of a run: photos gathered, a network trained, products enrolled.

Each may be killed anywhere and done again: it reads what the steps before it wrote, does its work,
and says how it went; ``running`` writes that down. The order of things and the reasons are
``plan``'s; what follows once there is a bundle is ``judging``'s and ``going_out``'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import Job, worker_of
from cloud_trainer.pipeline.background import Background
from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.making import Gathered, gather, make_edition
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.releases import LocalReleases
from cloud_trainer.pipeline.seams import ApprovedProduct, ProductsToDo
from cloud_trainer.pipeline.settings import PipelineSettings, TrainingSettings
from cloud_trainer.pipeline.view import TRAINING_FOLDER
from cloud_trainer.pipeline.work import (
    BUNDLE_FOLDER,
    EDITIONS_NAME,
    TRAINED_FOLDER,
    Result,
    Work,
)
from models.bundle import MANIFEST_NAME, open_bundle

_JOB_MODULE = "cloud_trainer.category"


def gather_step(
    work: Work, products: ProductsToDo, events: LabelledEvents, settings: PipelineSettings
) -> Result:
    """Choose what a training learns from.

    Raises:
        WalkoutTrainerError: There is too little.
    """
    approved = events.approved(work.run.category)
    photos = photos_of(products, work.approved)
    gathered = gather(work.approved, photos, approved, settings, work.folder)
    gathered.save(work.folder)
    events.gather(gathered.events, work.run.number)
    figures = {
        "products": len(gathered.products),
        "photos": len(gathered.photos),
        "held_out": len(gathered.held_out),
        "set_aside": gathered.set_aside,
        "events": len(approved),
        "learned_events": len(gathered.events),
    }
    words = (
        f"{len(gathered.photos)} photos and crops of {len(gathered.products)} products, "
        f"{len(gathered.events)} of {len(approved)} approved events among them; "
        f"{len(gathered.held_out)} photos held out"
    )
    return Result("done", words, figures)


def train_step(work: Work, background: Background, settings: TrainingSettings) -> Result:
    """Have a network trained; done once its bundle is there, whoever made it.

    Raises:
        WalkoutTrainerError: The training failed; it goes on from its checkpoint.
        BundleError: Its bundle cannot be read.
    """
    folder, target = work.folder / TRAINING_FOLDER, work.folder / TRAINED_FOLDER
    if background.is_started(folder):
        outcome = background.outcome(folder)
        if outcome is None:
            return Result("under_way", "training")
        if outcome.error is not None:
            raise WalkoutTrainerError(outcome.error)
    if (target / MANIFEST_NAME).is_file():
        manifest = open_bundle(target).manifest
        share = manifest.evaluation.get("centroid_accuracy")
        words = f"version {manifest.version}"
        if isinstance(share, float):
            words += f"; {share:.1%} of scenes held out of its trainings are right"
        return Result("done", words, dict(manifest.evaluation))
    if (process := worker_of(folder)) is not None:
        return Result("under_way", f"process {process}, which an earlier pipeline began, trains")
    background.start(_job(work, folder, target, settings))
    return Result("under_way", "training")


def enrol_step(
    work: Work, products: ProductsToDo, releases: LocalReleases, records: PipelineRecords
) -> Result:
    """Make the bundle that goes out: everything approved is in it, nothing withdrawn.

    Raises:
        WalkoutTrainerError: A product cannot be taken out.
        BundleError: A bundle cannot be read or written.
    """
    serving = work.serving
    editions: Mapping[str, str]
    if work.run.kind == "train":
        base = open_bundle(work.folder / TRAINED_FOLDER)
        editions = Gathered.read(work.folder).editions
    elif serving is not None:
        base = releases.bundle(work.run.category, serving.release)
        editions = serving.editions
    else:
        raise WalkoutTrainerError("no bundle serves that products could be enrolled into")
    to_enrol = [each for each in work.approved if editions.get(each.product.sku) != each.edition]
    made = make_edition(
        base,
        editions,
        work.approved,
        photos_of(products, to_enrol),
        work.withdrawn,
        work.folder / BUNDLE_FOLDER,
    )
    refuse(made.refused, work, products, records)
    if made.bundle.path == base.path and work.run.kind == "enrol":
        return Result("stopped", made.words())
    (work.folder / EDITIONS_NAME).write_text(json.dumps(dict(made.editions)))
    figures = {
        "base": serving.release if serving else None,
        "version": made.bundle.manifest.version,
        "products": len(made.bundle.skus),
        "enrolled": list(made.enrolled),
        "withdrawn": list(made.withdrawn),
        "refused": dict(made.refused),
        "close": dict(made.close),
    }
    return Result("done", made.words(), figures)


def refuse(
    reasons: Mapping[str, str], work: Work, products: ProductsToDo, records: PipelineRecords
) -> None:
    """Write down that editions cannot be enrolled, and tell their keeper."""
    for sku, reason in sorted(reasons.items()):
        if (edition := work.edition(sku)) is not None:
            records.refuse(sku, edition, reason)
            products.refused(sku, edition, reason)


def photos_of(
    products: ProductsToDo, approved: Iterable[ApprovedProduct]
) -> dict[str, tuple[Path, ...]]:
    """Photos of products by SKU."""
    return {each.product.sku: products.photos(each.product.sku) for each in approved}


def _job(work: Work, folder: Path, target: Path, settings: TrainingSettings) -> Job:
    # Training imports torch, which whoever only enrols need not wait for.
    from cloud_trainer.category import CategoryJob
    from cloud_trainer.train import TrainingPlan
    from models.embedder import Backbone, NetworkShape

    if settings.backbone not in get_args(Backbone):
        raise WalkoutTrainerError(
            f"no backbone {settings.backbone!r}: choose one of {', '.join(get_args(Backbone))}"
        )
    gathered = Gathered.read(work.folder)
    job = CategoryJob(
        category=work.run.category,
        root=work.folder,
        products=gathered.products,
        photos=gathered.photos,
        plan=TrainingPlan(
            network=NetworkShape(
                backbone=settings.backbone,  # type: ignore[arg-type] # looked up above
                input_size_px=settings.input_size_px,
            ),
            steps=settings.steps,
            folds=settings.folds,
            refit=settings.refit,
            seed=settings.seed,
            batch_products=settings.batch_products,
            batch_photos=settings.batch_photos,
            evaluate_every=settings.evaluate_every,
            checkpoint_every=settings.checkpoint_every,
        ),
        budget=settings.budget,
        target=target,
        licence=settings.licence,
        replace=True,
    )
    name = f"{work.run.category}, run {work.run.number}"
    return Job(name, _JOB_MODULE, folder, job.to_json())
