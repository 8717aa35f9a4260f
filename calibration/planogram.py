"""What should stand where: facings on fixtures, each with its SKU, its capacity and its stock.

Owns the shape of ``planogram.json`` and where a facing lies in the shop. What really stands there
at this moment changes with every take and is the device's to know, not this file's.

A facing is a box: a rectangle on its fixture's front and some depth behind it. It is kept in
fixture metres, so a camera that is calibrated anew, or a fixture that is moved, takes it along.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from calibration.format import (
    Calibration,
    CalibrationError,
    Camera,
    Closed,
    Fixture,
    first_complaint,
)

MAY_BE_LEFT_OUT = ("columns", "piece_width_m", "piece_depth_m", "piece_height_m")

_HAIR_M = 0.002
_Metres = Annotated[float, Field(gt=0)]


class Standing(Closed):
    """How a SKU stands at a place, wherever that is.

    Attributes:
        sku: What should stand here.
        capacity: Pieces that fit.
        stock: Pieces when the planogram was made.
        columns: Pieces side by side; ``None`` where nobody said so.
        piece_width_m: Of one piece as it stands here, as a product's master data has it; ``None``,
            like the other two, where nobody said so.
        piece_depth_m: Into the fixture.
        piece_height_m: Up.
    """

    sku: str = Field(min_length=1)
    capacity: Annotated[int, Field(ge=1)]
    stock: Annotated[int, Field(ge=0)]
    columns: Annotated[int, Field(ge=1)] | None = None
    piece_width_m: _Metres | None = None
    piece_depth_m: _Metres | None = None
    piece_height_m: _Metres | None = None

    @model_validator(mode="after")
    def _fits(self) -> Standing:
        if self.stock > self.capacity:
            raise ValueError(f"stock {self.stock} is more than the capacity {self.capacity}")
        if self.columns is not None and self.columns > self.capacity:
            raise ValueError(f"columns {self.columns} are more than the capacity {self.capacity}")
        sides = (self.piece_width_m, self.piece_depth_m, self.piece_height_m)
        if None in sides and any(sides):
            raise ValueError("a piece has a width, a depth and a height, or none of them")
        return self

    @property
    def piece_m(self) -> tuple[float, float, float] | None:
        """Width, depth and height of one piece, where they are known."""
        if self.piece_width_m is None or self.piece_depth_m is None or self.piece_height_m is None:
            return None
        return self.piece_width_m, self.piece_depth_m, self.piece_height_m


class Place(Closed):
    """A box behind a rectangle of a fixture's front.

    Attributes:
        fixture: Name of its fixture.
        u_m: Left edge, from the fixture's left edge.
        v_m: Bottom edge, from the fixture's bottom edge: the board that goods stand on.
        width_m: Extent to the right.
        height_m: Extent up.
        depth_m: Extent into the fixture from its front.
    """

    fixture: str
    u_m: Annotated[float, Field(ge=0)]
    v_m: Annotated[float, Field(ge=0)]
    width_m: Annotated[float, Field(gt=0)]
    height_m: Annotated[float, Field(gt=0)]
    depth_m: Annotated[float, Field(gt=0)]

    def corners_m(self, fixture: Fixture) -> NDArray[np.float64]:
        """The eight corners of its box in shop metres, shape ``(8, 3)``, the front four first.

        Front and back each run bottom left, bottom right, top right, top left.
        """
        left, right = self.u_m, self.u_m + self.width_m
        bottom, top = self.v_m, self.v_m + self.height_m
        front = [(left, bottom), (right, bottom), (right, top), (left, top)]
        box = [(u, v, w) for w in (0.0, self.depth_m) for u, v in front]
        return fixture.to_shop(np.array(box))

    def seen_by(self, camera: Camera, fixture: Fixture) -> NDArray[np.float64]:
        """Pixels ``(8, 2)`` of ``corners_m`` in a camera."""
        return camera.project(self.corners_m(fixture))


# Fields of the base named last come first: files and tables begin with where a facing is.
class Facing(Standing, Place):
    """A place for one SKU: where it is, and how the SKU stands there."""


class Planogram(Closed):
    """All of ``planogram.json``.

    Attributes:
        schema_version: Of this format.
        facings: By name.
    """

    schema_version: Literal[1] = 1
    facings: dict[str, Facing]

    def of_fixture(self, fixture: str) -> dict[str, Facing]:
        """The facings of one fixture, by name."""
        return {name: each for name, each in self.facings.items() if each.fixture == fixture}

    def overlap(self) -> tuple[str, str] | None:
        """Two facings that lie over each other by more than a hair; None if none do."""
        named = sorted(self.facings.items())
        for place, (one, a) in enumerate(named):
            for other, b in named[place + 1 :]:
                across = min(a.u_m + a.width_m, b.u_m + b.width_m) - max(a.u_m, b.u_m)
                along = min(a.v_m + a.height_m, b.v_m + b.height_m) - max(a.v_m, b.v_m)
                if a.fixture == b.fixture and min(across, along) > _HAIR_M:
                    return one, other
        return None

    def check(self, calibration: Calibration, skus: Collection[str]) -> None:
        """Check that every facing lies on a calibrated fixture and holds a known SKU.

        Raises:
            CalibrationError: One does not; the message names it and what to do.
        """
        for name, facing in self.facings.items():
            fixture = calibration.fixtures.get(facing.fixture)
            if fixture is None:
                raise CalibrationError(
                    f"facing {name} is on fixture {facing.fixture}, which is not calibrated; "
                    f"calibrated are: {', '.join(sorted(calibration.fixtures)) or 'none'}"
                )
            beyond = 0.01
            if (
                facing.u_m + facing.width_m > fixture.width_m + beyond
                or facing.v_m + facing.height_m > fixture.height_m + beyond
            ):
                raise CalibrationError(
                    f"facing {name} reaches beyond fixture {facing.fixture} "
                    f"({fixture.width_m:g} x {fixture.height_m:g} m); make it smaller or move it"
                )
            if facing.sku not in skus:
                raise CalibrationError(
                    f"facing {name} holds SKU {facing.sku}, which the catalogue does not have; "
                    "add the product or assign another"
                )


def read_planogram(path: Path) -> Planogram:
    """Read a ``planogram.json``.

    Raises:
        CalibrationError: It cannot be read or is no planogram.
    """
    try:
        return Planogram.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as err:
        raise CalibrationError(f"{path}: cannot be read: {err}") from err
    except json.JSONDecodeError as err:
        raise CalibrationError(f"{path}: line {err.lineno} is not JSON: {err.msg}") from err
    except ValidationError as err:
        raise CalibrationError(f"{path}: {first_complaint(err)}") from err
