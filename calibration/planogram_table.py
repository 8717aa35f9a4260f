"""Planograms as tables: CSV for spreadsheets, JSON, and what differs between two.

Owns the columns, their refusals with the line, and the difference. A table that was written and
read again is the same planogram to the last digit.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from calibration.format import CalibrationError, first_complaint
from calibration.planogram import MAY_BE_LEFT_OUT, Facing, Planogram

COLUMNS: Final = ("facing", *Facing.model_fields)
_NEEDED: Final = tuple(each for each in COLUMNS if each not in MAY_BE_LEFT_OUT)


@dataclass(frozen=True)
class Difference:
    """What another planogram changes.

    Attributes:
        added: Names of new facings.
        removed: Names of facings that are gone.
        changed: Of each changed facing, the fields with their values before and after.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: dict[str, dict[str, tuple[str, str]]]

    @property
    def empty(self) -> bool:
        """Whether both are the same."""
        return not (self.added or self.removed or self.changed)


def to_csv(planogram: Planogram) -> str:
    """A line for each facing, in the order of their names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, facing in sorted(planogram.facings.items()):
        values = facing.model_dump()
        cells = [values[field] for field in COLUMNS[1:]]
        writer.writerow([name, *("" if each is None else each for each in cells)])
    return out.getvalue()


def from_csv(text: str, name: str = "planogram.csv") -> Planogram:
    """Read a table.

    Args:
        text: With a header; columns in any order, comma or semicolon between them. How pieces stand
            and their size may be left out, as columns or in single lines.
        name: Of the file, for messages.

    Raises:
        CalibrationError: A column is missing or unknown, a value wrong, a facing there twice.
    """
    text = text.removeprefix("\ufeff")
    header = text.splitlines()[0] if text.strip() else ""
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    columns = [each.strip() for each in reader.fieldnames or []]
    missing = [each for each in _NEEDED if each not in columns]
    unknown = [each for each in columns if each not in COLUMNS]
    if missing or unknown:
        what = f"misses {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise CalibrationError(f"{name}: {what}; the columns are {', '.join(COLUMNS)}")
    reader.fieldnames = columns
    facings: dict[str, Facing] = {}
    for row in reader:
        line = reader.line_num
        if None in row or None in row.values():
            raise CalibrationError(f"{name}: line {line} has not {len(columns)} columns")
        key = row.pop("facing").strip()
        if not key or key in facings:
            problem = "is there twice" if key else "has no name"
            raise CalibrationError(f"{name}: line {line}: facing {key} {problem}")
        try:
            said = {a: b.strip() for a, b in row.items() if b.strip() or a not in MAY_BE_LEFT_OUT}
            facings[key] = Facing.model_validate(said)
        except ValidationError as err:
            raise CalibrationError(f"{name}: line {line}: {first_complaint(err)}") from err
    return Planogram(facings=facings)


def read_table(path: Path) -> Planogram:
    """Read a CSV table.

    Raises:
        CalibrationError: It cannot be read or is no planogram.
    """
    try:
        return from_csv(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as err:
        raise CalibrationError(f"{path}: cannot be read: {err}") from err


def difference(before: Planogram, after: Planogram) -> Difference:
    """What `after` changes."""
    old, new = before.facings, after.facings
    changed: dict[str, dict[str, tuple[str, str]]] = {}
    for name in sorted(old.keys() & new.keys()):
        was, now = old[name].model_dump(), new[name].model_dump()
        fields = {each: (str(was[each]), str(now[each])) for each in was if was[each] != now[each]}
        if fields:
            changed[name] = fields
    return Difference(
        tuple(sorted(new.keys() - old.keys())), tuple(sorted(old.keys() - new.keys())), changed
    )
