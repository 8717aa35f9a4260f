from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.receipt import Receipt
from edge.config_file import load_config
from edge.errors import ConfigError
from edge.score.scoreboard import score
from edge.score.truth import read_truth
from edge.shop.premises import Premises, open_premises
from edge.shop.replay import EVIDENCE_NAME, LEDGER_NAME, Replayed, replay


@pytest.fixture(scope="module")
def premises(recorded_shop: Path) -> Premises:
    return open_premises(load_config(recorded_shop), recorded_shop)


@pytest.fixture(scope="module")
def issued() -> list[Receipt]:
    """What ``played`` was told about receipts."""
    return []


@pytest.fixture(scope="module")
def played(
    premises: Premises, issued: list[Receipt], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Replayed, Path]:
    """The shop played once, with its state."""
    state = tmp_path_factory.mktemp("played")
    return replay(premises, state, on_receipt=issued.append), state


def test_everybody_who_left_has_a_receipt(
    premises: Premises, played: tuple[Replayed, Path], issued: list[Receipt]
) -> None:
    truth = read_truth(premises.folder)
    assert truth is not None
    assert {receipt.session_id for receipt in issued} == truth.receipts().keys()
    figures = score(played[0].entries, truth)
    assert figures.kinds["take"].found >= 1
    assert figures.receipts.receipts == 2


def test_the_same_recording_gives_the_same_ledger_to_the_byte(
    premises: Premises, played: tuple[Replayed, Path], tmp_path: Path
) -> None:
    first, state = played
    second = replay(premises, tmp_path, keep_evidence=False)
    assert not (tmp_path / EVIDENCE_NAME).exists()
    assert second.digest == first.digest
    assert second.departures == first.departures
    with Ledger(state / LEDGER_NAME, premises.config.store.id) as ledger:
        ledger.export_jsonl(tmp_path / "first.jsonl")
    with Ledger(tmp_path / LEDGER_NAME, premises.config.store.id) as ledger:
        ledger.export_jsonl(tmp_path / "second.jsonl")
    assert (tmp_path / "first.jsonl").read_bytes() == (tmp_path / "second.jsonl").read_bytes()


def test_every_crop_that_evidence_names_is_there_and_is_no_whole_picture(
    played: tuple[Replayed, Path],
) -> None:
    replayed, state = played
    names = [
        crop
        for entry in replayed.entries
        if entry.kind == "interaction_recorded"
        for crop in entry.event.evidence.crops
    ]
    assert names
    for name in names:
        image = cv2.imread(str(state / EVIDENCE_NAME / name))
        assert image is not None
        assert image.size < 320 * 180 * 3 / 2


def test_what_it_cost_adds_up(played: tuple[Replayed, Path]) -> None:
    cost = played[0].cost
    assert {each.camera for each in cost.cameras} == {"shelf-1", "overhead-1"}
    assert all(each.frames == round(each.seconds * 5) + 1 for each in cost.cameras)
    assert all(cost.stages_s[stage] > 0 for stage in ("decode", "shelf", "floor", "desk"))
    assert max(cost.stages_s.values()) <= cost.wall_s
    assert cost.real_time_factor > 0
    assert cost.peak_memory_bytes > 50e6


def rows(ledger: Path) -> int:
    if not ledger.is_file():
        return 0
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM ledger").fetchone()[0])


@pytest.mark.parametrize("rows_before_the_kill", [1, 5])
def test_a_replay_that_was_killed_goes_on_to_the_same_ledger(
    premises: Premises,
    played: tuple[Replayed, Path],
    tmp_path: Path,
    rows_before_the_kill: int,
) -> None:
    command = [sys.executable, "-m", "edge", "replay", str(premises.folder), "--state", "state"]
    ledger = tmp_path / "state" / premises.folder.name / LEDGER_NAME
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            while rows(ledger) < rows_before_the_kill:
                assert process.poll() is None, "the replay ended before it could be killed"
                time.sleep(0.002)
        finally:
            process.send_signal(signal.SIGKILL)
    written = rows(ledger)
    assert rows_before_the_kill <= written < len(played[0].entries)
    again = replay(premises, ledger.parent, keep_evidence=False)
    assert again.digest == played[0].digest
    assert len(again.entries) == len(played[0].entries)


def test_live_cameras_cannot_be_replayed(recorded_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    shutil.copytree(recorded_shop, folder, ignore=shutil.ignore_patterns("*.mp4"))
    store = folder / "store.yaml"
    text = store.read_text(encoding="utf-8").replace("checkins: checkins.json\n", "")
    for camera in ("shelf-1", "overhead-1"):
        recorded = f"{{kind: file, path: {camera}.mp4}}"
        text = text.replace(recorded, f'{{kind: rtsp, url: "rtsp://{camera}.local/"}}')
    store.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="only recordings can be replayed"):
        replay(open_premises(load_config(folder), folder), tmp_path / "state")
