"""What a step is given and what it says: values that every step shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from cloud_trainer.pipeline.plan import Serving
from cloud_trainer.pipeline.seams import ApprovedProduct, RunProgress
from models.bundle import MANIFEST_NAME

BUNDLE_FOLDER = "bundle"
TRAINED_FOLDER = "trained"
EDITIONS_NAME = "editions.json"


@dataclass(frozen=True)
class Result:
    """How a step went.

    Attributes:
        kind: ``done``; ``under_way``: look again; ``stopped``: the run ends here.
        reason: What came of it, for people.
        figures: What it measured, JSON values.
        release: The release that it published.
    """

    kind: Literal["done", "under_way", "stopped"]
    reason: str
    figures: Mapping[str, object] = field(default_factory=dict)
    release: int | None = None


@dataclass(frozen=True)
class Work:
    """A run with what it is about.

    Attributes:
        run: The run, as it was written down.
        folder: Where its files are.
        serving: What every device may run.
        approved: Approved products, without refused editions.
        withdrawn: SKUs that must not be recognised.
        now: The time.
    """

    run: RunProgress
    folder: Path
    serving: Serving | None
    approved: tuple[ApprovedProduct, ...]
    withdrawn: frozenset[str]
    now: datetime

    @property
    def bundle_path(self) -> Path:
        """The bundle that goes out; the trained one where nothing was to be enrolled into it."""
        made = self.folder / BUNDLE_FOLDER
        return made if (made / MANIFEST_NAME).is_file() else self.folder / TRAINED_FOLDER

    @property
    def enrolled(self) -> tuple[str, ...]:
        """SKUs that its step ``enrol`` gave new vectors."""
        step = self.run.step("enrol")
        found = step.figures.get("enrolled", ()) if step else ()
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def edition(self, sku: str) -> str | None:
        """The approved edition of a product."""
        return next((each.edition for each in self.approved if each.product.sku == sku), None)
