"""A small recorded shop whose receipts come out right, for tests that play it whole."""

from __future__ import annotations

from pathlib import Path

from tests.simulators.shop.recording import Plan, stage, write

PLAN = Plan(
    seed=3,
    shoppers=2,
    products=6,
    shelf_cameras=2,
    overhead_cameras=1,
    size_px=(320, 180),
    fps=5,
    photos=1,
    photo_px=64,
    behaviours=("take",),
    staff=False,
)
"""Forty seconds: shopper 1 takes two pieces before ``shelf-2``, then 2 one before ``shelf-1``."""


def write_small_shop(folder: Path, bundle: Path) -> None:
    """Render the shop.

    Args:
        folder: Where to.
        bundle: What recognises its products; any will do, its shelves tell what is taken.

    Raises:
        SimulatorError: Nothing can be rendered here.
    """
    write(stage(PLAN), folder)
    store = folder / "store.yaml"
    text = store.read_text(encoding="utf-8")
    store.write_text(
        text.replace("bundles: [bundles/groceries]", f"bundles: ['{bundle}']"), encoding="utf-8"
    )
