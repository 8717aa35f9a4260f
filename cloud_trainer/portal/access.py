"""The portal's words for who may do what, and which products whoever asks sees. Pure.

=============  =================================================================================
``provider``   hands in products of the own organisation, sees what becomes of them, withdraws
``operator``   approves, arranges categories, rolls out, sees the fleet
``developer``  reads everything but people: runs, bundles, reports, products
``admin``      everything, people, tokens, retention and the audit log included
=============  =================================================================================

Tokens of applications: ``read`` looks, ``provide`` hands in, ``operate`` approves and rolls out,
``metrics`` counts. A person or a token with an organisation sees that organisation's products and
no others, whatever role it is; a provider without one sees none.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from cloud_trainer.portal.errors import PortalMissingError, PortalRefusedError
from web.access import Asking, Vocabulary

Role = Literal["provider", "operator", "developer", "admin"]
Scope = Literal["metrics", "operate", "provide", "read"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
WORDS: Final = Vocabulary(ROLES, SCOPES, has_organisations=True)

EVERYBODY: Final = frozenset[str](ROLES)
PROVIDERS: Final = frozenset[str]({"provider", "operator", "admin"})
OPERATORS: Final = frozenset[str]({"operator", "admin"})
DEVELOPERS: Final = frozenset[str]({"developer", "operator", "admin"})
ADMINS: Final = frozenset[str]({"admin"})


def sees_only(asking: Asking) -> str | None:
    """The organisation whose products whoever asks sees; ``None`` for all of them.

    Raises:
        PortalRefusedError: A provider without an organisation sees nothing.
    """
    if asking.organisation:
        return asking.organisation
    if asking.role == "provider":
        raise PortalRefusedError(
            f"{asking.name} hands in for no organisation yet; an admin says for which"
        )
    return None


def must_see(asking: Asking, organisation: str, sku: str) -> None:
    """See that a product is among those that whoever asks sees.

    Raises:
        PortalMissingError: It is another organisation's; the text is that of one that is not there.
        PortalRefusedError: Whoever asks is a provider without an organisation.
    """
    if sees_only(asking) not in (None, organisation):
        raise no_product(sku)


def no_product(sku: str) -> PortalMissingError:
    """What is said of a product that is not there, or not for whoever asks."""
    return PortalMissingError(f"there is no product {sku}; see the list")


def may_operate(asking: Asking) -> bool:
    """Whether whoever asks may approve, refuse and arrange."""
    return asking.role in OPERATORS or "operate" in asking.scopes


def may_provide(asking: Asking) -> bool:
    """Whether whoever asks may hand in, change and withdraw."""
    return asking.role in PROVIDERS or bool(asking.scopes & {"provide", "operate"})
