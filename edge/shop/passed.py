"""Who looked at a review and was not sure: remembered over restarts until it is settled.

Owns a small file beside the ledger. The ledger itself says nothing of it: nothing was decided.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import LedgerError
from edge.updates.files import write_whole

_LOGGER: Final = logging.getLogger(__name__)
PASSED_NAME: Final = "passed.jsonl"
# Nobody learns anything from more.
_OF_ONE_REVIEW: Final = 20


class Pass(BaseModel):
    """Somebody looked at a review and left it to others.

    Attributes:
        review_id: The review.
        reviewer: Who.
        reason: In words; may be empty.
        passed_at: When, seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    review_id: str = Field(min_length=1)
    reviewer: str
    reason: Annotated[str, Field(max_length=500)] = ""
    passed_at: float


class PassedReviews:
    """The passes of all open reviews; safe to use from several threads.

    Args:
        path: The file; its folder exists.
        open_reviews: Ids of the reviews that are still open; the others' passes are forgotten.
    """

    def __init__(self, path: Path, open_reviews: Collection[str]) -> None:
        self._path = path
        self._using = threading.Lock()
        self._passes: dict[str, tuple[Pass, ...]] = {}
        for each in _read(path):
            if each.review_id in open_reviews:
                self._take_in(each)
        if path.exists():
            self._write()

    def of(self, review_id: str) -> tuple[Pass, ...]:
        """Who passed a review on, in order."""
        return self._passes.get(review_id, ())

    def all(self) -> Mapping[str, tuple[Pass, ...]]:
        """All passes by review."""
        return dict(self._passes)

    def add(self, passed: Pass) -> None:
        """Remember that somebody was not sure.

        Raises:
            LedgerError: It could not be written.
        """
        with self._using:
            before = self._passes.get(passed.review_id, ())
            self._take_in(passed)
            try:
                self._write()
            except LedgerError:
                self._passes[passed.review_id] = before
                raise

    def _take_in(self, passed: Pass) -> None:
        before = self._passes.get(passed.review_id, ())
        self._passes[passed.review_id] = (*before, passed)[-_OF_ONE_REVIEW:]

    def _write(self) -> None:
        lines = (each.model_dump_json() for passes in self._passes.values() for each in passes)
        try:
            write_whole(self._path, "".join(f"{line}\n" for line in lines).encode())
        except OSError as err:
            raise LedgerError(
                f"{self._path} cannot be written: {err.strerror}; check the room on the disk"
            ) from err


def _read(path: Path) -> list[Pass]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        _LOGGER.exception("%s cannot be read; who was not sure is forgotten", path)
        return []
    passes = []
    for line in lines:
        try:
            passes.append(Pass.model_validate_json(line))
        except ValidationError:
            _LOGGER.warning("a line of %s cannot be read and is left out", path)
    return passes
