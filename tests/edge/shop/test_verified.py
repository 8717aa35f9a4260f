from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.checkout.basket import Review, Settlement
from edge.config_file import load_config
from edge.events import InteractionEvent, InteractionKind
from edge.evidence import EvidenceFolder
from edge.interaction.shelf import Seen, StoredCrop
from edge.shop.attendant import BY_LATER
from edge.shop.verified import VerifiedEvents, object_crops, verified_folder
from edge.updates.settings import UpdateSettings
from edge.updates.shadow import EVENTS_NAME, read_verified
from tests.edge.checkout.shopping import event, moment


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder(tmp_path / "evidence")


Happen = Callable[..., InteractionEvent]


@pytest.fixture
def happen(evidence: EvidenceFolder) -> Happen:
    """An event whose place was dark before and is bright after."""

    def happened(name: str, kind: InteractionKind = "take") -> InteractionEvent:
        crops = tuple(f"2026-03-02/{name}-{when}.jpg" for when in ("before", "after"))
        made = event(name.replace("/", "-"), kind)
        made = replace(made, event_id=name, evidence=replace(made.evidence, crops=crops))
        pictures = (np.full((8, 8, 3), 30, np.uint8), np.full((8, 8, 3), 220, np.uint8))
        evidence.keep(Seen(made, tuple(map(StoredCrop, crops, pictures))))
        return made

    return happened


def settled(happened: InteractionEvent, sku: str | None, reviewer: str = "ann") -> Review:
    quantity = 0 if sku is None else 1
    return Review(
        review_id=happened.event_id,
        why="low_confidence",
        event=happened,
        quantity=1,
        skus=(),
        sessions=("s-1",),
        reason="",
        opened_at=moment(1),
        settlement=Settlement(reviewer, sku, None, quantity, "", moment(2)),
    )


def test_an_event_is_kept_as_updates_read_it(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    assert verified.add(happen("e-1"), "milk")
    assert verified.add(happen("e-2", "put_back"), None)
    first, second = read_verified(tmp_path / "verified", 10)
    assert (first.event_id, first.kind, first.sku) == ("e-1", "take", "milk")
    assert (second.event_id, second.kind, second.sku) == ("e-2", "put_back", None)
    # What went is seen before, what came after.
    shades = []
    for each in (first, second):
        pixels = cv2.imread(str(tmp_path / "verified" / each.crops[0]))
        assert pixels is not None
        shades.append(float(pixels.mean()))
    assert shades == pytest.approx([30, 220], abs=2)
    assert verified.read(first.crops[0]) == (tmp_path / "verified" / first.crops[0]).read_bytes()


def test_the_last_word_about_an_event_counts(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    first, second = happen("e-1"), happen("e-2")
    for happened, sku in ((first, "milk"), (second, "tea"), (first, "bear")):
        verified.add(happened, sku)
    assert [(each.event_id, each.sku) for each in verified.events()] == [
        ("e-2", "tea"),
        ("e-1", "bear"),
    ]
    assert read_verified(tmp_path / "verified", 10) == verified.events()


def test_only_so_many_are_kept_and_their_pictures_with_them(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    folder = tmp_path / "verified"
    verified = VerifiedEvents(folder, evidence, at_most=8)
    for number in range(30):
        verified.add(happen(f"e-{number:02d}"), "milk")
        assert len(list(folder.glob("*.png"))) == len(verified.events()) <= 10
    assert verified.events()[-1].event_id == "e-29"
    assert VerifiedEvents(folder, evidence, at_most=8).events() == verified.events()
    assert not list(folder.glob("*.part"))


def test_what_is_older_than_pictures_are_kept_is_forgotten(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    for name in ("e-1", "e-2"):
        verified.add(happen(name), "milk")
    old, new = verified.events()
    os.utime(tmp_path / "verified" / old.crops[0], (1_000_000, 1_000_000))
    os.utime(tmp_path / "verified" / new.crops[0], (1_900_000, 1_900_000))
    assert verified.forget(2_000_000, keep_days=5) == 1
    assert verified.events() == read_verified(tmp_path / "verified", 10) == (new,)
    assert verified.read(old.crops[0]) is None


def test_a_line_that_a_power_cut_tore_takes_no_other_with_it(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    folder = tmp_path / "verified"
    VerifiedEvents(folder, evidence).add(happen("e-1"), "milk")
    with (folder / EVENTS_NAME).open("ab") as stream:
        stream.write(b'{"event_id":"e-2","ki')
    again = VerifiedEvents(folder, evidence)
    assert [each.event_id for each in again.events()] == ["e-1"]
    again.add(happen("e-3"), "tea")
    assert [each.event_id for each in read_verified(folder, 10)] == ["e-1", "e-3"]


def test_what_the_ledger_has_and_the_folder_has_not_is_added_at_the_start(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen
) -> None:
    known = [
        settled(happen("e-1"), "milk"),
        settled(happen("e-2"), None),
        settled(happen("e-3"), "tea", reviewer="rule: put back"),
        replace(settled(happen("e-4"), "tea"), settlement=None),
        settled(happen("e-5"), "tea", reviewer=BY_LATER),
    ]
    for _ in range(2):
        verified = VerifiedEvents(tmp_path / "verified", evidence, known=known)
        assert [each.event_id for each in verified.events()] == ["e-1"]
    assert len((tmp_path / "verified" / EVENTS_NAME).read_text().splitlines()) == 1


def test_the_folder_is_the_one_that_updates_read(recorded_shop: Path, tmp_path: Path) -> None:
    config = load_config(recorded_shop)
    assert verified_folder(config, recorded_shop, tmp_path) == tmp_path / "verified"
    settings = UpdateSettings(
        device_id="shop-1",
        repository="https://releases.example",
        root=Path("root.json"),
        verified=Path("people/said"),
    )
    updated = config.model_copy(update={"updates": settings})
    assert verified_folder(updated, recorded_shop, tmp_path) == recorded_shop / "people/said"


def test_of_all_pictures_those_of_the_object_are_kept() -> None:
    crops = tuple(
        f"2026-03-02/e-1-{moment}.jpg"
        for moment in ("before", "after", "hand", "facing-before", "facing-after")
    )
    taken = replace(event("e-1"), evidence=replace(event("e-1").evidence, crops=crops))
    assert object_crops(taken) == (crops[0],)
    assert object_crops(replace(taken, kind="put_back")) == (crops[1],)


def test_without_a_picture_of_the_object_there_is_nothing_to_keep(
    tmp_path: Path, evidence: EvidenceFolder
) -> None:
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    assert object_crops(event("e-1")) == ()
    assert not verified.add(event("e-1"), "milk")
    assert verified.events() == ()


@pytest.mark.parametrize("name", ["shelf a:1/é", "..", "-x", "a" * 300])
def test_any_event_has_a_file_name_of_its_own(
    tmp_path: Path, evidence: EvidenceFolder, happen: Happen, name: str
) -> None:
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    plain = happen("plain")
    for event_id in (name, f"{name}x"):
        assert verified.add(replace(plain, event_id=event_id), "milk")
    one, other = read_verified(tmp_path / "verified", 10)
    assert one.crops != other.crops


def test_a_full_disk_is_said_and_the_answer_stands(
    tmp_path: Path,
    evidence: EvidenceFolder,
    happen: Happen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "verified").write_text("no folder")
    verified = VerifiedEvents(tmp_path / "verified", evidence)
    assert not verified.add(happen("e-1"), "milk")
    assert "verified event e-1 was not kept" in caplog.text


@pytest.mark.parametrize("name", ["../evidence/x.png", "a/b.png", ".png", "x.jpg", "x\0.png"])
def test_no_name_leads_out_of_the_folder(
    tmp_path: Path, evidence: EvidenceFolder, name: str
) -> None:
    assert VerifiedEvents(tmp_path / "verified", evidence).read(name) is None
