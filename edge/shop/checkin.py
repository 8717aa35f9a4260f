"""Check-ins as they come from outside: over HTTP, or recorded in ``checkins.json``.

Owns their shape and what is kept of a token: only its hash goes further than this. What a check-in
does is the business of ``edge.tracking.sessions`` and ``edge.checkout``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.format import first_complaint
from edge.checkout.basket import Role
from edge.checkout.entries import token_hash
from edge.errors import CheckoutError
from edge.tracking.session import CheckIn

Label = Annotated[str, Field(min_length=1, max_length=200)]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RecordedCheckIn(_Closed):
    """A row of ``checkins.json``.

    Attributes:
        checkin_id: Its id.
        at_s: When, on the recording's clock.
        token: What was shown.
        shopper: Label of the person.
        role: Shopper or staff.
        group: Id of the group's first check-in; its own when alone.
    """

    checkin_id: Label
    at_s: float
    token: Label
    shopper: Label
    role: Role = "shopper"
    group: Label

    def for_store(self, store_id: str) -> CheckIn:
        """What the shop keeps of it."""
        return CheckIn(
            checkin_id=self.checkin_id,
            at_s=self.at_s,
            token_hash=token_hash(self.token, store_id),
            shopper=self.shopper,
            role=self.role,
            group=self.group,
        )


class CheckIns(_Closed):
    """All of ``checkins.json``."""

    schema_version: Literal[1] = 1
    checkins: tuple[RecordedCheckIn, ...] = ()


class AskedCheckIn(_Closed):
    """What somebody posts to be checked in.

    Attributes:
        token: What was shown at the door.
        checkin_id: Id that makes a repeated request harmless; made of the token and the moment
            when left out.
        shopper: Label of the person; the check-in's id when left out.
        group: The ``checkin_id`` of the group's first member; nobody's when left out.
        role: Shopper or staff.
    """

    token: Label
    checkin_id: Label | None = None
    shopper: Label | None = None
    group: Label | None = None
    role: Role = "shopper"

    def at(self, at_s: float, store_id: str) -> CheckIn:
        """The check-in at a moment on the device's clock."""
        hashed = token_hash(self.token, store_id)
        name = self.checkin_id or f"c-{hashed[:8]}-{int(at_s * 1000)}"
        return CheckIn(
            checkin_id=name,
            at_s=at_s,
            token_hash=hashed,
            shopper=self.shopper or name,
            role=self.role,
            group=self.group or name,
        )


def read_checkins(path: Path) -> tuple[RecordedCheckIn, ...]:
    """Recorded check-ins in the order of their times.

    Raises:
        CheckoutError: The file is none of check-ins.
        OSError: It cannot be read.
    """
    try:
        read = CheckIns.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as err:
        raise CheckoutError(f"{path}: {first_complaint(err)}; correct it") from err
    except ValueError as err:
        raise CheckoutError(f"{path}: this is not JSON: {err}") from err
    return tuple(sorted(read.checkins, key=lambda each: (each.at_s, each.checkin_id)))
