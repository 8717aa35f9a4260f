"""Alerts and dashboards speak of metrics that exist, and every alert says what to do."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families

from edge.health import UpdatesHealth, metrics_for, metrics_text
from tests.deploy.prometheus import OBSERVABILITY, program, rules
from tests.edge.test_health import WELL

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "observability.md").read_text("utf-8")
BOARDS = sorted((OBSERVABILITY / "grafana").glob("*.json"))
NAMED = re.compile(r"\b(?:walkout|process)_[a-z_]+")
WHOLE = replace(
    WELL,
    oldest_review_s=4.0,
    disk_bytes=(1000, 10),
    wall_time_s=1.5e9,
    updates=UpdatesHealth(None, {"dairy": 3}, {"dairy": 1}),
    version="1.2.3",
)


def shown() -> dict[str, set[str]]:
    """Metrics that a device shows, with their labels."""
    families = text_string_to_metric_families(metrics_text(WHOLE))
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def expressions(board: Path) -> Iterator[str]:
    for panel in json.loads(board.read_text("utf-8"))["panels"]:
        assert panel["targets"], panel["title"]
        yield from (target["expr"] for target in panel["targets"])


def test_promtool_finds_every_alert_quiet_before_its_time_and_said_after_it() -> None:
    promtool = program("promtool")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        run = subprocess.run(
            [promtool, *command], cwd=OBSERVABILITY, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_example_of_a_configuration_is_one() -> None:
    command = [program("promtool"), "check", "config", "--syntax-only", "prometheus.yml"]
    run = subprocess.run(command, cwd=OBSERVABILITY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_has_a_test_that_sees_it_quiet_and_one_that_sees_it_fire() -> None:
    document = yaml.safe_load((OBSERVABILITY / "alerts_test.yml").read_text("utf-8"))
    told: dict[str, list[int]] = {}
    for test in document["tests"]:
        for each in test["alert_rule_test"]:
            told.setdefault(each["alertname"], []).append(len(each["exp_alerts"]))
    assert told == {rule["alert"]: [0, 1] for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_speaks_of_metrics_that_exist_and_has_a_line_in_the_runbook(
    rule: dict[str, Any],
) -> None:
    metrics = shown()
    named = set(NAMED.findall(rule["expr"]))
    assert named <= metrics.keys()
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["runbook_url"] == f"docs/observability.md#{rule['alert'].lower()}"
    section = re.search(rf"^### {rule['alert']}\n+(.+)", RUNBOOK, re.MULTILINE)
    assert section is not None, f"docs/observability.md does not say what to do about {rule}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_shows_metrics_and_labels_that_exist(board: Path) -> None:
    metrics = shown()
    for expr in expressions(board):
        named = NAMED.findall(expr)
        assert named, expr
        assert set(named) <= metrics.keys(), expr
        labels = {label for name in named for label in metrics[name]} | {"instance", "job"}
        grouped = {
            each.strip() for by in re.findall(r"by \(([^)]+)\)", expr) for each in by.split(",")
        }
        matched = set(re.findall(r"[{,]\s*([a-z_]+)\s*=", expr))
        assert grouped | matched <= labels, expr


def test_there_is_something_to_be_seen_of_every_metric_that_a_device_shows() -> None:
    seen = {
        name for board in BOARDS for expr in expressions(board) for name in NAMED.findall(expr)
    } | {name for rule in rules() for name in NAMED.findall(rule["expr"])}
    own = {name for name in shown() if name.startswith("walkout_")}
    # Of these the rest says more.
    assert own - seen == {"walkout_device_answer_age_seconds", "walkout_queue_items_total"}


def test_whoever_accepts_openmetrics_gets_it_and_it_says_the_same() -> None:
    text, kind = metrics_for(WHOLE, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    families = open_metrics(text.decode())  # type: ignore[no-untyped-call]
    modern = {sample.name for family in families for sample in family.samples}
    plain, kind = metrics_for(WHOLE, "")
    assert kind.startswith("text/plain")
    old = text_string_to_metric_families(plain.decode())
    assert modern == {s.name for family in old for s in family.samples}
