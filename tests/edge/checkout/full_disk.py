"""A process whose files may not grow, as on a full disk; run by ``test_full_disk.py``."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path

from edge.checkout.basket import Attribution
from edge.checkout.desk import Desk
from edge.errors import LedgerError
from tests.edge.checkout.shopping import OPENED_AT_S, check_in, event, open_desk, open_ledger

_ROOM_BYTES = 300_000
ALL = 400


def shop_until_full_and_on(folder: Path) -> tuple[int, int, str]:
    """Charge lines until nothing more can be written, then make room and charge the rest.

    Returns:
        Lines that were charged before, failures of a second round, and the first failure's words.
    """
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_ledger(folder) as ledger:
        desk = open_desk(ledger, ["till"])
        check_in(desk, "anna")
        resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM_BYTES, unlimited[1]))
        failed = _charge(desk, range(ALL))
        charged_before = len(desk.shop.baskets["anna"].lines)
        again = _charge(desk, failed)
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert not _charge(desk, again)
    return charged_before, len(again), failed[min(failed)]


def _charge(desk: Desk, numbers: Iterable[int]) -> dict[int, str]:
    """Charge a line for each number; what went wrong with those that could not be."""
    failed = {}
    for number in numbers:
        seen = event(f"e{number}", at_s=10.0 + number)
        try:
            desk.record(seen, Attribution(("anna",), ""), wall_time_s=OPENED_AT_S)
        except LedgerError as err:
            failed[number] = str(err)
            # The state says what the ledger says, no more.
            assert seen.event_id not in desk.shop.interactions
    return failed
