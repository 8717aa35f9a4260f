from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge.dashboard.rendering import FOLDER
from web.assets import STATIC_FOLDER
from web.words import WORDS_FOLDER, Words

FOLDERS = (WORDS_FOLDER, FOLDER / "words")
WORDS = Words(*FOLDERS)
SOURCES = [
    path
    for folder in (STATIC_FOLDER.parent, FOLDER)
    for path in (*folder.glob("static/*.js"), *folder.glob("templates/*.html"))
]
# Forms that depend on a number: languages have different ones.
_FORM = re.compile(r"\.(zero|one|two|few|many|other)$")
_PLACE = re.compile(r"\{(\w+)\}")


def _all(language: str) -> dict[str, str]:
    paths = [path for folder in FOLDERS for path in (folder / language).glob("*.json")]
    names = {each for path in paths for each in json.loads(path.read_text("utf-8"))}
    return {
        f"{section}.{key}": text
        for section, texts in WORDS.sections(language, sorted(names)).items()
        for key, text in texts.items()
    }


def _stems(language: str) -> dict[str, set[str]]:
    """Names without their forms, and the places of all forms."""
    stems: dict[str, set[str]] = {}
    for name, text in _all(language).items():
        stems.setdefault(_FORM.sub("", name), set()).update(_PLACE.findall(text))
    return stems


def test_english_and_japanese_ship() -> None:
    assert WORDS.languages == ("en", "ja")
    assert WORDS.text("ja", "common.language_name") == "日本語"


@pytest.mark.parametrize("language", [each for each in WORDS.languages if each != "en"])
def test_every_language_has_every_text_with_the_same_places(language: str) -> None:
    english, other = _stems("en"), _stems(language)
    assert other.keys() == english.keys()
    differing = {
        name
        for name, places in english.items()
        # A language may say a single one, or a number, without the figure.
        if other[name] - {"n"} != places - {"n"}
    }
    assert differing == set()


@pytest.mark.parametrize("language", WORDS.languages)
def test_a_text_with_forms_has_the_one_that_always_fits(language: str) -> None:
    names = _all(language)
    forms = {_FORM.sub("", name) for name in names if _FORM.search(name)}
    assert {name for name in forms if f"{name}.other" not in names} == set()


def test_every_text_that_pages_and_scripts_name_is_there() -> None:
    known = set(_stems("en"))
    named = set()
    for path in SOURCES:
        text = path.read_text("utf-8")
        named |= {
            (path.name, name) for name in re.findall(r"""\b[tn]\(["'](\w+\.\w+)["'][,)]""", text)
        }
    assert len(named) > 200
    assert {(file, name) for file, name in named if name not in known} == set()


def test_places_are_filled_and_a_missing_text_is_refused() -> None:
    assert WORDS.text("en", "common.menu", name="Mira") == "Menu of Mira"
    with pytest.raises(LookupError, match=r"live\.nothing_like_it"):
        WORDS.text("en", "live.nothing_like_it")


@pytest.mark.parametrize(
    ("chosen", "accepted", "shop", "language"),
    [
        ("ja", "en", "en", "ja"),
        ("tlh", "ja,en;q=0.5", "en", "ja"),
        (None, "de;q=0.9, ja-JP;q=0.3, en;q=0.2", "en", "ja"),
        (None, "de", "ja-JP", "ja"),
        (None, "en;q=wrong, ;q=, de", "de-DE", "en"),
        (None, None, "de", "en"),
    ],
)
def test_the_language_is_ones_choice_then_the_browsers_then_the_shops(
    chosen: str | None, accepted: str | None, shop: str, language: str
) -> None:
    assert WORDS.choose(chosen, accepted, shop) == language


def test_a_section_stands_in_one_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "en").mkdir(exist_ok=True)
        (tmp_path / "en" / f"{name}.json").write_text('{"live": {"a": "b"}}', encoding="utf-8")
    with pytest.raises(ValueError, match="live stands in another file"):
        Words(tmp_path)
