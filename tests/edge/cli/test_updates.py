from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.errors import ConfigError
from edge.updates.settings_file import load_update_settings
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud

PATIENCE_S = 60.0


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["walkout-edge", "updates", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def config(folder: Path, repository: str, nested: bool = False) -> Path:
    lines = [
        "device_id: shelf-1",
        f"repository: {repository}",
        "root: root.json",
        "watch: {watch_s: 0.5}",
    ]
    path = folder / "updates.yaml"
    text = "\n".join(f"  {line}" if nested else line for line in lines)
    path.write_text(f"updates:\n{text}\n" if nested else f"{text}\n")
    return path


def test_an_agent_alone_updates_shows_its_status_and_ends_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = Cloud.make(tmp_path / "cloud", categories=("soda",))
    bundle = make_bundle(tmp_path / "soda", category="soda")
    cloud.publish(bundle.path)
    (tmp_path / "root.json").write_bytes(cloud.root)
    file = config(tmp_path, cloud.url, nested=True)
    command = [sys.executable, "-m", "edge", "updates", "agent", str(file)]
    with subprocess.Popen(
        [*command, "--bundle", str(bundle.path)], stderr=subprocess.PIPE, text=True
    ) as agent:
        until_s = time.monotonic() + PATIENCE_S
        pointer = tmp_path / "updates" / "serving.json"
        while not pointer.exists() or '"release": 1' not in pointer.read_text():
            assert time.monotonic() < until_s and agent.poll() is None
            time.sleep(0.05)
        assert run(monkeypatch, "status", str(file), "--json") == 0
        (status,) = json.loads(capsys.readouterr().out)
        assert (status["category"], status["serving_release"]) == ("soda", 1)
        assert run(monkeypatch, "status", str(file)) == 0
        assert "Updates of shelf-1" in capsys.readouterr().out
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(PATIENCE_S) == 0
        assert agent.stderr is not None
        assert "release 1: watching" in agent.stderr.read()


def test_what_is_wrong_is_one_line_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, "file:/nowhere")
    assert run(monkeypatch, "status", str(file)) == 2
    assert "no update agent has worked in" in capsys.readouterr().err
    assert run(monkeypatch, "agent", str(file)) == 2
    assert "updates.root" in capsys.readouterr().err
    assert run(monkeypatch, "agent", str(tmp_path / "none.yaml")) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("device_id: Shelf 1", "device_id"),
        ("repository: ftp://host", "repository"),
        ("colour: red", "colour: Extra inputs"),
        ("quiet_hours: [9-12]", "no span of a day"),
        ("mqtt: {host: h, key: k}", "belong together"),
        ("categories: [../x]", "cannot travel"),
    ],
)
def test_settings_are_closed_and_complaints_name_the_field(
    line: str, complaint: str, tmp_path: Path
) -> None:
    file = config(tmp_path, "file:/store")
    key = line.partition(":")[0]
    kept = [each for each in file.read_text().splitlines() if not each.startswith(f"{key}:")]
    file.write_text("\n".join([*kept, line]))
    with pytest.raises(ConfigError, match=complaint):
        load_update_settings(file)
