"""What people look like: heights, skins, hair and clothes, drawn from a seed. Pure."""

from __future__ import annotations

import cv2
import numpy as np

from tests.simulators.shop.motion import Looks

Colour = tuple[float, float, float]
_SKINS: tuple[Colour, ...] = (
    (0.93, 0.76, 0.66),
    (0.86, 0.66, 0.53),
    (0.76, 0.56, 0.42),
    (0.58, 0.40, 0.29),
    (0.42, 0.28, 0.20),
    (0.31, 0.20, 0.14),
)
_HAIRS: tuple[Colour, ...] = (
    (0.08, 0.06, 0.05),
    (0.20, 0.12, 0.07),
    (0.38, 0.24, 0.12),
    (0.72, 0.56, 0.30),
    (0.55, 0.54, 0.52),
    (0.45, 0.18, 0.08),
)
_TROUSERS: tuple[Colour, ...] = (
    (0.13, 0.17, 0.30),
    (0.10, 0.10, 0.11),
    (0.42, 0.38, 0.30),
    (0.25, 0.33, 0.47),
    (0.30, 0.30, 0.30),
)
_STAFF_GREEN: Colour = (0.06, 0.42, 0.24)


def looks(rng: np.random.Generator, *, staff: bool) -> Looks:
    """Somebody's looks; staff wear the shop's green."""
    top = _cloth(rng)
    has_bag = bool(rng.random() < 0.55)
    return Looks(
        height_m=float(np.clip(rng.normal(1.73, 0.085), 1.56, 1.92)),
        girth=float(rng.uniform(0.9, 1.15)),
        skin=_SKINS[int(rng.integers(len(_SKINS)))],
        hair=_HAIRS[int(rng.integers(len(_HAIRS)))],
        top=_STAFF_GREEN if staff else top,
        top_print=(0.9, 0.9, 0.88) if rng.random() < 0.5 else _cloth(rng),
        pattern="plain" if staff else ("plain", "stripes", "checks")[int(rng.integers(3))],
        trousers=_TROUSERS[int(rng.integers(len(_TROUSERS)))],
        shoes=(0.85, 0.85, 0.84) if rng.random() < 0.4 else (0.12, 0.10, 0.09),
        sleeves=bool(rng.random() < 0.6),
        bag=_cloth(rng) if has_bag and not staff else None,
    )


def _cloth(rng: np.random.Generator) -> Colour:
    hsv = np.array(
        [[[rng.uniform(0, 360), rng.uniform(0.15, 0.75), rng.uniform(0.25, 0.85)]]], np.float32
    )
    red, green, blue = (float(each) for each in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])
    return red, green, blue
