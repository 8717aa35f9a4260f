"""HTML pages out of templates: their language, words and scripts, and what they begin with.

Owns the template environment and what every page has. Which pages there are is an application's
business: its templates, scripts, styles and words stand in front of those that all applications
share, which lie beside this file. No page holds inline script or style; what scripts begin with
stands in the page as JSON, which no browser executes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from web.access import Asking, Vocabulary
from web.assets import STATIC_FOLDER, Assets
from web.passwords import SHORTEST_PASSWORD
from web.words import WORDS_FOLDER, Words

LANGUAGE_COOKIE: Final = "lang"
_TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Place:
    """What an application tells every page of itself.

    Attributes:
        name: Of the shop or the portal.
        locale: Its locale, such as ``en`` or ``ja-JP``.
        currency: What it reckons in, ISO 4217.
        timezone: Its zone's IANA name.
    """

    name: str
    locale: str
    currency: str
    timezone: str


class Rendering:
    """Renders the pages of one application.

    Args:
        folder: With its ``templates``, ``static`` and ``words``.
        place: What every page is told.
        vocabulary: Its roles and scopes.
        can: What somebody may do, in words that templates and scripts ask for.
    """

    def __init__(
        self,
        folder: Path,
        place: Place,
        vocabulary: Vocabulary,
        can: Callable[[str | None], Mapping[str, bool]],
    ) -> None:
        self.assets: Final = Assets(STATIC_FOLDER, folder / "static")
        self.words: Final = Words(WORDS_FOLDER, folder / "words")
        self._place = place
        self._vocabulary = vocabulary
        self._can = can
        templates = (folder / "templates", _TEMPLATES)
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(each) for each in templates]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def language(self, request: Request) -> str:
        """The language that whoever asks reads."""
        return self.words.choose(
            request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("accept-language"),
            self._place.locale,
        )

    def page(
        self,
        request: Request,
        template: str,
        *,
        sections: Sequence[str] = (),
        page: dict[str, object] | None = None,
        status_code: int = 200,
        **values: object,
    ) -> HTMLResponse:
        """A page.

        Args:
            request: What is answered.
            template: Name of the template.
            sections: Sections of words that its scripts use, beside ``common``.
            page: What its scripts begin with, as JSON values.
            status_code: Of the answer.
            values: What the template uses beside what every page has.
        """
        language = self.language(request)
        asking: Asking | None = getattr(request.state, "asking", None)
        can = dict(self._can(None if asking is None else asking.role))
        beginning = {
            "language": language,
            "locale": self._place.locale,
            "currency": self._place.currency,
            "timezone": self._place.timezone,
            "static": f"/static/{self.assets.version}/",
            "me": None if asking is None else _me(asking),
            "can": can,
            "shortest_password": SHORTEST_PASSWORD,
            "roles": self._vocabulary.roles,
            "scopes": self._vocabulary.scopes,
            "organisations": self._vocabulary.has_organisations,
            "words": self.words.sections(language, ("common", *sections)),
            **(page or {}),
        }
        html = self._environment.get_template(template).render(
            language=language,
            languages=self.words.languages,
            language_name=lambda each: self.words.text(each, "common.language_name"),
            t=partial(self.words.text, language),
            static_url=self.assets.url,
            store_name=self._place.name,
            asking=asking,
            can=can,
            beginning=_embedded(beginning),
            path=request.url.path,
            **values,
        )
        return HTMLResponse(html, status_code, headers={"Cache-Control": "no-store"})


def _me(asking: Asking) -> dict[str, object]:
    of = {"organisation": asking.organisation} if asking.organisation else {}
    return {"name": asking.name, "role": asking.role, **of}


def _embedded(value: object) -> Markup:
    """JSON that may stand between the tags of a script element, whatever is in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
