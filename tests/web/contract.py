"""An application's OpenAPI document against the application: whatever is sent, nothing breaks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.web.client import Client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    import schemathesis.specs.openapi.schemas  # noqa: F401 (lazily, warnings would be errors again)
    from schemathesis.core.result import Ok


def walk(document: dict[str, Any], admin: Client, left_out: Sequence[str], examples: int) -> int:
    """Send to every operation what fits its description, and what does not.

    Args:
        document: The OpenAPI document; it is changed.
        admin: Who asks.
        left_out: Paths that are there and not asked: a stream does not end, and whoever signs out
            is nobody afterwards.
        examples: Of each operation.

    Returns:
        How many operations there are.

    Raises:
        AssertionError: One answered that the server has failed, or that it does not know who asks.
    """
    for path in left_out:
        assert document["paths"].pop(path)
    # It would make up cookies and tokens; here an admin asks.
    del document["components"]["securitySchemes"]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(admin.base_url).rstrip("/"))
    tried = 0
    broken: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the document itself is wrong"
        statuses = _statuses(result.ok(), admin, examples, broken)
        tried += 1
        assert statuses, "nothing was sent"
        assert 401 not in statuses
    assert not broken, "\n".join(broken)
    return tried


def _statuses(
    operation: Any,  # noqa: ANN401
    admin: Client,
    examples: int,
    broken: list[str],
) -> set[int]:
    got: set[int] = set()
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in admin.cookies.items()),
        "Origin": str(admin.base_url).rstrip("/"),
    }

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:  # noqa: ANN401
        answer = case.call(headers=headers)
        got.add(answer.status_code)
        if answer.status_code >= 500:
            broken.append(f"{case.as_curl_command()}\n{answer.status_code} {answer.text}")

    send()
    return got
