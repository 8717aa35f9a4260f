"""Devices at work as their page sees them: it reads frozen values and only checks people in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.checkout.receipt_page import receipt_page
from edge.dashboard.live import floor_plan, live_state, shelf_state
from edge.errors import CheckoutError
from edge.health import Health
from edge.shop.checkin import AskedCheckIn
from edge.shop.replay import peak_memory_bytes
from edge.shop.shelf_device import ShelfDevice
from edge.shop.store import Store
from edge.tracking.session import CheckIn
from edge.workers import WorkerState


class ShownStore:
    """What ``edge.dashboard.page`` shows of a shop.

    Args:
        store: The shop.
        workers: How its workers are.
    """

    def __init__(self, store: Store, workers: Callable[[], tuple[WorkerState, ...]]) -> None:
        self.name = store.config.store.name
        self._store = store
        self._workers = workers
        self._plan = floor_plan(store.premises.calibration)

    def plan(self) -> dict[str, Any]:
        """The floor plan."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """What changes."""
        view = self._store.floor_view
        return live_state(self._store.desk, view.moment, view.sessions, self.health())

    def health(self) -> Health:
        """How the device is."""
        store, shop = self._store, self._store.desk.shop
        return Health(
            cameras=store.camera_states(),
            workers=self._workers(),
            queues=store.queue_states(),
            outbox={name: store.outbox.counts(name) for name in store.receivers},
            stages_s=store.stages.spent_s(),
            ledger_trouble=store.ledger_trouble,
            open_baskets=len(shop.open_baskets()),
            open_reviews=len(shop.open_reviews()),
            interactions=len(shop.interactions),
            receipts=sum(len(versions) for versions in shop.receipts.values()),
            peak_memory_bytes=peak_memory_bytes(),
            devices=store.device_states(),
        )

    def receipt_page(self, session_id: str) -> str | None:
        """A session's newest receipt as a page."""
        receipt = self._store.desk.shop.latest_receipt(session_id)
        if receipt is None:
            return None
        return receipt_page(receipt, lambda crop: f"../crops/{crop}")

    def crop(self, name: str) -> bytes | None:
        """A stored crop."""
        return self._store.evidence.read(name)

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """Check somebody in."""
        return self._store.check_in(asked)


class ShownShelfDevice:
    """What ``edge.dashboard.page`` shows of a shelf device: whether it is well.

    Args:
        device: The device.
        workers: How its workers are.
    """

    def __init__(self, device: ShelfDevice, workers: Callable[[], tuple[WorkerState, ...]]) -> None:
        link = device.config.link
        own = f": {link.device}" if link is not None else ""
        self.name = f"{device.config.store.name}{own}"
        self._device = device
        self._workers = workers
        self._plan = floor_plan(device.premises.calibration)

    def plan(self) -> dict[str, Any]:
        """The floor plan."""
        return self._plan

    def state(self) -> dict[str, Any]:
        """What changes."""
        return shelf_state(self.health())

    def health(self) -> Health:
        """How the device is."""
        device = self._device
        return Health(
            cameras=device.camera_states(),
            workers=self._workers(),
            queues=device.queue_states(),
            outbox={"hub": device.outbox.counts("hub")},
            stages_s=device.stages.spent_s(),
            ledger_trouble=device.dispatch.trouble,
            open_baskets=0,
            open_reviews=0,
            interactions=0,
            receipts=0,
            peak_memory_bytes=peak_memory_bytes(),
            link_trouble=device.link_trouble(),
        )

    def receipt_page(self, session_id: str) -> str | None:
        """There are no receipts here."""
        return None

    def crop(self, name: str) -> bytes | None:
        """Crops are kept by the hub."""
        return None

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """Nobody checks in here.

        Raises:
            CheckoutError: Always.
        """
        raise CheckoutError("this is a shelf device; check in at the shop's hub")
