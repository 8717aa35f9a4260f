"""The audit log: who did what, when, from which address, and how it ended.

Rows are added and never changed; the store itself refuses both. What became of what somebody did
stands where that is kept; this says who was at the door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from web.accounts_file import AccountsStore

_LONGEST: Final = 400
_LAST: Final = 2**62


@dataclass(frozen=True)
class AuditEntry:
    """One act.

    Attributes:
        sequence: Its place in the log.
        at: Seconds since 1970.
        who: Name of a person or token; for a failed sign-in, the name that was tried.
        action: ``signed in``, or method and address.
        about: What it was about, in words.
        address: Of whoever asked; ``terminal`` for the command line.
        outcome: ``done``, or why not.
    """

    sequence: int
    at: float
    who: str
    action: str
    about: str
    address: str
    outcome: str


class AuditLog:
    """The log; from any thread.

    Args:
        file: Where it is kept.
        wall_time_s: Seconds since 1970.
    """

    def __init__(self, file: AccountsStore, wall_time_s: Callable[[], float]) -> None:
        self._file = file
        self._wall_time_s = wall_time_s

    def add(
        self, who: str, action: str, *, about: str = "", address: str, outcome: str = "done"
    ) -> None:
        """Write down an act.

        Raises:
            AccountsFileError: The log cannot be written.
        """
        texts = tuple(_plain(each) for each in (who, action, about, address, outcome))
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO audit (at, who, action, about, address, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (self._wall_time_s(), *texts),
            )

    def newest(self, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """The newest acts, newest first.

        Args:
            limit: So many at most.
            before: Only those with a smaller ``sequence``.
        """
        rows = self._file.rows(
            "SELECT sequence, at, who, action, about, address, outcome FROM audit"
            " WHERE sequence < ? ORDER BY sequence DESC LIMIT ?",
            _LAST if before is None else before,
            limit,
        )
        return tuple(
            AuditEntry(cast(int, row[0]), cast(float, row[1]), *(str(each) for each in row[2:]))
            for row in rows
        )


def _plain(text: str) -> str:
    """Text that stays on its line, whatever somebody typed as a name."""
    shown = "".join(each if each.isprintable() else "\ufffd" for each in text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "\u2026"
