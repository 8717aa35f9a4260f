"""A real Prometheus that scrapes what it is told to, on the loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.simulators.rtsp import free_port

OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"
_PATH = f"{os.environ.get('PATH', '')}:/usr/bin:/usr/sbin:/usr/local/bin"
_SPAN = re.compile(r"\[(\d+)([mhd])\]|offset (\d+)([mhd])")


def program(name: str) -> str:
    """Where a program is, or a skip that says what to install."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"no {name}: apt-get install prometheus")
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts as they are shipped."""
    document = yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def hurried_rules(spans: Mapping[str, str]) -> dict[str, Any]:
    """The same alerts where a shop's minutes are a test's seconds.

    Nothing is waited for, and spans are shorter; thresholds stay as they are, but for half an hour
    that a review may wait.

    Args:
        spans: The span of an alert's expression, by its name; 5 s where none is named.
    """
    hurried = [
        {**rule, "expr": _hurried(str(rule["expr"]), spans.get(rule["alert"], "5s")), "for": "0s"}
        for rule in rules()
    ]
    return {"groups": [{"name": "hurried", "interval": "1s", "rules": hurried}]}


def _hurried(expr: str, span: str) -> str:
    shorter = _SPAN.sub(lambda found: f"[{span}]" if found[1] else f"offset {span}", expr)
    return shorter.replace("> 1800", "> 1.8")


@dataclass
class Prometheus:
    """A running one.

    Attributes:
        port: Where it answers.
    """

    port: int

    def asked(self, path: str) -> Any:  # noqa: ANN401 -- JSON
        """What it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def firing(self) -> set[str]:
        """Alerts that fire now."""
        return {
            each["labels"]["alertname"]
            for each in self.asked("/api/v1/alerts")["alerts"]
            if each["state"] == "firing"
        }

    def value(self, query: str) -> str:
        """What an expression is now; empty where it is nothing."""
        found = self.asked(f"/api/v1/query?query={quote(query)}")["result"]
        return str(found[0]["value"][1]) if found else ""


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, tuple[str, str]], alerts: Mapping[str, Any]
) -> Iterator[Prometheus]:
    """Start one and wait until it answers.

    Args:
        folder: An empty folder.
        targets: Address and token by name of the device.
        alerts: A file of rules.
    """
    (folder / "alerts.yml").write_text(yaml.safe_dump(dict(alerts)), encoding="utf-8")
    scrapes = []
    for name, (address, token) in targets.items():
        (folder / f"{name}.token").write_text(token, encoding="utf-8")
        scrapes.append(
            {
                "job_name": f"walkout-{name}",
                "authorization": {"credentials_file": str(folder / f"{name}.token")},
                "static_configs": [{"targets": [address]}],
                "relabel_configs": [
                    {"target_label": "job", "replacement": "walkout"},
                    {"target_label": "instance", "replacement": name},
                ],
            }
        )
    configuration = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "alerts.yml")],
        "scrape_configs": scrapes,
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        started = Prometheus(port)
        _until_it_answers(started, process, folder)
        yield started
    finally:
        process.kill()
        process.wait()


def _until_it_answers(started: Prometheus, process: subprocess.Popen[bytes], folder: Path) -> None:
    until_s = time.monotonic() + 30
    while True:
        assert process.poll() is None, (folder / "prometheus.log").read_text("utf-8")
        assert time.monotonic() < until_s, (folder / "prometheus.log").read_text("utf-8")
        try:
            started.asked("/api/v1/alerts")
            return
        except OSError:
            time.sleep(0.1)
