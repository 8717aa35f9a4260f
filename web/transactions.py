"""A transaction of SQLite: all that a block writes, or nothing.

Owns the one way in which the device's files (ledger, journal of updates, accounts) begin and end
what they write. What a failure means is for each file to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def whole_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all that the block writes, or nothing.

    Args:
        connection: In autocommit mode, and outside of a transaction.

    Raises:
        sqlite3.Error: It could not be written; the file is as it was before.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself has rolled back after some failures.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
