"""The OpenAPI document against the running portal: whatever is sent, nothing breaks."""

from __future__ import annotations

from typing import Final

import pytest

from tests.cloud_trainer.portal.site import Site, hand_in
from tests.web.contract import walk

_LEFT_OUT: Final = ("/api/v1/session", "/api/v1/me/password")


@pytest.mark.filterwarnings("ignore")
def test_whatever_is_sent_nothing_breaks(site: Site) -> None:
    hand_in(site.portal, "oat-milk", 60, photos=3)
    document = site.server.site().openapi()
    assert walk(document, site.client("admin"), _LEFT_OUT, examples=6) > 45


def test_every_body_has_an_example_and_every_answer_a_shape(site: Site) -> None:
    document = site.server.site().openapi()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("schema", {})
            if "$ref" in body and path != "/api/v1/cost":
                name = body["$ref"].rpartition("/")[2]
                assert schemas[name].get("examples") or name in ("NewOwnPassword",), where
            assert any(status.startswith("2") for status in operation["responses"]), where
            assert operation.get("description") or operation.get("summary"), where
