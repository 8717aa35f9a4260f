"""The OpenAPI document against the running dashboard: whatever is sent, nothing breaks."""

from __future__ import annotations

from typing import Final

import pytest

from tests.edge.dashboard.serving import Site
from tests.web.contract import walk

_LEFT_OUT: Final = ("/api/v1/live", "/api/v1/session", "/api/v1/me/password")


@pytest.mark.filterwarnings("ignore")
def test_whatever_is_sent_nothing_breaks(site: Site) -> None:
    document = site.dashboard.site().openapi()
    assert walk(document, site.client("admin"), _LEFT_OUT, examples=10) > 40
