"""The portal that is kept: all desks as one, and what it measures and keeps for how long.

Owns which desks there are, the figures that the cost model begins with, and retention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select

from cloud_trainer.portal.desks.categories import CategoryDesk
from cloud_trainer.portal.desks.fleet import FleetDesk
from cloud_trainer.portal.desks.imports import ImportDesk
from cloud_trainer.portal.desks.training import TrainingDesk
from cloud_trainer.portal.errors import PortalUnusableError
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.notes import forget_notes, read_note, write_note
from cloud_trainer.portal.records.products import ProductRow
from cloud_trainer.portal.records.tables import IMPORTS, PHOTOS, PRODUCTS
from cloud_trainer.portal.views.fleet import Measured, Shares
from cloud_trainer.portal.views.products import LiveIn
from web.access import Asking

_RETENTION: Final = "retention"
_USUAL_DAYS: Final = {"imports": 90, "refused_photos": 180, "withdrawn_photos": 365}
_LONGEST_DAYS: Final = 3650
_DAY_S: Final = 86_400.0
_WEEKS: Final = 4
_AT_ONCE: Final = 500


class KeptPortal(ImportDesk, CategoryDesk, TrainingDesk, FleetDesk):
    """``cloud_trainer.portal.shown.Portal`` over records, photos, releases and fleet.

    Args:
        ground: What it stands on.
    """

    def measured(self) -> Measured:
        """See ``Portal``."""
        now_s = self._ground.wall_time_s()
        with self._ground.database.reading() as connection:
            stages = records.stages(connection, None)
            since = now_s - _WEEKS * 7 * _DAY_S
            changes = records.count_happenings(connection, ("approved", "withdrawn"), since)
        heard = [each for each in self.fleet() if now_s - each.heard_at < _DAY_S]
        decisions = [agent.decisions for each in heard for agent in each.agents]
        sizes: dict[str, int] = {}
        product_bytes: int | None = None
        for category, published in self._ground.releases.all().items():
            if published.plan is None:
                continue
            newest = self.bundle(category, published.plan.stable)
            sizes[category] = newest.size_bytes
            if newest.travel_bytes < newest.size_bytes:
                product_bytes = max(product_bytes or 0, newest.travel_bytes)
        training_s, enrolment_s = self._durations()
        progress = self._ground.pipeline.categories()
        verified = sum(each.verified_events for each in progress)
        wrong = sum(each.verified_wrong for each in progress)
        return Measured(
            devices=len(heard),
            decisions=Shares(
                accepts=sum(each.accepts for each in decisions),
                reviews=sum(each.reviews for each in decisions),
                rejects=sum(each.rejects for each in decisions),
            ),
            bundle_bytes=sizes,
            product_bytes=product_bytes,
            training_s=training_s,
            enrolment_s=enrolment_s,
            products=stages.get("live", 0),
            product_changes_per_week=changes / _WEEKS,
            error_percent=100.0 * wrong / verified if verified else None,
        )

    def retention(self) -> Mapping[str, int]:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            kept = read_note(connection, _RETENTION) or {}
        return {name: int(kept.get(name, days)) for name, days in _USUAL_DAYS.items()}

    def set_retention(self, asking: Asking, days: Mapping[str, int]) -> Mapping[str, int]:
        """See ``Portal``."""
        for name, value in days.items():
            if name not in _USUAL_DAYS:
                raise PortalUnusableError(
                    f"{name!r} is nothing that is kept; there are {', '.join(_USUAL_DAYS)}"
                )
            if not 1 <= value <= _LONGEST_DAYS:
                raise PortalUnusableError(f"{name}: keep it for 1 to {_LONGEST_DAYS} days")
        merged = {**self.retention(), **days}
        with self._ground.database.writing() as connection:
            write_note(connection, _RETENTION, merged, self._ground.wall_time_s())
        return self.retention()

    def forget_old(self) -> int:
        """Forget what was kept for long enough; how many photos and imports that were.

        Raises:
            PortalRecordsError: The database cannot be written now.
            StoreError: The photos' store cannot be.
        """
        now_s, days = self._ground.wall_time_s(), self.retention()
        withdrawn_before = now_s - days["withdrawn_photos"] * _DAY_S
        refused_before = now_s - days["refused_photos"] * _DAY_S
        old = ((PRODUCTS.c.stage == "withdrawn") & (PRODUCTS.c.withdrawn_at < withdrawn_before)) | (
            (PRODUCTS.c.stage == "refused") & (PRODUCTS.c.changed_at < refused_before)
        )
        query = (
            select(PHOTOS.c.sku, PHOTOS.c.photo_id)
            .join(PRODUCTS, PRODUCTS.c.sku == PHOTOS.c.sku)
            .where(old, PRODUCTS.c.served_edition.is_(None))
            .limit(_AT_ONCE)
        )
        with self._ground.database.writing() as connection:
            gone = [(str(sku), str(photo_id)) for sku, photo_id in connection.execute(query)]
            for sku, photo_id in gone:
                records.delete_photo(connection, sku, photo_id)
            for sku in sorted({sku for sku, _ in gone}):
                records.write_summary(connection, sku, None, None)
            unneeded = [
                photo_id
                for photo_id in sorted({photo_id for _, photo_id in gone})
                if not records.is_photo_used(connection, photo_id)
            ]
            before = now_s - days["imports"] * _DAY_S
            imports = connection.execute(
                IMPORTS.delete().where(IMPORTS.c.began_at < before)
            ).rowcount
            forget_notes(connection, "curves/", now_s - _LONGEST_DAYS * _DAY_S)
        for photo_id in unneeded:
            self._ground.shelf.forget(photo_id)
        return len(gone) + imports

    def _live_in(self, row: ProductRow) -> tuple[LiveIn, ...]:
        found = []
        for device in self.fleet():
            for agent in device.agents:
                if agent.category == row.category:
                    found.append(
                        LiveIn(
                            device=device.device,
                            category=agent.category,
                            release=agent.release,
                            has_product=self._has(row, agent.release),
                            is_online=device.is_online,
                        )
                    )
        return tuple(found)

    @staticmethod
    def _has(row: ProductRow, release: int | None) -> bool:
        standing = row.standing
        if not standing.is_served or release is None or standing.served_release is None:
            return False
        return release >= standing.served_release

    def _durations(self) -> tuple[dict[str, float], float | None]:
        """Seconds of the last trainings, a category each, and of the last enrolment."""
        training: dict[str, float] = {}
        enrolment: float | None = None
        for run in self._ground.pipeline.runs(limit=200):
            step = run.step("train" if run.kind == "train" else "enrol")
            if step is None or step.began_at is None or step.ended_at is None:
                continue
            seconds = (step.ended_at - step.began_at).total_seconds()
            if run.kind == "train":
                training.setdefault(run.category, seconds)
            elif enrolment is None:
                enrolment = seconds
        return training, enrolment
