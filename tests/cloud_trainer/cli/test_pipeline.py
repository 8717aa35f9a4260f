"""``walkout-trainer pipeline`` as an operator uses it, with a folder for a portal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud_trainer.__main__ import app
from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.records import PipelineRecords
from tests.cloud_trainer.pipeline.scene import (
    crop_of,
    drawn_photos,
    publish_first,
    reopened_cloud,
    settled,
)
from tests.simulators.cloud import Cloud

SETTINGS = """
enrolment_course: {steps: [{name: all, percent: 100}], wait_s: 0}
bounds: {verified_error_percent: 30}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with one new product and one withdrawn, a published bundle, settings."""
    folder = tmp_path_factory.mktemp("desk")
    publish_first(folder / "cloud")
    drawn_photos(folder / "photos", 4)
    (folder / "photos" / "withdrawn.txt").write_text("carton-03\n\n")
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


def _run(desk: Path, *arguments: object) -> Result:
    options = ["--folder", str(desk / "pipeline")]
    return CliRunner().invoke(app, ["pipeline", *map(str, arguments), *options])


def _work(desk: Path, *arguments: object) -> Result:
    return _run(
        desk, "run", desk / "photos", "--store", f"file:{desk / 'cloud' / 'store'}",
        "--keys", desk / "cloud" / "keys", "--records", desk / "fleet.sqlite",
        "--one-category", "soda", "--once", *arguments,
    )  # fmt: skip


def test_a_pass_enrols_what_lies_in_the_catalogue_and_says_why(desk: Path) -> None:
    result = _work(desk, "--settings", desk / "settings.yaml")
    assert result.exit_code == 0, result.output
    (status,) = json.loads(_run(desk, "status", "--json").stdout)
    assert (status["category"], status["release"], status["doing"]) == ("soda", 1, "roll_out")
    assert "carton-04 is approved and not yet served" in status["reason"]
    assert "carton-03 is withdrawn and still served" in status["reason"]
    assert "soda" in _run(desk, "status").stdout
    (run,) = json.loads(_run(desk, "explain", "soda", "--json").stdout)
    assert (run["kind"], run["release"], run["status"]) == ("enrol", 2, "under_way")
    told = _run(desk, "explain", "soda").stdout
    assert "enrol: done. enrolled carton-04; withdrew carton-03" in told
    assert "publish: done. release 2" in told


def test_crops_are_listed_approved_and_refused_by_somebody(desk: Path) -> None:
    with PipelineRecords(desk / "pipeline") as records:
        events = LabelledEvents(records.file, desk / "pipeline")
        for number in range(3):
            events.take_in("shop-1", settled(f"e-{number}", "carton-01", crop_of(1, number)))
    listed = json.loads(_run(desk, "crops", "--json").stdout)
    assert [each["event_id"] for each in listed] == ["e-0", "e-1", "e-2"]
    assert "shop-1/e-0  soda  carton-01" in _run(desk, "crops").stdout
    assert _run(desk, "crops", "--approve").exit_code == 2
    one = _run(desk, "crops", "--refuse", "--by", "ada", "--event", "shop-1/e-1")
    assert one.stdout == "1 events refused\n"
    assert _run(desk, "crops", "--approve", "--by", "ada").stdout == "2 events approved\n"
    assert _run(desk, "crops", "--json").stdout == "[]\n"


def test_what_cannot_be_done_is_said_in_a_line(desk: Path, tmp_path: Path) -> None:
    for words, arguments in (
        ("has no run of this kind that has ended", ("retry", "soda", "--kind", "train")),
        ("is no event; write SHOP/EVENT", ("crops", "--approve", "--by", "ada", "--event", "e-1")),
        ("either --approve or --refuse", ("crops", "--approve", "--refuse")),
    ):
        result = _run(desk, *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    nowhere = CliRunner().invoke(app, ["pipeline", "status", "--folder", str(tmp_path / "no")])
    assert "no pipeline has worked in" in nowhere.stderr
    (tmp_path / "bad.yaml").write_text("bounds: {verified_error: 3}\n")
    bad = _work(desk, "--settings", tmp_path / "bad.yaml")
    assert bad.exit_code == 2
    assert "bounds.verified_error" in bad.stderr


def test_the_release_is_in_the_store(desk: Path) -> None:
    cloud: Cloud = reopened_cloud(desk / "cloud")
    assert cloud.plan("soda").candidate == 2
