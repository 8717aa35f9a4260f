"""Named sets of products that a search may be limited to, in one file of the device's state.

Owns their names, their bounds and the file. Whether the products exist is the caller's to check.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.format import first_complaint
from edge.errors import SearchError
from edge.updates.files import write_whole

MOST_SETS: Final = 200
MOST_PRODUCTS: Final = 20_000

SetName = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$")]
_Skus = Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_PRODUCTS)]


class _Written(BaseModel):
    """All of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    sets: dict[SetName, _Skus]


class ProductSets:
    """Product sets; safe to use from several threads.

    Args:
        path: Their file; there need not be one so far.

    Raises:
        SearchError: The file is none of product sets.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        try:
            self._sets = _Written.model_validate_json(path.read_bytes()).sets
        except FileNotFoundError:
            self._sets = {}
        except ValidationError as err:
            raise SearchError(f"{path}: {first_complaint(err)}; correct or delete it") from err

    def all(self) -> Mapping[str, tuple[str, ...]]:
        """SKUs by name of the set, by name."""
        return dict(sorted(self._sets.items()))

    def skus(self, name: str) -> tuple[str, ...]:
        """Products of a set, ascending.

        Raises:
            KeyError: There is no such set.
        """
        return self._sets[name]

    def put(self, name: str, skus: Iterable[str]) -> tuple[str, ...]:
        """Make a set, or replace one.

        Args:
            name: Letters, digits, ``-``, ``_`` and ``.``.
            skus: Its products; each counts once.

        Raises:
            SearchError: There are too many sets, or the name or the products are impossible.
        """
        with self._writing:
            after = self._sets | {name: tuple(sorted(set(skus)))}
            if len(after) > MOST_SETS:
                raise SearchError(
                    f"there are {MOST_SETS} product sets already; delete one that nobody uses"
                )
            self._write(after)
            return after[name]

    def delete(self, name: str) -> None:
        """Delete a set.

        Raises:
            KeyError: There is no such set.
        """
        with self._writing:
            after = dict(self._sets)
            del after[name]
            self._write(after)

    def _write(self, sets: dict[str, tuple[str, ...]]) -> None:
        try:
            written = _Written(sets=sets)
        except ValidationError as err:
            raise SearchError(f"{first_complaint(err)}; choose another") from err
        write_whole(self._path, written.model_dump_json(indent=1).encode())
        self._sets = dict(written.sets)
