from __future__ import annotations

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from edge.__main__ import app


def test_the_schema_is_printed() -> None:
    ran = CliRunner().invoke(app, ["config", "schema"])
    assert json.loads(ran.output)["title"] == "Walkout store.yaml"


def test_a_good_shop_is_called_good(recorded_shop: Path) -> None:
    ran = CliRunner().invoke(app, ["config", "check", str(recorded_shop)])
    assert ran.exit_code == 0
    assert "good: Walkout shop 3, 1 shelf, 1 overhead cameras" in ran.output


def test_every_mistake_has_its_line(recorded_shop: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.yaml"
    shutil.copy(recorded_shop / "store.yaml", store)
    with store.open("a", encoding="utf-8") as stream:
        stream.write("colour: red\nfloor: {rate_hz: 0}\n")
    ran = CliRunner().invoke(app, ["config", "check", str(store)])
    assert ran.exit_code == 2
    assert len(ran.stderr.splitlines()) == 2
    assert all(line.startswith(f"walkout-edge: {store}:") for line in ran.stderr.splitlines())
