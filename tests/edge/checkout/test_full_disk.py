from __future__ import annotations

from pathlib import Path

from tests.edge.checkout.full_disk import ALL, shop_until_full_and_on
from tests.edge.checkout.processes import in_process
from tests.edge.checkout.shopping import open_desk, open_ledger


def test_a_full_disk_is_named_loses_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    charged_before, failures, words = in_process(shop_until_full_and_on, tmp_path)
    assert 0 < charged_before < ALL
    assert failures > 0
    assert "Check the room on the disk" in words
    with open_ledger(tmp_path) as ledger:
        lines = open_desk(ledger).shop.baskets["anna"].lines
    assert sorted(line.line_id for line in lines) == sorted(f"e{n}" for n in range(ALL))
