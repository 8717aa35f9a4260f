"""What a shelf camera tells: events with their pictures, facings and what stands there. Values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.events import InteractionEvent
from edge.interaction.sleeves import Sleeve


@dataclass(frozen=True, eq=False)
class StoredCrop:
    """A picture that an event's evidence names.

    Attributes:
        name: As in ``Evidence.crops``.
        image: uint8 BGR ``(H, W, 3)``.
    """

    name: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Seen:
    """An event with the pictures it rests on.

    Attributes:
        event: The event.
        crops: Pictures by the names in its evidence.
        sleeve: What the arm looked like; ``None`` where it was not seen.
    """

    event: InteractionEvent
    crops: tuple[StoredCrop, ...]
    sleeve: Sleeve | None = None


@dataclass(frozen=True)
class FacingState:
    """A facing for people to look at.

    Attributes:
        name: Of the facing.
        sku: What belongs there.
        pieces: How many are believed to stand there.
        capacity: How many fit.
        strays: SKUs that stand there and do not belong; ``unknown`` for unknown objects.
        polygon_px: Corners of its front in the camera's picture, ``(4, 2)`` as tuples.
        hand: Whether something is before or in it now.
    """

    name: str
    sku: str
    pieces: int
    capacity: int
    strays: tuple[str, ...]
    polygon_px: tuple[tuple[float, float], ...]
    hand: bool
