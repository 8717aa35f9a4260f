"""The device's systemd units: they load, they are careful, and they start what there is."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from edge.__main__ import app as edge_app

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
EXPOSURE_AT_MOST = 2.0

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)


def _analyze(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are installed, but with programs that are there."""
    for path in UNITS.glob("*.[st]*"):
        if path.suffix in (".service", ".timer"):
            text = path.read_text("utf-8")
            (tmp_path / path.name).write_text(
                text.replace("/opt/walkout/venv/bin/walkout-edge", "/bin/true"), "utf-8"
            )
    shutil.copytree(UNITS / "walkout.service.d", tmp_path / "walkout.service.d")
    return tmp_path


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    names = [f"./{path.name}" for path in installed.iterdir() if path.is_file()]
    found = _analyze("verify", "--man=no", *names, folder=installed)
    assert (found.returncode, found.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_that_is_taken_over_can_do_little(unit: str, installed: Path) -> None:
    shutil.rmtree(installed / "walkout.service.d")  # without a GPU
    found = _analyze("security", "--offline=true", f"./{unit}", folder=installed)
    score = re.search(r"exposure level for \S+: ([0-9.]+)", found.stdout)
    assert score is not None, found.stderr
    assert float(score[1]) <= EXPOSURE_AT_MOST


def _read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((UNITS / name).read_text("utf-8"))
    return unit


def test_the_shop_is_watched_and_started_again_and_bounded() -> None:
    service = _read("walkout.service")["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) >= 10
    assert service["Restart"] == "always"
    assert {"MemoryMax", "LimitNOFILE", "TasksMax", "TimeoutStartSec"} <= service.keys()
    assert service["User"] == "walkout"
    assert service["CapabilityBoundingSet"] == ""
    unit = _read("walkout.service")["Unit"]
    # Two seconds between starts: systemd must not give up before the launcher has gone back.
    starts = int(unit["StartLimitBurst"])
    assert starts * float(service["RestartSec"]) < float(unit["StartLimitIntervalSec"])
    assert starts >= 10


@pytest.mark.parametrize("unit", SERVICES)
def test_what_a_service_starts_is_a_command_that_there_is(unit: str) -> None:
    words = _read(unit)["Service"]["ExecStart"].split()
    at = words.index("--") if "--" in words else words.index("/opt/walkout/venv/bin/walkout-edge")
    command = typer.main.get_command(edge_app)
    for word in words[at + 1 :]:
        known = getattr(command, "commands", {})
        if word not in known:
            break
        command = known[word]
    options = {name for parameter in command.params for name in parameter.opts}
    assert not getattr(command, "commands", {})
    assert {word for word in words[at + 1 :] if word.startswith("--")} <= options


def test_nothing_secret_stands_in_a_unit() -> None:
    for path in UNITS.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8").lower()
            assert not re.search(r"(password|secret|token)\s*=\s*\S", text), path
