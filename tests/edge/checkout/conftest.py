"""A ledger and a desk on it, for each test its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from tests.edge.checkout.shopping import check_in, open_desk, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as ledger:
        yield ledger


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    """A desk with two shoppers and one of the staff inside."""
    desk = open_desk(ledger, ("till", "mqtt"))
    for name in ("anna", "ben", "staff-1"):
        check_in(desk, name)
    return desk
