from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import LedgerError
from edge.evidence import EvidenceFolder, day_of, named_for
from edge.interaction.shelf import Seen, StoredCrop
from tests.edge.checkout.shopping import event

NOW_S = datetime(2026, 3, 10, 12, tzinfo=timezone.utc).timestamp()
DAY_S = 86_400


def seen(day: str = "2026-03-02") -> Seen:
    image = np.full((20, 30, 3), 90, np.uint8)
    original = Seen(event("shelf-1-0000001-0"), (StoredCrop("shelf-1-0000001-0/1.jpg", image),))
    return named_for(original, "20260302T080000Z", day)


def test_names_tell_runs_apart_and_begin_with_the_day() -> None:
    named = seen()
    assert named.event.event_id == "20260302T080000Z-shelf-1-0000001-0"
    assert named.event.evidence.crops == ("2026-03-02/20260302T080000Z-shelf-1-0000001-0/1.jpg",)
    assert named.crops[0].name == named.event.evidence.crops[0]
    assert day_of(NOW_S) == "2026-03-10"


def kept(folder: EvidenceFolder, day: str) -> str:
    crop = StoredCrop(f"{day}/crop.jpg", np.full((20, 30, 3), 90, np.uint8))
    folder.keep(Seen(event("e-1"), (crop,)))
    return crop.name


def test_a_crop_can_be_read_again(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path / "evidence")
    encoded = folder.read(kept(folder, "2026-03-02"))
    assert encoded is not None
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (20, 30, 3)


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "2026-03-02/none.jpg", "2026-03-02", "/etc/x.jpg"]
)
def test_no_other_file_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = EvidenceFolder(tmp_path / "evidence")
    kept(folder, "2026-03-02")
    assert folder.read(name) is None


def test_crops_older_than_the_shop_keeps_them_are_deleted(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    old, new = kept(folder, day_of(NOW_S - 9 * DAY_S)), kept(folder, day_of(NOW_S - 7 * DAY_S))
    foreign = tmp_path / "notes"
    foreign.mkdir()
    assert folder.forget(NOW_S, keep_days=7) == 1
    assert folder.read(old) is None
    assert not (tmp_path / old).parent.exists()
    assert folder.read(new) is not None
    assert foreign.is_dir()
    assert folder.forget(NOW_S, keep_days=7) == 0


def test_a_crop_that_cannot_be_written_is_no_silent_loss(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path / "evidence")
    (tmp_path / "evidence" / "2026-03-02").write_text("in the way")
    with pytest.raises(LedgerError, match="cannot be written"):
        kept(folder, "2026-03-02")


def test_a_clock_that_jumps_a_month_ahead_takes_a_day_at_a_time(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    names = [kept(folder, day_of(NOW_S - age * DAY_S)) for age in (9, 8, 1, 0)]
    assert folder.forgets_at(NOW_S, 30) == NOW_S, "a clock that is right is believed"
    wrong_s = NOW_S + 40 * DAY_S
    for left in (names[1:], names[2:], names[3:]):
        at_s = folder.forgets_at(wrong_s, 30)
        assert at_s <= wrong_s
        assert folder.forget(at_s, 30) == 1
        assert [name for name in names if folder.read(name) is not None] == left
    empty = EvidenceFolder(tmp_path / "empty")
    assert empty.forgets_at(wrong_s, 30) == wrong_s
