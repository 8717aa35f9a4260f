"""The pipeline: approved products become releases by themselves, drifting categories are retrained.

The parts: ``seams`` what it asks of the keeper of products and tells of itself, ``plan`` what is
next and why (pure), ``comparing`` whether a bundle may replace another (pure), ``settings`` bounds
and pace, ``records`` runs and steps on the disk, ``crops`` labelled crops from shops, ``view`` all
of that for people, ``steps`` what each step does, ``running`` one pass after the other.

Whoever shows the pipeline needs no torch::

    with PipelineView(folder) as view:             # a web process, while another one runs it
        view.categories(), view.runs(limit=20), view.run(7)
        view.crops("soda", status="waiting", limit=20)
        view.approve_crops([("shelf-1", "e-17")], by="ada")

Whoever runs it (a child process of its own)::

    from cloud_trainer.pipeline.running import Pipeline

    with Pipeline(folder, products, repository, rollouts, settings, executor, clock) as pipeline:
        pipeline.advance()                         # one pass; killed anywhere, the next goes on
        pipeline.look()                            # what it would do, why, and what it waits for

A category named by ``ProductsToDo`` is the pipeline's: what it publishes there goes by
``cloud_trainer.publishing`` and ``cloud_trainer.rollout``.
"""

from cloud_trainer.pipeline.seams import (
    STEPS,
    ApprovedProduct,
    CategoryProgress,
    CropsStatus,
    LabelledCrops,
    ProductsToDo,
    RunKind,
    RunProgress,
    RunStatus,
    StepName,
    StepProgress,
    StepStatus,
)

__all__ = [
    "STEPS",
    "ApprovedProduct",
    "CategoryProgress",
    "CropsStatus",
    "LabelledCrops",
    "ProductsToDo",
    "RunKind",
    "RunProgress",
    "RunStatus",
    "StepName",
    "StepProgress",
    "StepStatus",
]
