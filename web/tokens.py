"""Tokens of applications: what each may do, until when, and when it was used last.

A token is shown once, when it is made; what is kept is its hash. Who asks with one is called
``token`` and its name, which no person can be called.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from web.access import Asking, Vocabulary
from web.accounts_file import AccountsStore, RowRefusedError
from web.errors import AccountError, AccountMissingError, AccountsFileError
from web.passwords import new_secret, secret_hash

_LOGGER: Final = logging.getLogger(__name__)
TOKEN_PREFIX: Final = "walkout_"
LABEL_PATTERN: Final = r"^[0-9A-Za-z][0-9A-Za-z ._-]{0,63}$"
_LABEL: Final = re.compile(LABEL_PATTERN)
_SEEN_EVERY_S: Final = 60.0


@dataclass(frozen=True)
class Token:
    """What is known of a token.

    Attributes:
        token_id: By which it is revoked.
        name: What it is for.
        scopes: What it may do.
        created_at: Seconds since 1970.
        last_used_at: ``None`` when it never was; exact to a minute.
        expires_at: ``None`` when it does not.
        organisation: For whom it acts; empty where it acts for the house.
    """

    token_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    last_used_at: float | None
    expires_at: float | None
    organisation: str = ""


class Tokens:
    """All tokens; from any thread.

    Args:
        file: Where they are kept.
        words: Which scopes there are.
        wall_time_s: Seconds since 1970.
    """

    def __init__(
        self, file: AccountsStore, words: Vocabulary, wall_time_s: Callable[[], float]
    ) -> None:
        self._file = file
        self._words = words
        self._wall_time_s = wall_time_s

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        lasts_s: float | None = None,
        organisation: str = "",
    ) -> tuple[Token, str]:
        """A new token and its secret, which is shown once.

        Args:
            name: What it is for.
            scopes: What it may do.
            lasts_s: ``None`` for good.
            organisation: For whom it acts; empty for the house.

        Raises:
            AccountError: The name is taken or cannot be one, or a scope is none.
        """
        if not _LABEL.fullmatch(name):
            raise AccountError(
                f"{name!r} cannot be a token's name: use letters, digits, spaces, dots, dashes and "
                "underscores, 64 at most"
            )
        known, asked = self._words.scopes, set(scopes)
        wanted = tuple(each for each in known if each in asked)
        unknown = sorted(asked - set(known))
        if unknown or not wanted:
            raise AccountError(
                f"{', '.join(unknown) or 'nothing'} is no scope; name some of {', '.join(known)}"
            )
        self._words.check_organisation(organisation)
        secret, now_s = TOKEN_PREFIX + new_secret(), self._wall_time_s()
        expires_at = None if lasts_s is None else now_s + lasts_s
        token = Token(secrets.token_hex(4), name, wanted, now_s, None, expires_at, organisation)
        try:
            with self._file.transaction() as connection:
                connection.execute(
                    "INSERT INTO tokens (token_id, name, scopes, secret_hash, created_at,"
                    " expires_at, organisation) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        token.token_id,
                        name,
                        " ".join(wanted),
                        secret_hash(secret),
                        now_s,
                        expires_at,
                        organisation,
                    ),
                )
        except RowRefusedError as err:
            raise AccountError(f"there is a token {name} already; use another name") from err
        return token, secret

    def all(self) -> tuple[Token, ...]:
        """All tokens, by name."""
        rows = self._file.rows(
            "SELECT token_id, name, scopes, created_at, last_used_at, expires_at, organisation"
            " FROM tokens ORDER BY name"
        )
        return tuple(
            Token(
                str(token_id),
                str(name),
                tuple(str(scopes).split()),
                cast(float, created_at),
                cast("float | None", last_used_at),
                cast("float | None", expires_at),
                str(organisation),
            )
            for token_id, name, scopes, created_at, last_used_at, expires_at, organisation in rows
        )

    def revoke(self, token_id: str) -> None:
        """Make a token worthless.

        Raises:
            AccountMissingError: There is no such token.
        """
        with self._file.transaction() as connection:
            statement = "DELETE FROM tokens WHERE token_id = ?"
            if connection.execute(statement, (token_id,)).rowcount == 0:
                raise AccountMissingError(f"there is no token {token_id}; see which there are")

    def asking(self, secret: str) -> Asking | None:
        """Who shows a token; ``None`` for nobody."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        hashed, now_s = secret_hash(secret), self._wall_time_s()
        rows = self._file.rows(
            "SELECT name, scopes, last_used_at, organisation FROM tokens"
            " WHERE secret_hash = ? AND (expires_at IS NULL OR expires_at > ?)",
            hashed,
            now_s,
        )
        if not rows:
            return None
        name, scopes, last_used_at, organisation = rows[0]
        if last_used_at is None or now_s - cast(float, last_used_at) > _SEEN_EVERY_S:
            self._was_used(hashed, str(name), now_s)
        return Asking(f"token {name}", None, frozenset(str(scopes).split()), str(organisation))

    def _was_used(self, hashed: str, name: str, now_s: float) -> None:
        try:
            with self._file.transaction() as connection:
                connection.execute(
                    "UPDATE tokens SET last_used_at = ? WHERE secret_hash = ?", (now_s, hashed)
                )
        except AccountsFileError as err:
            # On a full disk applications have to be answered all the same.
            _LOGGER.warning("that token %s was used cannot be kept: %s", name, err)
