from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edge.__main__ import app
from edge.cameras.settings import FileSettings
from edge.cli.doctor import Finding, of_camera, of_decoders, of_machine, of_runtime
from edge.runtime.machine import look_around
from edge.runtime.settings import RuntimeSettings
from tests.edge.runtime.test_choice import ORIN, PC


def _named(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_this_machine_is_described_and_what_is_used_is_said_with_its_reason() -> None:
    ran = CliRunner().invoke(app, ["doctor"])
    assert ran.exit_code in (0, 1), ran.output
    for words in ("processor", "onnxruntime", "in use", "OpenCV", "GPU"):
        assert words in ran.output


def test_the_same_is_told_to_machines() -> None:
    ran = CliRunner().invoke(app, ["doctor", "--json"])
    document = json.loads(ran.output)
    assert document["machine"]["onnxruntime_providers"]
    looks = [each for each in document["findings"] if each["verdict"] == "look"]
    assert document["look"] == len(looks)
    assert ran.exit_code == bool(looks)
    assert f"{document['choice']['backend']}: " in json.dumps(document["findings"])
    assert {each["topic"] for each in document["findings"]} == {
        "machine",
        "inference",
        "decoders",
    }


def test_the_cameras_of_a_shop_are_tried(recorded_shop: Path) -> None:
    ran = CliRunner().invoke(app, ["doctor", str(recorded_shop), "--json"])
    cameras = [f for f in json.loads(ran.output)["findings"] if f["topic"] == "cameras"]
    assert len(cameras) == 2
    assert all("320 x 180" in camera["words"] for camera in cameras)
    assert {camera["verdict"] for camera in cameras} == {"good"}


def test_a_camera_that_gives_no_picture_ends_with_1(recorded_shop: Path, tmp_path: Path) -> None:
    store = yaml.safe_load((recorded_shop / "store.yaml").read_text())
    broken = sorted(store["cameras"])[0]
    for name, camera in store["cameras"].items():
        camera["path"] = "none.mp4" if name == broken else str(recorded_shop / camera["path"])
    (tmp_path / "store.yaml").write_text(yaml.safe_dump(store))
    ran = CliRunner().invoke(app, ["doctor", str(tmp_path / "store.yaml"), "--json"])
    assert ran.exit_code == 1
    findings = [Finding(**each) for each in json.loads(ran.output)["findings"]]
    assert _named(findings, broken).verdict == "look"
    assert "none.mp4" in _named(findings, broken).words


def test_a_video_that_is_not_there_is_said_with_its_name(tmp_path: Path) -> None:
    found = of_camera("shelf-1", FileSettings(path=Path("none.mp4")), tmp_path)
    assert (found.verdict, "none.mp4" in found.words) == ("look", True)


def test_a_jetson_is_told_with_its_jetpack_and_what_it_uses() -> None:
    board = _named(of_machine(ORIN), "Jetson")
    assert board.verdict == "good"
    assert "JetPack 6.2 (Jetson Linux 36.4.3), power mode 0" in board.words
    assert "7620 MiB shared with the CPU" in _named(of_machine(ORIN), "GPU 0").words
    used = _named(of_runtime(ORIN, RuntimeSettings()), "in use")
    assert used.verdict == "good"
    assert used.words.startswith("tensorrt: Orin (sm_87) is there")


def test_a_jetson_that_lacks_a_package_is_told_which() -> None:
    lacking = replace(ORIN, versions={"tensorrt": "10.3.0"})
    findings = of_runtime(lacking, RuntimeSettings())
    assert _named(findings, "in use").verdict == "look"
    assert "pip install 'walkout[tensorrt]'" in _named(findings, "tensorrt").words or any(
        "pip install 'walkout[tensorrt]'" in each.words for each in findings
    )


def test_a_jetson_of_an_old_jetpack_is_to_be_flashed() -> None:
    assert ORIN.jetson is not None
    old = replace(ORIN, jetson=replace(ORIN.jetson, l4t="35.6.0", jetpack="5"))
    assert _named(of_machine(old), "Jetson").verdict == "look"


def test_a_jetson_without_its_gpu_is_looked_at_and_a_pc_without_one_is_not() -> None:
    broken = replace(ORIN, driver=None, driver_trouble="the driver does not start")
    assert _named(of_machine(broken), "GPU").verdict == "look"
    assert _named(of_machine(PC), "GPU").verdict == "note"


def test_a_jetson_is_asked_for_its_own_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "gst-inspect-1.0"
    tool.write_text('#!/bin/sh\n[ "$2" != nvv4l2decoder ]\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    findings = of_decoders(ORIN)
    assert _named(findings, "avdec_h264").verdict == "good"
    assert _named(findings, "nvv4l2decoder").verdict == "look"
    assert "nvidia-l4t-gstreamer" in _named(findings, "nvv4l2decoder").words
    assert not any(each.name == "nvv4l2decoder" for each in of_decoders(PC))


def test_without_gstreamer_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = _named(of_decoders(look_around()), "GStreamer")
    assert "apt install gstreamer1.0-tools" in found.words
