"""Who may do what: roles of people, scopes of tokens, and one rule for each address.

Owns the shapes and the decision; pure. Which roles and scopes there are is an application's own
business: it names them in a ``Vocabulary``. Every router lays its rules beside its routes, the
application collects them, and the gate refuses whatever no rule speaks of. Which person or token
stands behind a request is ``gate``'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from web.errors import AccountError

SMALL_BODY: Final = 64 * 1024
UPLOAD_BODY: Final = 16 * 1024 * 1024
ORGANISATION_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_ORGANISATION: Final = re.compile(ORGANISATION_PATTERN)


@dataclass(frozen=True)
class Vocabulary:
    """The words of an application.

    Attributes:
        roles: Of people.
        scopes: Of tokens.
        admin: The role that changes people; one person of it always stays.
        has_organisations: Whether people and tokens may belong to an organisation.
    """

    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    admin: str = "admin"
    has_organisations: bool = False

    def check_organisation(self, organisation: str) -> None:
        """See that somebody may belong to an organisation of this name, or to none.

        Raises:
            AccountError: The application knows no organisations, or it cannot be a name of one.
        """
        if organisation and not self.has_organisations:
            raise AccountError("nobody here belongs to an organisation; leave it empty")
        if organisation and not _ORGANISATION.fullmatch(organisation):
            raise AccountError(
                f"{organisation!r} cannot be an organisation's name: use small letters, digits, "
                "dots, dashes and underscores, 64 at most"
            )

    @property
    def everybody(self) -> frozenset[str]:
        """All roles."""
        return frozenset(self.roles)

    @property
    def admins(self) -> frozenset[str]:
        """Those who change people."""
        return frozenset({self.admin})


@dataclass(frozen=True)
class Rule:
    """Who may use one address.

    Attributes:
        method: Of HTTP, or ``WEBSOCKET``.
        path: As the router writes it, ``/api/v1/reviews/{review_id}``; a mount ends with ``/*``.
        roles: Of people who may.
        scopes: Of tokens that may.
        anyone: Whether nobody is asked who they are; the route itself then checks whatever it
            needs, as the shopper's page does with its link.
        longest_body: Bytes that are taken; a body that may be longer than ``UPLOAD_BODY`` is handed
            on as it comes.
        audited: Whether a change by this rule is a person's act that the audit log tells of.
    """

    method: str
    path: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    anyone: bool = False
    longest_body: int = SMALL_BODY
    audited: bool = True


@dataclass(frozen=True)
class Asking:
    """Who asks.

    Attributes:
        name: Of the person or token; it stands in the audit log and beside what was settled.
        role: Of a person; ``None`` for a token.
        scopes: Of a token; none for a person.
        organisation: For whom they act; empty where they act for the house.
    """

    name: str
    role: str | None = None
    scopes: frozenset[str] = frozenset()
    organisation: str = ""


def is_allowed(rule: Rule, asking: Asking | None) -> bool:
    """Whether whoever asks may do what the rule speaks of.

    Args:
        rule: Of the address.
        asking: Who asks; ``None`` for nobody who is known.
    """
    if rule.anyone:
        return True
    if asking is None:
        return False
    return asking.role in rule.roles or bool(asking.scopes & rule.scopes)


def rules(
    methods: str | Iterable[str],
    path: str,
    roles: frozenset[str] = frozenset(),
    *scopes: str,
    anyone: bool = False,
    longest_body: int = SMALL_BODY,
    audited: bool = True,
) -> tuple[Rule, ...]:
    """Rules of one address for one or several methods; see ``Rule``."""
    each = (methods,) if isinstance(methods, str) else tuple(methods)
    return tuple(
        Rule(method, path, roles, frozenset(scopes), anyone, longest_body, audited)
        for method in each
    )
