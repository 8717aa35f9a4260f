from __future__ import annotations

from pathlib import Path

import pytest

from edge.cameras.settings import RtspSettings
from edge.config import StoreConfig
from edge.config_file import config_schema, load_config, parse_config, secret
from edge.errors import ConfigError

GOOD = """\
schema_version: 1
store: {id: demo, name: Walkout demo, currency: EUR, timezone: Europe/Berlin, tax_percent: 19.0}
calibration: calibration.json
planogram: planogram.json
catalogue: catalogue
cameras:
  shelf-1: {kind: rtsp, url: "rtsp://shelf-1.local/stream"}
  overhead-1: {kind: rtsp, url: "rtsp://overhead-1.local/stream", stall_after_s: 7}
"""


SHELF = "role: shelf\nlink: {host: hub.local, device: a}\n"
HUB = "role: hub\nlink: {host: localhost, device: hub, shelf_devices: [a, b]}\n"


def parsed(text: str, **environment: str) -> StoreConfig:
    return parse_config(text, "store.yaml", environment)


def complaints(text: str, **environment: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parsed(text, **environment)
    return caught.value.complaints


def test_what_is_not_said_has_a_sane_default() -> None:
    config = parsed(GOOD)
    assert (config.role, config.link) == ("all", None)
    assert config.page is not None
    assert config.page.host == "127.0.0.1"
    assert config.till is None
    assert config.evidence_days == 30
    assert not config.is_recorded
    assert str(config.store.terms.tax.percent) == "19.0"


def test_one_shop_may_be_several_devices() -> None:
    shelf, hub = parsed(GOOD + SHELF).link, parsed(GOOD + HUB).link
    assert shelf is not None
    assert hub is not None
    assert (shelf.prefix, shelf.device, hub.shelf_devices) == (hub.prefix, "a", ("a", "b"))


def test_a_camera_overrides_what_holds_for_all_cameras() -> None:
    config = parsed(GOOD + "camera_defaults: {stall_after_s: 4, frozen_after_s: 20}\n")
    assert config.cameras["shelf-1"].stall_after_s == 4
    assert config.cameras["overhead-1"].stall_after_s == 7
    assert config.cameras["overhead-1"].frozen_after_s == 20


def test_a_shelf_camera_overrides_how_shelves_are_watched_only_where_it_says_so() -> None:
    config = parsed(
        GOOD
        + "interaction: {differs_by: 20, moves_by: 15}\n"
        + "interaction_overrides: {shelf-1: {moves_by: 9}}\n"
    )
    assert config.interaction.moves_by == 15
    assert config.interaction_overrides["shelf-1"].moves_by == 9
    assert config.interaction_overrides["shelf-1"].differs_by == 20


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("colour: red\n", "store.yaml:9: colour: there is no such setting"),
        ("floor: {rate_hz: 0}\n", "store.yaml:9: floor.rate_hz: Input should be greater than 0"),
        ("floor:\n  tracks: {lost_aftr_s: 3}\n", "store.yaml:10: floor.tracks.lost_aftr_s: there"),
        ("role: shelf\n", "role and link belong together"),
        ("link: {host: hub.local, device: a}\n", "role and link belong together"),
        (SHELF + "till: {url: http://till}\n", "a shelf device has no check-ins, till or mqtt"),
        (HUB.replace(", shelf_devices: [a, b]", ""), "link.shelf_devices is what the hub names"),
        (SHELF.replace("device: a", "device: a/b"), "store.yaml:10: link.device: String should"),
        (SHELF.replace("device: a", "device: a, prefix: a/#"), "store.yaml:10: link.prefix: Str"),
        ("checkins: checkins.json\n", "checkins is for recorded shops"),
        ("interaction_overrides: {shelf-9: {}}\n", "names shelf-9, which is none of the cameras"),
        ("till: {url: ftp://till}\n", "store.yaml:9: till.url"),
        ("floor: {rate_hz: 5}\nfloor: {rate_hz: 6}\n", "store.yaml:10: floor stands here for the"),
        ("floor: {rate_hz: [}\n", "store.yaml:9: this is not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(added: str, said: str) -> None:
    assert said in complaints(GOOD + added)[0]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("EUR", "EURO", "store.yaml:2: store.currency: 'EURO' is no ISO 4217 currency"),
        ("Europe/Berlin", "Berlin", "store.yaml:2: store.timezone: time zone 'Berlin' is not"),
        ("planogram: planogram.json\n", "", "planogram: it is missing; add it"),
        ("kind: rtsp", "kind: tape", "store.yaml:7: cameras.shelf-1"),
        ("schema_version: 1", "schema_version: 2", "store.yaml:1: schema_version"),
    ],
)
def test_a_value_that_cannot_be_is_refused(before: str, after: str, said: str) -> None:
    assert said in complaints(GOOD.replace(before, after, 1))[0]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(complaints(GOOD + "colour: red\nfloor: {rate_hz: 0}\nevidence_days: no\n")) == 3


def test_recordings_and_live_cameras_are_not_mixed() -> None:
    mixed = GOOD + "  shelf-2: {kind: file, path: shelf-2.mp4}\n"
    assert "cameras shelf-2 are recordings and the others are live" in complaints(mixed)[0]


def test_a_password_comes_from_the_environment() -> None:
    text = GOOD.replace('stream"}', 'stream", username: eye, password_env: EYE_PASSWORD}')
    camera = parsed(text, EYE_PASSWORD="hush").cameras["shelf-1"]
    assert isinstance(camera, RtspSettings)
    assert camera.secret == "hush"
    assert complaints(text) == (
        "store.yaml:7: cameras.shelf-1.password_env: the environment has no EYE_PASSWORD; set it",
    )


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace('stream"}', 'stream", username: eye, password: hush}'),
        GOOD.replace("rtsp://shelf-1", "rtsp://eye:hush@shelf-1"),
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(text: str) -> None:
    (said,) = complaints(text)
    assert "a password does not belong into the file" in said
    assert "hush" not in said


def test_a_secret_that_is_named_must_be_there() -> None:
    assert secret(None, {}) is None
    assert secret("TILL_TOKEN", {"TILL_TOKEN": "t"}) == "t"
    with pytest.raises(ConfigError, match="the environment has no TILL_TOKEN"):
        secret("TILL_TOKEN", {"TILL_TOKEN": ""})


def test_the_schema_is_closed_and_has_no_field_for_a_password() -> None:
    schema = config_schema()
    assert schema["additionalProperties"] is False
    camera = schema["$defs"]["RtspSettings"]
    assert "password" not in camera["properties"]
    assert "password_env" in camera["properties"]
    assert schema["$defs"]["CheckoutSettings"]["properties"]["receipt_waits_s"]["default"] == 1.0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/store\.yaml: cannot be read"):
        load_config(tmp_path / "nowhere" / "store.yaml")
