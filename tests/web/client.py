"""A browser as far as HTTP is concerned, and the people whom tests let in."""

from __future__ import annotations

import ssl
from typing import Final

import httpx

PASSWORDS: Final[dict[str, str]] = {
    "viewer": "viewer-looks-on",
    "staff": "staff-settles-it",
    "technician": "technician-mends",
    "admin": "admin-does-it-all",
}


class Client(httpx.Client):
    """A browser as far as HTTP is concerned: it keeps cookies and names its page."""

    def __init__(
        self, url: str, token: str | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        own = {"Origin": url.rstrip("/")} if token is None else {"Authorization": f"Bearer {token}"}
        trust = True if context is None else context
        super().__init__(base_url=url, headers=own, timeout=30, trust_env=False, verify=trust)
