"""Who may do what: roles of people, scopes of tokens, and one rule for each address.

Owns the vocabulary and the decision; pure. Every router lays its rules beside its routes, the
application collects them, and the gate refuses whatever no rule speaks of. Which person or token
stands behind a request is ``gate``'s business.

==============  ================================================================================
``viewer``      looks: the live page, cameras, stock, health
``staff``       a viewer who settles reviews and disputes, gives money back and checks people in
``technician``  a viewer who calibrates cameras and looks into the device
``admin``       everything, people and tokens included
==============  ================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

Role = Literal["viewer", "staff", "technician", "admin"]
Scope = Literal["checkin", "labelled", "metrics", "read", "review", "search"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

VIEWERS: Final[frozenset[Role]] = frozenset({"viewer", "staff", "technician", "admin"})
STAFF: Final[frozenset[Role]] = frozenset({"staff", "admin"})
TECHNICIANS: Final[frozenset[Role]] = frozenset({"technician", "admin"})
ADMINS: Final[frozenset[Role]] = frozenset({"admin"})

SMALL_BODY: Final = 64 * 1024
UPLOAD_BODY: Final = 16 * 1024 * 1024


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
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[Scope] = frozenset()
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
    """

    name: str
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()


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
    roles: frozenset[Role] = frozenset(),
    *scopes: Scope,
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
