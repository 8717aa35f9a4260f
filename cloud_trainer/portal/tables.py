"""CSV files of products, as spreadsheets write them: lines to fields, each with what is wrong.

Owns which cells are refused because a spreadsheet would run them as a formula when somebody opens
what they were handed in for (OWASP, "CSV Injection"). The words of the columns are
``models.catalogue``'s.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import ValidationError

from cloud_trainer.portal.errors import PortalUnusableError
from cloud_trainer.portal.photos import shown_name
from cloud_trainer.portal.views.products import SKU_PATTERN, ProductFields
from models.bundle.manifest import first_complaint
from models.catalogue import CatalogueError, read_table

MOST_LINES: Final = 50_000
_COLUMNS: Final = ("name", "category", "price", "currency", "gtin", "view_group", "path")
_SKU: Final = re.compile(SKU_PATTERN)
_LONGEST_PATH: Final = 200


@dataclass(frozen=True)
class TableLine:
    """A line of a table.

    Attributes:
        line: Counted from 1, the head included.
        sku: The product; what stands there, where it cannot be one.
        fields: What it says; ``None`` where that cannot be used.
        path: Of a photo of it, as the folder has it; empty where it names none.
        problem: What is wrong, with what to do; empty where nothing is.
    """

    line: int
    sku: str
    fields: ProductFields | None
    path: str
    problem: str


def read_lines(content: bytes, name: str) -> list[TableLine]:
    """Lines of a table that somebody hands in.

    Args:
        content: The file.
        name: What it is called.

    Raises:
        PortalUnusableError: It is no table, or has no such columns, or too many lines.
    """
    with tempfile.TemporaryDirectory(prefix="walkout-table-") as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        found: list[TableLine] = []
        try:
            for line, cells in read_table(path, required=("sku",), optional=_COLUMNS):
                if len(found) == MOST_LINES:
                    raise PortalUnusableError(
                        f"{shown_name(name)} has more than {MOST_LINES} lines; split it"
                    )
                found.append(_line(line, cells))
        except CatalogueError as err:
            raise PortalUnusableError(str(err).replace(str(path), shown_name(name))) from err
    if not found:
        raise PortalUnusableError(f"{shown_name(name)} has a head and no lines; fill some in")
    return found


def own_paths(path: str) -> Iterator[str]:
    """The names that a file of a folder may have in a table: with and without the folder itself.

    Args:
        path: As a browser names it: ``folder/oat-milk/1.jpg``.

    Raises:
        PortalUnusableError: It leads out of the folder, or is none.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if (
        not parts
        or len(path) > _LONGEST_PATH
        or any(each in ("..", "/", ".") or not each.isprintable() for each in parts)
    ):
        raise PortalUnusableError(
            f"{shown_name(path)}: a photo's path has folders and a name, {_LONGEST_PATH} letters "
            "at most, and stays in its folder"
        )
    yield "/".join(parts)
    if len(parts) > 1:
        yield "/".join(parts[1:])


def folder_of(path: str) -> str:
    """The folder that a photo lies in: its product, where no line names the photo."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return parts[-2] if len(parts) > 1 else ""


def _line(line: int, cells: dict[str, str]) -> TableLine:
    sku, path = cells.pop("sku"), cells.pop("path", "")
    fields: ProductFields | None = None
    problem = _formula({"sku": sku, "path": path, **cells})
    if not problem and not _SKU.fullmatch(sku):
        problem = (
            f"column sku: {sku[:80]!r} cannot be a SKU: use letters, digits, dots, dashes and "
            "underscores, 64 at most"
        )
    if not problem:
        values = {name: value for name, value in cells.items() if value}
        try:
            fields = ProductFields.model_validate({"name": sku, **values})
        except ValidationError as err:
            problem = f"{first_complaint(err)}; correct it"
    return TableLine(line, sku[:200], fields, path[:_LONGEST_PATH], problem)


def _formula(cells: dict[str, str]) -> str:
    for column, cell in cells.items():
        if cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not cell[1:2].isdigit()):
            return (
                f"column {column}: {cell[:40]!r} begins like a formula; write it without "
                f"{cell[0]!r} at its beginning"
            )
    return ""
