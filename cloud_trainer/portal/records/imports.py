"""Imports in the database: one row a line, one row a file, so that a kill costs the line at work.

Owns how rows are read and written; what becomes of a line is ``desks.imports``' business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select, update

from cloud_trainer.portal.records.tables import IMPORT_FILES, IMPORT_LINES, IMPORTS, PRODUCTS
from cloud_trainer.portal.tables import TableLine
from cloud_trainer.portal.views.products import Import, ProductFields

_PROBLEMS = 50
_HANDED_IN = ("waiting", "approved", "live")


@dataclass(frozen=True)
class ImportRow:
    """An import as it is kept.

    Attributes:
        import_id: The import.
        name: Of its table.
        by: Who began it.
        organisation: For whom.
        began_at: Seconds since 1970.
        status: ``running``, ``done`` or ``stopped``.
        is_complete: Whether no more files come.
    """

    import_id: str
    name: str
    by: str
    organisation: str
    began_at: float
    status: Literal["running", "done", "stopped"]
    is_complete: bool


@dataclass(frozen=True)
class WaitingLine:
    """A line that is to be taken in."""

    line: int
    sku: str
    fields: ProductFields


def add_import(connection: Connection, row: ImportRow, lines: Iterable[TableLine]) -> None:
    """Write a new import with its lines, and the files that they speak of."""
    connection.execute(insert(IMPORTS).values(**vars(row)))
    written, files = [], {}
    for each in lines:
        written.append(
            {
                "import_id": row.import_id,
                "line": each.line,
                "sku": each.sku,
                "fields": "" if each.fields is None else each.fields.model_dump_json(),
                "status": "failed" if each.problem else "waiting",
                "problem": each.problem,
            }
        )
        if each.path and not each.problem:
            files[each.path] = {
                "import_id": row.import_id,
                "path": each.path,
                "sku": each.sku,
                "status": "expected",
                "problem": "",
            }
    connection.execute(insert(IMPORT_LINES), written)
    if files:
        connection.execute(insert(IMPORT_FILES), list(files.values()))


def import_row(connection: Connection, import_id: str) -> ImportRow | None:
    """An import."""
    found = connection.execute(select(IMPORTS).where(IMPORTS.c.import_id == import_id)).first()
    return None if found is None else ImportRow(**found._mapping)


def import_rows(
    connection: Connection,
    *,
    organisation: str | None,
    status: str | None = None,
    limit: int = 20,
) -> list[ImportRow]:
    """Imports, newest first."""
    query = select(IMPORTS).order_by(IMPORTS.c.began_at.desc()).limit(limit)
    if organisation is not None:
        query = query.where(IMPORTS.c.organisation == organisation)
    if status is not None:
        query = query.where(IMPORTS.c.status == status)
    return [ImportRow(**row._mapping) for row in connection.execute(query)]


def shown_import(connection: Connection, row: ImportRow) -> Import:
    """An import as people see it."""
    lines = _counts(connection, IMPORT_LINES, row.import_id)
    files = _counts(connection, IMPORT_FILES, row.import_id)
    own = select(IMPORT_LINES.c.sku).where(IMPORT_LINES.c.import_id == row.import_id)
    handed_in = select(func.count()).where(
        PRODUCTS.c.sku.in_(own), PRODUCTS.c.stage.in_(_HANDED_IN)
    )
    return Import(
        import_id=row.import_id,
        name=row.name,
        by=row.by,
        began_at=row.began_at,
        status=row.status,
        lines=sum(lines.values()),
        lines_done=lines.get("done", 0),
        lines_failed=lines.get("failed", 0),
        files=sum(files.values()) - files.get("expected", 0),
        files_good=files.get("good", 0),
        handed_in=int(connection.execute(handed_in).scalar_one()),
        problems=tuple(_problems(connection, row.import_id)),
    )


def waiting_lines(
    connection: Connection, import_id: str, limit: int, sku: str | None = None
) -> list[WaitingLine]:
    """Lines that are to be taken in, in order."""
    query = (
        select(IMPORT_LINES.c.line, IMPORT_LINES.c.sku, IMPORT_LINES.c.fields)
        .where(IMPORT_LINES.c.import_id == import_id, IMPORT_LINES.c.status == "waiting")
        .order_by(IMPORT_LINES.c.line)
        .limit(limit)
    )
    if sku is not None:
        query = query.where(IMPORT_LINES.c.sku == sku)
    return [
        WaitingLine(int(line), str(name), ProductFields.model_validate_json(fields))
        for line, name, fields in connection.execute(query)
    ]


def end_line(connection: Connection, import_id: str, line: int, problem: str) -> None:
    """A line was taken in, or could not be."""
    connection.execute(
        update(IMPORT_LINES)
        .where(IMPORT_LINES.c.import_id == import_id, IMPORT_LINES.c.line == line)
        .values(status="failed" if problem else "done", problem=problem)
    )


def has_line(connection: Connection, import_id: str, sku: str) -> bool:
    """Whether an import speaks of a product."""
    query = select(IMPORT_LINES.c.line).where(
        IMPORT_LINES.c.import_id == import_id, IMPORT_LINES.c.sku == sku
    )
    return connection.execute(query.limit(1)).first() is not None


def skus_to_hand_in(connection: Connection, import_id: str, least_photos: int) -> list[str]:
    """Products that an import has taken in, and that have photos enough to be handed in."""
    query = (
        select(IMPORT_LINES.c.sku)
        .join(PRODUCTS, PRODUCTS.c.sku == IMPORT_LINES.c.sku)
        .where(
            IMPORT_LINES.c.import_id == import_id,
            IMPORT_LINES.c.status == "done",
            PRODUCTS.c.good_photos >= least_photos,
        )
    )
    return sorted({str(sku) for (sku,) in connection.execute(query)})


def sku_of_file(connection: Connection, import_id: str, paths: Iterable[str]) -> str | None:
    """The product that a line names for a file by one of its paths."""
    query = select(IMPORT_FILES.c.sku).where(
        IMPORT_FILES.c.import_id == import_id, IMPORT_FILES.c.path.in_(list(paths))
    )
    found = connection.execute(query.limit(1)).first()
    return None if found is None else str(found[0])


def put_file(
    connection: Connection,
    import_id: str,
    paths: Iterable[str],
    sku: str,
    photo_id: str | None,
    status: Literal["good", "faulty", "failed"],
    problem: str,
) -> None:
    """A file came; where a line spoke of it, by the line's path, otherwise by its own."""
    named = list(paths)
    values = {"sku": sku, "photo_id": photo_id, "status": status, "problem": problem}
    changed = connection.execute(
        update(IMPORT_FILES)
        .where(IMPORT_FILES.c.import_id == import_id, IMPORT_FILES.c.path.in_(named))
        .values(values)
    ).rowcount
    if not changed:
        connection.execute(
            insert(IMPORT_FILES).values(import_id=import_id, path=named[0], **values)
        )


def files_there(connection: Connection, import_id: str) -> list[str]:
    """Paths of files that came."""
    query = (
        select(IMPORT_FILES.c.path)
        .where(IMPORT_FILES.c.import_id == import_id, IMPORT_FILES.c.status != "expected")
        .order_by(IMPORT_FILES.c.path)
    )
    return [str(path) for (path,) in connection.execute(query)]


def change_import(connection: Connection, import_id: str, **values: object) -> None:
    """Change what is kept of an import."""
    connection.execute(update(IMPORTS).where(IMPORTS.c.import_id == import_id).values(values))


def _counts(connection: Connection, table: object, import_id: str) -> dict[str, int]:
    columns = IMPORT_LINES.c if table is IMPORT_LINES else IMPORT_FILES.c
    query = (
        select(columns.status, func.count())
        .where(columns.import_id == import_id)
        .group_by(columns.status)
    )
    return {str(status): int(count) for status, count in connection.execute(query)}


def _problems(connection: Connection, import_id: str) -> list[str]:
    lines = (
        select(IMPORT_LINES.c.line, IMPORT_LINES.c.problem)
        .where(IMPORT_LINES.c.import_id == import_id, IMPORT_LINES.c.status == "failed")
        .order_by(IMPORT_LINES.c.line)
        .limit(_PROBLEMS)
    )
    files = (
        select(IMPORT_FILES.c.path, IMPORT_FILES.c.problem)
        .where(
            IMPORT_FILES.c.import_id == import_id, IMPORT_FILES.c.status.in_(["failed", "faulty"])
        )
        .order_by(IMPORT_FILES.c.path)
        .limit(_PROBLEMS)
    )
    said = [f"line {line}: {problem}" for line, problem in connection.execute(lines)]
    said += [f"{path}: {problem}" for path, problem in connection.execute(files)]
    return said[:_PROBLEMS]
