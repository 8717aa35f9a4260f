from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.dashboard.rendering import FOLDER
from tests.edge.dashboard.serving import Site
from web.assets import STATIC_FOLDER, Assets

STATIC = (STATIC_FOLDER, FOLDER / "static")
TEMPLATES = (STATIC_FOLDER.with_name("templates"), FOLDER / "templates")
FOREIGN = re.compile(r"""(?:src|href|from|import|url)\W{1,3}(https?:)?//""")


def test_the_version_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.js", "sub/b.css"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    (tmp_path / "README.md").write_text("left out", encoding="utf-8")
    assets = Assets(tmp_path)
    assert assets.url("sub/b.css") == f"/static/{assets.version}/sub/b.css"
    assert assets.content("README.md") is None
    assert assets.content("../secret.js") is None
    with pytest.raises(LookupError):
        assets.url("c.js")
    (tmp_path / "sub/b.css").write_text("2", encoding="utf-8")
    assert Assets(tmp_path).version != assets.version


def test_files_of_this_version_are_kept_for_good_and_others_are_asked_for_again(site: Site) -> None:
    client, assets = site.client(), Assets(*STATIC)
    answer = client.get(assets.url("walkout.css"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    old = client.get("/static/0123456789ab/core.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    assert old.headers["content-type"].startswith("text/javascript")
    assert client.get(f"/static/{assets.version}/none.js").status_code == 404
    assert client.get(f"/static/{assets.version}/..%2fpages.py").status_code == 404


def test_pages_load_nothing_from_elsewhere_and_hold_no_script_or_style_themselves() -> None:
    scripts = [path for folder in STATIC for path in folder.rglob("*.js")]
    for path in [*scripts, *(path for folder in STATIC for path in folder.rglob("*.css"))]:
        assert not FOREIGN.search(path.read_text("utf-8")), path
    for path in [path for folder in TEMPLATES for path in folder.rglob("*.html")]:
        text = path.read_text("utf-8")
        assert not FOREIGN.search(text), path
        assert not re.search(r"\sstyle=|<style|\son\w+=", text), path
        inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
        assert all("application/json" in each for each in inline), path


def test_every_import_of_a_script_is_there() -> None:
    for folder in STATIC:
        for path in folder.rglob("*.js"):
            place = path.parent.relative_to(folder)
            for name in re.findall(r"""from ?["'](\.[^"']+)["']""", path.read_text("utf-8")):
                found = [(each / place / name).resolve() for each in STATIC]
                assert any(each.is_file() for each in found), (path, name)
