"""What somebody with the store, or with some keys, gets past devices and publishers: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)

from cloud_trainer.publishing import KeyRing, Repository, RepositoryDamagedError, init_keys
from models.delivery import release_path
from tests.cloud_trainer.publishing.conftest import Bundles
from tests.simulators.cloud import (
    TIMESTAMP_KEY,
    Cloud,
    client,
    fetch_target,
    let_through,
)

VECTORS = "soda/rel-1/vectors.safetensors"


@pytest.fixture
def attacked(cloud: Cloud, bundles: Bundles, tmp_path: Path) -> Cloud:
    """A cloud with a release, which a device has seen."""
    cloud.publish(bundles.first, judge=let_through)
    assert poll(cloud, tmp_path, release_path("soda", 1)) is not None
    return cloud


def poll(cloud: Cloud, tmp_path: Path, path: str, device: str = "device") -> bytes | None:
    return fetch_target(client(tmp_path / device, cloud.root, cloud.store), path)


def test_a_replayed_timestamp_is_refused_by_who_saw_a_newer_one(
    attacked: Cloud, tmp_path: Path
) -> None:
    old = attacked.state()
    attacked.sign("soda", salt="newer")
    poll(attacked, tmp_path, "rollouts/soda.json")
    attacked.restore(old)
    with pytest.raises(BadVersionNumberError):
        poll(attacked, tmp_path, "rollouts/soda.json")


def test_an_old_snapshot_under_a_new_name_is_refused(attacked: Cloud, tmp_path: Path) -> None:
    old = attacked.state()
    attacked.sign("soda", salt="newer")
    attacked.old_snapshot_under_new_name(old)
    with pytest.raises(RepositoryError):
        poll(attacked, tmp_path, "rollouts/soda.json")
    with pytest.raises(RepositoryDamagedError, match="snapshot in the store is not what"):
        attacked.plan("soda")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Cloud.flip_bit, LengthOrHashMismatchError),
        (Cloud.truncate, LengthOrHashMismatchError),
        (Cloud.pad, DownloadLengthMismatchError),
    ],
)
def test_a_changed_target_is_refused(
    attacked: Cloud, tmp_path: Path, change: Callable[[Cloud, str], None], error: type[Exception]
) -> None:
    change(attacked, attacked.target_key("soda", VECTORS))
    with pytest.raises(error):
        poll(attacked, tmp_path, VECTORS)


def test_the_key_of_one_category_cannot_sign_for_another(
    attacked: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    attacked.repository.keys.make("category-snack", locked=False)
    attacked.sign_with_key_of("soda", "snack")
    with pytest.raises(UnsignedMetadataError):
        poll(attacked, tmp_path, release_path("soda", 1))
    with pytest.raises(RepositoryDamagedError, match="category-soda in the store is not what"):
        attacked.publish(bundles.product, judge=let_through)


def test_a_category_cannot_list_what_is_not_its_own(attacked: Cloud, tmp_path: Path) -> None:
    attacked.list_foreign("soda", "snack/rel-9/release.json", b"{}")
    assert poll(attacked, tmp_path, "snack/rel-9/release.json") is None
    attacked.forge_plan("soda", b"{}")
    plan = poll(attacked, tmp_path, "rollouts/soda.json")
    assert plan is not None and plan != b"{}"


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "rollouts", "category-soda"])
def test_a_revoked_key_signs_nothing_any_more(attacked: Cloud, tmp_path: Path, role: str) -> None:
    attacked.go_on_with_revoked_key(role)
    wanted = release_path("soda", 1) if role == "category-soda" else "rollouts/soda.json"
    with pytest.raises(UnsignedMetadataError):
        poll(attacked, tmp_path, wanted)


def test_who_withholds_news_is_found_out_when_the_timestamp_expires(
    attacked: Cloud, tmp_path: Path
) -> None:
    attacked.expire_timestamp()
    with pytest.raises(ExpiredMetadataError):
        poll(attacked, tmp_path, "rollouts/soda.json")
    attacked.refresh()
    assert poll(attacked, tmp_path, "rollouts/soda.json") is not None


def test_a_root_by_one_key_is_followed_by_nobody(attacked: Cloud, tmp_path: Path) -> None:
    attacked.root_by_one_key()
    with pytest.raises(UnsignedMetadataError):
        poll(attacked, tmp_path, "rollouts/soda.json")
    with pytest.raises(RepositoryDamagedError, match="root in the store is not what was signed"):
        attacked.plan("soda")


def test_a_publisher_signs_nothing_on_top_of_what_others_put_there(
    attacked: Cloud, bundles: Bundles
) -> None:
    key = next(key for key in attacked.store.list("metadata/") if "category-soda" in key)
    attacked.store.put(key, attacked.store.get(key).replace(b'"length":', b'"length": '))
    with pytest.raises(RepositoryDamagedError, match="category-soda"):
        attacked.publish(bundles.product, judge=let_through)
    attacked.flip_bit(TIMESTAMP_KEY)
    with pytest.raises(RepositoryDamagedError, match="timestamp"):
        attacked.plan("soda")


def test_a_store_of_other_keys_is_left_alone(
    attacked: Cloud, bundles: Bundles, tmp_path: Path
) -> None:
    ring = KeyRing([tmp_path / "mine"], str)
    init_keys(ring, attacked.now, locked=False)
    mine = Cloud(Repository(attacked.store, ring), attacked.now)
    state = attacked.state()
    with pytest.raises(RepositoryDamagedError):
        mine.publish(bundles.first, judge=let_through)
    assert attacked.state() == state
    attacked.store.delete(TIMESTAMP_KEY)
    with pytest.raises(RepositoryDamagedError, match="belongs to other keys"):
        mine.publish(bundles.first, judge=let_through)
