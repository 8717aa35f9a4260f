"""Where a request may come from: the names the server goes by, and pages of its own.

Pure. A name that somebody else's server makes point here (DNS rebinding) is none of the server's
own, and a page from elsewhere names itself in ``Origin``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnNames:
    """The names by which the device may be called.

    Args:
        names: Host names beside ``localhost``; addresses need no mention, since a browser that
            asks by an address was led astray by no name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset({"localhost", *(each.lower().rstrip(".") for each in names)})

    def has(self, host: str) -> bool:
        """Whether the header ``Host`` calls this device.

        Args:
            host: A name or address, with or without a port.
        """
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name is None or any(each in host for each in "@/?#\\ "):
            return False
        name = name.rstrip(".")
        return name in self._names or _is_address(name)


def is_change(method: str) -> bool:
    """Whether requests by this method change something."""
    return method not in _SAFE_METHODS


def comes_from_elsewhere(
    *, own: str, origin: str | None, fetch_site: str | None, by_cookie: bool
) -> str | None:
    """Why a change was not asked for by a page of this device; ``None`` when it was.

    Args:
        own: The device's own origin, as this request names it: ``https://shop.local:8080``.
        origin: The header ``Origin``.
        fetch_site: The header ``Sec-Fetch-Site``.
        by_cookie: Whether a cookie says who asks; browsers send those along by themselves.
    """
    if fetch_site is not None and fetch_site != "same-origin":
        return f"the request comes from another site ({fetch_site})"
    if origin is None:
        return "the request does not say which page it comes from (Origin)" if by_cookie else None
    if origin.lower() != own.lower():
        return f"the request comes from a page of {origin}, not of this server"
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
