"""People who may sign in, their sessions, and one-time links.

Owns what may become of them: names, roles, that one admin stays, when sessions end. Passwords and
secrets are ``passwords``' business, how often somebody may try ``entering``'s. Whatever changes who
somebody is (password, role, removal) ends all of their sessions and links.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Final, cast

from web.access import Asking, Vocabulary
from web.accounts_file import AccountsStore, Connection, RowRefusedError
from web.errors import AccountError, AccountMissingError, AccountsFileError
from web.passwords import Hashing, new_password, new_secret, secret_hash

_LOGGER: Final = logging.getLogger(__name__)
FIRST_ADMIN: Final = "admin"
LINK_LASTS_S: Final = 900.0
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_NAME: Final = re.compile(NAME_PATTERN)
_SEEN_EVERY_S: Final = 60.0


@dataclass(frozen=True)
class SessionLimits:
    """When sessions end by themselves.

    Attributes:
        idle_s: After the last request by a person.
        longest_s: After signing in, however busy.
    """

    idle_s: float = 8 * 3600.0
    longest_s: float = 24 * 3600.0


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in.

    Attributes:
        name: Theirs alone.
        role: What they may do.
        created_at: Seconds since 1970.
        last_seen_at: ``None`` when they never signed in.
        organisation: For whom they act; empty where they act for the house.
    """

    name: str
    role: str
    created_at: float
    last_seen_at: float | None
    organisation: str = ""


class Accounts:
    """People, sessions and links in one store; from any thread.

    Args:
        file: Where they are kept.
        words: Which roles there are.
        wall_time_s: Seconds since 1970.
        limits: When sessions end.
        hashing: Of passwords.
    """

    def __init__(
        self,
        file: AccountsStore,
        words: Vocabulary,
        wall_time_s: Callable[[], float],
        limits: SessionLimits | None = None,
        hashing: Hashing | None = None,
    ) -> None:
        self._file = file
        self._words = words
        self._wall_time_s = wall_time_s
        self._limits = limits or SessionLimits()
        self._hashing = hashing or Hashing()

    def first_run(self) -> tuple[str, str] | None:
        """Make an admin where there is none; name and password, or ``None`` otherwise."""
        people = self.people()
        if any(each.role == self._words.admin for each in people):
            return None
        taken = {each.name for each in people}
        names = chain((FIRST_ADMIN,), (f"{FIRST_ADMIN}-{number}" for number in count(2)))
        name = next(each for each in names if each not in taken)
        return name, self.add(name, self._words.admin)

    def people(self) -> tuple[Person, ...]:
        """Everybody, by name."""
        rows = self._file.rows(
            "SELECT name, role, created_at, last_seen_at, organisation FROM people ORDER BY name"
        )
        return tuple(map(_person, rows))

    def person(self, name: str) -> Person:
        """Somebody.

        Raises:
            AccountMissingError: There is nobody of that name.
        """
        rows = self._file.rows(
            "SELECT name, role, created_at, last_seen_at, organisation FROM people WHERE name = ?",
            name,
        )
        if not rows:
            raise _nobody(name)
        return _person(rows[0])

    def add(self, name: str, role: str, password: str | None = None, organisation: str = "") -> str:
        """Let somebody sign in.

        Args:
            name: Small letters, digits, dots, dashes and underscores.
            role: What they may do.
            password: Drawn at random when left out.
            organisation: For whom they act; empty for the house.

        Returns:
            The password.

        Raises:
            AccountError: The name is taken or cannot be one, or the password is too short.
        """
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"{name!r} cannot be a name: use small letters, digits, dots, dashes and "
                "underscores, 64 at most"
            )
        self._check_role(role)
        self._words.check_organisation(organisation)
        password = password or new_password()
        hashed = self._hashing.hashed(password)
        try:
            with self._file.transaction() as connection:
                connection.execute(
                    "INSERT INTO people (name, role, password_hash, created_at, organisation)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (name, role, hashed, self._wall_time_s(), organisation),
                )
        except RowRefusedError as err:
            raise AccountError(
                f"there is somebody called {name} already; use another name"
            ) from err
        return password

    def set_password(self, name: str, password: str | None = None) -> str:
        """Give somebody another password, drawn at random when left out; their sessions end.

        Raises:
            AccountError: There is nobody of that name, or the password is too short.
        """
        password = password or new_password()
        hashed = self._hashing.hashed(password)
        with self._file.transaction() as connection:
            _changed(connection, "UPDATE people SET password_hash = ? WHERE name = ?", hashed, name)
            _end_all(connection, name)
        return password

    def set_role(self, name: str, role: str) -> None:
        """Let somebody do something else; their sessions end.

        Raises:
            AccountError: There is nobody of that name, or nobody would be left to administer.
        """
        self._check_role(role)
        with self._file.transaction() as connection, self._one_admin_stays(connection):
            _changed(connection, "UPDATE people SET role = ? WHERE name = ?", role, name)
            _end_all(connection, name)

    def remove(self, name: str) -> None:
        """Do not let somebody sign in any more; their sessions end.

        Raises:
            AccountError: There is nobody of that name, or nobody would be left to administer.
        """
        with self._file.transaction() as connection, self._one_admin_stays(connection):
            _changed(connection, "DELETE FROM people WHERE name = ?", name)

    def is_right(self, name: str, password: str) -> bool:
        """Whether this is somebody and their password; takes as long when there is nobody.

        Raises:
            BusyError: Too many are signing in at this moment.
        """
        rows = self._file.rows("SELECT password_hash FROM people WHERE name = ?", name)
        return self._hashing.is_right(password, str(rows[0][0]) if rows else None)

    def begin_session(self, name: str) -> str:
        """Sign somebody in.

        Returns:
            The session's secret, for a cookie.

        Raises:
            AccountMissingError: There is nobody of that name any more.
        """
        secret, now_s = new_secret(), self._wall_time_s()
        with self._file.transaction() as connection:
            _changed(connection, "UPDATE people SET last_seen_at = ? WHERE name = ?", now_s, name)
            connection.execute(
                "DELETE FROM sessions WHERE begun_at < ? OR seen_at < ?",
                (now_s - self._limits.longest_s, now_s - self._limits.idle_s),
            )
            connection.execute(
                "INSERT INTO sessions (secret_hash, name, begun_at, seen_at) VALUES (?, ?, ?, ?)",
                (secret_hash(secret), name, now_s, now_s),
            )
        return secret

    def end_session(self, secret: str) -> None:
        """Sign somebody out."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE secret_hash = ?", (secret_hash(secret),))

    def asking(self, secret: str, *, is_person: bool = True) -> Asking | None:
        """Who shows a session's secret; ``None`` for nobody, or when the session is over.

        Args:
            secret: Of the session.
            is_person: Whether this is somebody's doing, which keeps the session from idling.
        """
        hashed, now_s = secret_hash(secret), self._wall_time_s()
        rows = self._file.rows(
            "SELECT name, role, seen_at, organisation FROM sessions JOIN people USING (name)"
            " WHERE secret_hash = ? AND begun_at >= ? AND seen_at >= ?",
            hashed,
            now_s - self._limits.longest_s,
            now_s - self._limits.idle_s,
        )
        if not rows:
            return None
        name, role, seen_at, organisation = rows[0]
        if is_person and now_s - cast(float, seen_at) > _SEEN_EVERY_S:
            self._was_seen(hashed, str(name), now_s)
        return Asking(str(name), str(role), organisation=str(organisation))

    def _was_seen(self, hashed: str, name: str, now_s: float) -> None:
        try:
            with self._file.transaction() as connection:
                connection.execute(
                    "UPDATE sessions SET seen_at = ? WHERE secret_hash = ?", (now_s, hashed)
                )
                connection.execute(
                    "UPDATE people SET last_seen_at = ? WHERE name = ?", (now_s, name)
                )
        except AccountsFileError as err:
            # On a full disk people have to be able to look more than ever.
            _LOGGER.warning("that %s was seen cannot be kept: %s", name, err)

    def make_link(self, name: str, lasts_s: float = LINK_LASTS_S) -> str:
        """A secret by which somebody signs in once.

        Raises:
            AccountMissingError: There is nobody of that name.
        """
        self.person(name)
        secret, now_s = new_secret(), self._wall_time_s()
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM links WHERE ends_at < ?", (now_s,))
            connection.execute(
                "INSERT INTO links (secret_hash, name, ends_at) VALUES (?, ?, ?)",
                (secret_hash(secret), name, now_s + lasts_s),
            )
        return secret

    def use_link(self, secret: str) -> str | None:
        """Whose link this is; used up by asking. ``None`` when it is nobody's, or too old."""
        hashed = secret_hash(secret)
        with self._file.transaction() as connection:
            found = connection.execute(
                "SELECT name FROM links WHERE secret_hash = ? AND ends_at >= ?",
                (hashed, self._wall_time_s()),
            ).fetchone()
            connection.execute("DELETE FROM links WHERE secret_hash = ?", (hashed,))
        return None if found is None else str(found[0])

    def _check_role(self, role: str) -> None:
        if role not in self._words.roles:
            raise AccountError(f"{role!r} is no role; the roles are {', '.join(self._words.roles)}")

    @contextmanager
    def _one_admin_stays(self, connection: Connection) -> Iterator[None]:
        query, admin = "SELECT 1 FROM people WHERE role = ?", (self._words.admin,)
        before = connection.execute(query, admin).fetchone()
        yield
        if before is not None and connection.execute(query, admin).fetchone() is None:
            raise AccountError(
                "nobody would be left who may change people; make somebody else an admin first"
            )


def _person(row: tuple[object, ...]) -> Person:
    name, role, created_at, last_seen_at, organisation = row
    return Person(
        str(name),
        str(role),
        cast(float, created_at),
        cast("float | None", last_seen_at),
        str(organisation),
    )


def _nobody(name: object) -> AccountMissingError:
    return AccountMissingError(f"there is nobody called {name}; see who there is")


def _changed(connection: Connection, statement: str, *values: object) -> None:
    """Change one person, named last."""
    if connection.execute(statement, values).rowcount == 0:
        raise _nobody(values[-1])


def _end_all(connection: Connection, name: str) -> None:
    connection.execute("DELETE FROM sessions WHERE name = ?", (name,))
    connection.execute("DELETE FROM links WHERE name = ?", (name,))
