from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.__main__ import main
from models.bundle import MANIFEST_NAME, VECTORS_NAME, Bundle
from tests.edge.bundles import photo_file
from tests.edge.videos import frame_count, product_frames, write_clip

Run = Any


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``walkout-edge`` in this process: exit code, stdout, stderr."""

    def run_once(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["walkout-edge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    return run_once


def test_photos_are_recognised_in_a_table_with_a_summary(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    photos = [photo_file(tmp_path / f"{product}.jpg", product) for product in range(3)]
    code, out, err = run("recognise", "--bundle", bundle.path, *photos)
    assert (code, err) == (0, "")
    for words in (
        "1.jpg",
        "Carton 1",
        "distance",
        "margin",
        "3 looked at:",
        "dairy 1: ",
    ):
        assert words in out


def test_json_is_one_document_on_stdout_with_every_number(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    photo_file(tmp_path / "1.jpg", 1)
    (tmp_path / "2.jpg").write_bytes(b"broken")
    code, out, err = run("recognise", "--bundle", bundle.path, tmp_path, "--json")
    document = json.loads(out)
    assert code == 0
    assert err.startswith("walkout-edge: set aside ")
    (result,) = document["results"]
    assert result["category"] == "dairy"
    assert result["crops_given"] == 1
    decision = result["decision"]
    assert decision["candidates"][0]["sku"] == "carton-01"
    assert {"gated", "margin", "thresholds", "reason", "stage", "outcome"} <= decision.keys()
    assert document["bundles"][0]["embedder"]["precision"] == "fp32"
    assert document["bundles"][0]["index"] == "exact"
    assert document["set_aside"][0]["path"].endswith("2.jpg")
    assert document["summary"]["results"] == document["summary"]["set_aside"] == 1


def test_bundles_of_two_networks_recognise_together(
    run: Run, bundle: Bundle, foreign_bundle: Bundle, tmp_path: Path
) -> None:
    photo_file(tmp_path / "pear.jpg", 2, seed=5)
    code, out, _ = run(
        "recognise", "--bundle", bundle.path, "--bundle", foreign_bundle.path, tmp_path, "--json"
    )
    (result,) = json.loads(out)["results"]
    assert (code, result["category"]) == (0, "fruit")
    assert "between its thresholds" in result["routing"]


def test_annotated_pictures_and_videos_are_written(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    photo_file(tmp_path / "in" / "a" / "1.jpg", 1)
    write_clip(tmp_path / "in" / "clip.avi", product_frames(2, 8))
    out_folder = tmp_path / "out"
    code, out, _ = run(
        "recognise", "--bundle", bundle.path, tmp_path / "in", "--annotate", out_folder
    )
    assert code == 0
    assert "consensus over the whole clip" in " ".join(out.split())
    assert cv2.imread(str(out_folder / "a" / "1.jpg.annotated.jpg")) is not None
    assert frame_count(out_folder / "clip.avi.annotated.mp4") == 8


def test_an_annotation_folder_that_cannot_be_written_is_one_line(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    photo = photo_file(tmp_path / "1.jpg", 1)
    (tmp_path / "file").touch()
    code, _, err = run("recognise", "--bundle", bundle.path, photo, "--annotate", tmp_path / "file")
    assert code == 2
    assert err.startswith("walkout-edge: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["notes.txt", "missing.jpg", "empty"])
def test_nothing_to_look_at_is_exit_code_2(
    run: Run, bundle: Bundle, tmp_path: Path, name: str
) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    code, out, err = run("recognise", "--bundle", bundle.path, tmp_path / name)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith(f"walkout-edge: set aside {tmp_path / name}: ")
    assert lines[1].startswith("walkout-edge: nothing could be looked at")


def test_a_damaged_bundle_is_one_line_that_says_what_to_do(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    content = bytearray((damaged / VECTORS_NAME).read_bytes())
    content[-1] ^= 1
    (damaged / VECTORS_NAME).write_bytes(content)
    code, out, err = run("recognise", "--bundle", damaged, photo_file(tmp_path / "1.jpg", 1))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "checksum" in err
    (damaged / MANIFEST_NAME).unlink()
    code, _, err = run("recognise", "--bundle", damaged, tmp_path / "1.jpg")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["recognise"],
        ["recognise", "x.jpg"],
        ["recognise", "--bundle"],
        ["recognise", "--bundle", "b", "x.jpg", "--pool", "0"],
        ["recognise", "--bundle", "b", "x.jpg", "--precision", "fp8"],
        ["recognize"],
        ["--nonsense"],
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("walkout-edge: ")
    assert err.count("\n") == 1


def test_version_and_help(run: Run) -> None:
    assert run("--version")[1].startswith("walkout-edge ")
    for arguments in ([], ["--help"]):
        code, out, _ = run(*arguments)
        assert code == 0
        assert "recognise" in out
