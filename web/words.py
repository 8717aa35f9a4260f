"""The pages' words: every text a person reads, by language.

A language is a folder of JSON files such as ``words/en/staff.json``, each of the shape
``{"section": {"key": "text"}}``; a section stands in one file of a folder. Texts have places such
as ``{name}``. A number that decides about the form of a text has the forms as keys, ``pieces.one``
and ``pieces.other``, as Unicode's plural rules name them. To add a language, copy a folder,
translate it, and name it in ``common.language_name``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

WORDS_FOLDER: Final = Path(__file__).with_name("words")
_FALLBACK: Final = "en"


class Words:
    """The texts of all languages, read once.

    A language is there when every folder has it. An application's texts stand in front of those
    that all applications share, key by key.

    Args:
        folders: Each with one folder a language; the later ones stand in front.

    Raises:
        ValueError: A section stands in two files of a language in one folder.
    """

    def __init__(self, *folders: Path) -> None:
        languages = [
            {each.name for each in folder.iterdir() if each.is_dir()} for folder in folders
        ]
        self._languages = {
            name: _merged([_read_language(folder / name) for folder in folders])
            for name in sorted(set.intersection(*languages))
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are."""
        return tuple(self._languages)

    def text(self, language: str, name: str, /, **values: object) -> str:
        """A text with its places filled.

        Args:
            language: One of ``languages``.
            name: ``section.key``.
            values: What its places stand for.

        Raises:
            LookupError: There is no such text.
        """
        section, _, key = name.partition(".")
        try:
            text = self._languages[language][section][key]
        except KeyError:
            raise LookupError(f"language {language} has no text {name}") from None
        return text.format_map(values) if values else text

    def sections(self, language: str, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Whole sections, for a page's scripts.

        Raises:
            LookupError: There is no such section.
        """
        language_words = self._languages[language]
        return {name: language_words[name] for name in names}

    def choose(self, chosen: str | None, accepted: str | None, shop_locale: str) -> str:
        """The language that somebody reads.

        Args:
            chosen: What they chose themselves.
            accepted: The header ``Accept-Language``.
            shop_locale: The shop's, such as ``en`` or ``de-DE``.
        """
        for each in (chosen, *_by_liking(accepted or ""), shop_locale):
            language = (each or "").replace("_", "-").split("-")[0].lower()
            if language in self._languages:
                return language
        return _FALLBACK


def _merged(layers: Iterable[dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for layer in layers:
        for section, texts in layer.items():
            merged[section] = {**merged.get(section, {}), **texts}
    return merged


def _read_language(folder: Path) -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.json")):
        for section, texts in json.loads(path.read_text(encoding="utf-8")).items():
            if section in merged:
                raise ValueError(f"{path}: section {section} stands in another file too; rename it")
            merged[section] = texts
    return merged


def _by_liking(accepted: str) -> list[str]:
    """Languages of an ``Accept-Language`` header, the best liked first."""
    liked: list[tuple[float, str]] = []
    for part in accepted.split(",")[:16]:
        language, _, weight = part.strip().partition(";q=")
        try:
            liked.append((float(weight or 1), language))
        except ValueError:
            continue
    return [language for _, language in sorted(liked, key=lambda each: -each[0])]
