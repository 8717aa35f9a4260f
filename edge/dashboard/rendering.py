"""HTML pages out of templates: their language, words and scripts, and what they begin with.

Owns the template environment and what every page has. Which pages there are is the business of
``pages``, ``seeing`` and ``shopper``. No page holds inline script or style; what scripts begin with
stands in the page as JSON, which no browser executes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edge.dashboard.access import ADMINS, STAFF, TECHNICIANS, Asking
from edge.dashboard.assets import Assets
from edge.dashboard.passwords import SHORTEST_PASSWORD
from edge.dashboard.words import Words

LANGUAGE_COOKIE: Final = "lang"


class Rendering:
    """Renders the pages of one shop.

    Args:
        store_name: The shop's name.
        locale: Its locale, such as ``en`` or ``ja-JP``.
        currency: What it charges in, ISO 4217.
        timezone: Its zone's IANA name.
        assets: Scripts and styles.
        words: Texts.
    """

    def __init__(
        self,
        *,
        store_name: str,
        locale: str,
        currency: str,
        timezone: str,
        assets: Assets | None = None,
        words: Words | None = None,
    ) -> None:
        self.assets: Final = assets or Assets()
        self.words: Final = words or Words()
        self._store_name = store_name
        self._locale = locale
        self._currency = currency
        self._timezone = timezone
        self._environment = Environment(
            loader=PackageLoader("edge.dashboard"),
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
            self._locale,
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
        role = None if asking is None else asking.role
        can = {"settle": role in STAFF, "repair": role in TECHNICIANS, "admin": role in ADMINS}
        beginning = {
            "language": language,
            "locale": self._locale,
            "currency": self._currency,
            "timezone": self._timezone,
            "static": f"/static/{self.assets.version}/",
            "me": None if asking is None else {"name": asking.name, "role": asking.role},
            "can": can,
            "shortest_password": SHORTEST_PASSWORD,
            "words": self.words.sections(language, ("common", *sections)),
            **(page or {}),
        }
        html = self._environment.get_template(template).render(
            language=language,
            languages=self.words.languages,
            language_name=lambda each: self.words.text(each, "common.language_name"),
            t=partial(self.words.text, language),
            static_url=self.assets.url,
            store_name=self._store_name,
            asking=asking,
            can=can,
            beginning=_embedded(beginning),
            path=request.url.path,
            **values,
        )
        return HTMLResponse(html, status_code, headers={"Cache-Control": "no-store"})


def _embedded(value: object) -> Markup:
    """JSON that may stand between the tags of a script element, whatever is in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
