"""``walkout-trainer train`` as its users run it: whole, killed, resumed, and given bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.bundle import open_bundle
from tests.simulators.photos import make_catalogue, write_photo

FAST = ["--size", "64", "--backbone", "efficientnet-lite0"]


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cloud_trainer", "train", *map(str, arguments), *FAST]


def _train(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalogue(tmp_path_factory.mktemp("photos"), products=4, photos=12)


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run = _train(photos, "--out", out, "--steps", 20, "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["bundles"]["all"]["products"] == 4
    return out


def test_a_catalogue_becomes_a_bundle_that_opens_and_recognises(trained: Path) -> None:
    bundle = open_bundle(trained / "all")
    accuracy = bundle.manifest.evaluation["centroid_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy >= 0.75
    assert bundle.manifest.provenance.steps > 0
    assert bundle.network_path("fp32").exists()
    assert bundle.network_path("trt").exists()
    assert not (trained / ".training").exists()


def _killed(arguments: list[str], checkpoint: Path) -> None:
    """Train until there is a checkpoint, and no longer."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 240
        while not checkpoint.exists() and time.monotonic() < deadline:
            assert process.poll() is None, "training ended before it could be killed"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)


def test_training_that_is_killed_twice_resumes_to_the_bundle_it_would_have_made(
    photos: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundles"
    for during in ("held-out-2", "all"):
        checkpoint = out / ".training" / "all" / during / "checkpoint.pt"
        _killed(_command(photos, "--out", out, "--steps", 20), checkpoint)
        assert checkpoint.exists()
        assert not (out / "all").exists()
    resumed = _train(photos, "--out", out, "--steps", 20)
    assert resumed.returncode == 0, resumed.stderr
    whole, again = open_bundle(trained / "all"), open_bundle(out / "all")
    assert again.manifest.provenance.steps == whole.manifest.provenance.steps
    # The same batches and the same arithmetic: only the order of parallel sums may differ.
    cosine = (whole.vectors.centroids * again.vectors.centroids).sum(1)
    assert cosine.min() > 0.99
    difference = float(str(whole.manifest.evaluation["centroid_accuracy"])) - float(
        str(again.manifest.evaluation["centroid_accuracy"])
    )
    assert abs(difference) <= 0.01


def test_training_again_leaves_a_finished_bundle_alone(photos: Path, trained: Path) -> None:
    before = (trained / "all" / "manifest.json").read_bytes()
    assert _train(photos, "--out", trained, "--steps", 20).returncode == 0
    assert (trained / "all" / "manifest.json").read_bytes() == before


def test_categories_become_bundles_and_a_category_of_one_product_fails_alone(
    photos: Path, tmp_path: Path
) -> None:
    table = tmp_path / "categories.csv"
    rows = ["carton-00,pairs", "carton-01,pairs", "carton-02,pairs", "carton-03,lonely"]
    table.write_text("sku,category\n" + "\n".join(rows) + "\n")
    run = _train(photos, "--out", tmp_path / "out", "--categories", table, "--steps", 2)
    assert run.returncode == 1
    assert "lonely" in run.stderr
    assert "at least two products" in run.stderr
    assert open_bundle(tmp_path / "out" / "pairs").skus == ("carton-00", "carton-01", "carton-02")


def test_bad_photos_are_left_out_and_the_rest_is_trained(tmp_path: Path) -> None:
    photos = make_catalogue(tmp_path / "photos", products=3, photos=8)
    (photos / "carton-00" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (photos / "carton-01" / "empty.jpg").write_bytes(b"")
    write_photo(photos / "nothing-left" / "dark.png", np.zeros((200, 200, 3), np.uint8))
    run = _train(photos, "--out", tmp_path / "out", "--steps", 2)
    assert run.returncode == 0, run.stderr
    assert "3 photos are set aside" in run.stderr
    assert "nothing-left" in run.stderr
    assert len(open_bundle(tmp_path / "out" / "all").skus) == 3


def test_a_folder_that_cannot_be_written_is_said_before_training(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    run = _train(photos, "--out", tmp_path / "file" / "out")
    assert run.returncode == 2
    assert f"cannot write {tmp_path / 'file'}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_category_name_never_leads_out_of_the_folder_of_bundles(
    photos: Path, tmp_path: Path
) -> None:
    run = _train(photos, "--out", tmp_path / "out", "--one-category", "../elsewhere")
    assert run.returncode == 2
    assert "cannot name a folder" in run.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_an_unknown_backbone_is_refused_with_the_choices(photos: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [*_command(photos, "--out", tmp_path)[:-1], "resnet-1000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "efficientnet-lite2" in run.stderr
