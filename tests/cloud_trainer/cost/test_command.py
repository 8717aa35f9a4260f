from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cloud_trainer.__main__ import app
from cloud_trainer.fleet.records import FleetRecords, HeardStatus
from cloud_trainer.rollout.running import open_records
from models.delivery import CategoryStatus, DeviceStatus
from tests.cloud_trainer.cost.example import document
from tests.simulators.bundles import make_bundle

NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)


def run(*arguments: str) -> str:
    ran = CliRunner().invoke(app, ["cost", *arguments], env={"COLUMNS": "120"})
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_the_example_as_a_file_prints_its_amounts(tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(yaml.safe_dump(document()), encoding="utf-8")
    printed = run("--assumptions", str(file))
    for amount in ("29,826", "55,780", "58,920", "0.4971", "6.1554"):
        assert amount in printed
    told = json.loads(run("--assumptions", str(file), "--json"))
    assert told["currency"] == "EUR"
    assert told["ways"][0]["per_year"] == pytest.approx(29_825.776)


def test_a_wrong_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("shop: {rent: 1}", encoding="utf-8")
    ran = CliRunner().invoke(app, ["cost", "--assumptions", str(file)])
    assert ran.exit_code == 2
    assert "shop.rent" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_fleet_and_a_bundle_stand_in_for_defaults(tmp_path: Path) -> None:
    agent = CategoryStatus(
        category="soda", serving_release=2, state="done", accepts=150, reviews=40, rejects=10
    )
    status = DeviceStatus(
        device_id="shelf-1",
        sent_at=NOON,
        boot=1,
        online=True,
        walkout_version="0.1.0",
        disk_free_bytes=1,
        agents=(agent,),
    )
    records = tmp_path / "fleet.sqlite"
    with open_records(records) as file:
        FleetRecords(file).hear([HeardStatus(status, NOON)])
    bundle = make_bundle(tmp_path / "bundle", products=3)
    told = json.loads(run("--records", str(records), "--bundle", str(bundle.path), "--json"))
    figures = {each["path"]: each for each in told["figures"]}
    assert figures["accuracy.lines_in_review_share"]["value"] == 0.2
    size_bytes = sum(each.size_bytes for each in bundle.manifest.files.values())
    assert figures["cloud.network_bundle_mb"]["value"] == pytest.approx(size_bytes / 1e6)


def test_the_template_can_be_edited_and_used(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    printed = run("--template")
    file.write_text(printed.replace("host_hours_per_day: 4", "host_hours_per_day: 0"), "utf-8")
    assert "NACS" in printed
    told = json.loads(run("--assumptions", str(file), "--json"))
    (hours,) = [each for each in told["figures"] if each["path"] == "people.host_hours_per_day"]
    assert hours["value"] == 0
