"""What pages say: every text that is named is there, in every language, and nothing is foreign."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest

import cloud_trainer.portal as portal
from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.portal.access import ROLES, SCOPES
from models.delivery import State
from web.assets import STATIC_FOLDER as SHARED
from web.words import WORDS_FOLDER, Words

FOLDER: Final = Path(portal.__file__).parent
WORDS: Final = Words(WORDS_FOLDER, FOLDER / "words")
_FORM: Final = re.compile(r"\.(zero|one|two|few|many|other)$")
_PLACE: Final = re.compile(r"\{(\w+)\}")
_FOREIGN: Final = re.compile(r"""(?:src|href|from|import|url)\W{1,3}(https?:)?//""")


def _own(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((FOLDER / "words" / language).glob("*.json")):
        for section, texts in json.loads(path.read_text("utf-8")).items():
            found |= {f"{section}.{key}": text for key, text in texts.items()}
    return found


def _stems(language: str) -> dict[str, set[str]]:
    """Names without their forms, and the places of all forms."""
    stems: dict[str, set[str]] = {}
    for name, text in _own(language).items():
        stems.setdefault(_FORM.sub("", name), set()).update(_PLACE.findall(text))
    return stems


def _has(name: str) -> bool:
    section, _, key = name.partition(".")
    texts = WORDS.sections("en", [section])[section]
    return key in texts or f"{key}.other" in texts


@pytest.mark.parametrize("language", [each for each in WORDS.languages if each != "en"])
def test_every_language_has_every_text_with_the_same_places(language: str) -> None:
    english, other = _stems("en"), _stems(language)
    assert other.keys() == english.keys()
    assert {
        name for name, places in english.items() if other[name] - {"n"} != places - {"n"}
    } == set()


def test_every_text_that_pages_and_scripts_name_is_there() -> None:
    named = set()
    for path in [*(FOLDER / "static").glob("*.js"), *(FOLDER / "templates").glob("*.html")]:
        text = path.read_text("utf-8")
        named |= {
            (path.name, name) for name in re.findall(r"""\b[tn]\(["'](\w+\.\w+)["'][,)]""", text)
        }
    assert len(named) > 250
    assert {(file, name) for file, name in named if not _has(name)} == set()


def test_whatever_the_server_may_say_has_a_word() -> None:
    figures = Assumptions().figures()
    wanted = {
        *(f"figures.{figure.path.replace('.', '_', 1)}" for figure in figures),
        *(f"units.{figure.unit.replace('/', '_per_')}" for figure in figures),
        *(f"common.role_{role}" for role in ROLES),
        *(f"people.may_{role}" for role in ROLES),
        *(f"people.scope_{scope}" for scope in SCOPES),
        *(f"fleet.state_{state}" for state in State.__args__),  # type: ignore[attr-defined]
    }
    assert {name for name in wanted if not _has(name)} == set()


def test_pages_load_nothing_from_elsewhere_and_hold_no_script_or_style_themselves() -> None:
    for path in [*(FOLDER / "static").rglob("*.js"), *(FOLDER / "static").rglob("*.css")]:
        assert not _FOREIGN.search(path.read_text("utf-8")), path
    for path in (FOLDER / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        assert not _FOREIGN.search(text), path
        assert not re.search(r"\sstyle=|<style|\son\w+=", text), path
        assert "<script>" not in text, path


def test_every_import_of_a_script_is_there() -> None:
    known = {path.name for folder in (SHARED, FOLDER / "static") for path in folder.glob("*.js")}
    for path in (FOLDER / "static").glob("*.js"):
        for name in re.findall(r"""from ?["']\./([^"']+)["']""", path.read_text("utf-8")):
            assert name in known, (path, name)
