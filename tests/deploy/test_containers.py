"""Images and compose files: linted by what lints them, and as careful as the systemd units."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_trainer.portal.config import PortalConfig

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted((DEPLOY / "container").glob("*.Dockerfile"))
COMPOSE = [DEPLOY / "compose" / "device.yaml", DEPLOY / "compose" / "cloud.yaml"]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_hadolint_finds_nothing(dockerfile: Path) -> None:
    found = subprocess.run(
        [BIN / "hadolint", dockerfile], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_nobodys_and_holds_no_secret_and_no_compiler(dockerfile: Path) -> None:
    text = dockerfile.read_text("utf-8")
    stages = text.split("\nFROM ")
    assert len(stages) == 3  # what is before the first is comments and arguments
    last = stages[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    assert not re.search(r"g\+\+|build-essential|python3-dev", last)
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|PRIVATE)", text)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_what_an_image_copies_is_in_its_context(dockerfile: Path) -> None:
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    for path in let_in:
        assert (ROOT / path).exists(), path
    own = re.findall(r"^COPY (?!--from)(\S+) ", dockerfile.read_text("utf-8"), re.MULTILINE)
    assert {path for path in own if path != "."} <= let_in
    packages = re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.M)
    assert packages is not None
    assert {name.strip(' "') for name in packages[1].split(",")} <= let_in


@pytest.mark.parametrize("file", COMPOSE, ids=lambda path: path.stem)
def test_compose_files_follow_the_specification(file: Path) -> None:
    found = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def _services(file: Path) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text("utf-8"))["services"]
    return services


@pytest.mark.parametrize(
    ("file", "name"),
    [(file, name) for file in COMPOSE for name in _services(file)],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_every_service_is_bounded_and_can_do_little(file: Path, name: str) -> None:
    service = _services(file)[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "always"
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert not service["image"].endswith(":latest")
    assert ":" in service["image"]
    if name != "database":  # it gives up root by itself
        assert not service["user"].startswith("0")


def test_what_the_portal_is_told_is_what_it_understands() -> None:
    text = (DEPLOY / "compose" / "portal.yaml").read_text("utf-8")
    config = PortalConfig.model_validate(yaml.safe_load(text))
    ports = _services(COMPOSE[1])["portal"]["ports"]
    assert ports == [f"{config.page.port}:{config.page.port}"]


def test_no_secret_stands_in_a_compose_file() -> None:
    for file in (DEPLOY / "compose").iterdir():
        text = file.read_text("utf-8")
        assert not re.search(r"(?i)password:\s*[^\s/]", text.replace("database_password:", "")), (
            file
        )
