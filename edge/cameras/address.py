"""Network addresses of cameras, with the password kept out of sight."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit, urlunsplit


def without_login(url: str) -> tuple[str, str | None, str | None]:
    """Part a URL from the login in it.

    Args:
        url: For example ``rtsp://user:pass%40word@camera:554/stream``.

    Returns:
        The URL without the login, the user, the password; the latter two decoded, ``None`` where
        the URL has none.
    """
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    bare = urlunsplit(parts._replace(netloc=place))
    if not at:
        return bare, None, None
    user, colon, password = login.partition(":")
    return bare, unquote(user), unquote(password) if colon else None


def with_login(url: str, user: str | None, password: str | None) -> str:
    """The URL that a client needs; never to be shown to anybody.

    Args:
        url: A URL without a login.
        user: ``None`` for a camera that asks for none.
        password: ``None`` for none.
    """
    if user is None:
        return url
    parts = urlsplit(url)
    login = quote(user, safe="") + ("" if password is None else ":" + quote(password, safe=""))
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
