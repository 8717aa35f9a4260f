"""What the arm of a reach looks like, so that it is told apart from other arms. Pure.

Two people at one shelf cover it for each other, and their places alone do not always say whose hand
it was. Their clothes often do: an arm that takes now is compared with arms that the same camera saw
before and after, of people who then stood there alone. Owns the look of an arm and how alike two
are; whose arm it is, is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.interaction.looks import colours_of

_LEAST_PIXELS: Final = 40
_MOST_PIXELS: Final = 150  # of one picture


@dataclass(frozen=True, eq=False)
class Sleeve:
    """An arm by its colours, from the hand to the shoulder.

    Attributes:
        camera: The shelf camera that saw it; others show colours otherwise.
        colours: Share of its pixels by lightness and colour, sums to 1, ``(5, 10, 10)``.
    """

    camera: str
    colours: NDArray[np.float32]

    @classmethod
    def of(cls, camera: str, pixels: Sequence[NDArray[np.uint8]]) -> Sleeve | None:
        """The look of an arm.

        Args:
            camera: Who saw it.
            pixels: Pixels that show it, uint8 BGR ``(N, 3)`` of each of several pictures.

        Returns:
            ``None`` where too little of it was seen.
        """
        some = [each[:: max(1, len(each) // _MOST_PIXELS)] for each in pixels if len(each)]
        if sum(map(len, some)) < _LEAST_PIXELS:
            return None
        return cls(camera, colours_of(np.concatenate(some)))

    def alike(self, other: Sleeve) -> float:
        """How alike two arms are, 0 to 1 (the Bhattacharyya coefficient of their colours)."""
        return float(np.sqrt(self.colours * other.colours).sum())
