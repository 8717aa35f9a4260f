from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import LinkError
from edge.interaction.shelf import Seen, StoredCrop
from edge.link.messages import MESSAGE_BYTES, read_event, sent_event
from edge.link.pictures import jpegs_within
from edge.shop.shelves import Sighting
from tests.edge.checkout.shopping import event, recognition
from tests.simulators.photos import draw_photo

DAY = "2026-03-02"


def sighting(crops: Sequence[np.ndarray], sick: bool = False) -> Sighting:
    names = [f"{DAY}/run-e-1-{number}.jpg" for number in range(len(crops))]
    seen = event("e-1")
    evidence = replace(seen.evidence, crops=tuple(names), recognition=recognition("milk", "accept"))
    stored = tuple(StoredCrop(name, crop) for name, crop in zip(names, crops, strict=True))
    return Sighting(Seen(replace(seen, evidence=evidence), stored), 12.5, sick)


def noise(side_px: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (side_px, side_px, 3), np.uint8)


def test_what_was_seen_arrives_as_it_was_seen() -> None:
    told = sighting([draw_photo(0, 0, 0, 96), draw_photo(1, 0, 0, 96)], sick=True)
    sent = read_event(sent_event(told, "boot a", 99.0))
    heard = sent.sighting()
    assert heard.seen.event == told.seen.event
    assert (heard.settled_at_s, heard.camera_sick) == (12.5, True)
    assert (sent.message_id, sent.clock, sent.wall_time_s) == ("e-1", "boot a", 99.0)
    for before, after in zip(told.seen.crops, heard.seen.crops, strict=True):
        assert after.name == before.name
        kept = cv2.imencode(".jpg", before.image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        expected = cv2.imdecode(kept, cv2.IMREAD_COLOR)
        assert expected is not None
        assert np.array_equal(after.image, expected)


@pytest.mark.parametrize(("side_px", "crops"), [(400, 4), (900, 12), (2000, 3)])
def test_no_message_is_larger_than_it_may_be_and_names_only_the_crops_it_brings(
    side_px: int, crops: int
) -> None:
    body = sent_event(sighting([noise(side_px)] * crops), "boot a", 99.0)
    assert len(body.encode()) <= MESSAGE_BYTES
    heard = read_event(body).sighting().seen
    assert heard.crops
    assert [crop.name for crop in heard.crops] == list(heard.event.evidence.crops)


def test_pictures_that_fit_keep_their_size() -> None:
    (jpeg,) = jpegs_within([draw_photo(0, 0, 0, 96)], 50_000)
    assert jpegs_within([draw_photo(0, 0, 0, 96)], len(jpeg)) == [jpeg]
    assert len(jpegs_within([draw_photo(0, 0, 0, 96)], len(jpeg) - 1)[0]) < len(jpeg)


def test_numbers_from_numpy_arrive_as_numbers() -> None:
    told = sighting([])
    numbers: dict[str, Any] = {"ended_at_s": np.float32(10.5), "quantity": np.int64(2)}
    odd = replace(told.seen.event, **numbers)
    heard = read_event(sent_event(replace(told, seen=Seen(odd, ())), "boot a", 99.0))
    assert (heard.event.ended_at_s, heard.event.quantity) == (10.5, 2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("2026-03-02/run", "../../etc/run"), "this is no event"),
        (('"message_id"', '"message"'), "this is no event"),
        (('"jpeg":"', '"jpeg":"AAAA'), "no JPEG"),
    ],
)
def test_what_is_no_event_is_refused(change: tuple[str, str], complaint: str) -> None:
    body = sent_event(sighting([draw_photo(0, 0, 0, 96)]), "boot a", 99.0)
    with pytest.raises(LinkError, match=complaint):
        read_event(body.replace(*change)).sighting()


def test_an_event_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(LinkError, match="128000 are the most"):
        read_event(" " * (MESSAGE_BYTES + 1))
