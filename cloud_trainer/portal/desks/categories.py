"""The desk of categories: how they stand, arranging them, and what the clustering proposes.

Owns the proposal: it is made of the looks that photos already have, in a thread of its own, and
kept until the next one. How looks are grouped is ``cloud_trainer.categories``' business.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sqlalchemy import Connection, select

from cloud_trainer.categories import cluster
from cloud_trainer.embedding_map import embedding_map, principal_components
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline import CategoryProgress
from cloud_trainer.portal.desks.ground import Desk, Ground, photo_url, seen_product
from cloud_trainer.portal.errors import PortalRefusedError
from cloud_trainer.portal.looks import read_vector
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.notes import read_note, write_note
from cloud_trainer.portal.records.tables import PRODUCTS
from cloud_trainer.portal.views.training import ShownCategory, SuggestedPlace, Suggestion
from web.access import Asking

_LOGGER: Final = logging.getLogger(__name__)
_NOTE: Final = "suggestion"
_MOST_PRODUCTS: Final = 3000
_MAPPED: Final = 1500  # beyond, a map of neighbourhoods takes minutes; main directions then


class CategoryDesk(Desk):
    """Answers for categories.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._suggesting = threading.Lock()

    def categories(self) -> tuple[ShownCategory, ...]:
        """See ``Portal``."""
        published = self._ground.releases.all()
        progress = {each.category: each for each in self._ground.pipeline.categories()}
        with self._ground.database.reading() as connection:
            stages = records.stages_by_category(connection)
        return tuple(
            self._category(name, stages.get(name, {}), progress.get(name))
            for name in sorted({*published, *stages})
        )

    def arrange(self, asking: Asking, places: Mapping[str, str]) -> int:
        """See ``Portal``."""
        now_s, moved = self._ground.wall_time_s(), 0
        with self._ground.database.writing() as connection:
            for sku, category in sorted(places.items()):
                row = seen_product(connection, asking, sku, lock=True)
                if row.category == category:
                    continue
                if row.standing.is_served:
                    raise PortalRefusedError(
                        f"{sku} is recognised in {row.category}; withdraw it there first, and "
                        "hand it in again in the other one"
                    )
                about = row.fields.model_copy(update={"category": category})
                approved = (
                    None
                    if row.approved is None
                    else row.approved.model_copy(update={"category": category})
                )
                # What was looked at does not change by it, so nothing is to be approved anew.
                records.write_product(connection, row, about, row.standing, now_s, approved)
                said = f"{row.category} to {category}"
                records.note(connection, sku, asking.name, "arranged", said, now_s)
                moved += 1
        return moved

    def suggest_categories(self, asking: Asking, categories: int | None = None) -> Suggestion:
        """See ``Portal``."""
        if not self._suggesting.acquire(blocking=False):
            raise PortalRefusedError("a proposal is being made; look again in a moment")
        try:
            self._write(Suggestion(status="working"))
            threading.Thread(
                target=self._suggest, args=(categories,), name="suggesting", daemon=True
            ).start()
        except BaseException:
            self._suggesting.release()
            raise
        return self.suggestion()

    def suggestion(self) -> Suggestion:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            kept = read_note(connection, _NOTE)
            if kept is None:
                return Suggestion(status="none")
            suggestion = Suggestion.model_validate(kept)
            now = _categories_now(connection)
        if suggestion.status == "working" and not self._suggesting.locked():
            return Suggestion(status="failed", reason="it was interrupted; ask for another one")
        # Products have been arranged or withdrawn since it was made.
        places = tuple(
            each.model_copy(update={"now": now[each.sku]})
            for each in suggestion.places
            if each.sku in now
        )
        return suggestion.model_copy(update={"places": places})

    def _suggest(self, categories: int | None) -> None:
        """The body of a thread."""
        try:
            self._write(self._made(categories))
        except WalkoutTrainerError as err:
            self._write(Suggestion(status="failed", reason=str(err)))
        except Exception:
            _LOGGER.exception("a proposal of categories failed")
            self._write(Suggestion(status="failed", reason="a mistake; the log says which"))
        finally:
            self._suggesting.release()

    def _made(self, categories: int | None) -> Suggestion:
        rows, looks = self._looks()
        if len(rows) < 2:
            raise PortalRefusedError(
                "fewer than two products have been looked at by one network; hand in photos in a "
                "category that has a published release"
            )
        clustering = cluster(looks, categories)
        if len(looks) <= _MAPPED:
            places = embedding_map(looks)
        else:
            places = principal_components(looks)
            places = (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-12)
        names = group_names(clustering.labels, [row[2] for row in rows])
        return Suggestion(
            status="made",
            made_at=self._ground.wall_time_s(),
            silhouette=round(clustering.silhouette, 4),
            places=tuple(
                SuggestedPlace(
                    sku=rows[row][0],
                    name=rows[row][1],
                    photo_url=photo_url(rows[row][0], rows[row][3]),
                    category=names[clustering.labels[row]],
                    now=rows[row][2],
                    x=round(float(places[row, 0]), 4),
                    y=round(float(places[row, 1]), 4),
                )
                for row in clustering.order
            ),
        )

    def _looks(self) -> tuple[list[tuple[str, str, str, str | None]], NDArray[np.float32]]:
        """Products and their looks in the space that most of them have been seen in."""
        query = (
            select(
                PRODUCTS.c.sku,
                PRODUCTS.c.name,
                PRODUCTS.c.category,
                PRODUCTS.c.cover,
                PRODUCTS.c.look,
                PRODUCTS.c.look_space,
            )
            .where(PRODUCTS.c.look.is_not(None), PRODUCTS.c.is_withdrawn.is_(False))
            .order_by(PRODUCTS.c.sku)
        )
        with self._ground.database.reading() as connection:
            found = [tuple(row) for row in connection.execute(query)]
        spaces = [row[5] for row in found]
        space = max(set(spaces), key=spaces.count) if spaces else None
        chosen = [row for row in found if row[5] == space]
        if len(chosen) > _MOST_PRODUCTS:
            raise PortalRefusedError(
                f"{len(chosen)} products are more than {_MOST_PRODUCTS}; arrange them on the "
                "command line: walkout-trainer categories suggest"
            )
        looks = [read_vector(bytes(row[4])) for row in chosen]
        matrix = np.stack(looks) if looks else np.zeros((0, 1), np.float32)
        return [(row[0], row[1], row[2], row[3]) for row in chosen], matrix

    def _write(self, suggestion: Suggestion) -> None:
        with self._ground.database.writing() as connection:
            document = suggestion.model_dump(mode="json")
            write_note(connection, _NOTE, document, self._ground.wall_time_s())

    def _category(
        self, category: str, stages: Mapping[str, int], progress: CategoryProgress | None
    ) -> ShownCategory:
        published = self._ground.releases.all().get(category)
        plan = None if published is None else published.plan
        manifest = None if plan is None else self._ground.releases.manifest(category, plan.stable)
        enrolled = 0.0
        if manifest is not None:
            enrolled = sum(each.enrolled for each in manifest.products) / len(manifest.products)
        verified = 0 if progress is None else progress.verified_events
        wrong = 0 if progress is None else progress.verified_wrong
        return ShownCategory(
            category=category,
            products=sum(n for stage, n in stages.items() if stage != "withdrawn"),
            live=stages.get("live", 0),
            waiting=stages.get("waiting", 0),
            enrolled_share=None if manifest is None else enrolled,
            release=None if plan is None else plan.stable,
            version=None if manifest is None else manifest.version,
            published_at=None if manifest is None else manifest.created_at.timestamp(),
            error_percent=100.0 * wrong / verified if verified else None,
            verified=verified,
        )


def group_names(labels: NDArray[np.integer[Any]], now: Sequence[str]) -> list[str]:
    """Names of proposed groups, such that the fewest products would move.

    A group takes over the name of a category that most of its products are in, each name once
    (maximum-weight assignment of groups to categories); what is left is called by a number.

    Args:
        labels: Group of each product, shape ``(N,)``, counted from 0.
        now: The category that each is in; empty for none.

    Returns:
        A name for each group.
    """
    categories = sorted({each for each in now if each})
    groups = int(labels.max()) + 1
    shared = np.zeros((groups, len(categories)), np.int64)
    for label, category in zip(labels, now, strict=True):
        if category:
            shared[label, categories.index(category)] += 1
    taken = {
        int(group): categories[place]
        for group, place in zip(*linear_sum_assignment(shared, maximize=True), strict=True)
        if shared[group, place]
    }
    free = (name for number in itertools.count(1) if (name := f"looks-{number}") not in categories)
    return [taken.get(group) or next(free) for group in range(groups)]


def _categories_now(connection: Connection) -> dict[str, str]:
    query = select(PRODUCTS.c.sku, PRODUCTS.c.category).where(PRODUCTS.c.is_withdrawn.is_(False))
    return {row.sku: row.category for row in connection.execute(query)}
