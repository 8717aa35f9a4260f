"""The ledger: entries in the order they were written, each bound to all before it.

Owns the hash chain, idempotent appending and reading back. Every row's hash covers the hash before
it, its number, its time and its content, so a row that was changed, taken out or added by another
hand is found on opening, and the last hash stands for the whole ledger. Owns neither what entries
mean (``shop.py``) nor the file (``ledger_file.py``).

Example::

    ledger = Ledger(Path("ledger.sqlite"), "demo")
    new = ledger.append(entries, outgoing=messages)   # () when all of it was there
    shop = fold(ledger.entries())
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from edge.checkout.entries import Entry, canonical_json, entry_from_content
from edge.checkout.ledger_file import LedgerFile
from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import enqueue
from edge.errors import LedgerConflictError, LedgerDamagedError


class Ledger:
    """An append-only ledger; safe to append to from several threads.

    Args:
        path: Its file; made when it does not exist.
        store_id: The shop it belongs to.

    Raises:
        LedgerError: It cannot be opened; see ``LedgerFile``.
        LedgerDamagedError: Rows are missing or changed, or the file is no ledger.
    """

    def __init__(self, path: Path, store_id: str) -> None:
        origin = hashlib.sha256(f"walkout ledger 1\n{store_id}".encode()).hexdigest()
        self.file = LedgerFile(path, store_id, origin)
        try:
            self._check_chain(origin)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let another process have it."""
        self.file.close()

    def append(
        self, entries: Sequence[Entry], outgoing: Sequence[OutgoingMessage] = ()
    ) -> tuple[Entry, ...]:
        """Write entries and the messages they cause, all of them or none.

        An entry that is there already, with the same content, is passed over. Where all are,
        nothing is written, messages neither.

        Args:
            entries: In order.
            outgoing: Messages for the outbox.

        Returns:
            Those that are new; empty when the ledger knew all of them.

        Raises:
            LedgerConflictError: An id is there with other content.
            LedgerError: They could not be written; nothing of them was.
        """
        with self.file.transaction() as connection:
            sequence, last = connection.execute("SELECT sequence, hash FROM head").fetchone()
            new = []
            for entry in entries:
                content = entry.content()
                if _is_known(connection, entry, content):
                    continue
                sequence += 1
                last = _hash(last, sequence, entry.wall_time_s, content)
                connection.execute(
                    "INSERT INTO ledger VALUES (?, ?, ?, ?, ?)",
                    (sequence, entry.entry_id, entry.wall_time_s, content, last),
                )
                new.append(entry)
            if new:
                connection.execute("UPDATE head SET sequence = ?, hash = ?", (sequence, last))
                enqueue(connection, outgoing)
        return tuple(new)

    def entries(self) -> Iterator[Entry]:
        """All entries in order.

        Raises:
            LedgerDamagedError: A row holds something that this version does not know.
        """
        query = "SELECT sequence, content, wall_time_s FROM ledger ORDER BY sequence"
        for sequence, content, wall_time_s in self.file.rows(query):
            try:
                yield entry_from_content(str(content), float(str(wall_time_s)))
            except ValueError as err:
                raise LedgerDamagedError(
                    f"ledger {self.file.path}: row {sequence} is no entry known to this version of "
                    f"Walkout ({err}); update Walkout"
                ) from err

    def digest(self) -> str:
        """Hash over all rows, hexadecimal: equal digests are equal ledgers."""
        ((digest,),) = self.file.rows("SELECT hash FROM head")
        return str(digest)

    def export_jsonl(self, path: Path) -> None:
        """Write all rows as JSON lines; equal ledgers give equal bytes.

        Args:
            path: File to write.
        """
        query = "SELECT sequence, wall_time_s, content, hash FROM ledger ORDER BY sequence"
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            for sequence, wall_time_s, content, row_hash in self.file.rows(query):
                row = {
                    "sequence": sequence,
                    "wall_time_s": wall_time_s,
                    "entry": json.loads(str(content)),
                    "hash": row_hash,
                }
                stream.write(canonical_json(row) + "\n")

    def _check_chain(self, origin: str) -> None:
        last, count = origin, 0
        query = (
            "SELECT sequence, entry_id, wall_time_s, content, hash FROM ledger ORDER BY sequence"
        )
        for sequence, entry_id, wall_time_s, content, row_hash in self.file.rows(query):
            count += 1
            if sequence != count:
                raise self._damaged(f"row {count} is missing")
            last = _hash(last, count, float(str(wall_time_s)), str(content))
            if last != row_hash:
                raise self._damaged(f"row {count} ({entry_id}) was changed")
        ((head_sequence, head_hash),) = self.file.rows("SELECT sequence, hash FROM head")
        if (head_sequence, head_hash) != (count, last):
            raise self._damaged(f"it ends at row {count}, but row {head_sequence} was written")

    def _damaged(self, what: str) -> LedgerDamagedError:
        return LedgerDamagedError(
            f"ledger {self.file.path}: {what}; keep the file and bring back a copy"
        )


def _is_known(connection: sqlite3.Connection, entry: Entry, content: str) -> bool:
    row = connection.execute(
        "SELECT content FROM ledger WHERE entry_id = ?", (entry.entry_id,)
    ).fetchone()
    if row is not None and row[0] != content:
        raise LedgerConflictError(
            f"entry {entry.entry_id} is in the ledger with other content; "
            "a correction is a new entry with an id of its own"
        )
    return row is not None


def _hash(last: str, sequence: int, wall_time_s: float, content: str) -> str:
    row = canonical_json([last, sequence, wall_time_s, content])
    return hashlib.sha256(row.encode()).hexdigest()
