"""People, sessions, tokens and the audit log in the portal's database.

Owns how the SQL of ``web.accounts``, ``web.tokens`` and ``web.audit`` reaches another database than
a SQLite file; what it says is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cloud_trainer.portal.errors import PortalRecordsError
from cloud_trainer.portal.records.database import Database
from web.accounts_file import Cursor, RowRefusedError
from web.errors import AccountsFileError


class AccountsRecords:
    """``web.accounts_file.AccountsStore`` in a database.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark = "?" if database.is_sqlite else "%s"

    @contextmanager
    def transaction(self) -> Iterator[_Transaction]:
        """See ``AccountsStore``."""
        with self._meanings(), self._database.writing() as connection:
            yield _Transaction(connection, self._mark)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """See ``AccountsStore``."""
        with self._meanings(), self._database.reading() as connection:
            found = connection.exec_driver_sql(query.replace("?", self._mark), values)
            return [tuple(row) for row in found]

    @contextmanager
    def _meanings(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as err:
            raise RowRefusedError(str(err.orig)) from err
        except PortalRecordsError as err:
            raise AccountsFileError(str(err)) from err


class _Transaction:
    def __init__(self, connection: Connection, mark: str) -> None:
        self._connection = connection
        self._mark = mark

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """See ``web.accounts_file.Connection``."""
        return self._connection.exec_driver_sql(statement.replace("?", self._mark), tuple(values))
