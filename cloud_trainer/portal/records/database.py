"""The database opened: SQLite or PostgreSQL, migrated, and what its failures mean.

Owns how transactions begin. SQLite: WAL, ``synchronous=FULL``, and every transaction that writes
takes the write lock when it begins, so that none is turned away half-way
(https://www.sqlite.org/lang_transaction.html). PostgreSQL: ``REPEATABLE READ`` is not needed, as
whatever depends on what was read is written with a condition.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from cloud_trainer.portal.errors import PortalRecordsError, PortalUnusableError

# What alembic says of every opening is nothing that anybody waits for.
logging.getLogger("alembic").setLevel(logging.WARNING)

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_WAITS_S: Final = 20.0
_READS: Final = "walkout_reads"
# Of all portals that share a PostgreSQL, one migrates at a time.
_MIGRATION_LOCK: Final = 0x574C_4B50


class Database:
    """An open database; from any thread. A context manager that closes it.

    Args:
        url: ``sqlite:///file`` or ``postgresql://user@host/name``.
        connections: So many at a time.

    Raises:
        PortalUnusableError: It is no such URL.
        PortalRecordsError: It cannot be opened or migrated.
    """

    def __init__(self, url: str, connections: int = 10) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as err:
            raise PortalUnusableError(
                "the database's URL cannot be read; give sqlite:///file or postgresql://host/name"
            ) from err
        kind = parsed.get_backend_name()
        if kind == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif kind != "sqlite" or not parsed.database:
            raise PortalUnusableError(
                f"{kind} is no database that the portal knows; give sqlite:///file or "
                "postgresql://host/name"
            )
        self.is_sqlite: Final = kind == "sqlite"
        if self.is_sqlite:
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        self.shown: Final = parsed.render_as_string(hide_password=True)
        own: dict[str, Any] = {"timeout": _WAITS_S} if self.is_sqlite else {"connect_timeout": 10}
        self.engine: Final = create_engine(
            parsed,
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=connections,
            pool_pre_ping=not self.is_sqlite,
            connect_args=own,
        )
        self._reading = self.engine.execution_options(**{_READS: True})
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        try:
            with self._meanings():
                self._migrate()
        except BaseException:
            self.engine.dispose()
            raise

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All that the block writes, or nothing.

        Raises:
            PortalRecordsError: It could not be written.
            sqlalchemy.exc.IntegrityError: A key is there already; nothing was written.
        """
        with self._meanings(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent look.

        Raises:
            PortalRecordsError: It cannot be read.
        """
        with self._meanings(), self._reading.begin() as connection:
            yield connection

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _meanings(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except SQLAlchemyError as err:
            reason = str(getattr(err, "orig", None) or err).strip().splitlines()[0]
            raise PortalRecordsError(
                f"{self.shown} cannot be read or written now: {reason}; what was written before "
                "is safe. See that it runs and has room"
            ) from err


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 -- any driver's
        # Transactions are begun below, not by the driver's own reckoning.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "cache_size = -32000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
