"""The pipeline for people and pages: what it does and did, and what it asks of them.

Reads and writes the record file beside the process that runs the pipeline; imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cloud_trainer.executors import read_progress
from cloud_trainer.pipeline.crops import EventName, LabelledEvents
from cloud_trainer.pipeline.records import PipelineRecords
from cloud_trainer.pipeline.seams import (
    CategoryProgress,
    CropsStatus,
    LabelledCrops,
    RunKind,
    RunProgress,
)

RUNS_FOLDER = "runs"
TRAINING_FOLDER = "training"


def run_folder(folder: Path, number: int) -> Path:
    """Where the files of a run are: ``gathered.json``, ``training/``, ``bundle/``."""
    return folder / RUNS_FOLDER / f"{number:06d}"


class PipelineView:
    """What the pipeline in a folder shows. A context manager that closes the record file.

    Args:
        folder: The pipeline's folder.

    Raises:
        RecordError: Its record file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records = PipelineRecords(folder)
        self._events = LabelledEvents(self._records.file, folder)

    def __enter__(self) -> PipelineView:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the record file."""
        self._records.file.close()

    def categories(self) -> tuple[CategoryProgress, ...]:
        """How every category stood when the pipeline last looked."""
        return self._records.shown()

    def runs(
        self, category: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> tuple[RunProgress, ...]:
        """Runs, the latest first; see ``PipelineRecords.runs``."""
        return self._records.runs(category, before=before, limit=limit)

    def run(self, number: int) -> RunProgress:
        """A run.

        Raises:
            RecordError: There is none of this number.
        """
        return self._records.run(number)

    def live(self, number: int) -> Mapping[str, object]:
        """What a training that is under way last said of itself; empty where there is none."""
        return read_progress(run_folder(self._folder, number) / TRAINING_FOLDER)

    def bundle(self, number: int) -> Path | None:
        """Folder of the bundle that a run made, while it is kept."""
        folder = run_folder(self._folder, number)
        for name in ("bundle", "trained"):
            if (folder / name / "manifest.json").is_file():
                return folder / name
        return None

    def crops(
        self,
        category: str | None = None,
        *,
        status: CropsStatus | None = None,
        after: EventName | None = None,
        limit: int = 50,
    ) -> tuple[LabelledCrops, ...]:
        """Labelled events in the order in which they came; see ``LabelledEvents.shown``."""
        return self._events.shown(category, status=status, after=after, limit=limit)

    def approve_crops(self, names: Iterable[EventName], by: str) -> int:
        """Let events be learned from and compared on; how many there were."""
        return self._events.decide(names, "approved", by)

    def refuse_crops(self, names: Iterable[EventName], by: str) -> int:
        """Let events count for nothing; how many there were."""
        return self._events.decide(names, "refused", by)

    def try_again(self, category: str, kind: RunKind) -> bool:
        """Let the pipeline begin what was stopped or has failed once more; whether it has been."""
        return self._records.forgive(category, kind)

    def try_product_again(self, sku: str) -> None:
        """Let a product that was refused be enrolled once more."""
        self._records.forgive_product(sku)
