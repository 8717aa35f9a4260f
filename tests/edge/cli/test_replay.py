from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.__main__ import app


def test_receipts_figures_and_the_report(recorded_shop: Path, tmp_path: Path) -> None:
    figures, report = tmp_path / "figures.json", tmp_path / "report.html"
    asked = ["replay", str(recorded_shop), "--json", str(figures), "--report", str(report)]
    ran = CliRunner().invoke(app, asked)
    assert ran.exit_code == 0, ran.output
    assert "receipt c-1-r1 for shopper-1" in ran.output
    assert "Receipts against truth" in ran.output
    document = json.loads(figures.read_text(encoding="utf-8"))
    (shop,) = document["shops"]
    assert shop["name"] == recorded_shop.name
    assert document["all"]["receipts"]["receipts"] == 2
    assert shop["score"]["receipts"] == document["all"]["receipts"]
    assert set(shop["cost"]["stages_cpu_s"]) == {"decode", "shelf", "floor", "recognise", "desk"}
    assert [each["camera"] for each in shop["cost"]["cameras"]] == ["overhead-1", "shelf-1"]
    assert (
        document["all"]["exit_to_receipt_s"]["p95"] >= document["all"]["exit_to_receipt_s"]["p50"]
    )
    page = report.read_text(encoding="utf-8")
    assert "Walkout scoreboard: 1 shop" in page
    assert "https://" not in page


def test_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["replay", str(tmp_path / "a/x"), str(tmp_path / "b/x")])
    assert ran.exit_code == 2
    assert "two of the folders have the same name" in ran.stderr


@pytest.mark.parametrize("command", [["replay"], ["run"], ["config", "check"]])
def test_a_folder_without_a_shop_is_named(command: list[str], tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, [*command, str(tmp_path)])
    assert ran.exit_code == 2
    assert "store.yaml: cannot be read" in ran.stderr
