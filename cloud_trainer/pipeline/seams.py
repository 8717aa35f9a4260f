"""What the pipeline asks of whoever keeps products, and what it tells of itself. Values only.

The portal keeps products with their photos and who approved them; a folder can as well
(``cloud_trainer.pipeline.folder``). Nothing here imports torch, a store or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from models.catalogue import Product

RunKind = Literal["enrol", "train"]
"""``enrol``: new vectors under the same network; ``train``: another network."""

StepName = Literal["gather", "train", "enrol", "examine", "gate", "publish", "roll_out"]
"""What a run goes through, in order; an ``enrol`` run has no ``gather`` and no ``train``."""

STEPS: Mapping[RunKind, tuple[StepName, ...]] = {
    "enrol": ("enrol", "examine", "gate", "publish", "roll_out"),
    "train": ("gather", "train", "enrol", "examine", "gate", "publish", "roll_out"),
}

StepStatus = Literal["waiting", "under_way", "done", "failed"]
RunStatus = Literal["under_way", "done", "stopped", "failed"]
"""``stopped``: a gate or a person said no; ``failed``: a step failed too often."""

CropsStatus = Literal["waiting", "approved", "refused"]


@dataclass(frozen=True)
class ApprovedProduct:
    """A product that may be recognised.

    Attributes:
        product: The product; its category says in which bundle.
        edition: Changes whenever its photos do, such as a checksum over them. Its fields (name,
            price) are compared with what the bundle says and change without new vectors.
    """

    product: Product
    edition: str


class ProductsToDo(Protocol):
    """What is wanted of the pipeline: implemented by the portal, and by a folder.

    Everything may be asked again and again, and from another process than the one that changes it.
    """

    def categories(self) -> tuple[str, ...]:
        """Categories with an approved or withdrawn product, sorted."""
        ...

    def approved(self, category: str) -> tuple[ApprovedProduct, ...]:
        """Every product of a category that is approved and not withdrawn, by SKU.

        Those that are served already are among them: the pipeline knows by their editions.
        """
        ...

    def withdrawn(self, category: str) -> tuple[str, ...]:
        """SKUs that must not be recognised any more, sorted.

        A product of a bundle that nobody ever handed in is in neither list, and stays.
        """
        ...

    def photos(self, sku: str) -> tuple[Path, ...]:
        """Photos of an approved product as local files that do not change, in shooting order."""
        ...

    def served(self, category: str, release: int, editions: Mapping[str, str]) -> None:
        """Told when a release becomes what every device may run; the same may be told again.

        Args:
            category: The category.
            release: The release.
            editions: By SKU, the editions of approved products that it has. A SKU that is missing
                here is not recognised by it any more, or never came by the pipeline.
        """
        ...

    def refused(self, sku: str, edition: str, reason: str) -> None:
        """Told when an edition cannot be enrolled; the same may be told again.

        Args:
            sku: The product.
            edition: Which edition; another one is tried again.
            reason: Why, for the provider to read, and what to do.
        """
        ...


@dataclass(frozen=True)
class StepProgress:
    """A step of a run.

    Attributes:
        name: Which.
        status: How it stands.
        reason: Why it is so, or what came of it, for people.
        attempts: How often it was begun.
        began_at: When it was first begun.
        ended_at: When it was done or failed for good.
        not_before: Where it failed and is tried again: when.
        figures: What it measured, JSON values.
    """

    name: StepName
    status: StepStatus
    reason: str
    attempts: int
    began_at: datetime | None
    ended_at: datetime | None
    not_before: datetime | None
    figures: Mapping[str, object]


@dataclass(frozen=True)
class RunProgress:
    """One way of a category from a reason to a release, or to a refusal.

    Attributes:
        number: Counts the runs of all categories from 1.
        category: The category.
        kind: Enrolment or training.
        status: How it stands.
        reason: Why it was begun.
        subject: What it is about, as a checksum: just the same is not begun twice by itself.
        outcome: What came of it; empty while it is under way.
        began_at: When.
        ended_at: When, where it has.
        release: The release that it published, where it has.
        steps: All of its steps, in order.
    """

    number: int
    category: str
    kind: RunKind
    status: RunStatus
    reason: str
    subject: str
    outcome: str
    began_at: datetime
    ended_at: datetime | None
    release: int | None
    steps: tuple[StepProgress, ...]

    def step(self, name: StepName) -> StepProgress | None:
        """One of its steps; ``None`` where its kind has none of this name."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def current(self) -> StepProgress | None:
        """The first step that is not done; ``None`` where all are."""
        return next((step for step in self.steps if step.status != "done"), None)


@dataclass(frozen=True)
class CategoryProgress:
    """What the pipeline does about a category, why, and what is next.

    Attributes:
        category: The category.
        release: What every device may run; ``None`` before the first.
        bundle_version: Its version.
        products: Products in it.
        enrolled: Those of them that no training has seen.
        doing: What is being done now, a few words: ``waiting``, ``train``, ``roll_out``, ...
        reason: Why.
        following: What would be next, or what it waits for.
        to_enrol: SKUs approved and not yet in the release.
        to_withdraw: SKUs withdrawn and still in the release.
        verified_wrong: Human-verified events that the serving bundle gets wrong ...
        verified_events: ... of so many.
        crops_waiting: Labelled events that wait for approval.
        looked_at: When this was found.
    """

    category: str
    release: int | None
    bundle_version: str | None
    products: int
    enrolled: int
    doing: str
    reason: str
    following: str
    to_enrol: tuple[str, ...]
    to_withdraw: tuple[str, ...]
    verified_wrong: int
    verified_events: int
    crops_waiting: int
    looked_at: datetime


@dataclass(frozen=True)
class LabelledCrops:
    """An interaction event of a shop that a person has settled there.

    Attributes:
        shop: The shop (device) that it came from.
        event_id: Its id there; an event is known by both.
        category: Category of the bundle that looked at it.
        sku: What it is; ``None`` for an object that the shop does not sell.
        recognised_sku: The network's best guess then.
        camera: What saw it, where known.
        reviewer: Who settled it.
        settled_at: When.
        crops: Its crops, local PNG files.
        status: Whether somebody here has approved it for use.
        decided_by: Who has.
    """

    shop: str
    event_id: str
    category: str
    sku: str | None
    recognised_sku: str | None
    camera: str | None
    reviewer: str | None
    settled_at: datetime | None
    crops: tuple[Path, ...]
    status: CropsStatus
    decided_by: str | None
