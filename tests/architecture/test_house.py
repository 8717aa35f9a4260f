"""The rules of the house that no type checker knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Documented: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("calibration", "cloud_trainer", "edge", "models", "web")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN_NAMES = re.compile(r"(^|_)(util|utils|helper|helpers|manager|managers|misc|common)$")


def test_import_contracts_hold() -> None:
    lint_imports = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert lint_imports, "lint-imports is not installed beside this Python: make install"
    run = subprocess.run(
        [lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("module", ["edge.__main__", "calibration.__main__"])
def test_a_device_starts_without_torch(module: str) -> None:
    script = (
        f"import sys, {module}; sys.exit(bool({{'torch', 'cloud_trainer'}} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_every_file_reads_as_the_oldest_python_we_promise() -> None:
    assert _project()["requires-python"].startswith(">=3.10")
    for path in [*SOURCES, *TESTS]:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))


def test_every_public_name_says_what_it_is() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for name, node in _public_names(ast.parse(path.read_text(encoding="utf-8")))
        if not ast.get_docstring(node)
    ]
    assert not silent, "no docstring:\n" + "\n".join(silent)


def test_no_file_is_named_after_nothing() -> None:
    nameless = [
        str(path.relative_to(ROOT))
        for path in [*SOURCES, *TESTS]
        if any(map(FORBIDDEN_NAMES.search, path.relative_to(ROOT).with_suffix("").parts))
    ]
    assert not nameless, f"name them after what they own: {nameless}"


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_ship_their_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_changelog_knows_the_current_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(_project()['version'])}\]", changelog, re.MULTILINE)


def test_the_makefile_installs_the_torch_that_the_trainer_asks_for() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pinned = re.search(r"^TORCH := (\S+)$", makefile, re.MULTILINE)
    assert pinned
    assert pinned[1] in _project()["optional-dependencies"]["trainer"]


def test_a_device_is_asked_to_install_no_torch_and_a_trainer_no_web_server() -> None:
    project = _project()
    extras = project["optional-dependencies"]
    for requirement in [*project["dependencies"], *extras["edge"], *extras["edge-gpu"]]:
        assert not re.match(r"(torch|onnx\b(?!runtime)|efficientnet)", requirement)
    for requirement in [*project["dependencies"], *extras["trainer"]]:
        assert not re.match(r"(fastapi|starlette|uvicorn|flask|aiohttp|django)", requirement)


def _project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project: dict[str, Any] = tomllib.load(stream)["project"]
    return project


def _public_names(tree: ast.Module) -> Iterator[tuple[str, Documented]]:
    """The module, its public functions and classes, and the public methods of those."""
    yield "the module", tree
    bodies: list[tuple[str, list[ast.stmt]]] = [("", tree.body)]
    while bodies:
        owner, body = bodies.pop()
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_"):
                continue
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef):
                bodies.append((f"{owner}{node.name}.", node.body))
