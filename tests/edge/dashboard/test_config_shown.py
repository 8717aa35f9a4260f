from __future__ import annotations

from pathlib import Path

from edge.config_file import parse_config
from edge.dashboard.config_shown import HIDDEN, config_shown, without_secrets

STORE = """
schema_version: 1
store: {id: demo, name: Demo, currency: EUR}
calibration: calibration.json
planogram: planogram.json
catalogue: catalogue
mqtt: {host: broker, username: shop, password_env: BROKER_PASSWORD}
cameras:
  door: {kind: rtsp, url: "rtsp://10.0.0.5/stream", username: user, password_env: DOOR}
  till:
    kind: gstreamer
    template: custom
    pipeline: 'rtspsrc location=rtsp://me:hunter2@10.0.0.6/a user-pw="hunter2" ! decodebin'
"""


def test_no_secret_is_shown_and_everything_else_is(tmp_path: Path) -> None:
    config = parse_config(STORE, "store.yaml", {"BROKER_PASSWORD": "x", "DOOR": "hunter2"})
    shown = config_shown(config)
    assert "hunter2" not in str(shown)
    assert shown["cameras"]["door"]["password"] == HIDDEN
    assert shown["cameras"]["door"]["url"] == "rtsp://10.0.0.5/stream"
    assert shown["cameras"]["till"]["pipeline"].startswith(f"rtspsrc location=rtsp://{HIDDEN}@")
    assert shown["mqtt"]["password_env"] == "BROKER_PASSWORD"
    assert shown["store"]["name"] == "Demo"


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    value = {"a": [{"token": "x", "none": None, "secret": None}], "b": "pw=x rest", "c": 3}
    assert without_secrets(value) == {
        "a": [{"token": HIDDEN, "none": None, "secret": None}],
        "b": f"pw={HIDDEN} rest",
        "c": 3,
    }
