from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.bundle import EMBEDDER_NAME, INT8_NAME, MANIFEST_NAME, VECTORS_NAME
from models.bundle.folder import record_of
from models.delivery import (
    MAX_MESSAGE_BYTES,
    Announcement,
    CategoryStatus,
    DeliveryFormatError,
    DeliveryVersionError,
    DeviceStatus,
    MessageTooLargeError,
    Quarantined,
    Release,
    RolloutPlan,
    Topic,
    UpdateEvent,
    announce_topic,
    attempt,
    bytes_to_fetch,
    category_patterns,
    category_role,
    command_topic,
    decode,
    decode_plan,
    decode_release,
    device_share_percent,
    encode,
    encode_plan,
    encode_release,
    event_id_of,
    file_path,
    network_id_of,
    parse_release_path,
    parse_topic,
    release_of,
    release_path,
    require_category,
    require_device_id,
    status_topic,
    stored_target,
    takes_candidate,
    update_event_topic,
    wanted_release,
)
from tests.simulators.bundles import make_bundle

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


def plan(**changes: object) -> RolloutPlan:
    fields: dict[str, object] = {
        "category": "soda",
        "serial": 3,
        "stable": 4,
        "candidate": 5,
        "issued_at": NOON,
    }
    return RolloutPlan.model_validate(fields | changes)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    bundle = make_bundle(tmp_path_factory.mktemp("release") / "bundle", category="soda")
    record = record_of(bundle.path, MANIFEST_NAME)
    return release_of(
        bundle.manifest, (record.size_bytes, record.sha256), release=7, not_before=NOON
    )


def test_a_release_survives_the_wire_and_says_what_lies_where(release: Release) -> None:
    assert decode_release(encode_release(release)) == release
    targets = {file.name: file.target for file in release.files}
    assert targets[EMBEDDER_NAME] == f"soda/net-{release.network_id}/{EMBEDDER_NAME}"
    assert targets[VECTORS_NAME] == "soda/rel-7/vectors.safetensors"
    assert targets["golden/000.png"] == "soda/rel-7/golden/000.png"
    assert [file.name for file in release.network] == [EMBEDDER_NAME]


def test_every_target_of_a_release_is_one_that_its_role_may_sign(release: Release) -> None:
    metadata = pytest.importorskip("tuf.api.metadata")
    role = metadata.DelegatedRole(
        category_role("soda"), [], 1, True, paths=list(category_patterns("soda"))
    )
    other = metadata.DelegatedRole(
        category_role("snack"), [], 1, True, paths=list(category_patterns("snack"))
    )
    for file in release.files:
        assert role.is_delegated_path(file.target)
        assert not other.is_delegated_path(file.target)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"category": "snack"}, "target of something else"),
        ({"release": 8}, "target of something else"),
        ({"network_id": "0" * 16}, "something else"),
        ({"files": []}, "hold manifest.json"),
        ({"surprise": 1}, "surprise"),
        ({"not_before": "2026-03-02T12:00:00"}, "timezone"),
    ],
)
def test_a_release_that_contradicts_itself_is_refused(
    release: Release, change: dict[str, object], complaint: str
) -> None:
    document = json.loads(encode_release(release)) | change
    with pytest.raises(DeliveryFormatError, match=complaint):
        decode_release(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("name", "../../etc/passwd", "no bundle has a file"),
        ("name", "golden/../manifest.json", "no bundle has a file"),
        ("target", "snack/rel-7/vectors.safetensors", "something else"),
        ("length", 2**40, "over"),
        ("length", -1, "greater than or equal"),
        ("sha256", "0" * 64, "network id"),
    ],
)
def test_a_release_with_a_file_that_no_bundle_has_is_refused(
    release: Release, field: str, value: object, complaint: str
) -> None:
    document = json.loads(encode_release(release))
    place = [file["name"] for file in document["files"]].index(EMBEDDER_NAME)
    document["files"][place][field] = value
    with pytest.raises(DeliveryFormatError, match=complaint):
        decode_release(json.dumps(document).encode())


def test_a_document_of_a_later_schema_says_to_update_the_software(release: Release) -> None:
    document = json.loads(encode_release(release)) | {"schema_version": 2, "news": True}
    with pytest.raises(DeliveryVersionError, match="update the software"):
        decode_release(json.dumps(document).encode())


def test_only_files_that_changed_are_fetched(release: Release) -> None:
    assert bytes_to_fetch(release, None) == release.size_bytes
    assert bytes_to_fetch(release, release) == 0
    files = [
        file.model_copy(update={"sha256": "a" * 64}) if file.name == VECTORS_NAME else file
        for file in release.files
    ]
    before = release.model_copy(update={"files": tuple(files)})
    [vectors] = [file for file in release.files if file.name == VECTORS_NAME]
    assert bytes_to_fetch(release, before) == vectors.length


def test_a_network_is_known_by_all_its_files_and_by_no_other() -> None:
    network = {EMBEDDER_NAME: "a" * 64, INT8_NAME: "b" * 64}
    assert network_id_of(network) == network_id_of(network | {VECTORS_NAME: "c" * 64})
    assert network_id_of(network) != network_id_of({EMBEDDER_NAME: "a" * 64})
    assert network_id_of(network) != network_id_of(network | {INT8_NAME: "c" * 64})


@pytest.mark.parametrize("category", ["a/b", "", ".", "..", "*", "so?a", "a b", "rollouts", "x\n"])
def test_a_category_that_would_be_a_pattern_or_a_folder_cannot_travel(category: str) -> None:
    with pytest.raises(DeliveryFormatError, match="rename it"):
        require_category(category)


def test_paths_are_stored_with_their_checksum_before_the_file_name() -> None:
    assert file_path("soda", 1, "0" * 16, "golden/001.png") == "soda/rel-1/golden/001.png"
    assert stored_target("soda/rel-1/a.b", "ff") == "targets/soda/rel-1/ff.a.b"
    with pytest.raises(DeliveryFormatError, match="count from 1"):
        file_path("soda", 0, "0" * 16, "manifest.json")


def test_the_path_of_a_release_says_whose_and_which_it_is() -> None:
    assert parse_release_path(release_path("rel-1", 12)) == ("rel-1", 12)
    for path in ("soda/rel-1/manifest.json", "soda/rel-0/release.json", "a/b/rel-1/release.json"):
        assert parse_release_path(path) is None


def test_topics_say_who_speaks_of_what() -> None:
    assert parse_topic(announce_topic("soda")) == Topic("announce", "soda")
    assert parse_topic(status_topic("shelf-1")) == Topic("status", "shelf-1")
    assert parse_topic(update_event_topic("shelf-1")) == Topic("update_event", "shelf-1")
    assert parse_topic(command_topic("shelf-1")) == Topic("command", "shelf-1")


@pytest.mark.parametrize(
    "topic",
    ["", "fleet/v1", "fleet/v1/announce", "fleet/v1/d/a/b", "fleet/v1/d/A/status", "d/a/status"]
    + ["fleet/v1/announce/+", "fleet/v1/d/#", "fleet/v1/d/-a/cmd", "fleet/v1/d/a/status/x"],
)
def test_a_topic_of_nobody_is_refused(topic: str) -> None:
    with pytest.raises(DeliveryFormatError):
        parse_topic(topic)


@pytest.mark.parametrize("device_id", ["", "-a", "A", "a" * 64, "a/b", "+", "shelf_1", "a\n"])
def test_a_device_id_that_is_no_topic_level_is_refused(device_id: str) -> None:
    with pytest.raises(DeliveryFormatError):
        require_device_id(device_id)


def test_without_a_candidate_every_device_runs_the_stable_release() -> None:
    settled = plan(candidate=None, candidate_percent=100)
    assert wanted_release(settled, "shelf-1") == 4
    assert wanted_release(settled, "shelf-1", serving=5) == 4


def test_named_devices_take_the_candidate_before_any_share_does() -> None:
    canaries = plan(candidate_devices=["shelf-1"], candidate_percent=0)
    assert wanted_release(canaries, "shelf-1") == 5
    assert wanted_release(canaries, "shelf-2") == 4


def test_a_share_takes_about_that_many_devices_and_a_larger_one_keeps_them() -> None:
    devices = [f"shelf-{number}" for number in range(2000)]
    taken = {
        percent: {
            device
            for device in devices
            if wanted_release(plan(candidate_percent=percent, salt="r5"), device) == 5
        }
        for percent in (0, 10, 50, 100)
    }
    assert taken[0] == set()
    assert taken[100] == set(devices)
    assert taken[10] < taken[50]
    assert 140 < len(taken[10]) < 260
    assert 900 < len(taken[50]) < 1100
    other = {
        device
        for device in devices
        if takes_candidate(plan(candidate_percent=10, salt="r6"), device)
    }
    assert other != taken[10]


@given(st.text(max_size=20), st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True))
@settings(max_examples=50, deadline=None)
def test_a_device_has_one_place_below_a_hundred(salt: str, device_id: str) -> None:
    assert 0 <= device_share_percent(salt, device_id) <= 100
    assert takes_candidate(plan(candidate_percent=100, salt=salt), device_id)
    assert not takes_candidate(plan(candidate_percent=0, salt=salt), device_id)


def test_while_paused_only_those_that_serve_the_candidate_keep_it() -> None:
    paused = plan(candidate_percent=100, candidate_devices=["shelf-1"], paused=True)
    assert wanted_release(paused, "shelf-1") == 4
    assert wanted_release(paused, "shelf-1", serving=4) == 4
    assert wanted_release(paused, "shelf-1", serving=5) == 5


def test_a_device_is_asked_to_try_again_by_name() -> None:
    again = plan(retry={"shelf-1": 2})
    assert attempt(again, "shelf-1") == 2
    assert attempt(again, "shelf-2") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"withdrawn": [4]},
        {"withdrawn": [5]},
        {"floor": 5},
        {"candidate_percent": 101},
        {"candidate_percent": float("nan")},
        {"candidate_devices": ["UPPER"]},
        {"retry": {"a/b": 1}},
        {"stable": 0},
        {"issued_at": datetime(2026, 3, 2)},  # no zone
    ],
)
def test_a_plan_that_would_run_what_must_not_run_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        plan(**change)


def test_a_plan_survives_the_wire_byte_for_byte() -> None:
    sent = plan(candidate_devices=["b", "a"], retry={"b": 1, "a": 2}, withdrawn=[1, 2], floor=3)
    assert decode_plan(encode_plan(sent)) == sent
    assert encode_plan(decode_plan(encode_plan(sent))) == encode_plan(sent)


def status(**changes: object) -> DeviceStatus:
    fields: dict[str, object] = {
        "device_id": "shelf-1",
        "online": True,
        "boot": 3,
        "sent_at": NOON,
        "walkout_version": "0.1.0",
    }
    return DeviceStatus.model_validate(fields | changes)


def test_a_status_survives_the_wire_and_its_words_are_fit_for_a_terminal() -> None:
    sent = status(
        agents=[
            CategoryStatus(
                category="soda",
                serving_release=4,
                state="quarantined",
                target_release=5,
                reason="\x1b[2Jlow recall" + "!" * 500,
                quarantined=(Quarantined(release=5, reason="low recall", failures=3),),
                swapped_at=NOON,
            )
        ]
    )
    assert decode(DeviceStatus, encode(sent)) == sent
    reason = sent.agents[0].reason
    assert reason.startswith("?[2Jlow recall!") and len(reason) < 250


def test_a_message_that_no_broker_takes_is_not_sent() -> None:
    agents = [
        CategoryStatus(
            category=f"c{number}",
            quarantined=tuple(
                Quarantined(release=release + 1, reason="x" * 200, failures=1)
                for release in range(100)
            ),
        )
        for number in range(10)
    ]
    with pytest.raises(MessageTooLargeError, match=str(MAX_MESSAGE_BYTES)):
        encode(status(agents=agents))


def test_a_message_longer_than_any_is_not_even_parsed() -> None:
    with pytest.raises(MessageTooLargeError):
        decode(Announcement, b"[" * (MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_whatever_arrives_is_refused_in_one_way(content: bytes) -> None:
    with pytest.raises(DeliveryFormatError):
        decode(DeviceStatus, content)


def test_an_event_is_known_by_device_boot_and_number() -> None:
    event = UpdateEvent(
        event_id=event_id_of("shelf-1", 3, 12),
        device_id="shelf-1",
        boot=3,
        at=NOON,
        category="soda",
        release=5,
        state="rolled_back",
        outcome="rolled_back",
        kind="watch",
        reason="reviews doubled",
    )
    assert decode(UpdateEvent, encode(event)) == event
    with pytest.raises(DeliveryFormatError, match="event_id"):
        decode(UpdateEvent, encode(event).replace(b"shelf-1:3:12", b"shelf-1"))
