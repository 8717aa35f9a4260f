"""Databases of both kinds, and a portal with one published release."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from cloud_trainer.portal.records.database import Database
from tests.cloud_trainer.pipeline.scene import publish_first
from tests.cloud_trainer.portal.postgres import postgres_server, programs
from tests.cloud_trainer.portal.site import Site, make_portal, served

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """Makes empty databases of a name, and says where they are."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres_server() as url:
        made = create_engine(
            url.format("postgres").replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )

        def make(name: str) -> str:
            with made.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            return url.format(name)

        yield make
        made.dispose()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once in SQLite and once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'portal.sqlite'}"
    make: Callable[[str], str] = request.getfixturevalue("postgres")
    return make(f"p{abs(hash(request.node.nodeid)):x}")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, opened."""
    with Database(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and a store with one release of four cartons."""
    folder = tmp_path_factory.mktemp("published")
    publish_first(folder)
    return folder


@pytest.fixture(scope="module")
def site(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A portal for the tests of one file, which share what they change."""
    with served(make_portal(tmp_path_factory.mktemp("portal") / "portal", published)) as site:
        yield site


@pytest.fixture
def own_site(published: Path, tmp_path: Path) -> Iterator[Site]:
    """A portal for one test alone."""
    with served(make_portal(tmp_path / "portal", published)) as site:
        yield site
