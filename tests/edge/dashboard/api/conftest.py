"""A shop that is asked over HTTP, with somebody of its staff signed in."""

from __future__ import annotations

import time

import pytest

from tests.edge.dashboard.api.happenings import Scene
from tests.edge.dashboard.serving import Site


@pytest.fixture(scope="module")
def scene(site: Site) -> Scene:
    # The end of the recording closes whatever session is open; what happens here comes after it.
    ends_s = time.monotonic() + 60
    while not site.store.over:
        assert time.monotonic() < ends_s
        time.sleep(0.02)
    return Scene(site, site.client("staff"))
