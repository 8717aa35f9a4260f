"""What both stores promise, on a real folder and on a real S3 server."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from cloud_trainer.store import (
    ConditionFailedError,
    FolderStore,
    ObjectMissingError,
    ObjectStore,
    S3Store,
    StoreError,
    open_store,
)
from tests.simulators.cloud import BUCKET, make_bucket, s3_environment, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server with the bucket."""
    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        for name, value in s3_environment(address).items():
            patch.setenv(name, value)
        make_bucket(address)
        yield address


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    request.getfixturevalue("s3")
    return S3Store(BUCKET, f"shop/{tmp_path.name}")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_was_put_is_got_in_whole_and_in_part(store: ObjectStore) -> None:
    etag = store.put("a/b/1.x.json", b"0123456789")
    assert store.get("a/b/1.x.json") == b"0123456789"
    assert store.get_with_etag("a/b/1.x.json") == (b"0123456789", etag)
    assert store.get_range("a/b/1.x.json", 7) == b"789"
    assert store.get_range("a/b/1.x.json", 10) == b""
    assert store.size_bytes("a/b/1.x.json") == 10


def test_what_was_never_put_is_missing(store: ObjectStore) -> None:
    store.put("a/x", b"1")
    for key in ("a/y", "a", "a/x/z"):
        with pytest.raises(ObjectMissingError, match=f"no object {key}"):
            store.get(key)
    with pytest.raises(ObjectMissingError):
        store.get_range("a/y", 3)
    assert store.size_bytes("a/y") is None
    store.delete("a/y")


def test_only_the_first_of_two_makes_an_object(store: ObjectStore) -> None:
    store.put("v/1", b"mine", if_absent=True)
    with pytest.raises(ConditionFailedError):
        store.put("v/1", b"yours", if_absent=True)
    assert store.get("v/1") == b"mine"


def test_only_who_saw_the_newest_state_replaces_it(store: ObjectStore) -> None:
    first = store.put("head", b"one")
    second = store.put("head", b"two", if_match=first)
    with pytest.raises(ConditionFailedError):
        store.put("head", b"three", if_match=first)
    assert store.get("head") == b"two"
    store.put("head", b"three", if_match=second)
    assert store.get("head") == b"three"


def test_who_saw_an_object_that_is_gone_replaces_nothing(store: ObjectStore) -> None:
    etag = store.put("head", b"one")
    store.delete("head")
    with pytest.raises(ConditionFailedError):
        store.put("head", b"two", if_match=etag)
    assert store.size_bytes("head") is None


def test_a_file_is_sent_in_pieces_and_only_as_what_it_was(
    store: ObjectStore, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 20_000
    path = tmp_path / "network"
    path.write_bytes(content)
    steps: list[int] = []
    store.put_file("net/1", path, sha256(content), steps.append)
    assert store.get("net/1") == content
    assert sum(steps) == len(content) and len(steps) > 1

    path.write_bytes(content[:-1] + b"!")
    with pytest.raises(StoreError):
        store.put_file("net/2", path, sha256(content))
    assert store.size_bytes("net/2") is None


def test_an_empty_file_is_a_file(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    store.put_file("empty", tmp_path / "empty", sha256(b""))
    assert store.get("empty") == b""


def test_names_are_listed_in_order_and_by_what_they_begin_with(store: ObjectStore) -> None:
    assert store.list() == ()
    for key in ("metadata/2.x.json", "metadata/10.x.json", "targets/a"):
        store.put(key, b"")
    assert store.list("metadata/") == ("metadata/10.x.json", "metadata/2.x.json")
    assert store.list() == ("metadata/10.x.json", "metadata/2.x.json", "targets/a")
    store.delete("targets/a")
    assert store.list("targets/") == ()


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".lock", "a\0", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreError, match="cannot name an object"):
        store.put(key, b"")
    with pytest.raises(StoreError, match="cannot name an object"):
        store.get(key)


def test_an_address_says_which_store_it_is(tmp_path: Path, s3: str) -> None:
    assert isinstance(open_store(str(tmp_path)), FolderStore)
    assert isinstance(open_store(tmp_path.as_uri()), FolderStore)
    assert open_store(tmp_path.as_uri()).url == tmp_path.as_uri()
    bucket = open_store(f"s3://{BUCKET}/a/b/")
    assert isinstance(bucket, S3Store)
    assert bucket.url == f"s3://{BUCKET}/a/b"


@pytest.mark.parametrize("address", ["", "s3://", "s3:x", "https://host/x", "file:", "file://h/x"])
def test_an_address_of_nothing_is_refused(address: str) -> None:
    with pytest.raises(StoreError, match="is no store"):
        open_store(address)


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot use"):
        FolderStore(tmp_path / "file" / "store").put("a", b"")


def test_what_a_killed_writer_left_is_no_object_and_in_nobodys_way(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"1")
    (tmp_path / ".incoming").write_bytes(b"half of someth")
    assert store.list() == ("a",)
    store.put("b", b"2")
    assert store.get("b") == b"2"


COUNTER = """
import sys
from pathlib import Path
from cloud_trainer.store import ConditionFailedError, FolderStore
store = FolderStore(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    while True:
        content, etag = store.get_with_etag("count")
        try:
            store.put("count", str(int(content) + 1).encode(), if_match=etag)
        except ConditionFailedError:
            continue
        break
"""


def test_processes_that_count_together_lose_nothing(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("count", b"0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path), "60"]
    counters = [subprocess.Popen(command) for _ in range(2)]
    assert [counter.wait(60) for counter in counters] == [0, 0]
    assert FolderStore(tmp_path).get("count") == b"120"


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    with pytest.raises(StoreError, match="no bucket nowhere"):
        S3Store("nowhere").put("a", b"")
    with pytest.raises(StoreError, match="no bucket nowhere"):
        S3Store("nowhere").list()


def test_a_network_that_is_gone_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for name, value in s3_environment(f"http://127.0.0.1:{port}").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError, match="cannot reach s3://bundles") as caught:
        S3Store(BUCKET).get("a")
    assert "\n" not in str(caught.value)


def test_without_credentials_the_line_says_to_check_them(
    s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="check the network, the credentials"):
        S3Store(BUCKET).put("a", b"")


def test_credentials_that_are_wrong_are_one_line(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at_credentials_after(s3, "0")
    try:
        with pytest.raises(StoreError, match=r"refuses these credentials \(InvalidAccessKeyId\)"):
            S3Store(BUCKET).put("a", b"")
    finally:
        look_at_credentials_after(s3, "inf")


def look_at_credentials_after(server: str, requests: str) -> None:
    plain = {"Content-Type": "text/plain"}
    address = f"{server}/moto-api/reset-auth"
    urlopen(Request(address, requests.encode(), plain, method="POST")).close()
