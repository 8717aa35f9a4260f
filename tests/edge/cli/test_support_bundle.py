from __future__ import annotations

import json
import tarfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import yaml
from typer.testing import CliRunner

from edge.__main__ import app
from edge.cli.support_bundle import without_secrets_in_log
from edge.dashboard.access import WORDS
from edge.evidence import EvidenceFolder, day_of
from edge.interaction.shelf import Seen, StoredCrop
from tests.edge.checkout.shopping import event
from tests.edge.shop.running import running
from tests.simulators.rtsp import free_port
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.tokens import Tokens

SECRETS = ("hunter2", "tok-1", "s3cr3t-link", "walkout_AAAAAAAAAAAAAAAAAAAAAAAAAAAA")


def unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(path) as packed:
        members = packed.getmembers()
        assert all(each.isfile() and each.mode == 0o600 for each in members)
        return {
            each.name.partition("/")[2]: packed.extractfile(each).read().decode()  # type: ignore[union-attr]
            for each in members
        }


def test_a_bundle_of_a_shop_at_work_says_how_it_is_and_holds_no_secret_and_no_picture(
    recorded_shop: Path, tmp_path: Path
) -> None:
    store = yaml.safe_load((recorded_shop / "store.yaml").read_text("utf-8"))
    for name in ("calibration", "planogram", "catalogue"):
        store[name] = str(recorded_shop / store[name])
    del store["checkins"]
    store["cameras"] = {
        name: {"kind": "rtsp", "url": "rtsp://127.0.0.1:9/live", "open_timeout_s": 1}
        for name in store["cameras"]
    }
    state = tmp_path / "state"
    day = day_of(time.time())
    seen = Seen(event("e-1"), (StoredCrop(f"{day}/e-1.jpg", np.zeros((8, 8, 3), np.uint8)),))
    state.mkdir()
    EvidenceFolder(state / "evidence").keep(seen)
    log = tmp_path / "device.log"
    log.write_text(
        f"dashboard: http://127.0.0.1:8080/\nsign in as admin with {SECRETS[0]}\n"
        f"GET /s/{SECRETS[2]}\ntoken {SECRETS[3]}\npassword={SECRETS[0]}\nall is well\n",
        encoding="utf-8",
    )
    store["page"] = {"port": free_port()}
    file = tmp_path / "store.yaml"
    file.write_text(yaml.safe_dump(store), encoding="utf-8")
    out = tmp_path / "support.tar.gz"
    with running(str(file), "--state", str(state)) as device:
        device.asked("api/v1/checkins", {"token": SECRETS[1], "checkin_id": "c-1"})
        arguments = ["doctor", str(file), "--state", str(state), "--log", str(log)]
        ran = CliRunner().invoke(app, [*arguments, "--bundle", str(out)])
        assert ran.exit_code == 1, ran.output  # its cameras give no picture
        packed = unpacked(out)
        with closing(AccountsFile(state / ACCOUNTS_NAME)) as accounts:
            tokens = Tokens(accounts, WORDS, time.time).all()
        assert not [each for each in tokens if each.name.startswith("doctor")]
    assert {
        "about.json", "config.json", "doctor.json", "health.json", "ledger.json",
        "log-device.log.txt", "metrics.txt", "state.json", "stats.json", "versions.txt",
    } <= set(packed)  # fmt: skip
    everything = "\n".join(packed.values())
    assert [secret for secret in SECRETS if secret in everything] == []
    assert "all is well" in packed["log-device.log.txt"]
    assert json.loads(packed["ledger.json"])["entries"]["session_opened"] == 1
    assert json.loads(packed["state.json"])["pictures"] == {f"evidence/{day}": 1}
    assert "walkout_camera_up" in packed["metrics.txt"]
    assert json.loads(packed["health.json"])["ready"] is False
    assert "numpy==" in packed["versions.txt"]


def test_without_a_shop_it_is_about_the_machine_alone(tmp_path: Path) -> None:
    out = tmp_path / "support.tar.gz"
    CliRunner().invoke(app, ["doctor", "--bundle", str(out)])
    assert {"about.json", "doctor.json", "versions.txt"} <= set(unpacked(out))


def test_a_log_is_kept_but_for_what_may_be_a_secret() -> None:
    told = without_secrets_in_log("rtsp://me:pw@camera/1 is lost\nsign in as admin with xyz\n")
    assert told == "rtsp://***@camera/1 is lost\n[left out: it may say a secret]\n"
