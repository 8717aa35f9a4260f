from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import LedgerError
from edge.shop.passed import Pass, PassedReviews


def passed(review_id: str, at_s: float = 1.0, reason: str = "") -> Pass:
    return Pass(review_id=review_id, reviewer="ann", reason=reason, passed_at=at_s)


def test_passes_outlive_a_restart_until_their_review_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "passed.jsonl"
    passes = PassedReviews(path, set())
    for each in (passed("r-1"), passed("r-2"), passed("r-1", 2.0, "too dark")):
        passes.add(each)
    again = PassedReviews(path, {"r-1"})
    assert [each.reason for each in again.of("r-1")] == ["", "too dark"]
    assert again.of("r-2") == ()
    assert "r-2" not in path.read_text()


def test_a_review_that_nobody_is_sure_of_does_not_fill_the_disk(tmp_path: Path) -> None:
    passes = PassedReviews(tmp_path / "passed.jsonl", set())
    for number in range(100):
        passes.add(passed("r-1", float(number)))
    assert len(passes.of("r-1")) == 20
    assert passes.of("r-1")[-1].passed_at == 99


def test_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "passed.jsonl"
    PassedReviews(path, set()).add(passed("r-1"))
    path.write_text(path.read_text() + '{"review_id": "r-1", "rev')
    assert len(PassedReviews(path, {"r-1"}).of("r-1")) == 1


def test_a_pass_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    passes = PassedReviews(tmp_path / "passed.jsonl", set())
    (tmp_path / ".passed.jsonl.new").mkdir()
    with pytest.raises(LedgerError, match="cannot be written"):
        passes.add(passed("r-1"))
    assert passes.of("r-1") == ()
