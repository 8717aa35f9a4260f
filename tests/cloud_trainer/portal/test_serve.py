"""The portal as a process: its first start, its terminal, and the process that works beside it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_trainer.__main__ import app
from cloud_trainer.portal import serve
from cloud_trainer.portal.config import PortalConfig, PortalPlaces, read_portal
from cloud_trainer.portal.errors import PortalUnusableError
from cloud_trainer.portal.serve import Working
from tests.cloud_trainer.portal.site import Site, until
from tests.web.client import Client


def walkout_trainer(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """What the terminal shows, in one stream, and how the command ended."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.output


def test_the_terminal_changes_people_while_the_portal_is_served(own_site: Site) -> None:
    where = ("--portal", str(own_site.places.folder))
    code, said = walkout_trainer(
        "people", "add", "kim", "--role", "provider", "--organisation", "mill", *where
    )
    assert code == 0
    password = said.split(" with ")[1].split()[0]
    kim = own_site.client()
    answer = kim.post("/api/v1/session", json={"name": "kim", "password": password})
    assert answer.json()["organisation"] == "mill"
    assert "mill" in walkout_trainer("people", "list", *where)[1]
    assert walkout_trainer("people", "role", "kim", "developer", *where)[0] == 0
    assert kim.get("/api/v1/me").status_code == 401
    link = walkout_trainer("people", "link", "kim", *where)[1].splitlines()[0]
    assert own_site.client().get(link).status_code == 200
    code, secret = walkout_trainer("tokens", "create", "erp", "--scope", "read", *where)
    assert code == 0
    with Client(own_site.url, secret.strip()) as erp:
        assert erp.get("/api/v1/products").status_code == 200
    for arguments, complaint in (
        (("people", "add", "bo", "--role", "staff"), "the roles are provider"),
        (("people", "remove", "nobody"), "nobody called nobody"),
        (("tokens", "create", "x", "--scope", "all"), "some of metrics, operate"),
    ):
        code, said = walkout_trainer(*arguments, *where)
        assert code == 2
        assert complaint in said
    assert own_site.server.books.audit.newest(1)[0].address == "terminal"


def test_a_portal_without_a_file_has_a_default_for_everything(tmp_path: Path) -> None:
    places = read_portal(tmp_path / "portal")
    assert places.config == PortalConfig()
    assert places.database == f"sqlite:///{tmp_path / 'portal' / 'portal.sqlite'}"
    assert places.keys == tmp_path / "portal" / "keys"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("colour: red", "colour"),
        ("page: {certificate: x.crt}", "belong together"),
        ("page: [", "no YAML"),
        ("least_photos: 0", "least_photos"),
    ],
)
def test_a_file_that_says_what_there_is_not_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "portal.yaml").write_text(text, "utf-8")
    with pytest.raises(PortalUnusableError, match=complaint):
        read_portal(tmp_path)


def test_a_database_that_is_named_and_not_given_is_said(tmp_path: Path) -> None:
    places = PortalPlaces(PortalConfig(database_env="NO_SUCH_DATABASE"), tmp_path)
    with pytest.raises(PortalUnusableError, match="NO_SUCH_DATABASE is not set"):
        _ = places.database


def test_the_process_that_works_is_started_again_and_ends_with_the_portal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_FIRST_PAUSE_S", 0.01)
    marks = tmp_path / "marks"
    # Its first two lives end at once, the third waits to be told.
    program = (
        "import pathlib, sys, time;"
        f"path = pathlib.Path({str(marks)!r});"
        "lives = len(path.read_text()) if path.exists() else 0;"
        "path.write_text('x' * (lives + 1));"
        "time.sleep(600 if lives > 1 else 0)"
    )
    stop = threading.Event()
    working = Working(tmp_path, stop, (sys.executable, "-c", program))
    thread = threading.Thread(target=working.run)
    thread.start()
    try:
        until(lambda: marks.exists() and marks.read_text() == "xxx")
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
