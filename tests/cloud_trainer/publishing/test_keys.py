"""Keys on the disk, their passphrase, and what happens over the years."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cloud_trainer.publishing import (
    KeyRing,
    KeysError,
    Repository,
    RoleOverview,
    init_keys,
    overview,
)
from tests.cloud_trainer.publishing.conftest import Bundles
from tests.simulators.cloud import Cloud, client, fetch_target, let_through

PLAN = "rollouts/soda.json"


def asked(answers: list[str], questions: list[str]) -> Callable[[str], str]:
    def ask(why: str) -> str:
        questions.append(why)
        return answers[len(questions) - 1]

    return ask


def view_of(cloud: Cloud, role: str) -> RoleOverview:
    return next(view for view in overview(cloud.repository) if view.role == role)


def sees_plan(cloud: Cloud, device: Path) -> bool:
    return fetch_target(client(device, cloud.root, cloud.store), PLAN) is not None


def test_keys_kept_offline_are_locked_and_nobody_else_can_read_any(tmp_path: Path) -> None:
    questions: list[str] = []
    ring = KeyRing([tmp_path / "keys"], asked(["secret"], questions))
    init_keys(ring, Cloud.make(tmp_path / "clock").now, ("soda",))

    assert len(questions) == 1
    locked = {key.name for key in ring.keys if key.locked}
    assert locked == {"root-1", "root-2", "root-3", "targets-1"}
    assert {key.name for key in ring.keys} - locked == {
        "snapshot-1", "timestamp-1", "rollouts-1", "category-soda-1",
    }  # fmt: skip
    for key in ring.keys:
        assert stat.S_IMODE(key.private_path.stat().st_mode) == 0o600
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.pem"))


def test_a_locked_key_signs_for_who_knows_the_passphrase_only(
    bundles: Bundles, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    cloud = Cloud.make(tmp_path / "cloud")
    init_keys(KeyRing([folder], lambda _: "right"), cloud.now)
    store = Cloud.make(tmp_path / "other").store
    for key in store.list():
        store.delete(key)

    with pytest.raises(KeysError, match="the passphrase is wrong"):
        Cloud(Repository(store, KeyRing([folder], lambda _: "wrong"))).publish(bundles.first)
    with pytest.raises(KeysError, match="the passphrase is empty"):
        Cloud(Repository(store, KeyRing([folder], lambda _: ""))).publish(bundles.first)
    questions: list[str] = []
    right = Cloud(Repository(store, KeyRing([folder], asked(["right"], questions))))
    right.publish(bundles.first)
    right.publish(bundles.product)
    assert len(questions) == 1  # once, for the targets key that lets the category in


def test_keys_are_never_made_over_others(tmp_path: Path) -> None:
    cloud = Cloud.make(tmp_path)
    with pytest.raises(KeysError, match="holds keys already"):
        init_keys(cloud.repository.keys, cloud.now, locked=False)


def test_keys_elsewhere_are_named_when_they_are_needed(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first, judge=let_through)
    stick = tmp_path / "stick"
    stick.mkdir()
    for name in ("root-1", "root-2", "targets-1"):
        path = cloud.repository.keys.folder / f"{name}.pem"
        path.rename(stick / path.name)
    folder = cloud.repository.keys.folder
    online = Cloud(Repository(cloud.store, KeyRing([folder], str)), cloud.now)

    online.publish(bundles.product, everywhere=True, judge=let_through)
    with pytest.raises(KeysError, match=r"root needs 2 of 3 keys to sign, 1 of them.*root-1\.pem"):
        online.rotate("timestamp")
    with pytest.raises(KeysError, match=r"targets needs 1 of 1 keys to sign, 0 of them"):
        online.rotate("rollouts")
    assert view_of(online, "targets").at_hand == 0

    for public in folder.glob("*.pub"):
        if (stick / f"{public.stem}.pem").exists():
            public.rename(stick / public.name)
    both = Cloud(Repository(cloud.store, KeyRing([folder, stick], str)), cloud.now)
    both.rotate("timestamp")
    assert sees_plan(both, tmp_path / "device")


def test_an_old_device_follows_every_rotation_from_the_root_it_was_shipped_with(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first, judge=let_through)
    assert sees_plan(cloud, tmp_path / "polls")
    shipped = cloud.root
    for role in ("timestamp", "snapshot", "targets", "rollouts", "category-soda", "timestamp"):
        cloud.rotate(role)
        assert sees_plan(cloud, tmp_path / "polls")
    for revoked in ("root-1", "root-2", "root-3"):
        cloud.rotate("root", revoked)
    assert {name for _, name in view_of(cloud, "root").keys} == {"root-4", "root-5", "root-6"}
    assert view_of(cloud, "root").version == 8
    assert cloud.root == shipped
    assert sees_plan(cloud, tmp_path / "polls")
    assert sees_plan(cloud, tmp_path / "was off all the time")


def test_a_key_that_is_lost_is_replaced_all_the_same(
    cloud: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    cloud.publish(bundles.first, judge=let_through)
    for role in ("timestamp", "snapshot", "targets", "rollouts", "category-soda"):
        (cloud.repository.keys.folder / f"{role}-1.pem").unlink()
        ring = KeyRing([cloud.repository.keys.folder], str)
        again = Cloud(Repository(cloud.store, ring), cloud.now)
        again.rotate(role)
        assert sees_plan(again, tmp_path / "device")
        cloud = again
    cloud.publish(bundles.product, everywhere=True, judge=let_through)
    assert sees_plan(cloud, tmp_path / "device")


def test_a_role_with_several_keys_is_asked_which(cloud: Cloud) -> None:
    with pytest.raises(KeysError, match="say which one to revoke: root-1, root-2, root-3"):
        cloud.rotate("root")
    with pytest.raises(KeysError, match="root has no key root-9; choose one of root-1"):
        cloud.rotate("root", "root-9")
    with pytest.raises(KeysError, match="there is no role 'category-bread'; choose one of root"):
        cloud.rotate("category-bread")


def test_what_expires_is_renewed_in_time_and_only_then(cloud: Cloud, bundles: Bundles) -> None:
    cloud.publish(bundles.first, judge=let_through)
    before = {view.role: view for view in overview(cloud.repository)}
    cloud.refresh()
    after = {view.role: view for view in overview(cloud.repository)}
    assert {role for role in after if after[role].version > before[role].version} == {"timestamp"}

    cloud.now += timedelta(days=100)  # long after the timestamp expired
    cloud.refresh()
    assert view_of(cloud, "timestamp").expires - cloud.now > timedelta(days=29)
    assert view_of(cloud, "snapshot").version > after["snapshot"].version
    assert view_of(cloud, "targets").version == after["targets"].version

    cloud.now += timedelta(days=2 * 365)
    cloud.refresh()
    for view in overview(cloud.repository):
        assert view.role == "root" or view.expires - cloud.now > timedelta(days=28), view


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "root-1.pub").write_bytes(b"hello")
    with pytest.raises(KeysError, match=r"root-1\.pub is no public key"):
        KeyRing([tmp_path], str)
    with pytest.raises(KeysError, match="is no folder"):
        KeyRing([tmp_path / "root-1.pub"], str)
    with pytest.raises(KeysError, match="keys init"):
        KeyRing([tmp_path / "none"], str).root_text()
