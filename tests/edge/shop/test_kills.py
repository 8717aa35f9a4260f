from __future__ import annotations

from pathlib import Path

from tests.edge.shop.killing import kill_replays


def test_a_replayed_shop_that_is_killed_again_and_again_ends_in_the_same_ledger(
    two_shelf_shop: Path, tmp_path: Path
) -> None:
    told = kill_replays(two_shelf_shop, tmp_path, times=8)
    assert (told.kills, told.rows > 8, told.ends >= 1) == (8, True, True)
    assert told.amid >= 1, "no kill fell between two entries"
    assert (told.events_lost, told.charged_twice, told.crops_lost) == (0, 0, 0)
    assert (told.other_receipts, told.other_digests) == (0, 0)
