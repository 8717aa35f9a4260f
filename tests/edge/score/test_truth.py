from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge.errors import SourceError
from edge.score.truth import read_truth
from tests.edge.score.scored_shops import shopper, truth


def test_a_shop_without_truth_has_none(tmp_path: Path) -> None:
    assert read_truth(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "said"), [("{", "not JSON"), ('{"schema_version": 2}', "schema_v")]
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_truth(tmp_path)


def test_members_of_a_group_owe_one_receipt_and_staff_none() -> None:
    true = truth(
        [
            shopper("ann", ("milk", 1), left_at_s=50),
            shopper("bob", ("milk", 2), ("tea", 1), group="ann", left_at_s=40),
            shopper("sam", role="staff"),
        ],
        [],
    )
    assert true.receipts() == {"ann": Counter(milk=3, tea=1)}
    assert true.left_at_s() == {"ann": 50}
    assert true.group_of("label bob") == "ann"
    assert true.group_of("label sam") is None
    assert true.group_of("nobody") is None


def test_what_the_simulator_writes_is_understood(recorded_shop: Path) -> None:
    true = read_truth(recorded_shop)
    assert true is not None
    assert len(true.shoppers) == 2
    assert {each.kind for each in true.interactions} <= {"take", "touch", "put_back"}
