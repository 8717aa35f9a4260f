"""The short form of ``python -m tests.soak``: every fault once, nothing lost, doubled or wrong."""

from __future__ import annotations

from pathlib import Path

from tests.soak.faults import FAULTS
from tests.soak.run import Plan, soak


def test_every_fault_once_and_every_receipt_is_right(tmp_path: Path) -> None:
    kinds = tuple(FAULTS)
    account = soak(tmp_path, Plan(days=2, visits_a_day=9, faults=len(kinds), seed=4))
    assert account.complaints == []
    assert (account.lost, account.doubled, account.wrong, account.asked_for_nothing) == (0, 0, 0, 0)
    assert account.receipts == account.visits == 18
    left_out = {name for name in kinds if FAULTS[name].needs_disk}
    assert set(account.left_out) <= left_out
    assert account.recoveries.keys() == set(kinds) - set(account.left_out)
    assert account.files_growth <= 0
