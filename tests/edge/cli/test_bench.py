from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.__main__ import app
from models.bundle import Bundle


def test_a_device_is_measured_and_the_figures_are_told_to_machines(bundle: Bundle) -> None:
    asked = ["bench", "--bundle", str(bundle.path), "--device", "onnxruntime", "--rounds", "2"]
    played = ["--seconds", "1", "--cameras", "1", "--density", "--json"]
    ran = CliRunner().invoke(app, [*asked, *played])
    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.output)
    assert document["embedder"]["backend"].startswith("onnxruntime ")
    assert [each["batch"] for each in document["batches"]] == [1, 4, 16, 32]
    for each in document["batches"]:
        assert 0 < each["engine_p50_ms"] <= each["engine_p99_ms"]
        assert each["engine_crops_s"] == pytest.approx(1000 * each["batch"] / each["engine_p50_ms"])
    assert document["sustained"]["frames_seen"] > 0
    assert document["sustained"]["cores"] > 0
    assert document["density"]["tries"]
    assert document["decode_ms_a_frame"] > 0
    assert document["golden_deviation"] < 1e-3


def test_a_device_that_is_not_there_is_an_error_and_nothing_else_is_measured(
    bundle: Bundle, tmp_path: Path
) -> None:
    asked = ["bench", "--bundle", str(bundle.path), "--device", "tensorrt"]
    ran = CliRunner().invoke(app, [*asked, "--cache", str(tmp_path)])
    assert ran.exit_code == 2
    assert ran.stderr.count("\n") == 1
    assert "no NVIDIA driver" in ran.stderr
