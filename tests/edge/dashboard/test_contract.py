"""The OpenAPI document against the running dashboard: whatever is sent, nothing breaks."""

from __future__ import annotations

import warnings
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from tests.edge.dashboard.serving import Site
from tests.web.client import Client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.core.result import Ok

_EXAMPLES: Final = 10
# A stream does not end, and whoever signs out or gets another password is nobody afterwards.
_LEFT_OUT: Final = ("/api/v1/live", "/api/v1/session", "/api/v1/me/password")


@pytest.mark.filterwarnings("ignore")
def test_whatever_is_sent_nothing_breaks(site: Site) -> None:
    document = site.dashboard.site().openapi()
    for path in _LEFT_OUT:
        assert document["paths"].pop(path)
    # It would make up cookies and tokens; here an admin asks.
    del document["components"]["securitySchemes"]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=site.url.rstrip("/"))
    admin = site.client("admin")
    tried = 0
    broken: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), "the document itself is wrong"
        statuses = _statuses(result.ok(), admin, broken)
        tried += 1
        assert statuses, "nothing was sent"
        assert 401 not in statuses
    assert tried > 40
    assert not broken, "\n".join(broken)


def _statuses(operation: Any, admin: Client, broken: list[str]) -> set[int]:  # noqa: ANN401
    """What an operation answers to whatever fits its description, and to what does not."""
    got: set[int] = set()
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in admin.cookies.items()),
        "Origin": str(admin.base_url).rstrip("/"),
    }

    @given(case=operation.as_strategy())
    @settings(
        max_examples=_EXAMPLES,
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
