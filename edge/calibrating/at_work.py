"""The bench of a device at work: its cameras while the shop is open, its files in force."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from edge.calibrating.bench import Bench
from edge.calibrating.workpiece import FOLDER_NAME, Ground
from edge.dashboard.shown import ShownShop
from edge.shop.shelf_device import ShelfDevice
from edge.shop.store import Store

_PHOTO_PX: Final = 240


def make_bench(device: Store | ShelfDevice, shop: ShownShop, state: Path) -> Bench:
    """A technician's bench in a device that works.

    Args:
        device: The device.
        shop: The same as its pages see it.
        state: The device's folder; the work is kept there.

    Raises:
        CalibrationError: Work that was put down cannot be read.
    """
    places, premises = device.places, device.premises

    def take_up() -> tuple[str, ...]:
        places.read_again(at_once=True)
        return places.waiting

    return Bench(
        Ground(
            cameras=places.names,
            frame_of=shop.camera_frame,
            calibration=premises.folder / premises.config.calibration,
            planogram=premises.folder / premises.config.planogram,
            products=premises.products,
            photo=lambda sku: shop.product_photo(sku, 0, _PHOTO_PX),
            folder=state / FOLDER_NAME,
            wall_time_s=time.time,
            take_up=take_up,
            place_of=places.state,
        )
    )
