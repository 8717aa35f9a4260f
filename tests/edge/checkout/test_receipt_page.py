from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge.checkout.basket import Attribution
from edge.checkout.desk import Desk
from edge.checkout.receipt import Receipt
from edge.checkout.receipt_page import check_timezone, embedded_pictures, receipt_page
from edge.errors import CheckoutError
from tests.edge.checkout.shopping import OPENED_AT_S, event, moment

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Reader(HTMLParser):
    """The words and the addresses on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_data(self, text: str) -> None:
        self.words += text.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def receipt(desk: Desk) -> Receipt:
    """Two teas and a bear that is being checked."""
    desk.record(event("e1", sku="tea", quantity=2), Attribution(("anna",), ""), wall_time_s=0)
    desk.record(
        event("e2", sku="bear"), Attribution(("anna", "ben"), ""), wall_time_s=OPENED_AT_S + 10
    )
    desk.leave("anna", at=moment(30))
    receipt = desk.shop.latest_receipt("anna")
    assert receipt is not None
    return receipt


def test_a_shopper_reads_what_was_charged_why_and_what_is_being_checked(receipt: Receipt) -> None:
    text = Reader(receipt_page(receipt)).text
    for words in (
        "Walkout demo shop",
        "2026-03-02 09:00:01 to 2026-03-02 09:00:30",
        "Green <tea> & mint 6.10 EUR 2 × 3.05 EUR",
        "Total 6.10 EUR",
        "of which 19 % tax on 5.13 EUR 0.97 EUR",
        "Being checked A person is looking at this.",
        "Teddy bear 1 taken",
        "Distance 0.210, gated 0.060, TL 0.250, TH 0.600, 4 pictures, bundle groceries 3, fp32.",
    ):
        assert words in text


def test_words_from_outside_stay_words(receipt: Receipt) -> None:
    terms = receipt.terms.model_copy(update={"store_name": "<script>alert(1)</script>"})
    page = receipt_page(receipt.model_copy(update={"terms": terms}))
    assert "script" not in Reader(page).tags
    assert "&lt;script&gt;" in page


def test_a_corrected_receipt_says_what_it_replaces(desk: Desk, receipt: Receipt) -> None:
    desk.refund("r1", "e1", 1, reviewer="maria", reason="leaking", at=moment(60))
    text = Reader(receipt_page(desk.shop.receipts["anna"][-1])).text
    assert "Corrected receipt, version 2. It replaces anna-r1." in text


def test_an_empty_receipt_says_so(desk: Desk) -> None:
    desk.leave("ben", at=moment(30))
    text = Reader(receipt_page(desk.shop.receipts["ben"][-1])).text
    assert "Nothing was charged." in text
    assert "Being checked" not in text


def test_a_page_without_pictures_loads_nothing(receipt: Receipt) -> None:
    page = receipt_page(receipt)
    assert Reader(page).addresses == []
    assert not re.search(r"url\(|@import", page)


def test_pictures_come_along_inside_the_page(tmp_path: Path, receipt: Receipt) -> None:
    folder = tmp_path / "evidence"
    (folder / "e1").mkdir(parents=True)
    (folder / "e1" / "1.jpg").write_bytes(PIXEL)
    (address,) = Reader(receipt_page(receipt, embedded_pictures(folder))).addresses
    assert address == f"data:image/jpeg;base64,{base64.b64encode(PIXEL).decode()}"


@pytest.mark.parametrize("crop", ["../secret.jpg", "/etc/passwd", "gone.jpg", "notes.txt"])
def test_no_file_outside_the_evidence_or_of_another_kind_is_embedded(
    tmp_path: Path, crop: str
) -> None:
    (tmp_path / "secret.jpg").write_bytes(PIXEL)
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "notes.txt").write_text("private")
    assert embedded_pictures(tmp_path / "evidence")(crop) is None


def test_pictures_can_be_linked_instead(receipt: Receipt) -> None:
    page = receipt_page(receipt, lambda crop: f"../evidence/{crop}")
    assert Reader(page).addresses == ["../evidence/e1/1.jpg", "../evidence/e2/1.jpg"]


def test_a_time_zone_that_is_not_known_is_refused() -> None:
    check_timezone("Europe/Berlin")
    with pytest.raises(CheckoutError, match="time zone 'Mars/Olympus' is not known"):
        check_timezone("Mars/Olympus")
