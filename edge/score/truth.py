"""What really happened in a recorded shop: ``truth.json``, read for the scoreboard.

Owns its shape as far as the scoreboard needs it; whatever else the file says is left alone.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.format import first_complaint
from edge.checkout.basket import Role
from edge.errors import SourceError

TRUTH_NAME = "truth.json"


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Piece(_Read):
    """Pieces of a product that a shopper carried out."""

    sku: str
    quantity: int


class TrueShopper(_Read):
    """Somebody who was there.

    Attributes:
        shopper: Label.
        checkin_id: How they checked in.
        role: Shopper or staff.
        group: Id of the group they pay with.
        left_at_s: When they were outside.
        receipt: What they carried out.
    """

    shopper: str
    checkin_id: str
    role: Role = "shopper"
    group: str
    left_at_s: float
    receipt: tuple[Piece, ...]


class TrueInteraction(_Read):
    """Something somebody did at a fixture.

    Attributes:
        kind: ``touch`` changes nothing; ``restock`` is a put_back by staff.
        behaviour: How it was done, by which failures are told apart.
        shopper: Who.
        fixture: Where.
        facing: Where on it.
        sku: Of what; ``None`` for an object that the shop does not sell.
        quantity: Pieces.
        started_at_s: When the hand came.
        ended_at_s: When it had gone.
        camera: Who should have seen it.
    """

    kind: Literal["take", "put_back", "restock", "touch"]
    behaviour: str
    shopper: str
    fixture: str
    facing: str | None
    sku: str | None
    quantity: int
    started_at_s: float
    ended_at_s: float
    camera: str


class Truth(_Read):
    """All of ``truth.json`` that counts here."""

    schema_version: Literal[1]
    shoppers: tuple[TrueShopper, ...]
    interactions: tuple[TrueInteraction, ...] = Field(default=())

    def receipts(self) -> dict[str, Counter[str]]:
        """What every paying group carried out, by its id."""
        owed: dict[str, Counter[str]] = {}
        for shopper in self.shoppers:
            if shopper.role == "shopper":
                basket = owed.setdefault(shopper.group, Counter())
                for piece in shopper.receipt:
                    basket[piece.sku] += piece.quantity
        return owed

    def left_at_s(self) -> dict[str, float]:
        """When the last member of every paying group was outside, by its id."""
        left: dict[str, float] = {}
        for shopper in self.shoppers:
            if shopper.role == "shopper":
                left[shopper.group] = max(left.get(shopper.group, 0.0), shopper.left_at_s)
        return left

    def group_of(self, shopper: str) -> str | None:
        """The group a shopper pays with; ``None`` for staff, who never pay."""
        for each in self.shoppers:
            if each.shopper == shopper:
                return each.group if each.role == "shopper" else None
        return None


def read_truth(folder: Path) -> Truth | None:
    """The truth of a recorded shop; ``None`` where it is not known.

    Raises:
        SourceError: The file says something else.
        OSError: It cannot be read.
    """
    path = folder / TRUTH_NAME
    if not path.is_file():
        return None
    try:
        return Truth.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as err:
        raise SourceError(f"{path}: {first_complaint(err)}; record the shop again") from err
    except ValueError as err:
        raise SourceError(f"{path}: this is not JSON: {err}; record the shop again") from err
