"""Bodies of requests: bounded in bytes, and in time.

Owns when a body is too long or too slow. A body that is kept is read whole before any route hears
of the request, so a slow one holds nothing but its connection.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

BEGINS_WITHIN_S: Final = 10.0
LEAST_BYTES_PER_S: Final = 64 * 1024


class BodyRefused(HTTPException):
    """A body is too long, too slow, or was broken off."""


class Body:
    """A body as it comes in.

    Args:
        receive: Where it comes from.
        longest: Bytes that are taken.
    """

    def __init__(self, receive: Receive, longest: int) -> None:
        self._receive = receive
        self._longest = longest
        self._received = 0
        self._began_s = time.monotonic()
        self.is_whole = False

    async def next(self) -> Message:
        """The next part.

        Raises:
            BodyRefused: It is too long or too slow, or nobody is there any more.
        """
        ends_s = self._began_s + BEGINS_WITHIN_S + self._received / LEAST_BYTES_PER_S
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, ends_s - time.monotonic()))
        except asyncio.TimeoutError as err:
            raise BodyRefused(408, "the request's body came too slowly; send it again") from err
        if message["type"] != "http.request":
            raise BodyRefused(400, "the request's body was broken off; send it again")
        self._received += len(message.get("body", b""))
        if self._received > self._longest:
            raise too_long(self._longest)
        self.is_whole = not message.get("more_body", False)
        return message

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            BodyRefused: See ``next``.
        """
        parts = []
        while not self.is_whole:
            parts.append((await self.next()).get("body", b""))
        return b"".join(parts)


def too_long(longest: int) -> BodyRefused:
    """What is said of a body that is too long."""
    return BodyRefused(413, f"the request's body is longer than {longest // 1024} KiB; send less")
