"""Things that happen in a shop whose dashboard is being asked: people come in, take, and leave."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.checkout.basket import Attribution, Moment
from edge.events import InteractionKind
from edge.interaction.shelf import Seen, StoredCrop
from models.decision import Outcome
from tests.edge.checkout.shopping import event
from tests.edge.dashboard.serving import Site
from tests.web.client import Client

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Scene:
    """A shop and somebody who asks it.

    Attributes:
        site: The dashboard.
        staff: Somebody who may settle.
    """

    site: Site
    staff: Client

    @property
    def skus(self) -> list[str]:
        """What the shop sells."""
        return [product.sku for product in self.site.store.premises.products]

    @property
    def facing(self) -> str:
        """A place on its shelves."""
        return sorted(self.site.store.premises.planogram.facings)[0]

    def now(self) -> Moment:
        store = self.site.store
        return Moment(store.now_s(), store.wall_time_s(store.now_s()))

    def come_in(self, role: str = "shopper") -> str:
        """Somebody checks in; their session."""
        name = f"s-{next(_numbers)}"
        asked = {"token": name, "checkin_id": name, "shopper": f"shopper {name}", "role": role}
        answer = self.staff.post("/api/v1/checkins", json=asked)
        assert answer.status_code == 200, answer.text
        return name

    def happen(
        self,
        *sessions: str,
        kind: InteractionKind = "take",
        outcome: Outcome = "accept",
        quantity: int = 1,
    ) -> str:
        """Something is taken or put back; its event."""
        store, name = self.site.store, f"e-{next(_numbers)}"
        sku, other = self.skus[:2]
        at = self.now()
        facing = store.premises.planogram.facings[self.facing]
        happened = event(
            name,
            kind,
            sku,
            at_s=at.captured_at_s,
            quantity=quantity,
            outcome=outcome,
            candidates=((sku, 0.52), (other, 0.48)),
        )
        crops = (f"2026-03-02/{name}-after.jpg", f"2026-03-02/{name}-before.jpg")
        happened = replace(
            happened,
            fixture=facing.fixture,
            facing=self.facing,
            evidence=replace(happened.evidence, crops=crops),
        )
        pictures = [np.full((20, 30, 3), shade, np.uint8) for shade in (40, 200)]
        stored = tuple(map(StoredCrop, crops, pictures))
        store.evidence.keep(Seen(happened, stored))
        store.desk.record(
            happened, Attribution(sessions, "they stood there"), wall_time_s=at.wall_time_s
        )
        return name

    def leave(self, session: str) -> None:
        """Somebody leaves, and has a receipt."""
        self.site.store.desk.close(session, "exit", at=self.now())

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 -- JSON
        """What the API answers."""
        answer = self.staff.get(f"/api/v1/{path}", params={k: str(v) for k, v in query.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object, status: int = 200) -> Any:  # noqa: ANN401 -- JSON
        """What the API answers to something that changes."""
        answer = self.staff.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()
