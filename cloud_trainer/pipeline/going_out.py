"""The last steps: a bundle is published, and devices are let have it in rings."""

from __future__ import annotations

import json

from cloud_trainer.errors import RolloutError, WalkoutTrainerError
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.settings import PipelineSettings
from cloud_trainer.pipeline.work import EDITIONS_NAME, Result, Work
from cloud_trainer.publishing import Repository, publish_bundle
from cloud_trainer.rollout.running import Rollouts

_NOTES = 160


def publish_step(work: Work, repository: Repository, records: PipelineRecords) -> Result:
    """Publish the bundle as the next release; once more where it is unknown whether it was.

    A release with the same files is not published twice, so a kill between the store and our own
    record costs nothing.

    Raises:
        BundleError: The bundle cannot be read.
        PublishingError: It cannot be published.
        StoreError: The store cannot be written.
    """
    notes = f"run {work.run.number}: {work.run.reason}"[:_NOTES]
    publication = publish_bundle(repository, work.bundle_path, work.now, notes=notes)
    release = publication.release.release
    editions = json.loads((work.folder / EDITIONS_NAME).read_text())
    records.hold(work.run.category, release, editions)
    figures = {
        "release": release,
        "sent_bytes": publication.sent_bytes,
        "update_bytes": publication.update_bytes,
    }
    return Result("done", f"release {release}", figures, release=release)


def roll_out_step(work: Work, rollouts: Rollouts, settings: PipelineSettings) -> Result:
    """Let devices have the release, step by step, as the rollout engine says.

    Raises:
        WalkoutTrainerError: It cannot begin now.
    """
    category, release = work.run.category, work.run.release
    if release is None:
        raise WalkoutTrainerError(f"run {work.run.number} has published nothing")
    if work.serving is not None and work.serving.release == release:
        return Result("done", f"every device may run release {release}")
    overview = rollouts.overview(category) if category in rollouts.categories() else None
    if overview is None or overview.rollout.release != release:
        course = settings.enrolment_course if work.run.kind == "enrol" else settings.training_course
        started = rollouts.start(category, release, course)
        return Result("under_way", started.reason)
    rollout = overview.rollout
    if not rollout.is_unfinished and rollout.status != "done":
        word = rollout.status.replace("_", " ")
        return Result("stopped", f"release {release} was {word}: {rollout.reason}")
    try:
        rollouts.look(category)
    except RolloutError as err:
        return Result("under_way", str(err))  # somebody else looked at the same moment
    return Result("under_way", f"{rollout.status}: {overview.action.reason}")
