"""Runs and their steps as they are written down, with what releases hold and what was refused.

Whatever the pipeline decides is a row here before it is done, and a row here after: killed in
between, the next pass finds the step under way and does it again. What labelled crops there are is
``crops.py``'s, in the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.errors import RecordError
from cloud_trainer.pipeline import crops
from cloud_trainer.pipeline.seams import (
    STEPS,
    CategoryProgress,
    RunKind,
    RunProgress,
    RunStatus,
    StepName,
    StepProgress,
    StepStatus,
)
from cloud_trainer.record_file import RecordFile

RECORDS_NAME: Final = "pipeline.sqlite"
_APPLICATION_ID: Final = 0x574C4B50  # "WLKP"
_VERSION: Final = 1
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS runs (
        number INTEGER PRIMARY KEY,
        category TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        subject TEXT NOT NULL,
        outcome TEXT NOT NULL,
        began_at_s REAL NOT NULL,
        ended_at_s REAL,
        release INTEGER
    );
    CREATE INDEX IF NOT EXISTS runs_by_category ON runs (category, kind, number);
    CREATE TABLE IF NOT EXISTS steps (
        run INTEGER NOT NULL,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        began_at_s REAL,
        ended_at_s REAL,
        not_before_s REAL,
        figures TEXT NOT NULL,
        PRIMARY KEY (run, place)
    );
    CREATE TABLE IF NOT EXISTS refusals (
        sku TEXT NOT NULL,
        edition TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (sku, edition)
    );
    CREATE TABLE IF NOT EXISTS contents (
        category TEXT NOT NULL,
        release INTEGER NOT NULL,
        editions TEXT NOT NULL,
        told INTEGER NOT NULL,
        PRIMARY KEY (category, release)
    );
    CREATE TABLE IF NOT EXISTS embeddings (
        space TEXT NOT NULL,
        name TEXT NOT NULL,
        looks INTEGER NOT NULL,
        vector BLOB NOT NULL,
        PRIMARY KEY (space, name)
    );
    CREATE TABLE IF NOT EXISTS progress (
        category TEXT PRIMARY KEY,
        document TEXT NOT NULL
    )
"""
_RUN: Final = (
    "SELECT number, category, kind, status, reason, subject, outcome, began_at_s, ended_at_s,"
    " release FROM runs"
)


class PipelineRecords:
    """The pipeline's record file, open. A context manager that closes it.

    Args:
        folder: The pipeline's folder; it is made with the file where there is none.

    Raises:
        RecordError: The file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.file = RecordFile(
            folder / RECORDS_NAME,
            application_id=_APPLICATION_ID,
            version=_VERSION,
            schema=f"{_SCHEMA};{crops.SCHEMA}",
        )

    def __enter__(self) -> PipelineRecords:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    # --- Runs ---

    def begin(
        self, category: str, kind: RunKind, reason: str, subject: str, now: datetime
    ) -> RunProgress:
        """Write a new run down, all of its steps waiting."""
        with self.file.transaction() as connection:
            number = connection.execute(
                "INSERT INTO runs (category, kind, status, reason, subject, outcome, began_at_s)"
                " VALUES (?, ?, 'under_way', ?, ?, '', ?)",
                (category, kind, reason, subject, now.timestamp()),
            ).lastrowid
            connection.executemany(
                "INSERT INTO steps (run, place, name, status, reason, attempts, figures)"
                " VALUES (?, ?, ?, 'waiting', '', 0, '{}')",
                [(number, place, name) for place, name in enumerate(STEPS[kind])],
            )
        return self.run(int(str(number)))

    def run(self, number: int) -> RunProgress:
        """A run.

        Raises:
            RecordError: There is none of this number.
        """
        rows = self.file.rows(f"{_RUN} WHERE number = ?", (number,))
        if not rows:
            raise RecordError(f"there is no run {number}")
        return self._run(rows[0])

    def runs(
        self,
        category: str | None = None,
        *,
        kind: RunKind | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> tuple[RunProgress, ...]:
        """Runs, the latest first.

        Args:
            category: Of one category; of all where ``None``.
            kind: Of one kind.
            before: Only those with smaller numbers.
            limit: At most so many.
        """
        rows = self.file.rows(
            f"{_RUN} WHERE (category = ? OR ? IS NULL) AND (kind = ? OR ? IS NULL)"
            " AND (number < ? OR ? IS NULL) ORDER BY number DESC LIMIT ?",
            (category, category, kind, kind, before, before, limit),
        )
        return tuple(map(self._run, rows))

    def latest(self, category: str, kind: RunKind) -> RunProgress | None:
        """The latest run of a kind."""
        return next(iter(self.runs(category, kind=kind, limit=1)), None)

    def attempt(self, run: int, step: StepName, reason: str, now: datetime) -> None:
        """Write down that a step begins, or goes on."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE steps SET attempts = attempts + (status = 'waiting'),"
                " status = 'under_way', reason = ?, began_at_s = COALESCE(began_at_s, ?),"
                " not_before_s = NULL WHERE run = ? AND name = ?",
                (reason, now.timestamp(), run, step),
            )

    def going_on(self, run: int, step: StepName, reason: str) -> None:
        """Write down what a step that is under way waits for."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE steps SET reason = ? WHERE run = ? AND name = ? AND reason != ?",
                (reason, run, step, reason),
            )

    def done(
        self,
        run: int,
        step: StepName,
        reason: str,
        figures: Mapping[str, object],
        now: datetime,
        *,
        release: int | None = None,
    ) -> None:
        """Write down what came of a step, and the release where it made one."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE steps SET status = 'done', reason = ?, figures = ?, ended_at_s = ?"
                " WHERE run = ? AND name = ?",
                (reason, json.dumps(dict(figures)), now.timestamp(), run, step),
            )
            if release is not None:
                connection.execute("UPDATE runs SET release = ? WHERE number = ?", (release, run))

    def again(self, run: int, step: StepName, reason: str, not_before: datetime | None) -> None:
        """Write down that a step failed and is tried again, at once or not before a moment."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE steps SET status = 'waiting', reason = ?, not_before_s = ?"
                " WHERE run = ? AND name = ?",
                (reason, not_before.timestamp() if not_before else None, run, step),
            )

    def back(self, run: int, reason: str) -> None:
        """Let a run do its steps from ``enrol`` on once more."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE steps SET status = 'waiting', reason = ?, attempts = 0, figures = '{}',"
                " not_before_s = NULL WHERE run = ? AND place >="
                " (SELECT place FROM steps WHERE run = ? AND name = 'enrol')",
                (reason, run, run),
            )

    def end(
        self,
        run: int,
        status: RunStatus,
        outcome: str,
        now: datetime,
        *,
        step: StepName | None = None,
    ) -> None:
        """Write down how a run ended, and at which step where that failed."""
        with self.file.transaction() as connection:
            if step is not None:
                connection.execute(
                    "UPDATE steps SET status = 'failed', reason = ?, ended_at_s = ?"
                    " WHERE run = ? AND name = ?",
                    (outcome, now.timestamp(), run, step),
                )
            connection.execute(
                "UPDATE runs SET status = ?, outcome = ?, ended_at_s = ? WHERE number = ?",
                (status, outcome, now.timestamp(), run),
            )

    def forgive(self, category: str, kind: RunKind) -> bool:
        """Let what the latest run was about be tried again; whether there was one."""
        with self.file.transaction() as connection:
            return bool(
                connection.execute(
                    "UPDATE runs SET subject = '' WHERE status != 'under_way' AND number ="
                    " (SELECT MAX(number) FROM runs WHERE category = ? AND kind = ?)",
                    (category, kind),
                ).rowcount
            )

    # --- What was refused, what releases hold ---

    def refuse(self, sku: str, edition: str, reason: str) -> None:
        """Write down that an edition cannot be enrolled."""
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO refusals VALUES (?, ?, ?)"
                " ON CONFLICT (sku, edition) DO UPDATE SET reason = excluded.reason",
                (sku, edition, reason),
            )

    def refusals(self, skus: Iterable[str]) -> dict[tuple[str, str], str]:
        """Why editions of some products cannot be enrolled, by (SKU, edition)."""
        wanted = set(skus)
        rows = self.file.rows("SELECT sku, edition, reason FROM refusals")
        return {
            (str(sku), str(edition)): str(reason)
            for sku, edition, reason in rows
            if str(sku) in wanted
        }

    def forgive_product(self, sku: str) -> None:
        """Let refused editions of a product be tried again."""
        with self.file.transaction() as connection:
            connection.execute("DELETE FROM refusals WHERE sku = ?", (sku,))

    def hold(self, category: str, release: int, editions: Mapping[str, str]) -> None:
        """Write down which editions a release has."""
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO contents VALUES (?, ?, ?, 0)"
                " ON CONFLICT (category, release) DO UPDATE SET editions = excluded.editions,"
                " told = 0",
                (category, release, json.dumps(dict(editions), sort_keys=True)),
            )

    def held(self, category: str, release: int) -> dict[str, str] | None:
        """Which editions a release has; ``None`` where it never came by here."""
        rows = self.file.rows(
            "SELECT editions FROM contents WHERE category = ? AND release = ?", (category, release)
        )
        return dict(json.loads(str(rows[0][0]))) if rows else None

    def is_told(self, category: str, release: int) -> bool:
        """Whether the keeper of products knows that this release serves."""
        return bool(
            self.file.rows(
                "SELECT 1 FROM contents WHERE category = ? AND release = ? AND told = 1",
                (category, release),
            )
        )

    def tell(self, category: str, release: int) -> None:
        """Write down that the keeper of products knows."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE contents SET told = (release = ?) WHERE category = ?", (release, category)
            )

    # --- Embeddings, which the same network need not make twice ---

    def embeddings(self, space: str) -> dict[str, tuple[int, NDArray[np.float32]]]:
        """Pooled looks and unit embedding ``(D,)`` by name."""
        rows = self.file.rows(
            "SELECT name, looks, vector FROM embeddings WHERE space = ?", (space,)
        )
        return {
            str(name): (int(str(looks)), np.frombuffer(cast(bytes, vector), np.float32))
            for name, looks, vector in rows
        }

    def keep_embeddings(
        self, space: str, found: Mapping[str, tuple[int, NDArray[np.float32]]]
    ) -> None:
        """Keep embeddings of a space."""
        with self.file.transaction() as connection:
            connection.executemany(
                "INSERT INTO embeddings VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (space, name, looks, vector.astype(np.float32).tobytes())
                    for name, (looks, vector) in found.items()
                ],
            )

    def forget_embeddings(self, but: Sequence[str]) -> None:
        """Forget spaces that nothing serves any more."""
        with self.file.transaction() as connection:
            marks = ", ".join("?" for _ in but) or "''"
            connection.execute(f"DELETE FROM embeddings WHERE space NOT IN ({marks})", tuple(but))

    # --- What people see ---

    def show(self, progress: CategoryProgress) -> None:
        """Keep how a category stands, for whoever looks from another process."""
        document = dict(vars(progress)) | {"looked_at": progress.looked_at.isoformat()}
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO progress VALUES (?, ?)"
                " ON CONFLICT (category) DO UPDATE SET document = excluded.document",
                (progress.category, json.dumps(document)),
            )

    def shown(self) -> tuple[CategoryProgress, ...]:
        """How categories stood when the pipeline last looked, by name."""
        rows = self.file.rows("SELECT document FROM progress ORDER BY category")
        return tuple(_progress(json.loads(str(document))) for (document,) in rows)

    def _run(self, row: Sequence[object]) -> RunProgress:
        number, category, kind, status, reason, subject, outcome, began_s, ended_s, release = row
        rows = self.file.rows(
            "SELECT name, status, reason, attempts, began_at_s, ended_at_s, not_before_s, figures"
            " FROM steps WHERE run = ? ORDER BY place",
            (number,),
        )
        return RunProgress(
            number=int(str(number)),
            category=str(category),
            kind=cast(RunKind, kind),
            status=cast(RunStatus, status),
            reason=str(reason),
            subject=str(subject),
            outcome=str(outcome),
            began_at=_required(began_s),
            ended_at=_moment(ended_s),
            release=None if release is None else int(str(release)),
            steps=tuple(map(_step, rows)),
        )


def _step(row: Sequence[object]) -> StepProgress:
    name, status, reason, attempts, began_s, ended_s, not_before_s, figures = row
    return StepProgress(
        name=cast(StepName, name),
        status=cast(StepStatus, status),
        reason=str(reason),
        attempts=int(str(attempts)),
        began_at=_moment(began_s),
        ended_at=_moment(ended_s),
        not_before=_moment(not_before_s),
        figures=dict(json.loads(str(figures))),
    )


def _progress(document: dict[str, object]) -> CategoryProgress:
    for name in ("to_enrol", "to_withdraw"):
        document[name] = tuple(cast(list[str], document[name]))
    document["looked_at"] = datetime.fromisoformat(str(document["looked_at"]))
    return CategoryProgress(**document)  # type: ignore[arg-type]


def _moment(at_s: object) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(float(str(at_s)), timezone.utc)


def _required(at_s: object) -> datetime:
    return datetime.fromtimestamp(float(str(at_s)), timezone.utc)
