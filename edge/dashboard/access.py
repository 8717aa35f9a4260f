"""The device's words for who may do what: roles of people, scopes of tokens.

How rules are shaped and decided is ``web.access``'s business.

==============  ================================================================================
``viewer``      looks: the live page, cameras, stock, health
``staff``       a viewer who settles reviews and disputes, gives money back and checks people in
``technician``  a viewer who calibrates cameras and looks into the device
``admin``       everything, people and tokens included
==============  ================================================================================
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from web.access import Vocabulary

Role = Literal["viewer", "staff", "technician", "admin"]
Scope = Literal["checkin", "labelled", "metrics", "read", "review", "search"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
WORDS: Final = Vocabulary(ROLES, SCOPES)

VIEWERS: Final = frozenset[str]({"viewer", "staff", "technician", "admin"})
STAFF: Final = frozenset[str]({"staff", "admin"})
TECHNICIANS: Final = frozenset[str]({"technician", "admin"})
ADMINS: Final = frozenset[str]({"admin"})
