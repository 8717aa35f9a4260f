"""The live planogram: what stands where now, and what is out of the shelves. Pure.

Begins with what the planogram says and follows every take and put_back. Every change gives a new
``LiveStock``; the old one stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from calibration.planogram import Planogram

_SAME_PLACE_M = 0.07


@dataclass(frozen=True)
class Stray:
    """A piece that stands where its SKU does not belong.

    Attributes:
        facing: Where it stands.
        u_m: Its place along the front.
        sku: What it is; ``None`` for an object that nobody knows.
        name: What calls it the same piece later, the event that put it there.
        may_be: Other SKUs that it may be.
    """

    facing: str
    u_m: float
    sku: str | None
    name: str
    may_be: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gap:
    """A facing that is empty or nearly so.

    Attributes:
        facing: Its name.
        sku: What should stand there.
        pieces: How many do.
        capacity: How many fit.
    """

    facing: str
    sku: str
    pieces: int
    capacity: int


@dataclass(frozen=True)
class LiveStock:
    """What stands on the facings now.

    Attributes:
        belongs: SKU of each facing.
        capacity: Pieces that fit on each facing.
        pieces: Pieces of its own SKU on each facing; never below 0.
        strays: Pieces that belong elsewhere, oldest first.
        out: Pieces of each SKU that were taken and not put back.
        ever_out: SKUs of which a piece was ever taken. Where staff restock, what is put back is
            not what was taken, and pieces may be out though as many have come as went.
    """

    belongs: Mapping[str, str]
    capacity: Mapping[str, int]
    pieces: Mapping[str, int]
    strays: tuple[Stray, ...] = ()
    out: Mapping[str, int] = field(default_factory=dict)
    ever_out: frozenset[str] = frozenset()

    @classmethod
    def of(cls, planogram: Planogram) -> LiveStock:
        """The stock that a planogram was made with."""
        facings = planogram.facings
        return cls(
            belongs={name: each.sku for name, each in facings.items()},
            capacity={name: each.capacity for name, each in facings.items()},
            pieces={name: each.stock for name, each in facings.items()},
        )

    def strays_at(self, facing: str, u_m: float) -> tuple[Stray, ...]:
        """Strays that stand at a place of a facing, the one put there last first."""
        near = [
            stray
            for stray in self.strays
            if stray.facing == facing and abs(stray.u_m - u_m) < _SAME_PLACE_M
        ]
        return tuple(reversed(near))

    def taken(self, facing: str, quantity: int) -> LiveStock:
        """After pieces of a facing's own SKU were taken."""
        sku = self.belongs[facing]
        left = max(0, self.pieces[facing] - quantity)
        return replace(
            self,
            pieces={**self.pieces, facing: left},
            out=_changed(self.out, sku, quantity),
            ever_out=self.ever_out | {sku},
        )

    def stray_taken(self, stray: Stray) -> LiveStock:
        """After a stray was taken."""
        rest = tuple(each for each in self.strays if each is not stray and each != stray)
        if stray.sku is None:
            return replace(self, strays=rest)
        out, ever = _changed(self.out, stray.sku, 1), self.ever_out | {stray.sku}
        return replace(self, strays=rest, out=out, ever_out=ever)

    def put_back(
        self,
        facing: str,
        u_m: float,
        sku: str | None,
        quantity: int,
        name: str,
        may_be: tuple[str, ...] = (),
    ) -> LiveStock:
        """After pieces were put on a facing, where they belong or not.

        Args:
            facing: Where.
            u_m: Where along the front.
            sku: What; ``None`` for an object that nobody knows.
            quantity: How many.
            name: Of the event.
            may_be: What else it may be, where that is in doubt.
        """
        out = _changed(self.out, sku, -quantity) if sku is not None else self.out
        if sku == self.belongs[facing]:
            pieces = {**self.pieces, facing: self.pieces[facing] + quantity}
            return replace(self, pieces=pieces, out=out)
        stray = Stray(facing, u_m, sku, name, may_be)
        strays = (*self.strays, *(stray for _ in range(quantity)))
        return replace(self, strays=strays, out=out)

    def gaps(self, below_share: float = 0.0) -> tuple[Gap, ...]:
        """Facings that hold no more than a share of their capacity, by name."""
        return tuple(
            Gap(name, self.belongs[name], self.pieces[name], self.capacity[name])
            for name in sorted(self.belongs)
            if self.pieces[name] <= below_share * self.capacity[name]
        )


def _changed(out: Mapping[str, int], sku: str, by: int) -> dict[str, int]:
    count = max(0, out.get(sku, 0) + by)
    rest = {name: pieces for name, pieces in out.items() if name != sku}
    return {**rest, sku: count} if count else rest
