"""Who may use what of an application, as a test writes it down a second time."""

from __future__ import annotations

from collections.abc import Mapping

from tests.web.client import Client

Addresses = dict[tuple[str, str], tuple[bool, frozenset[str], frozenset[str]]]


def written(matrix: str, letters: Mapping[str, str], known_scopes: tuple[str, ...]) -> Addresses:
    """A matrix by method and path: whether anybody may, which roles, which scopes.

    Args:
        matrix: A line an address: method, path, letters of roles (a star for anybody), scopes.
        letters: The role of each letter.
        known_scopes: All that there are.
    """
    rows: Addresses = {}
    for line in matrix.strip().splitlines():
        method, path, roles, *scopes = line.split()
        anyone = roles == "*"
        assert set(scopes) <= set(known_scopes)
        rows[method, path] = (
            anyone,
            frozenset(() if anyone else (letters[each] for each in roles)),
            frozenset(scopes),
        )
    return rows


def nothing_is_added(admin: Client, nobody: Client) -> None:
    """Addresses that frameworks like to add are not there."""
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/docs/oauth2-redirect",
        "/static",
        "/static/",
    ):
        assert admin.get(path).status_code == 404, path
        assert nobody.get(path).status_code == 401, path
