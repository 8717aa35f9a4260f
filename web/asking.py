"""What routes share: who asks, pages of lists, and the refusals that an answer may be."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query, Request

from web.access import Asking
from web.shape import Refusal

After = Annotated[
    str | None,
    Query(max_length=300, description="`next` of the page before; the list goes on after it."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Longest page.")]
Name = Annotated[str, Path(min_length=1, max_length=300)]

_TEXTS: Final = {
    401: "Nobody known asks.",
    403: "Whoever asks may not.",
    404: "There is no such thing here (any more).",
    409: "It cannot be done as things are; the text says what to do.",
    413: "The body is too long.",
    422: "What was asked cannot be understood.",
    503: "It cannot be written now, and nothing has happened; ask again.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Refusals for a route's description; 401 and 403 belong to every route."""
    return {
        status: {"model": Refusal, "description": _TEXTS[status]}
        for status in (401, 403, *statuses)
    }


def whoever(request: Request) -> Asking:
    """Whoever asks, as the gate knows them."""
    asking: Asking = request.state.asking
    return asking


def who(request: Request) -> str:
    """Name of whoever asks, as it stands beside what they settle."""
    return whoever(request).name
