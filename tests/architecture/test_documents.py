"""What README promises can be typed: commands, options, links and make targets exist."""

from __future__ import annotations

import importlib
import re
import shlex
from functools import lru_cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = {
    "walkout-edge": "edge",
    "walkout-trainer": "cloud_trainer",
    "walkout-calibrate": "calibration",
}
COMMANDS = sorted(
    set(re.findall(r"^(walkout-\w+ .+)$", README, re.MULTILINE))
    | set(re.findall(r"`(walkout-\w+ [^`]+)`", README))
)


@lru_cache
def _help(program: str, *commands: str) -> str:
    """What `--help` says about a sub-command, wide enough that no option is cut."""
    app = importlib.import_module(f"{MODULES[program]}.__main__").app
    wide = {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}
    run = CliRunner().invoke(app, [*commands, "--help"], env=wide)
    assert run.exit_code == 0, f"{program} {' '.join(commands)} --help: {run.output}"
    return run.output


def _has(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def test_readme_shows_every_program() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(MODULES)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_readme_is_one_that_the_program_knows(line: str) -> None:
    program, *words = shlex.split(line)
    commands: list[str] = []
    while words and re.search(rf"^\W*{re.escape(words[0])}\s", _help(program, *commands), re.M):
        commands.append(words.pop(0))
        if not _has("Commands", _help(program, *commands)):
            break
    assert commands, f"{program} has no command {words[0]}"

    shown = _help(program, *commands)
    options = [word for word in words if word.startswith("-")]
    assert [option for option in options if not _has(option, shown)] == []


def test_make_targets_in_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_readme_opens_with_the_two_commands() -> None:
    first_lines = README.splitlines()[:6]
    assert any(line.startswith("make demo") for line in first_lines)
    assert any(line.startswith("make test") for line in first_lines)
