from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.basket_links import (
    KEY_BYTES,
    BasketLinks,
    make_link,
    read_or_make_key,
    session_of,
)
from edge.errors import ConfigError

KEY = bytes(range(KEY_BYTES))
OTHER = bytes(KEY_BYTES)


@given(st.text(min_size=1, max_size=60).filter(lambda name: name.isprintable()))
def test_a_link_leads_to_the_session_it_was_made_for(session_id: str) -> None:
    link = make_link(KEY, session_id)
    assert session_of(KEY, link) == session_id
    assert link.isascii()
    assert not set(link) & set("/?#&+= ")


def test_links_of_other_devices_are_none() -> None:
    assert session_of(OTHER, make_link(KEY, "c-1")) is None


def test_a_link_cannot_be_turned_into_one_of_another_session() -> None:
    content = base64.urlsafe_b64decode(make_link(KEY, "c-1") + "==")
    code = content[len(b"c-1") :]
    for session in ("c-2", "c-11", "c-", "C-1", "c-1\0"):
        forged = base64.urlsafe_b64encode(session.encode() + code).decode().rstrip("=")
        assert session_of(KEY, forged) is None


def test_no_single_character_of_a_link_can_be_changed() -> None:
    link = make_link(KEY, "c-1-de4f")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, right in enumerate(link):
        for letter in letters:
            if letter != right:
                assert session_of(KEY, link[:place] + letter + link[place + 1 :]) is None


@given(st.text(max_size=300))
def test_whatever_else_is_given_is_no_link_and_no_error(text: str) -> None:
    assert session_of(KEY, text) is None


def test_a_cut_or_lengthened_link_is_none() -> None:
    link = make_link(KEY, "c-1")
    for other in (link[:-1], link + "A", link + "=", link + "==", "", link * 40):
        assert session_of(KEY, other) is None


def test_an_address_holds_the_link() -> None:
    links = BasketLinks(KEY)
    assert links.session_of(links.address("c-1").removeprefix("/s/")) == "c-1"


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "basket-links.key"
    key = read_or_make_key(path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_key(path) == key
    assert read_or_make_key(tmp_path / "other.key") != key


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "basket-links.key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"basket-links\.key"):
        read_or_make_key(path)
    with pytest.raises(ConfigError, match="nowhere"):
        read_or_make_key(tmp_path / "nowhere" / "key")
