"""What commands about people and tokens print and read, for whichever application.

Owns the words of the terminal; which commands there are is an application's business.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.table import Table

from web.accounts import Person
from web.tokens import Token

TERMINAL: Final = "terminal"
"""Who acts, and from which address, in the audit log: whoever has the machine."""


def read_password() -> str:
    """A password from stdin."""
    return sys.stdin.readline().rstrip("\r\n")


def password_line(name: str, password: str, *, is_known: bool) -> str:
    """What is printed once somebody has a password."""
    return f"{name} may sign in" + ("" if is_known else f" with {password} (shown this once)")


def people_table(people: Iterable[Person], *, with_organisations: bool = False) -> Table:
    """Who may sign in."""
    middle = ("organisation",) if with_organisations else ()
    table = Table("name", "role", *middle, "since", "last seen")
    for each in people:
        own = (each.organisation,) if with_organisations else ()
        table.add_row(each.name, each.role, *own, _day(each.created_at), _day(each.last_seen_at))
    return table


def tokens_table(tokens: Iterable[Token], *, with_organisations: bool = False) -> Table:
    """Which tokens there are."""
    middle = ("organisation",) if with_organisations else ()
    table = Table("id", "name", "scopes", *middle, "since", "last used", "until")
    for each in tokens:
        own = (each.organisation,) if with_organisations else ()
        table.add_row(
            each.token_id,
            each.name,
            ", ".join(each.scopes),
            *own,
            _day(each.created_at),
            _day(each.last_used_at),
            _day(each.expires_at),
        )
    return table


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
