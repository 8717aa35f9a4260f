"""Attacks on the store: each is refused, in words, and what is known grows in one direction."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.errors import FetchError, TrustError
from edge.updates.sources import FolderFetcher
from edge.updates.trust import SignedStore, SignedView
from models.delivery import encode_plan
from tests.edge.updates.attacks import ATTACKS
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.simulators.cloud import TIMESTAMP_KEY, Cloud


class Noting(FolderFetcher):
    """A folder that notes what it is asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        self.asked.append(key)
        return super()._open(key, start)


class Reader:
    """A device's trust with its numbers kept elsewhere, so that it can be wiped."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.numbers: dict[str, int] = {}
        self._cloud = cloud
        self._folder = folder / "trust"
        self.fetcher = Noting(folder / "cloud" / "store")

    def raise_number(self, name: str, least: int) -> int:
        self.numbers[name] = max(self.numbers.get(name, 0), least)
        return self.numbers[name]

    def wipe(self) -> None:
        shutil.rmtree(self._folder)

    def look(self, now: datetime | None = None) -> SignedView:
        store = SignedStore(self._folder, self._cloud.root, self.fetcher, self.raise_number)
        return store.look(now or datetime.now(timezone.utc))

    def read_all(self) -> None:
        view = self.look()
        plan = view.plan(CATEGORY)
        assert plan is not None
        view.release(CATEGORY, plan.stable)


@pytest.fixture
def reader(cloud: Cloud, tmp_path: Path, sodas: Sodas) -> Reader:
    cloud.publish(sodas.first.path)
    return Reader(cloud, tmp_path)


def test_what_is_signed_is_read(reader: Reader, cloud: Cloud, sodas: Sodas) -> None:
    view = reader.look()
    plan, release = view.plan(CATEGORY), view.release(CATEGORY, 1)
    assert plan == cloud.plan(CATEGORY)
    assert {file.name for file in release.files} == {*sodas.first.manifest.files, "manifest.json"}
    assert view.plan("snack") is None
    with pytest.raises(TrustError, match="has signed no such release"):
        view.release(CATEGORY, 2)


def test_a_look_at_a_store_where_nothing_changed_reads_two_objects(reader: Reader) -> None:
    reader.read_all()
    asked = reader.fetcher.asked
    asked.clear()
    reader.read_all()
    assert len(asked) == 2
    assert asked[1] == TIMESTAMP_KEY


@pytest.mark.parametrize("what", ATTACKS)
def test_attacks_on_the_store_are_refused_in_words(
    what: str, reader: Reader, cloud: Cloud, sodas: Sodas
) -> None:
    attack, words = ATTACKS[what]
    reader.read_all()
    attack(cloud, sodas, reader.read_all)
    with pytest.raises(TrustError, match=words):
        reader.read_all()


def test_a_category_cannot_sign_plans_nor_other_categories(
    reader: Reader, cloud: Cloud, sodas: Sodas
) -> None:
    cloud.publish(sodas.snack.path)
    forged = cloud.plan(CATEGORY).model_copy(update={"serial": 9, "stable": 7})
    cloud.forge_plan(CATEGORY, encode_plan(forged))
    plan = reader.look().plan(CATEGORY)
    assert plan is not None and plan.serial == 1
    cloud.list_foreign("snack", f"{CATEGORY}/rel-9/release.json", b"{}")
    with pytest.raises(TrustError, match="has signed no such release"):
        reader.look().release(CATEGORY, 9)


def test_a_wiped_device_does_not_believe_an_older_state(
    reader: Reader, cloud: Cloud, sodas: Sodas
) -> None:
    old = cloud.state()
    cloud.publish(sodas.more.path, everywhere=True)
    reader.read_all()
    cloud.restore(old)
    reader.wipe()
    with pytest.raises(TrustError, match=r"old state again .*this device has seen"):
        reader.read_all()


def test_a_new_root_is_followed_and_an_old_one_not_gone_back_to(
    reader: Reader, cloud: Cloud
) -> None:
    reader.read_all()
    old = cloud.state()
    cloud.rotate("timestamp")
    cloud.rotate("root", "root-1")
    reader.read_all()
    assert reader.numbers["root_version"] >= 2
    cloud.restore(old)
    reader.wipe()
    with pytest.raises(TrustError, match="root_version 1, this device has seen"):
        reader.read_all()


def test_expiry_is_judged_by_the_time_that_is_handed_in(reader: Reader) -> None:
    later = datetime.now(timezone.utc) + timedelta(days=400)
    with pytest.raises(TrustError, match=r"was good until .* clock is ahead"):
        reader.look(later)
    reader.look()


def test_a_store_that_is_away_is_no_lie(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "cloud" / "store").rename(tmp_path / "away")
    with pytest.raises(FetchError, match="cannot be asked"):
        reader.look()


def test_metadata_that_rotted_on_the_disk_is_fetched_again(reader: Reader, tmp_path: Path) -> None:
    reader.read_all()
    for path in (tmp_path / "trust").glob("*.json"):
        if not path.is_symlink():
            path.write_bytes(b"")
    for path in (tmp_path / "trust" / "documents").iterdir():
        path.write_bytes(b"rot")
    reader.read_all()
    kept = [path.read_bytes() for path in (tmp_path / "trust" / "documents").iterdir()]
    assert kept and b"rot" not in kept


def test_a_root_that_is_none_is_refused_at_once(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(TrustError):
        SignedStore(tmp_path / "t", b"{}", FolderFetcher(tmp_path), lambda name, least: least)
