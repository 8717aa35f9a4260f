"""Bounds, rules and pace of the pipeline, declared once. Values only.

A YAML file with any of these fields changes them (``read_settings``); what is not named keeps its
default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.rollout.course import Course, Step
from models.bundle.manifest import first_complaint
from models.decision import ErrorBudget
from models.delivery.wire import Closed


class Bounds(Closed):
    """What a category may come to before it is trained again.

    Attributes:
        verified_error_percent: Of human-verified events, so many may be wrong. Events from a
            review queue are the hard ones: this is no error rate of a shop.
        confidence: One-sided confidence with which the bound must be exceeded.
        least_events: Events before anything is said about their error.
        enrolled_percent: Share of a bundle's products that no training has seen.
        least_enrolled: So many of them there must be as well.
        least_crops: Wrong events that are approved to learn from, before a training is worth it.
        rest_s: Between the end of a training run and the beginning of the next.
        fresh_events: A training run that led to no release is followed by another only once so
            many events more are approved.
    """

    verified_error_percent: float = Field(default=20.0, ge=0.0, lt=100.0)
    confidence: float = Field(default=0.95, ge=0.5, lt=1.0)
    least_events: int = Field(default=50, ge=1)
    enrolled_percent: float = Field(default=25.0, gt=0.0, le=100.0)
    least_enrolled: int = Field(default=5, ge=1)
    least_crops: int = Field(default=20, ge=0)
    rest_s: float = Field(default=86_400.0, ge=0.0)
    fresh_events: int = Field(default=40, ge=1)


class ComparisonRule(Closed):
    """When a bundle may replace the serving one; see ``comparing``.

    Attributes:
        confidence: One-sided, of every bound.
        least_queries: With fewer, two bundles are not compared on a kind of query.
        photos_margin_points: Percentage points that a retrained bundle may lose on held-out photos,
            with confidence.
        events_margin_points: The same on human-verified events, where it is not for their sake that
            it was trained.
        wrong_margin_points: Percentage points more that it may accept wrongly, with confidence.
        settled_margin_points: Percentage points fewer that it may settle rightly without a person,
            as counted.
        enrolment_margin_points: Percentage points that an enrolment may cost other products before
            it is stopped, as counted and where chance alone does not explain it.
        least_own_percent: Share of an enrolled product's photos that must be recognised by its
            others.
    """

    confidence: float = Field(default=0.95, ge=0.5, lt=1.0)
    least_queries: int = Field(default=40, ge=2)
    photos_margin_points: float = Field(default=3.0, ge=0.0, le=100.0)
    events_margin_points: float = Field(default=3.0, ge=0.0, le=100.0)
    wrong_margin_points: float = Field(default=2.0, ge=0.0, le=100.0)
    settled_margin_points: float = Field(default=10.0, ge=0.0, le=100.0)
    enrolment_margin_points: float = Field(default=1.0, ge=0.0, le=100.0)
    least_own_percent: float = Field(default=50.0, ge=0.0, le=100.0)


class TrainingSettings(Closed):
    """How the pipeline trains; fields as in ``cloud_trainer.train.TrainingPlan``.

    Attributes:
        backbone: Trunk of the network.
        input_size_px: Side of its input.
        steps: Optimiser steps of each training.
        folds: Trainings that are judged on held-out scenes.
        refit: Whether one more over all photos is what ships.
        seed: Seed of everything random.
        batch_products: Products in a batch.
        batch_photos: Photos of each in a batch.
        evaluate_every: Steps between two looks at held-out scenes.
        checkpoint_every: Steps between two checkpoints.
        budget: What errors the thresholds may make.
        licence: Licence of the photos, kept in the bundle.
    """

    backbone: str = "efficientnet-lite2"
    input_size_px: int = Field(default=256, ge=32, le=1024)
    steps: int = Field(default=500, ge=1)
    folds: int = Field(default=2, ge=1, le=10)
    refit: bool = True
    seed: int = 0
    batch_products: int = Field(default=12, ge=2)
    batch_photos: int = Field(default=4, ge=2)
    evaluate_every: int = Field(default=250, ge=1)
    checkpoint_every: int = Field(default=50, ge=1)
    budget: ErrorBudget = ErrorBudget()
    licence: str = "unstated"


class Attempts(Closed):
    """What becomes of a step that fails.

    Attributes:
        most: After so many the run has failed.
        first_pause_s: Before the second attempt; four times as long before each further one.
    """

    most: int = Field(default=3, ge=1)
    first_pause_s: float = Field(default=30.0, ge=0.0)


_ENROLMENT = Course(
    steps=(Step(name="10 %", percent=10.0), Step(name="100 %", percent=100.0)), wait_s=0.0
)
_TRAINING = Course(
    steps=tuple(Step(name=f"{p:g} %", percent=p) for p in (1.0, 10.0, 50.0, 100.0)), wait_s=3600.0
)


class PipelineSettings(Closed):
    """Everything that a person decides about the pipeline.

    Attributes:
        bounds: When a category is trained again.
        rule: When a bundle may replace the serving one.
        training: How it is trained.
        attempts: What becomes of a step that fails.
        enrolment_course: How a bundle of the same network is rolled out.
        training_course: How a retrained one is.
        held_out_percent: Photos and events that are never trained on but compared on.
        least_photos: Products with fewer photos keep all of them for training.
        newest_events: Error is measured on so many of the newest events: with more, those from
            before a drift hide it for longer.
        crops: Whether labelled events count once a person here has approved them, or at once.
    """

    bounds: Bounds = Bounds()
    rule: ComparisonRule = ComparisonRule()
    training: TrainingSettings = TrainingSettings()
    attempts: Attempts = Attempts()
    enrolment_course: Course = _ENROLMENT
    training_course: Course = _TRAINING
    held_out_percent: float = Field(default=25.0, ge=5.0, le=50.0)
    least_photos: int = Field(default=8, ge=5)
    newest_events: int = Field(default=200, ge=1)
    crops: Literal["by_hand", "at_once"] = "by_hand"


def read_settings(path: Path) -> PipelineSettings:
    """Settings from a YAML file.

    Raises:
        WalkoutTrainerError: It cannot be read, or says something that there is not.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        return PipelineSettings.model_validate({} if document is None else document)
    except OSError as err:
        raise WalkoutTrainerError(f"{path}: {err.strerror or err}; name a YAML file") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise WalkoutTrainerError(f"{path} is no YAML file: {err}") from err
    except ValidationError as err:
        raise WalkoutTrainerError(f"{path}: {first_complaint(err)}; correct it") from err
