"""Whatever else the portal keeps by name, as JSON: retention, proposals, comparisons, curves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from cloud_trainer.portal.records.tables import NOTES


def read_note(connection: Connection, name: str) -> Any | None:  # noqa: ANN401 -- JSON
    """A note; ``None`` where there is none."""
    found = connection.execute(select(NOTES.c.document).where(NOTES.c.name == name)).first()
    return None if found is None else json.loads(found[0])


def write_note(
    connection: Connection, name: str, document: Mapping[str, object] | list[object], now_s: float
) -> None:
    """Write a note over the one before."""
    connection.execute(delete(NOTES).where(NOTES.c.name == name))
    connection.execute(insert(NOTES).values(name=name, at=now_s, document=json.dumps(document)))


def forget_notes(connection: Connection, prefix: str, before: float) -> None:
    """Forget notes of a kind that are older than a moment."""
    connection.execute(
        delete(NOTES).where(NOTES.c.name.startswith(prefix, autoescape=True), NOTES.c.at < before)
    )
