"""The desk of developers: runs with their curves, bundles, and two bundles on the same photos.

Owns how a comparison is made: in a thread of its own, on the approved photos of products that both
bundles know, each photo decided by each as ``walkout-trainer evaluate`` decides it.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from sqlalchemy import select

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.evaluate import decide
from cloud_trainer.inference import NetworkSession
from cloud_trainer.pipeline import RunProgress
from cloud_trainer.pipeline.view import run_folder
from cloud_trainer.portal.desks.ground import Desk, Ground, photo_url
from cloud_trainer.portal.errors import PortalMissingError, PortalRefusedError
from cloud_trainer.portal.records.notes import read_note
from cloud_trainer.portal.records.tables import PHOTOS, PRODUCTS
from cloud_trainer.portal.views.training import (
    Comparison,
    Curve,
    Difference,
    Download,
    ErrorBudgetShown,
    Outcomes,
    Point,
    RunBrief,
    ShownBundle,
    ShownRun,
)
from models.bundle import Bundle, BundleError
from models.bundle.manifest import Manifest
from models.decision import Decision
from models.delivery import Edition, bytes_to_fetch
from models.photos import PhotoError, decode_photo
from models.preprocess import photo_region, prepare_batch
from web.shape import API, Listed

_LOGGER: Final = logging.getLogger(__name__)
_DIFFERENCES: Final = 200
_MOST_PHOTOS: Final = 2000
_KEPT: Final = 8
_RUN_FILES: Final = frozenset({".json", ".html", ".csv", ".log", ".txt", ".png", ".svg"})
_LONGEST_FILE: Final = 64 * 1024 * 1024
_STATUSES: Final[dict[str, Literal["running", "done", "failed", "stopped"]]] = {
    "under_way": "running",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
}


@dataclass
class _Tally:
    accepted: int = 0
    wrong: int = 0
    review: int = 0
    rejected: int = 0
    unknown: int = 0

    def count(self, decision: Decision | None, sku: str) -> str:
        """Count one decision; in words what it was."""
        if decision is None:
            self.unknown += 1
            return "unknown"
        if decision.outcome == "accept":
            self.accepted += decision.sku == sku
            self.wrong += decision.sku != sku
        self.review += decision.outcome == "review"
        self.rejected += decision.outcome == "reject"
        return f"{decision.outcome} {decision.sku}" if decision.sku else decision.outcome

    def shown(self) -> Outcomes:
        """As people see it."""
        values = vars(self)
        return Outcomes(photos=sum(values.values()), **values)


@dataclass
class _Comparing:
    first: ShownBundle
    second: ShownBundle
    status: Literal["working", "made", "failed"] = "working"
    photos: int = 0
    done: int = 0
    reason: str = ""
    tallies: tuple[_Tally, _Tally] = field(default_factory=lambda: (_Tally(), _Tally()))
    differences: list[Difference] = field(default_factory=list)

    def shown(self) -> Comparison:
        """As people see it."""
        return Comparison(
            status=self.status,
            done=self.done,
            photos=self.photos,
            first=self.first,
            second=self.second,
            first_outcomes=self.tallies[0].shown(),
            second_outcomes=self.tallies[1].shown(),
            differences=tuple(self.differences),
            reason=self.reason,
        )


class TrainingDesk(Desk):
    """Answers for runs, bundles and comparisons.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._comparing: dict[tuple[tuple[str, int], tuple[str, int]], _Comparing] = {}
        self._turn = threading.Lock()

    def runs(
        self, *, category: str | None = None, after: str | None = None, limit: int = 50
    ) -> Listed[RunBrief]:
        """See ``Portal``."""
        before = int(after) if after is not None and after.isdecimal() else None
        found = self._ground.pipeline.runs(category, before=before, limit=limit + 1)
        items = tuple(self._brief(run) for run in found[:limit])
        return Listed[RunBrief](items=items, next=items[-1].run_id if len(found) > limit else None)

    def run(self, run_id: str) -> ShownRun:
        """See ``Portal``."""
        run = self._run(run_id)
        with self._ground.database.reading() as connection:
            curves = read_note(connection, f"curves/{run.number}") or {}
        settings, log = {"kind": run.kind, "subject": run.subject}, []
        for step in run.steps:
            log.append(f"{step.name}: {step.status}{f', {step.reason}' if step.reason else ''}")
            for name, value in step.figures.items():
                if not isinstance(value, (int, float)):
                    settings[f"{step.name}.{name}"] = str(value)[:500]
        return ShownRun(
            **self._brief(run).model_dump(),
            curves=tuple(
                Curve(name=name, unit="", points=tuple(Point(x=x, y=y) for x, y in points))
                for name, points in sorted(curves.items())
            ),
            settings=settings,
            files=tuple(
                Download(
                    name=name,
                    url=f"{API}/runs/{run.number}/files/{name}",
                    size_bytes=path.stat().st_size,
                )
                for name, path in sorted(self._files(run).items())
            ),
            log=tuple(log),
        )

    def run_file(self, run_id: str, name: str) -> bytes:
        """See ``Portal``."""
        path = self._files(self._run(run_id)).get(name)
        if path is None:
            raise PortalMissingError(f"run {run_id} left no file {name}")
        return path.read_bytes()

    def bundles(self, category: str | None = None) -> tuple[ShownBundle, ...]:
        """See ``Portal``."""
        found = []
        for name, published in self._ground.releases.all().items():
            if category in (None, name):
                found += [self.bundle(name, each) for each in reversed(published.releases)]
        return tuple(found)

    def bundle(self, category: str, release: int) -> ShownBundle:
        """See ``Portal``."""
        edition = self._ground.releases.edition(category, release)
        manifest = self._ground.releases.manifest(category, release)
        published = self._ground.releases.all()[category]
        earlier = [each for each in published.releases if each < release]
        before = self._ground.releases.edition(category, earlier[-1]) if earlier else None
        plan = published.plan
        standing: Literal["stable", "candidate", "withdrawn", "earlier"] = "earlier"
        if plan is not None:
            if release == plan.stable:
                standing = "stable"
            elif release == plan.candidate:
                standing = "candidate"
            elif release in plan.withdrawn:
                standing = "withdrawn"
        return shown_bundle(edition, manifest, before, standing)

    def bundle_file(self, category: str, release: int, name: str) -> bytes:
        """See ``Portal``."""
        return self._ground.releases.file(category, release, name)

    def compare(self, first: tuple[str, int], second: tuple[str, int]) -> Comparison:
        """See ``Portal``."""
        if first == second:
            raise PortalRefusedError("these are the same bundle; choose two")
        with self._turn:
            known = self._comparing.get((first, second))
            if known is None or known.status == "failed":
                known = _Comparing(self.bundle(*first), self.bundle(*second))
                working = sum(each.status == "working" for each in self._comparing.values())
                if working >= 2:
                    raise PortalRefusedError("two comparisons are being made; ask again later")
                while len(self._comparing) >= _KEPT:
                    self._comparing.pop(next(iter(self._comparing)))
                self._comparing[first, second] = known
                threading.Thread(
                    target=self._compare, args=(known,), name="comparing", daemon=True
                ).start()
            return known.shown()

    def _compare(self, comparing: _Comparing) -> None:
        """The body of a thread: decide every photo by both bundles."""
        try:
            pair = tuple(
                self._ground.releases.bundle(each.category, each.release)
                for each in (comparing.first, comparing.second)
            )
            sessions = tuple(NetworkSession(each, threads=1) for each in pair)
            photos = self._photos(pair[0], pair[1])
            comparing.photos = len(photos)
            for sku, photo_id in photos:
                self._compare_one(comparing, pair, sessions, sku, photo_id)
                comparing.done += 1
            comparing.status = "made"
        except (WalkoutTrainerError, BundleError, OSError) as err:
            comparing.reason, comparing.status = str(err), "failed"
        except Exception:
            _LOGGER.exception("a comparison failed")
            comparing.reason, comparing.status = "a mistake; the log says which", "failed"

    def _compare_one(
        self,
        comparing: _Comparing,
        pair: tuple[Bundle, ...],
        sessions: tuple[NetworkSession, ...],
        sku: str,
        photo_id: str,
    ) -> None:
        try:
            pixels = decode_photo(self._ground.shelf.original(photo_id), photo_id)
        except (PhotoError, PortalMissingError):
            return
        said = []
        for bundle, session, tally in zip(pair, sessions, comparing.tallies, strict=True):
            decision = None
            if sku in bundle.skus:
                preprocessing = bundle.manifest.preprocessing
                crop = photo_region(pixels, preprocessing)
                crops = prepare_batch([crop], preprocessing.input_size_px)
                decision = decide(bundle, np.asarray(session.embed(crops)[0]), 1)
            said.append(tally.count(decision, sku))
        if said[0] != said[1] and len(comparing.differences) < _DIFFERENCES:
            url = str(photo_url(sku, photo_id))
            comparing.differences.append(
                Difference(sku=sku, photo_url=url, first=said[0], second=said[1])
            )

    def _photos(self, first: Bundle, second: Bundle) -> list[tuple[str, str]]:
        """Approved photos of products that one of two bundles knows: SKU and photo."""
        known = set(first.skus) | set(second.skus)
        query = (
            select(PHOTOS.c.sku, PHOTOS.c.photo_id)
            .join(PRODUCTS, PRODUCTS.c.sku == PHOTOS.c.sku)
            .where(PHOTOS.c.is_approved.is_(True))
            .order_by(PHOTOS.c.sku, PHOTOS.c.place)
        )
        with self._ground.database.reading() as connection:
            found = [(str(s), str(p)) for s, p in connection.execute(query) if s in known]
        if len(found) > _MOST_PHOTOS:
            rows = np.linspace(0, len(found) - 1, _MOST_PHOTOS).astype(int)
            found = [found[row] for row in rows]
        return found

    def _run(self, run_id: str) -> RunProgress:
        try:
            if len(run_id) > 9 or not run_id.isdecimal():
                raise PortalMissingError(f"there is no run {run_id}; see the list")
            return self._ground.pipeline.run(int(run_id))
        except PortalMissingError:
            raise
        except WalkoutTrainerError as err:
            raise PortalMissingError(f"there is no run {run_id}; see the list") from err

    def _brief(self, run: RunProgress) -> RunBrief:
        figures = {
            f"{step.name}.{name}": float(value)
            for step in run.steps
            for name, value in step.figures.items()
            if isinstance(value, (int, float)) and np.isfinite(value)
        }
        version = None if run.release is None else f"release {run.release}"
        return RunBrief(
            run_id=str(run.number),
            category=run.category,
            kind=run.kind,
            status=_STATUSES[run.status],
            began_at=run.began_at.timestamp(),
            ended_at=None if run.ended_at is None else run.ended_at.timestamp(),
            reason=run.outcome or run.reason,
            version=version,
            figures=figures,
        )

    def _files(self, run: RunProgress) -> dict[str, Path]:
        """Files of a run that may be had, by name."""
        folder = run_folder(self._ground.places.pipeline, run.number)
        found: dict[str, Path] = {}
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if (
                path.suffix in _RUN_FILES
                and path.is_file()
                and not path.is_symlink()
                and path.stat().st_size <= _LONGEST_FILE
            ):
                found[path.relative_to(folder).as_posix()] = path
        return found


def shown_bundle(
    edition: Edition,
    manifest: Manifest,
    before: Edition | None,
    standing: Literal["stable", "candidate", "withdrawn", "earlier"],
) -> ShownBundle:
    """A published bundle as people see it.

    Args:
        edition: What its release is made of.
        manifest: Its own.
        before: The release before it, which devices have.
        standing: Whether it serves.
    """
    category, release = edition.category, edition.release
    pair = manifest.thresholds.for_pool(1)
    figures, remarks = {}, {}
    for name, value in manifest.evaluation.items():
        if isinstance(value, (int, float)):
            figures[name] = float(value)
        elif value is not None:
            remarks[name] = str(value)
    for name, value in manifest.provenance.model_dump(mode="json").items():
        remarks[f"provenance.{name}"] = str(value)
    return ShownBundle(
        bundle_id=f"{category}/{release}",
        category=category,
        release=release,
        version=manifest.version,
        created_at=manifest.created_at.timestamp(),
        products=len(manifest.products),
        enrolled=sum(each.enrolled for each in manifest.products),
        embedding_dim=manifest.embedding_dim,
        space_id=manifest.space_id,
        size_bytes=edition.size_bytes,
        travel_bytes=bytes_to_fetch(edition, before),
        thresholds=ErrorBudgetShown(
            tl=pair.tl,
            th=pair.th,
            margin_weight=manifest.thresholds.margin_weight,
            budget={
                name: value
                for name, value in manifest.thresholds.budget.model_dump().items()
                if isinstance(value, (float, str))
            },
        ),
        figures=figures,
        remarks=remarks,
        standing=standing,
        files=tuple(
            Download(
                name=each.name,
                url=f"{API}/bundles/{category}/{release}/files/{each.name}",
                size_bytes=each.length,
            )
            for each in edition.files
        ),
    )
