"""Answers on their way out: the headers that each of them carries, and refusals.

Owns the content security policy and its companions. Nothing in a page is inline and nothing comes
from elsewhere, so the policy names this device alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Pages that show a camera of the tablet or telephone they are opened on.
_CAMERA_PAGES: Final = ("/see", "/calibration")
_A_YEAR: Final = "max-age=31536000"


class Answering:
    """One answer on its way out.

    Args:
        send: Where it goes.
        path: Of the request.
        is_encrypted: Whether the connection is.
    """

    def __init__(self, send: Send, path: str, is_encrypted: bool) -> None:
        self._send = send
        self._path = path
        self._is_encrypted = is_encrypted
        self.status: int | None = None
        self.is_over = False

    async def send(self, message: Message) -> None:
        """Send the next part."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(MutableHeaders(scope=message))
        elif message["type"] == "http.response.body":
            self.is_over = not message.get("more_body", False)
        await self._send(message)

    async def refuse(
        self, status: int, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer that it cannot be, and take nothing more of this connection."""
        body = json.dumps({"error": reason}).encode()
        shown = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in shown.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        """End an answer that was broken off on purpose."""
        if self.status is not None and not self.is_over:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        camera = "(self)" if self._path.startswith(_CAMERA_PAGES) else "()"
        headers["Permissions-Policy"] = f"camera={camera}, microphone=(), geolocation=()"
        headers.setdefault("Cache-Control", "no-store")
        if self._is_encrypted:
            headers["Strict-Transport-Security"] = _A_YEAR
