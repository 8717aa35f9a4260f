from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.__main__ import main
from models.bundle import Bundle
from tests.simulators.bundles import replace_tensors


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["walkout-edge", "bundle", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_sound_bundle_is_shown_and_tried_on_this_machine(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, bundle.path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "dairy 1" in out
    assert "whole and unchanged" in out
    assert "4 golden crops within 0.0000" in out


def test_json_is_the_manifest(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, bundle.path, "--json", "--no-golden") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["space_id"] == bundle.manifest.space_id


def test_golden_crops_that_come_out_otherwise_are_one_line_and_exit_code_2(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    wrong: np.ndarray = np.ascontiguousarray(bundle.golden.embeddings[::-1])
    replace_tensors(other, "golden/expected.safetensors", embeddings=wrong)
    assert _run(monkeypatch, other) == 2
    err = capsys.readouterr().err
    assert err.startswith("walkout-edge: golden crops of dairy 1 come out ")
    assert err.count("\n") == 1


def test_a_folder_that_is_no_bundle_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1
